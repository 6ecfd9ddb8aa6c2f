"""What the templates know of whoever looks at the page."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from flask import request

from app.errors import RecordError
from app.web.access import present
from app.web.access.refusals import RefusedError
from app.web.access.service import Access


@dataclass(frozen=True, slots=True)
class Around:
    """Who looks at the page, and who could.

    Attributes:
        csrf: What the page's commands carry; empty: nobody has signed in.
        idle_s: Signed out after doing nothing for so long; 0: nobody has signed in.
        method: How they signed in: pin or password.
        names: Who has a PIN, to be touched instead of typed; only on the box's own screen.
    """

    csrf: str = ""
    idle_s: int = 0
    method: str = "password"
    names: tuple[str, ...] = ()


def around(access: Access) -> Around:
    """What the page that is being made knows. A page must come up also where the store of people cannot be used."""
    try:
        caller = present.caller()
        names = _names(access)
    except (RecordError, RefusedError):
        return Around()
    session = caller.session if caller else None
    if session is None:
        return Around(method="pin" if names else "password", names=names)
    return Around(session.csrf, session.idle_s, session.method, names)


def _names(access: Access) -> tuple[str, ...]:
    """Nobody learns over the network who works here."""
    try:
        is_own_screen = ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        is_own_screen = False
    return tuple(each.name for each in access.people.all() if each.pin) if is_own_screen else ()
