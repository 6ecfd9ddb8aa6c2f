"""People of every role for pages in a browser: added to the store of a running server, and signed in."""

from __future__ import annotations

import json

from app.clock import SystemClock
from app.config import UiSettings
from app.web.access.hashing import Cost, Hasher
from app.web.access.service import open_access
from app.web.store.database import FOLDER, Store
from tests.unit.web.people import PASSWORD, PIN

CHEAP = Cost(passes=1, memory_kib=8)


def add(state, name, role):
    """Adds somebody with a PIN and a password to the store of a server that runs; who is there already stays."""
    store = Store(state / FOLDER)
    try:
        access = open_access(store, SystemClock(), UiSettings(), hasher=Hasher(CHEAP))
        if access.people.find(name) is None:
            access.people.add(name, role, by="test", pin=PIN, password=PASSWORD)
    finally:
        store.close()


def sign_in(sight, base, name, *, by="password"):
    """Signs somebody in, in the browser that a page belongs to.

    Args:
        sight: The page.
        base: The server's address without a path.
        name: Who.
        by: `password` or `pin`.
    """
    secret = {"password": PASSWORD, "pin": PIN}[by]
    answer = sight.page.context.request.post(
        f"{base}/api/v1/session",
        data=json.dumps({"name": name, by: secret}),
        headers={"Content-Type": "application/json", "Origin": base},
    )
    assert answer.ok, f"{name} was not let in: {answer.status} {answer.text()}"
