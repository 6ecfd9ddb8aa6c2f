"""The API of people, for admins: who there is, what they may, their PINs and passwords, and letting them in again."""

from __future__ import annotations

from math import ceil
from typing import Annotated, Literal, cast

from flask import Blueprint, Response
from pydantic import BaseModel, ConfigDict, Field

from app.web.access.lockout import Locked
from app.web.access.people import Account
from app.web.access.present import reason, somebody
from app.web.access.roles import Role
from app.web.context import Context
from app.web.openapi import documented, sent, told

RoleWord = Literal["operator", "lead", "quality", "technician", "admin"]
PersonName = Annotated[str, Field(min_length=1, max_length=80, description="of the person, whatever its capitals")]
_LONGEST_SECRET = 256


class Said(BaseModel):
    """What admins send; what is wrong with it is told without repeating it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class NewPerson(Said):
    """Somebody new."""

    name: PersonName
    role: RoleWord = Field(description="what they may")
    pin: str = Field("", max_length=_LONGEST_SECRET, description="for the touch screen; empty: none yet")
    password: str = Field("", max_length=_LONGEST_SECRET, description="for a desk; empty: none yet")


class NewRole(Said):
    """Another role for somebody."""

    name: PersonName
    role: RoleWord = Field(description="what they may from now on")


class NewSecret(Said):
    """Another PIN or password for somebody."""

    name: PersonName
    kind: Literal["pin", "password"] = Field(description="which")
    secret: str = Field(max_length=_LONGEST_SECRET, description="the new one; empty: none any more")


class Somebody(Said):
    """A person."""

    name: PersonName


class PersonAnswer(BaseModel):
    """A person, without anything secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    role: RoleWord
    has_pin: bool
    has_password: bool
    made_us: int = Field(description="since when, in microseconds since 1970 UTC")
    failures: int = Field(description="attempts to sign in that failed since the last that did not")
    locked_s: int = Field(description="may not try again for so long; 0: may")
    sessions: int = Field(description="how often they are signed in now")


class PeopleAnswer(BaseModel):
    """Everybody."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    people: list[PersonAnswer] = Field(description="by name")


def add_people_views(access: Blueprint, context: Context) -> None:
    """The views of people. What they answer is everybody, so that a page shows what is true now."""
    _add_reading(access, context)
    _add_changes(access, context)
    _add_mercy(access, context)


def everybody(context: Context) -> PeopleAnswer:
    """Everybody, as admins see them."""
    access = context.access
    accounts = access.people.all()
    locked = access.lockout.of([each.name for each in accounts])
    return PeopleAnswer(
        people=[_answer(each, locked[each.name], len(access.sessions.of(each.key))) for each in accounts]
    )


def _add_reading(access: Blueprint, context: Context) -> None:
    @access.get("/api/v1/people")
    @documented(answer=PeopleAnswer)
    def people() -> Response:
        """Everybody, by name."""
        return told(everybody(context))


def _add_changes(access: Blueprint, context: Context) -> None:
    @access.post("/api/v1/people/add")
    @documented(answer=PeopleAnswer, body=NewPerson)
    def add_person() -> Response:
        """Adds a person."""
        said = sent(NewPerson)
        role = Role.of(said.role)
        by = somebody().name
        context.access.people.add(said.name, role, by=by, pin=said.pin, password=said.password, reason=reason())
        return told(everybody(context))

    @access.post("/api/v1/people/role")
    @documented(answer=PeopleAnswer, body=NewRole)
    def set_role() -> Response:
        """Gives a person another role, which holds from their next request."""
        said = sent(NewRole)
        context.access.people.set_role(said.name, Role.of(said.role), by=somebody().name, reason=reason())
        return told(everybody(context))

    @access.post("/api/v1/people/secret")
    @documented(answer=PeopleAnswer, body=NewSecret)
    def set_secret() -> Response:
        """Gives a person another PIN or password, or takes it away, and signs them out everywhere."""
        said = sent(NewSecret)
        context.access.people.set_secret(said.name, said.kind, said.secret, by=somebody().name, reason=reason())
        return told(everybody(context))

    @access.post("/api/v1/people/remove")
    @documented(answer=PeopleAnswer, body=Somebody)
    def remove_person() -> Response:
        """Removes a person. What they did stays in the audit trail."""
        context.access.people.remove(sent(Somebody).name, by=somebody().name, reason=reason())
        return told(everybody(context))


def _add_mercy(access: Blueprint, context: Context) -> None:
    @access.post("/api/v1/people/unlock")
    @documented(answer=PeopleAnswer, body=Somebody)
    def unlock_person() -> Response:
        """Forgets the attempts of a person that failed, so that they may try again at once."""
        known = context.access.people.named(sent(Somebody).name)
        with context.store.writing():
            context.access.lockout.unlock(known.name)
            context.audit.write(somebody().name, "people.unlock", known.name)
        return told(everybody(context))

    @access.post("/api/v1/people/sign-out")
    @documented(answer=PeopleAnswer, body=Somebody)
    def sign_person_out() -> Response:
        """Ends every session of a person."""
        known = context.access.people.named(sent(Somebody).name)
        with context.store.writing():
            ended = context.access.sessions.end_all(known.key)
            context.audit.write(somebody().name, "people.sign_out", known.name, after={"sessions": ended})
        return told(everybody(context))


def _answer(account: Account, locked: Locked, sessions: int) -> PersonAnswer:
    return PersonAnswer(
        name=account.name,
        role=cast("RoleWord", account.role.word),
        has_pin=account.pin is not None,
        has_password=account.password is not None,
        made_us=account.made_us,
        failures=locked.count,
        locked_s=ceil(locked.wait_s),
        sessions=sessions,
    )
