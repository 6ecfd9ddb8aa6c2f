"""Everything that knows who may come in, in one hand."""

from __future__ import annotations

from dataclasses import dataclass

from app.clock import Clock
from app.config import UiSettings
from app.web.access.audit import Audit
from app.web.access.floods import Limits
from app.web.access.hashing import Hasher
from app.web.access.lockout import Lockout
from app.web.access.people import People
from app.web.access.sessions import Sessions
from app.web.access.setup_code import SetupCode
from app.web.access.tokens import Tokens
from app.web.store.database import Store


@dataclass(frozen=True, slots=True)
class Access:
    """What decides who may come in.

    Attributes:
        store: Where people are written.
        audit: What was changed.
        people: Who there is.
        sessions: Who is signed in.
        tokens: What machines may come in with.
        lockout: Who has failed too often.
        hasher: Turns PINs and passwords into what is stored of them.
        setup_code: Lets the first person in.
        limits: How often anybody may ask.
    """

    store: Store
    audit: Audit
    people: People
    sessions: Sessions
    tokens: Tokens
    lockout: Lockout
    hasher: Hasher
    setup_code: SetupCode
    limits: Limits


def open_access(store: Store, clock: Clock, ui: UiSettings, *, hasher: Hasher | None = None) -> Access:
    """The access of one box.

    Args:
        store: Where people are written.
        clock: For times that are kept, and for those that pass.
        ui: After how long whoever does nothing is signed out.
        hasher: Another than the one whose cost suits a box.
    """
    audit = Audit(store, clock)
    hasher = hasher or Hasher()
    return Access(
        store=store,
        audit=audit,
        people=People(store, audit, clock, hasher),
        sessions=Sessions(store, clock, ui),
        tokens=Tokens(store, audit, clock),
        lockout=Lockout(store, clock),
        hasher=hasher,
        setup_code=SetupCode(store.folder),
        limits=Limits(clock),
    )
