"""Starting, ending and closing lots from the operator's page."""

from __future__ import annotations

from flask import Blueprint, Response

from app.bus.commands import Reply
from app.types import Tally
from app.web.access.present import reason, somebody
from app.web.access.refusals import RefusedError
from app.web.context import Context
from app.web.line.answers import (
    CloseLot,
    Done,
    EndLot,
    LotAnswer,
    LotDone,
    LotsAnswer,
    StartLot,
    TallyAnswer,
)
from app.web.line.asking import ask_station, check_lane
from app.web.line.lots import Lot, interim, lots_of, plan
from app.web.openapi import documented, sent, told

_LOTS = "/api/v1/lanes/<int:lane>/lots"


def add_lots(line: Blueprint, context: Context) -> None:
    """Adds what is about lots.

    Args:
        line: The blueprint.
        context: What it works with.
    """

    @line.get(_LOTS)
    @documented(answer=LotsAnswer, errors=(404, 503))
    def lots(lane: int) -> Response:
        """The running lot, those that wait to be closed, the last that were closed."""
        check_lane(context, lane)
        return told(LotsAnswer(lots=[_answer(each) for each in lots_of(context, lane)]))

    @line.post(_LOTS)
    @documented(answer=LotDone, body=StartLot, errors=(404, 409, 503))
    def open_lot(lane: int) -> Response:
        """Starts a lot: parts triggered from now on belong to it."""
        check_lane(context, lane)
        wanted, person = sent(StartLot), somebody()
        reply = _opened(context, lane, wanted.lot, person.name)
        plan(context, lane, wanted.lot, wanted.planned, person.name)
        context.audit.write(
            person.name, "line.open_lot", f"lane {lane}", None, {"lot": wanted.lot, "planned": wanted.planned}, reason()
        )
        return told(LotDone(epoch=reply.epoch, sequence=reply.sequence, running=wanted.lot))

    @line.post(f"{_LOTS}/end")
    @documented(answer=LotDone, body=EndLot, errors=(404, 409, 503))
    def end_lot(lane: int) -> Response:
        """Ends the running lot. What comes until the next one starts is counted in a lot of its own."""
        check_lane(context, lane)
        wanted, person = sent(EndLot), somebody()
        known = lots_of(context, lane)
        running = next((each.name for each in known if each.is_running), "")
        if running != wanted.lot:
            raise RefusedError(409, f"lot {wanted.lot} does not run", "look again: another one has begun")
        after = interim(running, {each.name for each in known})
        reply = _opened(context, lane, after, person.name)
        context.audit.write(person.name, "line.end_lot", f"lane {lane}", {"lot": running}, {"lot": after}, reason())
        return told(LotDone(epoch=reply.epoch, sequence=reply.sequence, running=after))

    @line.post(f"{_LOTS}/close")
    @documented(answer=Done, body=CloseLot, errors=(404, 409, 503))
    def close_lot(lane: int) -> Response:
        """Makes the account of a lot final. The station refuses while parts of it are in flight."""
        check_lane(context, lane)
        wanted, person = sent(CloseLot), somebody()
        why = reason()
        reply = ask_station(context, lane, command="close_lot", lot=wanted.lot, by=person.name, reason=why)
        context.audit.write(person.name, "line.close_lot", f"lane {lane}", {"lot": wanted.lot}, None, why)
        return told(Done.of(reply))


def _opened(context: Context, lane: int, lot: str, by: str) -> Reply:
    return ask_station(context, lane, command="open_lot", lot=lot, by=by)


def _answer(lot: Lot) -> LotAnswer:
    return LotAnswer(
        lot=lot.name,
        is_running=lot.is_running,
        is_closed=lot.is_closed,
        planned=lot.planned,
        by=lot.by,
        tally=tally_answer(lot.tally),
        opened_us=lot.opened_us,
        closed_us=lot.closed_us,
    )


def tally_answer(tally: Tally) -> TallyAnswer:
    """A tally as the API tells it."""
    return TallyAnswer(
        triggers=tally.triggers,
        passed=tally.passed,
        rejected=tally.rejected,
        lost=tally.lost,
        in_flight=tally.in_flight,
    )
