"""Who has failed too often to sign in waits, each time twice as long.

Kept in the store, so that a restart forgets nothing; known by hashes, since what somebody types as a name may be a
password. An attempt counts as failed from its beginning until it succeeds: a hundred at once are a hundred, not one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert

from app.clock import Clock
from app.record.walltime import US_PER_H, micros
from app.web.access.floods import block_of
from app.web.access.names import key_of
from app.web.store.accounts import FAILURES
from app.web.store.database import Store

_US_PER_S = 1_000_000
_PRUNE_EVERY = 500


@dataclass(frozen=True, slots=True)
class Rule:
    """How long whoever fails waits.

    Attributes:
        free: So many failures cost no wait.
        first_s: The wait after those.
        longest_s: The wait doubles up to here.
        forget_h: After so long without a failure all is forgotten.
    """

    free: int
    first_s: float
    longest_s: float
    forget_h: float

    def wait_s(self, count: int) -> float:
        """The wait after so many failures in a row."""
        # The exponent is bounded: the factor must not grow with weeks of attempts.
        return 0.0 if count < self.free else min(self.longest_s, self.first_s * 2.0 ** min(count - self.free, 30))


RULES = {"person": Rule(5, 5, 900, 24), "address": Rule(30, 5, 60, 1)}
"""A person: at most a hundred guesses a day once locked. An address is one desk or one kiosk, where many sign in."""


@dataclass(frozen=True, slots=True)
class Locked:
    """Whoever has to wait.

    Attributes:
        count: Failures in a row.
        wait_s: For so long from now; 0: not at all.
    """

    count: int
    wait_s: float


class Lockout:
    """Failed attempts.

    Args:
        store: Where they are kept.
        clock: For their times.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._attempts = 0

    def attempt(self, name: str, address: str) -> float:
        """Counts an attempt as failed, unless it has to wait: then it counts for nothing.

        Args:
            name: Of the person, as typed.
            address: From where.

        Returns:
            0 where it may be tried; else the seconds after which one may.
        """
        now_us = micros(self._clock.wall())
        keys = (_key("person", key_of(name)), _key("address", block_of(address)))
        with self._store.writing() as connection:
            self._prune(connection, now_us)
            known = [_known(connection, kind, key, now_us) for kind, key in keys]
            wait_s = max(each.wait_s for each in known)
            if not wait_s:
                for (kind, key), each in zip(keys, known, strict=True):
                    _put(connection, kind, key, each.count + 1, now_us)
        return wait_s

    def passed(self, name: str, address: str) -> None:
        """The attempt has succeeded: nothing is held against the person, and it does not count for the address."""
        now_us = micros(self._clock.wall())
        kind, key = _key("address", block_of(address))
        with self._store.writing() as connection:
            connection.execute(delete(FAILURES).where(FAILURES.c.key == _key("person", key_of(name))[1]))
            count = _known(connection, kind, key, now_us).count
            _put(connection, kind, key, max(0, count - 1), now_us)

    def unlock(self, name: str) -> None:
        """Forgets what a person has failed. Idempotent."""
        with self._store.writing() as connection:
            connection.execute(delete(FAILURES).where(FAILURES.c.key == _key("person", key_of(name))[1]))

    def of(self, names: Iterable[str]) -> dict[str, Locked]:
        """How it stands with each of some people."""
        now_us = micros(self._clock.wall())
        with self._store.reading() as connection:
            return {name: _known(connection, *_key("person", key_of(name)), now_us) for name in names}

    def _prune(self, connection: Connection, now_us: int) -> None:
        """Forgets what is old: a flood of made-up names must not fill the disk."""
        if self._attempts % _PRUNE_EVERY == 0:
            for kind, rule in RULES.items():
                limit_us = now_us - round(rule.forget_h * US_PER_H)
                where = (FAILURES.c.kind == kind) & (FAILURES.c.last_us < limit_us)
                connection.execute(delete(FAILURES).where(where))
        self._attempts += 1


def _known(connection: Connection, kind: str, key: bytes, now_us: int) -> Locked:
    found = connection.execute(select(FAILURES).where(FAILURES.c.key == key)).first()
    if found is None:
        return Locked(0, 0.0)
    rule = RULES[kind]
    # A clock that was set back makes nobody wait longer than the rule says.
    gone_s = max(0, now_us - found.last_us) / _US_PER_S
    if gone_s > rule.forget_h * 3600:
        return Locked(0, 0.0)
    return Locked(found.failed, max(0.0, rule.wait_s(found.failed) - gone_s))


def _put(connection: Connection, kind: str, key: bytes, count: int, now_us: int) -> None:
    values = {"kind": kind, "failed": count, "last_us": now_us}
    connection.execute(
        insert(FAILURES).values(key=key, **values).on_conflict_do_update(index_elements=["key"], set_=values)
    )


def _key(kind: str, value: str) -> tuple[str, bytes]:
    return kind, hashlib.sha256(f"{kind}|{value}".encode("utf-8", "replace")).digest()
