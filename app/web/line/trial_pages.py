"""The challenge test, the reset, the purge and the figures of the shift on the operator's page."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Response

from app.record import LEDGER
from app.record.figures import Figures
from app.record.rare import RareEvents
from app.record.told import Entry
from app.record.walltime import micros
from app.types import EventKind
from app.web.access.present import reason, somebody
from app.web.context import Context
from app.web.line.answers import (
    Body,
    ChallengeAnswer,
    Done,
    FiguresAnswer,
    Reset,
    SeriesAnswer,
    TrialAnswer,
)
from app.web.line.asking import acting, ask_station, check_lane
from app.web.line.figures import figures_of
from app.web.openapi import documented, sent, told

_OF_LANE = "/api/v1/lanes/<int:lane>"
_SERIES = ("SPACED", "CONSECUTIVE", "NORMAL")
"""The phases of known-bad parts, as `app.reject.challenge` runs them; one more part proves the stop."""

STARTED, BROKEN = "STARTED", "BROKEN"
_MOST_TRIALS = 20
_DEFAULT_PARTS = 3


def add_trials(line: Blueprint, context: Context) -> None:
    """Adds what is about the challenge test, the reset, the purge and the figures.

    Args:
        line: The blueprint.
        context: What it works with.
    """
    rare = RareEvents(context.state / LEDGER)
    _add_challenge(line, context, rare)
    _add_commands(line, context)
    figures = Figures(context.state / LEDGER)

    @line.get(f"{_OF_LANE}/figures")
    @documented(answer=FiguresAnswer, errors=(404, 503))
    def stretches(lane: int) -> Response:
        """The last hour and the running shift: the account, the yield, and what parts were rejected for."""
        check_lane(context, lane)
        return told(figures_of(figures, lane, context.clock.wall().astimezone(), context.ui.shifts))


def _add_challenge(line: Blueprint, context: Context, rare: RareEvents) -> None:
    @line.get(f"{_OF_LANE}/challenge")
    @documented(answer=ChallengeAnswer, errors=(404, 503))
    def challenge(lane: int) -> Response:
        """The challenge test: its steps, where it is, and how it went before."""
        check_lane(context, lane)
        status = context.live.status(lane)["status"] or {}
        settings = next((each.challenge for each in context.lines if each.line.lane == lane), None)
        parts = settings.parts if settings else _DEFAULT_PARTS
        series = [SeriesAnswer(phase=phase, parts=parts) for phase in _SERIES]
        return told(
            ChallengeAnswer(
                phase=str(status.get("challenge_phase", "IDLE")),
                is_due=bool(status.get("is_challenge_due")),
                interval_h=settings.interval_h if settings else 0.0,
                series=[*series, SeriesAnswer(phase="SUPPRESSED", parts=1)],
                trials=_trials(rare.newest(lane, [EventKind.CHALLENGE], 2 * _MOST_TRIALS), status.get("epoch")),
            )
        )

    @line.post(f"{_OF_LANE}/challenge/start")
    @documented(answer=Done, body=Body, errors=(404, 409, 503))
    def start_challenge(lane: int) -> Response:
        """Starts a challenge test: the next parts are known to be bad."""
        return _have_done(context, lane, "start_challenge", "line.challenge")


def _add_commands(line: Blueprint, context: Context) -> None:
    @line.post(f"{_OF_LANE}/reset")
    @documented(answer=Done, body=Reset, errors=(404, 409, 503))
    def reset(lane: int) -> Response:
        """Ends a latched stop: the belt is purged, or runs at once where it was cleared by hand."""
        check_lane(context, lane)
        wanted, person, why = sent(Reset), somebody(), reason()
        reply = ask_station(
            context,
            lane,
            command="reset",
            by=person.name,
            role=acting(person),
            reason=why,
            is_cleared=wanted.is_cleared,
        )
        after = {"is_cleared": wanted.is_cleared}
        context.audit.write(person.name, "line.reset", f"lane {lane}", None, after, why)
        return told(Done.of(reply))

    @line.post(f"{_OF_LANE}/silence")
    @documented(answer=Done, body=Body, errors=(404, 409, 503))
    def silence(lane: int) -> Response:
        """Lets the buzzer be still for what is wrong now. Anybody may."""
        check_lane(context, lane)
        sent(Body)
        reply = ask_station(context, lane, command="silence", by="operator")
        return told(Done.of(reply))

    @line.post(f"{_OF_LANE}/purge")
    @documented(answer=Done, body=Body, errors=(404, 409, 503))
    def purge(lane: int) -> Response:
        """Rejects everything on the belt up to the gate while the line runs; only a diverter can."""
        return _have_done(context, lane, "purge", "line.purge")


def _have_done(context: Context, lane: int, command: str, deed: str) -> Response:
    """Has the station do what needs no more words than its name, and notes who asked for it and why."""
    check_lane(context, lane)
    sent(Body)
    person = somebody()
    reply = ask_station(context, lane, command=command, by=person.name)
    context.audit.write(person.name, deed, f"lane {lane}", reason=reason())
    return told(Done.of(reply))


def _trials(entries: Sequence[Entry], epoch: int | None) -> list[TrialAnswer]:
    """Tests of the past, newest first: PASSED, FAILED, or BROKEN where the station began anew before the end.

    Args:
        entries: What the ledger has of them, newest first.
        epoch: Which start of the station this is; `None` where nobody knows.
    """
    found: list[TrialAnswer] = []
    began: Entry | None = None
    for entry in reversed(entries):
        if began is not None and began.event.epoch != entry.event.epoch:
            found.append(_broken(began))
            began = None
        if entry.event.data.get("result") == STARTED:
            began = entry
        else:
            found.append(_ended(entry, began))
            began = None
    if began is not None and epoch is not None and began.event.epoch != epoch:
        found.append(_broken(began))
    return found[::-1][:_MOST_TRIALS]


def _ended(entry: Entry, began: Entry | None) -> TrialAnswer:
    said = entry.event.data
    return TrialAnswer(
        result=str(said.get("result", "")),
        text=str(said.get("text", "")),
        at_us=micros(entry.wall),
        began_us=micros(began.wall) if began else None,
        quarantine_from=_number(said.get("quarantine_from")),
        quarantine_to=_number(said.get("quarantine_to")),
    )


def _broken(began: Entry) -> TrialAnswer:
    at_us = micros(began.wall)
    return TrialAnswer(
        result=BROKEN,
        text="the station began anew before the test ended: it has proven nothing",
        at_us=at_us,
        began_us=at_us,
        quarantine_from=None,
        quarantine_to=None,
    )


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
