"""Who asks now: the person or machine behind the present request, and the reason that came with it."""

from __future__ import annotations

import unicodedata
from urllib.parse import unquote

from flask import current_app, g, request

from app.errors import UsageError
from app.web.access.caller import Caller, caller_of
from app.web.access.person import Person
from app.web.access.refusals import SignInError

REASON = "X-Reason"
LONGEST_REASON = 200


def caller() -> Caller | None:
    """Who asks, and by which session or token; `None` where nobody has signed in. Looked up once a request.

    Raises:
        SignInError: A machine sent a token that is unknown, expired or revoked.
        RecordError: The store of people cannot be used.
    """
    if "takt_caller" not in g:
        g.takt_caller = caller_of(current_app.extensions["takt"].access, request)
    found: Caller | None = g.takt_caller
    return found


def person() -> Person | None:
    """Who asks; `None` where nobody has signed in.

    Raises:
        SignInError: A machine sent a token that is unknown, expired or revoked.
        RecordError: The store of people cannot be used.
    """
    found = caller()
    return found.person if found else None


def somebody() -> Person:
    """Who asks.

    Raises:
        SignInError: Nobody has signed in.
    """
    found = person()
    if found is None:
        raise SignInError
    return found


def reason() -> str:
    """Why, as whoever asks has said: header `X-Reason`, percent-encoded, else `reason` of the JSON; may be empty.

    Raises:
        UsageError: It is no text of at most 200 printable characters.
    """
    given = request.headers.get(REASON)
    if given is None:
        body = request.get_json(silent=True) if request.is_json else None
        said = body.get("reason", "") if isinstance(body, dict) else ""
    else:
        said = unquote(given, errors="replace")
    if not isinstance(said, str) or len(said) > LONGEST_REASON or any(unicodedata.category(x)[0] == "C" for x in said):
        raise UsageError(f"a reason has at most {LONGEST_REASON} printable characters", "say it in fewer words")
    return said.strip()


__all__ = ["Caller", "Person", "caller", "person", "reason", "somebody"]
