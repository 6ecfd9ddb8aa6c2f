"""What machines come in with: a token with scopes and an end, shown once, of which the store keeps a hash."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select, update

from app.clock import Clock
from app.errors import UsageError
from app.record.walltime import US_PER_DAY, micros
from app.web.access.audit import Audit
from app.web.store.accounts import TOKENS
from app.web.store.database import Store

SCOPES = ("read", "review", "line")
"""Read everything that people of quality see; label parts; command the line as far as machines may."""

MOST_DAYS = 730
_FORM = re.compile(r"takt_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_USED_EVERY_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Token:
    """What a machine comes in with.

    Attributes:
        id: Its public part.
        name: What people call it.
        scopes: What it may.
        made_by: Who made it.
        made_us: When, in microseconds since 1970 UTC.
        expires_us: From then on it is nothing.
        used_us: When it was last used, to the hour; `None`: never.
        revoked_us: When somebody ended it; `None`: nobody has.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    made_by: str
    made_us: int
    expires_us: int
    used_us: int | None
    revoked_us: int | None


class Tokens:
    """The tokens of a box.

    Args:
        store: Where they are written.
        audit: Where making and revoking is told.
        clock: For their times.
    """

    def __init__(self, store: Store, audit: Audit, clock: Clock) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock

    def make(self, name: str, scopes: Sequence[str], days: float, by: str, reason: str = "") -> tuple[str, Token]:
        """Makes one.

        Args:
            name: What people call it.
            scopes: What it may: of SCOPES, at least one.
            days: It ends after so many.
            by: Who makes it.
            reason: Why.

        Returns:
            The token itself, which nobody can be told again, and what is known of it.

        Raises:
            UsageError: A scope is unknown, or it would live too long or not at all.
        """
        chosen = tuple(each for each in SCOPES if each in scopes)
        if not chosen or set(scopes) - set(SCOPES):
            raise UsageError("a token has one or more of the scopes read, review and line", "name those it needs")
        if not 0 < days <= MOST_DAYS:
            raise UsageError(f"a token lives for up to {MOST_DAYS} days", "name a number of days")
        id_, secret, now_us = secrets.token_hex(6), secrets.token_urlsafe(32), micros(self._clock.wall())
        token = Token(id_, name, chosen, by, now_us, now_us + round(days * US_PER_DAY), None, None)
        with self._store.writing() as connection:
            connection.execute(
                TOKENS.insert().values(
                    id=id_,
                    name=name,
                    hash=_hash(secret),
                    scopes=" ".join(chosen),
                    made_by=by,
                    made_us=now_us,
                    expires_us=token.expires_us,
                )
            )
            said = {"scopes": list(chosen), "days": days}
            self._audit.write(by, "tokens.make", f"{name} ({id_})", None, said, reason)
        return f"takt_{id_}_{secret}", token

    def find(self, said: str) -> Token | None:
        """The token that a machine sent; `None` where it is unknown, has ended or was revoked."""
        form = _FORM.fullmatch(said)
        if form is None:
            return None
        with self._store.reading() as connection:
            found = connection.execute(select(TOKENS).where(TOKENS.c.id == form[1])).first()
        if found is None or not hmac.compare_digest(found.hash, _hash(form[2])):
            return None
        token, now_us = _token(found), micros(self._clock.wall())
        if not self.is_good(token):
            return None
        if token.used_us is None or abs(now_us - token.used_us) > _USED_EVERY_US:
            with self._store.writing() as connection:
                connection.execute(update(TOKENS).where(TOKENS.c.id == token.id).values(used_us=now_us))
        return token

    def is_good(self, token: Token) -> bool:
        """It has neither ended nor been revoked."""
        return token.revoked_us is None and micros(self._clock.wall()) < token.expires_us

    def all(self) -> list[Token]:
        """Every token, those that have ended too, the newest first."""
        with self._store.reading() as connection:
            return [_token(each) for each in connection.execute(select(TOKENS).order_by(TOKENS.c.made_us.desc()))]

    def revoke(self, id_: str, by: str, reason: str = "") -> None:
        """Ends one at once. Idempotent.

        Raises:
            UsageError: There is none of that id.
        """
        with self._store.writing() as connection:
            found = connection.execute(select(TOKENS).where(TOKENS.c.id == id_)).first()
            if found is None:
                raise UsageError("there is no such token", "choose one of the list")
            if found.revoked_us is None:
                values = {"revoked_us": micros(self._clock.wall())}
                connection.execute(update(TOKENS).where(TOKENS.c.id == id_).values(**values))
                self._audit.write(by, "tokens.revoke", f"{found.name} ({id_})", reason=reason)


def _token(found: Row[Any]) -> Token:
    scopes = tuple(found.scopes.split())
    rest = (found.made_by, found.made_us, found.expires_us, found.used_us, found.revoked_us)
    return Token(found.id, found.name, scopes, *rest)


def _hash(secret: str) -> bytes:
    """What is stored of a secret of 256 random bits: too many to guess, so that a plain hash hides it."""
    return hashlib.sha256(secret.encode()).digest()
