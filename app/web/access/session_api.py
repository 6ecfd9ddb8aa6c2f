"""The API of sessions: signing in and out, who one is, giving one's PIN or password again, one's other sessions."""

from __future__ import annotations

from flask import Blueprint, Response, g, request
from pydantic import BaseModel, ConfigDict, Field

from app.errors import UsageError
from app.web.access import present
from app.web.access.people import Kind
from app.web.access.sessions import Session, cookie_name
from app.web.access.setting_up import set_up
from app.web.access.signing_in import confirm, sign_in
from app.web.context import Context
from app.web.openapi import documented, sent, told

_LONGEST_SECRET = 256


class SignIn(BaseModel):
    """Somebody signs in: with their PIN, or with their password."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(min_length=1, max_length=80, description="of the person, whatever its capitals")
    pin: str = Field("", max_length=_LONGEST_SECRET, description="of the touch screen")
    password: str = Field("", max_length=_LONGEST_SECRET, description="of a desk; one of the two is given")


class SetUp(BaseModel):
    """The first admin of a box."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    code: str = Field(min_length=1, max_length=40, description="what `takt users setup-code` says")
    name: str = Field(min_length=1, max_length=80, description="of the admin")
    password: str = Field(min_length=1, max_length=_LONGEST_SECRET, description="for a desk")
    pin: str = Field("", max_length=_LONGEST_SECRET, description="for the touch screen; empty: none")


class Again(BaseModel):
    """The own PIN or password once more."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    secret: str = Field(min_length=1, max_length=_LONGEST_SECRET, description="PIN or password")


class OwnSecret(BaseModel):
    """Another PIN or password for oneself."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Kind = Field(description="which")
    current: str = Field(min_length=1, max_length=_LONGEST_SECRET, description="PIN or password as it is now")
    secret: str = Field(min_length=1, max_length=_LONGEST_SECRET, description="the new one")


class Me(BaseModel):
    """Who asks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="empty: nobody has signed in")
    role: str = Field(description="none, operator, lead, quality, technician or admin")
    csrf: str = Field(description="what commands carry in the header X-CSRF")
    idle_s: int = Field(description="signed out after doing nothing for so long; 0: never")


class MySession(BaseModel):
    """One of the own sessions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str = Field(description="pin or password")
    address: str = Field(description="from where")
    agent: str = Field(description="with which browser")
    made_us: int = Field(description="since when, in microseconds since 1970 UTC")
    seen_us: int = Field(description="when something was last done by it, within some minutes")
    is_this: bool = Field(description="the one that asks")


class MySessions(BaseModel):
    """The own sessions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sessions: list[MySession] = Field(description="the newest first")


class Ended(BaseModel):
    """What has ended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ended: int = Field(description="how many sessions")


def add_session_views(access: Blueprint, context: Context) -> None:
    """The views that let people in and out."""
    _add_coming(access, context)
    _add_staying(access, context)
    _add_going(access, context)


def _add_coming(access: Blueprint, context: Context) -> None:
    @access.post("/api/v1/session")
    @documented(answer=Me, body=SignIn, errors=(401, 503))
    def begin() -> Response:
        """Signs somebody in. Whatever session the browser had ends."""
        said = sent(SignIn)
        if bool(said.pin) == bool(said.password):
            raise UsageError("either a PIN or a password signs in", "give one of the two")
        kind: Kind = "pin" if said.pin else "password"
        return _begun(context, said.name, kind, said.pin or said.password)

    @access.post("/api/v1/setup")
    @documented(answer=Me, body=SetUp, errors=(409, 503))
    def set_up_box() -> Response:
        """Makes the first admin, with the code that the box has told its owner, and signs them in."""
        said = sent(SetUp)
        context.access.limits.sign_in(_address())
        set_up(context.access, said.code, said.name, said.password, pin=said.pin, address=_address())
        return _begun(context, said.name, "password", said.password)


def _add_staying(access: Blueprint, context: Context) -> None:
    @access.get("/api/v1/session")
    @documented(answer=Me)
    def me() -> Response:
        """Who asks."""
        return told(_me(present.caller()))

    @access.post("/api/v1/session/alive")
    @documented(answer=Me)
    def alive() -> Response:
        """Somebody is still there: they have touched the page, though nothing was asked for."""
        return told(_me(present.caller()))

    @access.post("/api/v1/session/confirm")
    @documented(answer=Me, body=Again, errors=(401, 503))
    def confirm_session() -> Response:
        """Takes the own PIN or password once more; for two minutes, what has consequences may then be done."""
        confirm(context.access, own_session(), sent(Again).secret, address=_address())
        return told(_me(present.caller()))

    @access.post("/api/v1/session/secret")
    @documented(answer=Me, body=OwnSecret, errors=(401, 503))
    def set_own_secret() -> Response:
        """Changes the own PIN or password, and signs out everywhere else."""
        said, own = sent(OwnSecret), own_session()
        confirm(context.access, own, said.current, address=_address())
        context.access.people.set_secret(own.name, said.kind, said.secret, by=own.name, but=own.id)
        return told(_me(present.caller()))

    @access.get("/api/v1/session/all")
    @documented(answer=MySessions)
    def my_sessions() -> Response:
        """Where else the same person is signed in."""
        own = own_session()
        return told(MySessions(sessions=[_mine(each, own) for each in context.access.sessions.of(own.person)]))


def _add_going(access: Blueprint, context: Context) -> None:
    @access.post("/api/v1/session/end")
    @documented(answer=Ended)
    def sign_out() -> Response:
        """Signs out."""
        own = own_session()
        context.access.sessions.end(own.id)
        answer = told(Ended(ended=1))
        answer.delete_cookie(cookie_name(is_secure=request.is_secure), secure=request.is_secure, httponly=True)
        return answer

    @access.post("/api/v1/session/all/end")
    @documented(answer=Ended)
    def end_others() -> Response:
        """Ends every other session of the same person."""
        own = own_session()
        return told(Ended(ended=context.access.sessions.end_all(own.person, but=own.id)))


def own_session() -> Session:
    """The session of whoever asks; the table of permissions lets no machine come here."""
    caller = present.caller()
    assert caller is not None
    assert caller.session is not None
    return caller.session


def _begun(context: Context, name: str, kind: Kind, secret: str) -> Response:
    access = context.access
    former = _cookie()
    agent = request.user_agent.string
    made, _ = sign_in(access, name, kind, secret, address=_address(), agent=agent)
    if former:
        left = access.sessions.find(former)
        if left is not None:
            access.sessions.end(left.id)
    session = access.sessions.find(made)
    assert session is not None
    g.takt_caller = present.Caller(present.Person(session.name, session.role), session)
    answer = told(_me(g.takt_caller))
    answer.set_cookie(
        cookie_name(is_secure=request.is_secure),
        made,
        secure=request.is_secure,
        httponly=True,
        samesite="Strict",
        path="/",
    )
    return answer


def _me(caller: present.Caller | None) -> Me:
    if caller is None:
        return Me(name="", role="none", csrf="", idle_s=0)
    session = caller.session
    csrf, idle_s = (session.csrf, session.idle_s) if session else ("", 0)
    return Me(name=caller.person.name, role=caller.person.role.word, csrf=csrf, idle_s=idle_s)


def _mine(each: Session, own: Session) -> MySession:
    return MySession(
        method=each.method,
        address=each.address,
        agent=each.agent,
        made_us=each.made_us,
        seen_us=each.seen_us,
        is_this=each.id == own.id,
    )


def _cookie() -> str:
    return request.cookies.get(cookie_name(is_secure=request.is_secure), "")


def _address() -> str:
    return request.remote_addr or ""
