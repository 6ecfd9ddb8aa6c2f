"""The blueprint of the line: what the operator's page asks and commands beyond looking and stopping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from flask import Blueprint, Response, render_template

from app.web.access.present import somebody
from app.web.context import Context
from app.web.line.alarms import Alarm, Alarms
from app.web.line.answers import Acknowledge, Acknowledged, AlarmAnswer, AlarmQuery, AlarmsAnswer
from app.web.line.asking import check_lane
from app.web.line.conditions import Priority
from app.web.line.lot_pages import add_lots
from app.web.line.recipe_pages import add_recipes
from app.web.line.trial_pages import add_trials
from app.web.line.watching import AlarmWatch
from app.web.openapi import asked, documented, sent, told

OF_LANE = "/api/v1/lanes/<int:lane>"

_PRIORITIES: Mapping[Priority, Literal["high", "medium", "low"]] = {
    Priority.HIGH: "high",
    Priority.MEDIUM: "medium",
    Priority.LOW: "low",
}


def make_line(context: Context) -> Blueprint:
    """The pages and commands of the line.

    Args:
        context: What they work with; its lanes are watched for alarms from now on.
    """
    line = Blueprint("line", __name__)
    alarms = Alarms(context.store, context.clock)
    AlarmWatch(context.live, alarms, context.clock)
    _add_alarms(line, context, alarms)
    add_lots(line, context)
    add_recipes(line, context)
    add_trials(line, context)
    return line


def _add_alarms(line: Blueprint, context: Context, alarms: Alarms) -> None:
    @line.get("/line/alarms")
    def alarm_page() -> str:
        """The history of alarms."""
        return render_template("line/alarms.html", lanes=context.live.lanes)

    @line.get(f"{OF_LANE}/alarms")
    @documented(answer=AlarmsAnswer, query=AlarmQuery, errors=(404, 503))
    def history(lane: int) -> Response:
        """Alarms of a lane, newest first, those of the past included."""
        check_lane(context, lane)
        wanted = asked(AlarmQuery)
        found = alarms.history(lane, wanted.kind, wanted.words, wanted.most, wanted.before)
        return told(AlarmsAnswer(alarms=[_answer(each) for each in found]))

    @line.post(f"{OF_LANE}/alarms/acknowledge")
    @documented(answer=Acknowledged, body=Acknowledge, errors=(404, 503))
    def acknowledge(lane: int) -> Response:
        """Says that somebody has taken note of an alarm. Changes nothing at the line."""
        check_lane(context, lane)
        person = somebody()
        noted = alarms.acknowledge(lane, sent(Acknowledge).number, person.name)
        for alarm in noted:
            about = f"lane {lane}, alarm {alarm.number}: {alarm.kind}"
            context.audit.write(person.name, "line.acknowledge", about)
        return told(Acknowledged(numbers=[each.number for each in noted]))


def _answer(alarm: Alarm) -> AlarmAnswer:
    return AlarmAnswer(
        number=alarm.number,
        kind=alarm.kind,
        priority=_PRIORITIES[alarm.priority],
        text=alarm.text,
        is_first=alarm.is_first,
        times=alarm.times,
        raised_us=alarm.raised_us,
        cleared_us=alarm.cleared_us,
        acknowledged_us=alarm.acked_us,
        acknowledged_by=alarm.acked_by or "",
    )
