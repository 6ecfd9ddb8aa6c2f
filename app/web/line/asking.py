"""Commands to a station from a page: who asks is in the ledger by name, what was asked is in the audit trail."""

from __future__ import annotations

from typing import Any

from flask import abort
from pydantic import ValidationError

from app.bus.commands import Reply, Request, ask
from app.errors import UsageError
from app.web.access.person import Person
from app.web.access.refusals import RefusedError
from app.web.access.roles import Role
from app.web.context import Context

ANSWER_S = 2.0


def check_lane(context: Context, lane: int) -> int:
    """The lane, if this box has it; else there is no such page."""
    if lane not in [each.number for each in context.live.lanes]:
        abort(404)
    return lane


def acting(person: Person) -> str:
    """The role in which somebody asks a station, which knows no quality engineer among those who may reset."""
    return Role.LEAD.word if person.role is Role.QUALITY else person.role.word


def ask_station(context: Context, lane: int, timeout_s: float = ANSWER_S, **said: Any) -> Reply:
    """Asks a station and gives its answer where it did what was asked.

    Args:
        context: Where the stations take commands.
        lane: The lane.
        timeout_s: How long to wait for it.
        said: The fields of the request.

    Raises:
        RefusedError: The station refuses (409).
        UsageError: A field is not what a request takes.
        LineError: No station answers.
        BusError: This process may not ask it.
    """
    try:
        request = Request(**said)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(f"{where}: {first['msg']}" if where else first["msg"], "correct what was typed") from error
    reply = ask(context.place.commands(lane), request, timeout_s)
    if not reply.ok:
        key = f"refused.{reply.code}" if reply.code else ""
        raise RefusedError(409, reply.what, reply.mend, key=key, values=reply.values)
    return reply
