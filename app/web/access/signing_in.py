"""Signing in: the one place where a PIN or a password is held against what is known."""

from __future__ import annotations

from app.web.access.people import Account, Kind
from app.web.access.refusals import RefusedError
from app.web.access.service import Access
from app.web.access.sessions import Session

_WRONG = {"pin": "name and PIN do not agree", "password": "name and password do not agree"}


def sign_in(access: Access, name: str, kind: Kind, secret: str, *, address: str, agent: str) -> tuple[str, Account]:
    """Begins a session.

    Whoever is not there costs the same time and gets the same answer as whoever typed something wrong.

    Args:
        access: Who may come in.
        name: As typed.
        kind: What was typed.
        secret: The PIN or password.
        address: From where.
        agent: With which browser.

    Returns:
        What the browser holds from now on, and the person.

    Raises:
        RefusedError: They do not agree, or there were too many attempts; it says for how long to wait.
        RecordError: The store of people cannot be used.
    """
    access.limits.sign_in(address)
    account = _proven(access, name, kind, secret, address)
    secret_of_browser = access.sessions.open(account.key, kind, address, agent)
    access.audit.write(account.name, "session.open", kind, after={"address": address})
    return secret_of_browser, account


def confirm(access: Access, session: Session, secret: str, *, address: str) -> None:
    """Somebody who is signed in gives their PIN or password again; whichever of the two it is.

    Raises:
        RefusedError: It is neither, or there were too many attempts.
        RecordError: The store of people cannot be used.
    """
    access.limits.sign_in(address)
    is_pin = secret.isascii() and secret.isdigit()
    account = access.people.find(session.name)
    kind: Kind = "pin" if is_pin and account and account.pin else "password"
    _proven(access, session.name, kind, secret, address)
    access.sessions.confirm(session)


def _proven(access: Access, name: str, kind: Kind, secret: str, address: str) -> Account:
    wait_s = access.lockout.attempt(name, address)
    if wait_s:
        raise RefusedError(
            429,
            f"too many wrong attempts; wait {wait_s:.0f} s",
            "wait, or ask an admin to unlock you",
            retry_s=wait_s,
            key="refused.wait",
        )
    account = access.people.find(name)
    known = account.hash_of(kind) if account else None
    is_right = access.hasher.agrees(known, secret)
    if account is None or known is None or not is_right:
        # Who is not known is not named: what was typed there may be a password.
        access.audit.write(account.name if account else "unknown", "session.refused", kind, after={"address": address})
        raise RefusedError(401, _WRONG[kind], "try again", key=f"refused.wrong.{kind}")
    access.lockout.passed(name, address)
    if access.hasher.is_dated(known):
        access.people.keep_hash(account.key, kind, access.hasher.make(secret))
    return account
