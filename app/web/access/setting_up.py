"""The first set-up of a box: without people there is a code, which lets somebody make the first admin."""

from __future__ import annotations

import logging

from app.errors import RecordError
from app.web.access.people import Account
from app.web.access.refusals import RefusedError
from app.web.access.service import Access

SETUP = "set-up"
"""Under this name attempts with a wrong code are counted. No person can be called so and use a colon."""

_LOG = logging.getLogger(__name__)


def prepare_setup(access: Access) -> bool:
    """Makes the code where nobody can administer the box yet, and takes it away where somebody can.

    Pages that need no people are served even where the store cannot be used.

    Returns:
        The box waits to be set up.
    """
    try:
        if access.people.is_empty():
            access.setup_code.make()
            return True
        access.setup_code.forget()
    except (RecordError, OSError) as error:
        _LOG.error("nobody can sign in: %s", error)
    return False


def is_waiting(access: Access) -> bool:
    """The box waits to be set up.

    Raises:
        RecordError: The store of people cannot be used.
    """
    return access.people.is_empty()


def set_up(access: Access, code: str, name: str, password: str, *, pin: str, address: str) -> Account:
    """Makes the first admin.

    Args:
        access: Who may come in.
        code: What the box has told its owner.
        name: Of the admin.
        password: For a desk.
        pin: For the touch screen; empty: none.
        address: From where it is asked.

    Raises:
        RefusedError: The code is wrong, or the box has been set up.
        UsageError: Name, password or PIN cannot be used.
        RecordError: The store of people cannot be used.
    """
    if not access.people.is_empty():
        raise RefusedError(409, "this box has been set up", "sign in, or ask its admin")
    wait_s = access.lockout.attempt(f":{SETUP}", address)
    if wait_s:
        raise RefusedError(
            429, f"too many wrong codes; wait {wait_s:.0f} s", "read the code again", retry_s=wait_s, key="refused.wait"
        )
    if not access.setup_code.agrees(code):
        raise RefusedError(
            403, "this is not the code of this box", "ask the box for it: takt users setup-code", key="refused.code"
        )
    access.lockout.passed(f":{SETUP}", address)
    made = access.people.add_first(name, password, pin=pin, by=f"set-up from {address}")
    access.setup_code.forget()
    return made
