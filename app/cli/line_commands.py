"""`takt line stop | purge | reset | unpark | pulse`: commands to a station that runs, acknowledged by its ledger."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from app.cli.console import out, print_json
from app.cli.options import Bus, Json
from app.cli.person import By, person

if TYPE_CHECKING:
    from app.bus.commands import Reply, Request

Lane = Annotated[int, typer.Option("--lane", min=1, max=64, help="The lane.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; the ledger keeps it.")]
Role = Annotated[str, typer.Option("--role", help="As what: lead, technician or admin may reset.")]
Cleared = Annotated[
    bool, typer.Option("--cleared", help="The belt from the sensor to the end of its run-out was cleared by hand.")
]


def stop(*, lane: Lane = 1, by: By = "", bus: Bus = None, as_json: Json = False) -> None:
    """Stop the line until somebody resets it.

    Anybody may. Exit code 9 when no station answers.
    """
    _ask(lane, bus, "stopped", as_json=as_json, command="stop", by=person(by))


def purge(*, lane: Lane = 1, by: By = "", bus: Bus = None, as_json: Json = False) -> None:
    """Reject everything on the belt up to the gate, while the line runs.

    For when nobody trusts what lies there. Only a diverter can: a pusher or air does not hit what nobody saw, so there
    stop the line, clear the belt by hand and reset. Exit code 9 when the station refuses or none answers.
    """
    _ask(lane, bus, "purges the belt", as_json=as_json, command="purge", by=person(by))


def reset(
    *,
    lane: Lane = 1,
    by: By = "",
    role: Role = "operator",
    reason: Reason = "",
    is_cleared: Cleared = False,
    bus: Bus = None,
    as_json: Json = False,
) -> None:
    """End a latched stop: the line may run again, and what nobody watched on the belt is purged.

    Needs --reason and a --role that may. Exit code 9 when the station refuses, as while a cause is still present.
    """
    from app.errors import UsageError

    if not reason.strip():
        raise UsageError("a reset needs a reason", 'say it with --reason "..."')
    _ask(
        lane,
        bus,
        "reset",
        as_json=as_json,
        command="reset",
        by=person(by),
        role=role,
        reason=reason,
        is_cleared=is_cleared,
    )


def unpark(*, lane: Lane = 1, by: By = "", reason: Reason = "", bus: Bus = None, as_json: Json = False) -> None:
    """Have an accelerator tried again that was parked because it failed too often.

    Anybody may: the standby goes on judging until it has proven itself. Exit code 9 when it is not parked, when the
    lane has none, or when no station answers.
    """
    _ask(
        lane,
        bus,
        "the accelerator is looked for again",
        as_json=as_json,
        command="unpark",
        by=person(by),
        reason=reason,
    )


def pulse(
    *,
    output: Annotated[str, typer.Argument(metavar="OUTPUT", help="As gate:reject, or a handshake line's name.")],
    pulse_ms: Annotated[int, typer.Option("--ms", min=1, max=60_000, help="For so many milliseconds.")] = 200,
    lane: Lane = 1,
    by: By = "",
    role: Annotated[str, typer.Option("--role", help="As what: technician or admin may.")] = "technician",
    reason: Reason = "",
    bus: Bus = None,
    as_json: Json = False,
) -> None:
    """Try an output of a standing line: it shows its other level for a moment, and then goes back. Hands away!

    Only while the line is stopped, without its permit, and the belt has stood still for a second; never the permit
    itself nor line_stop. It ends early when somebody resets, the belt moves or a fault comes up. Needs --reason. Exit
    code 9 when the station refuses or none answers.
    """
    from app.errors import UsageError

    if not reason.strip():
        raise UsageError("a pulse needs a reason", 'say it with --reason "..."')
    _ask(
        lane,
        bus,
        f"pulses {output} for {pulse_ms} ms",
        as_json=as_json,
        command="pulse",
        output=output,
        pulse_ms=pulse_ms,
        by=person(by),
        role=role,
        reason=reason,
    )


def _ask(lane: int, bus: Bus, done: str, *, as_json: bool, **said: str | bool | int) -> None:
    from app.bus.commands import ask
    from app.bus.place import default_place
    from app.errors import CommandRefusedError

    request = _request(said)
    reply = ask(default_place(bus, make=False).commands(lane), request)
    if not reply.ok:
        raise CommandRefusedError(f"lane {lane} refuses: {reply.what}", reply.mend)
    if as_json:
        place = {"epoch": reply.epoch, "sequence": reply.sequence}
        print_json({"lane": lane, "command": request.command, "by": request.by, **place})
    else:
        out().print(f"lane {lane}: {escape(done)}, by {escape(request.by)}{_acknowledged(reply)}", soft_wrap=True)


def _request(said: Mapping[str, str | bool | int]) -> Request:
    from pydantic import ValidationError

    from app.bus.commands import Request
    from app.errors import UsageError

    try:
        return Request.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        option = "--" + "-".join(map(str, first["loc"])) if first["loc"] else "this command"
        raise UsageError(
            f"{option} cannot be sent: {first['msg']}", "say it in fewer or in ordinary letters"
        ) from error


def _acknowledged(reply: Reply) -> str:
    if reply.sequence is None:
        return ""
    return f"; in the ledger as epoch {reply.epoch}, sequence {reply.sequence}"
