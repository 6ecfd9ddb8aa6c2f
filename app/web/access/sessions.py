"""Who is signed in. The browser holds 256 random bits, the store their hash; each sign-in makes new ones."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Row, delete, select, update

from app.clock import Clock
from app.config import UiSettings
from app.record.walltime import micros
from app.web.access.roles import Role
from app.web.store.accounts import PEOPLE, SESSIONS
from app.web.store.database import Store

COOKIE = "takt"
"""Of a session; over HTTPS with the prefix that makes a browser refuse it from another host or path."""

CONFIRMED_S = 120
"""So long after the own PIN or password was given again, things with consequences may be done."""

LONGEST_S = 12 * 3600
"""A session ends then, however busy: nobody works longer in one shift."""

_TOUCH_SHARE = 20
_US_PER_S = 1_000_000
_LONGEST_AGENT = 120

Method = Literal["pin", "password"]


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in.

    Attributes:
        id: Hash of what the browser holds.
        csrf: What the page's commands carry, so that no other page can send them.
        person: The person's key.
        name: The person's name.
        role: The person's role now.
        method: How they signed in.
        address: From where.
        agent: With which browser, in its own words.
        made_us: When, in microseconds since 1970 UTC.
        seen_us: When they last did something.
        confirmed_us: When they last gave their PIN or password.
        idle_s: They are signed out after doing nothing for so long.
    """

    id: bytes
    csrf: str
    person: str
    name: str
    role: Role
    method: str
    address: str
    agent: str
    made_us: int
    seen_us: int
    confirmed_us: int
    idle_s: int


class Sessions:
    """The sessions of a box.

    Args:
        store: Where they are written.
        clock: For their times.
        ui: After how long whoever does nothing is signed out.
    """

    def __init__(self, store: Store, clock: Clock, ui: UiSettings) -> None:
        self._store = store
        self._clock = clock
        self._idle_s: dict[str, int] = {"pin": ui.sign_out_s, "password": ui.desk_sign_out_s}

    def open(self, person: str, method: Method, address: str, agent: str) -> str:
        """Begins a session, and forgets those that have ended.

        Args:
            person: The person's key.
            method: How they signed in.
            address: From where.
            agent: With which browser.

        Returns:
            What the browser holds from now on.
        """
        secret = secrets.token_urlsafe(32)
        now_us = self._now_us()
        with self._store.writing() as connection:
            connection.execute(delete(SESSIONS).where(SESSIONS.c.made_us < now_us - LONGEST_S * _US_PER_S))
            connection.execute(
                SESSIONS.insert().values(
                    id=_id(secret),
                    person=person,
                    method=method,
                    address=address,
                    agent=agent[:_LONGEST_AGENT],
                    made_us=now_us,
                    seen_us=now_us,
                    confirmed_us=now_us,
                )
            )
        return secret

    def find(self, secret: str) -> Session | None:
        """The session of what a browser holds; `None` where there is none or it has ended."""
        query = _query().where(SESSIONS.c.id == _id(secret))
        with self._store.reading() as connection:
            found = connection.execute(query).first()
        session = self._session(found, secret) if found else None
        if session and self._has_ended(session):
            self.end(session.id)
            return None
        return session

    def touch(self, session: Session) -> None:
        """Its person has done something. Written now and then, so that reading pages costs no disk."""
        now_us = self._now_us()
        if abs(now_us - session.seen_us) >= session.idle_s * _US_PER_S // _TOUCH_SHARE:
            self._set(session.id, seen_us=now_us)

    def confirm(self, session: Session) -> None:
        """Its person has just given their PIN or password again."""
        now_us = self._now_us()
        self._set(session.id, seen_us=now_us, confirmed_us=now_us)

    def is_confirmed(self, session: Session) -> bool:
        """Its person gave their PIN or password not long ago."""
        return 0 <= self._now_us() - session.confirmed_us < CONFIRMED_S * _US_PER_S

    def of(self, person: str) -> list[Session]:
        """A person's sessions that have not ended, the newest first."""
        query = _query().where(SESSIONS.c.person == person).order_by(SESSIONS.c.made_us.desc())
        with self._store.reading() as connection:
            found = [self._session(each, "") for each in connection.execute(query)]
        return [each for each in found if not self._has_ended(each)]

    def end(self, id_: bytes) -> bool:
        """Ends a session. Idempotent; says whether there was one."""
        with self._store.writing() as connection:
            return bool(connection.execute(delete(SESSIONS).where(SESSIONS.c.id == id_)).rowcount)

    def end_all(self, person: str, but: bytes = b"") -> int:
        """Ends every session of a person, except perhaps the one they act by; says how many."""
        where = (SESSIONS.c.person == person) & (SESSIONS.c.id != but)
        with self._store.writing() as connection:
            return int(connection.execute(delete(SESSIONS).where(where)).rowcount)

    def _set(self, id_: bytes, **values: int) -> None:
        with self._store.writing() as connection:
            connection.execute(update(SESSIONS).where(SESSIONS.c.id == id_).values(**values))

    def _has_ended(self, session: Session) -> bool:
        """By idleness or age. A clock that was set back ends nothing by itself: it counts as seen just now."""
        now_us = self._now_us()
        is_idle = now_us - session.seen_us >= session.idle_s * _US_PER_S
        return is_idle or now_us - session.made_us >= LONGEST_S * _US_PER_S

    def _session(self, found: Row[Any], secret: str) -> Session:
        csrf = hmac.new(secret.encode(), b"csrf", hashlib.sha256).hexdigest() if secret else ""
        said = dict(found._mapping)  # noqa: SLF001 - the public name of a row as a mapping
        role = Role.of(said.pop("role"))
        return Session(**said, csrf=csrf, role=role, idle_s=self._idle_s[said["method"]])

    def _now_us(self) -> int:
        return micros(self._clock.wall())


def cookie_name(*, is_secure: bool) -> str:
    """The name of the session's cookie, by whether the page came over HTTPS."""
    return f"__Host-{COOKIE}" if is_secure else COOKIE


def _query() -> Any:
    return select(SESSIONS, PEOPLE.c.name, PEOPLE.c.role).join(PEOPLE, PEOPLE.c.key == SESSIONS.c.person)


def _id(secret: str) -> bytes:
    """What is stored of a secret of 256 random bits: too many to guess, so that a plain hash hides it."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
