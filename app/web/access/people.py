"""The people of a box: who they are, what they may, and the hashes of their PINs and passwords."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, func, select, update

from app.clock import Clock
from app.errors import UsageError
from app.record.walltime import micros
from app.web.access.audit import Audit
from app.web.access.hashing import Hasher
from app.web.access.names import checked_name, checked_password, checked_pin, key_of
from app.web.access.roles import Role
from app.web.store.accounts import PEOPLE, SESSIONS
from app.web.store.database import Store

Kind = Literal["pin", "password"]


@dataclass(frozen=True, slots=True)
class Account:
    """A person.

    Attributes:
        key: The name without regard to capitals.
        name: As it is shown.
        role: What they may.
        pin: The hash of the PIN; `None`: none.
        password: The hash of the password; `None`: none.
        made_us: Since when, in microseconds since 1970 UTC.
    """

    key: str
    name: str
    role: Role
    pin: str | None
    password: str | None
    made_us: int

    def hash_of(self, kind: Kind) -> str | None:
        """What is stored of the PIN or the password."""
        return self.pin if kind == "pin" else self.password


class People:
    """The people of a box. Every change is in the audit trail, in the same transaction.

    Args:
        store: Where they are written.
        audit: Where changes are told.
        clock: For times.
        hasher: Makes the hashes.
    """

    def __init__(self, store: Store, audit: Audit, clock: Clock, hasher: Hasher) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock
        self._hasher = hasher

    def all(self) -> list[Account]:
        """Everybody, by name."""
        with self._store.reading() as connection:
            return [_account(each) for each in connection.execute(select(PEOPLE).order_by(PEOPLE.c.key))]

    def find(self, name: str) -> Account | None:
        """The person of that name, whatever its capitals."""
        with self._store.reading() as connection:
            found = connection.execute(select(PEOPLE).where(PEOPLE.c.key == key_of(name))).first()
        return _account(found) if found else None

    def named(self, name: str) -> Account:
        """The person of that name.

        Raises:
            UsageError: There is none.
        """
        with self._store.reading() as connection:
            return _known(connection, name)

    def is_empty(self) -> bool:
        """There is no admin yet: the box waits to be set up."""
        with self._store.reading() as connection:
            return _admins(connection) == 0

    def add(self, name: str, role: Role, *, by: str, pin: str = "", password: str = "", reason: str = "") -> Account:
        """Adds a person.

        Args:
            name: How they are called here.
            role: What they may.
            by: Who adds them.
            pin: For the touch screen; empty: none yet.
            password: For a desk; empty: none yet.
            reason: Why.

        Raises:
            UsageError: The name is taken or none, or PIN or password are too weak.
        """
        name = checked_name(name)
        hashes = {
            "pin": self._hasher.make(checked_pin(pin)) if pin else None,
            "password": self._hasher.make(checked_password(password, name)) if password else None,
        }
        row = {"key": key_of(name), "name": name, "role": role.word, "made_us": micros(self._clock.wall()), **hashes}
        with self._store.writing() as connection:
            if connection.execute(select(PEOPLE.c.key).where(PEOPLE.c.key == row["key"])).first():
                raise UsageError(f"there is a {name!r} already", "choose another name")
            connection.execute(PEOPLE.insert().values(**row))
            after = {"role": role.word, "has_pin": bool(pin), "has_password": bool(password)}
            self._audit.write(by, "people.add", name, None, after, reason)
            return _account(connection.execute(select(PEOPLE).where(PEOPLE.c.key == row["key"])).one())

    def add_first(self, name: str, password: str, *, by: str, pin: str = "") -> Account:
        """Adds the first admin, at the set-up of the box.

        Raises:
            UsageError: There is an admin already, or see `add`.
        """
        with self._store.writing() as connection:
            if _admins(connection):
                raise UsageError("this box has been set up", "sign in, or ask its admin")
            return self.add(name, Role.ADMIN, by=by, pin=pin, password=password, reason="first set-up")

    def set_role(self, name: str, role: Role, *, by: str, reason: str = "") -> None:
        """Gives a person another role; it holds from their next request.

        Raises:
            UsageError: There is no such person, or nobody would be admin any more.
        """
        with self._store.writing() as connection:
            known = _known(connection, name)
            if known.role != role:
                _keep_an_admin(connection, known, role)
                connection.execute(update(PEOPLE).where(PEOPLE.c.key == known.key).values(role=role.word))
                self._audit.write(by, "people.role", known.name, known.role.word, role.word, reason)

    def set_secret(self, name: str, kind: Kind, secret: str, *, by: str, reason: str = "", but: bytes = b"") -> None:
        """Gives a person another PIN or password, or takes it away, and signs them out everywhere.

        Args:
            name: The person.
            kind: Which.
            secret: The new one; empty: none.
            by: Who does it.
            reason: Why.
            but: The session that stays, as that by which they do it themselves.

        Raises:
            UsageError: There is no such person, or it is too weak.
        """
        check = checked_pin if kind == "pin" else lambda said: checked_password(said, name)
        made = self._hasher.make(check(secret)) if secret else None
        with self._store.writing() as connection:
            known = _known(connection, name)
            connection.execute(update(PEOPLE).where(PEOPLE.c.key == known.key).values({kind: made}))
            ended = (SESSIONS.c.person == known.key) & (SESSIONS.c.id != but)
            connection.execute(delete(SESSIONS).where(ended))
            before, after = bool(known.hash_of(kind)), bool(made)
            self._audit.write(by, f"people.{kind}", known.name, {"is_set": before}, {"is_set": after}, reason)

    def keep_hash(self, key: str, kind: Kind, made: str) -> None:
        """Replaces a hash by one of the same secret at today's cost."""
        with self._store.writing() as connection:
            connection.execute(update(PEOPLE).where(PEOPLE.c.key == key).values({kind: made}))

    def remove(self, name: str, *, by: str, reason: str = "") -> None:
        """Removes a person and ends their sessions; the audit trail keeps the name.

        Raises:
            UsageError: There is no such person, or nobody would be admin any more.
        """
        with self._store.writing() as connection:
            known = _known(connection, name)
            _keep_an_admin(connection, known, Role.NONE)
            connection.execute(delete(PEOPLE).where(PEOPLE.c.key == known.key))
            self._audit.write(by, "people.remove", known.name, {"role": known.role.word}, None, reason)


def _known(connection: Connection, name: str) -> Account:
    found = connection.execute(select(PEOPLE).where(PEOPLE.c.key == key_of(name))).first()
    if found is None:
        raise UsageError(f"there is nobody called {name[:40]!r}", "choose somebody of the list")
    return _account(found)


def _keep_an_admin(connection: Connection, known: Account, role: Role) -> None:
    if known.role is Role.ADMIN and role is not Role.ADMIN and _admins(connection) == 1:
        raise UsageError(f"{known.name} is the only admin", "make somebody else admin first")


def _admins(connection: Connection) -> int:
    query = select(func.count()).select_from(PEOPLE).where(PEOPLE.c.role == Role.ADMIN.word)
    return int(connection.execute(query).scalar() or 0)


def _account(found: Row[Any]) -> Account:
    return Account(found.key, found.name, Role.of(found.role), found.pin, found.password, found.made_us)
