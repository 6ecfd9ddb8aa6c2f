"""Every request passes here: is its endpoint in the table, may who asks use it, and was it sent by a page of ours."""

from __future__ import annotations

import hmac

from flask import Request

from app.web.access import present
from app.web.access.floods import block_of
from app.web.access.permissions import PERMISSIONS, Permission
from app.web.access.present import Caller
from app.web.access.refusals import RefusedError, SignInError
from app.web.access.roles import Role
from app.web.access.service import Access

HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF = "X-CSRF"
NEVER_HELD_UP = "api.stop"
"""Whoever stops the line is not counted."""


def admit(access: Access, asked: Request) -> None:
    """Lets a request pass.

    Args:
        access: Who may come in.
        asked: The request; one to no endpoint passes, as there is nothing there.

    Raises:
        RefusedError: It may not; with what would let it.
        UsageError: Its reason is no text.
        RecordError: The store of people cannot be used.
    """
    endpoint = asked.endpoint
    if endpoint is None:
        return
    permission = PERMISSIONS.get(endpoint)
    if permission is None:
        raise RefusedError(403, f"nobody may use {endpoint}", "it has no row in the table of permissions")
    is_harmless = asked.method in HARMLESS
    if permission.role is Role.NONE:
        if not is_harmless and endpoint != NEVER_HELD_UP:
            access.limits.command(block_of(asked.remote_addr or ""))
        return
    caller = present.caller()
    if caller is None:
        raise SignInError
    _check_caller(access, asked, caller, permission)


def _check_caller(access: Access, asked: Request, caller: Caller, permission: Permission) -> None:
    is_harmless = asked.method in HARMLESS
    if caller.token:
        access.limits.machine(caller.token.id)
        scope = _scope_of(permission, asked, is_harmless=is_harmless)
        if not scope or scope not in caller.token.scopes or permission.asks_again:
            needs = f"the scope {scope}" if scope and not permission.asks_again else "a person"
            raise RefusedError(403, f"this needs {needs}", "use a token with that scope, or sign in as a person")
    if caller.person.role < permission.role:
        raise RefusedError(
            403,
            f"this needs the role {permission.role.word}",
            "ask somebody who has it, or sign in as them",
            key=f"refused.role.{permission.role.word}",
        )
    session = caller.session
    if session is None:
        return
    if not is_harmless:
        access.limits.command(session.person)
        if not hmac.compare_digest(asked.headers.get(CSRF, "").encode(), session.csrf.encode()):
            raise RefusedError(
                403, "this command did not come from a page of this box", "reload the page", key="refused.csrf"
            )
    # What a page asks for by itself must not keep somebody signed in who has gone.
    if not is_harmless or not asked.path.startswith("/api/"):
        access.sessions.touch(session)
    if permission.asks_again and not is_harmless:
        asks: tuple[str, ...] = () if access.sessions.is_confirmed(session) else ("again",)
        asks += () if present.reason() else ("reason",)
        if asks:
            raise RefusedError(
                428,
                "this has consequences",
                "give your PIN or password again, and a reason",
                key="refused.again",
                asks=asks,
            )


def _scope_of(permission: Permission, asked: Request, *, is_harmless: bool) -> str:
    if permission.scope is not None:
        return permission.scope
    if is_harmless:
        return "read"
    return asked.blueprint if asked.blueprint in ("review", "line") else ""
