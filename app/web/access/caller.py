"""Who is behind a request: the session whose cookie it carries, or the token of a machine."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Request

from app.web.access.person import Person
from app.web.access.refusals import SignInError
from app.web.access.roles import Role
from app.web.access.service import Access
from app.web.access.sessions import Session, cookie_name
from app.web.access.tokens import Token

_BEARER = "bearer "
MACHINE_ROLE = Role.QUALITY
"""The most that a machine can be; what it may of that, the scopes of its token say."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        person: The person or machine.
        session: The person's session.
        token: The machine's token.
    """

    person: Person
    session: Session | None = None
    token: Token | None = None


def caller_of(access: Access, asked: Request) -> Caller | None:
    """Who asks; `None` where nobody has signed in, or no longer.

    Raises:
        SignInError: A machine sent a token that is unknown, expired or revoked.
        RecordError: The store of people cannot be used.
    """
    said = asked.headers.get("Authorization", "")
    if said[: len(_BEARER)].lower() == _BEARER:
        token = access.tokens.find(said[len(_BEARER) :].strip())
        if token is None:
            raise SignInError("this token is unknown, expired or revoked", "make another on the page of tokens")
        return Caller(Person(f"machine {token.name}", MACHINE_ROLE, is_machine=True), token=token)
    secret = asked.cookies.get(cookie_name(is_secure=asked.is_secure), "")
    session = access.sessions.find(secret) if secret else None
    return Caller(Person(session.name, session.role), session=session) if session else None
