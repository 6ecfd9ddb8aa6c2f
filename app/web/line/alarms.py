"""Alarms and what people did about them, as ISA-18.2 has it.

A condition raises an alarm. The alarm is listed until it is both cleared and acknowledged: one that has gone by itself
stays until somebody has seen it. One that comes again while it is listed is the same alarm once more. Acknowledging
says that somebody knows; it changes nothing at the line. Everything is kept in the store of the pages, and where that
fails the alarms show all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from sqlalchemy import Row, select, text, update

from app.clock import Clock
from app.errors import RecordError, UsageError
from app.record.walltime import micros
from app.web.line.conditions import Condition, Priority
from app.web.store.alarms import ALARMS, LISTED
from app.web.store.database import Store

MOST_LISTED = 50
"""Alarms of a lane that its page is told of; there are not that many kinds."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm.

    Attributes:
        number: Its number; negative while the store could not take it.
        lane: The lane.
        key: What tells it from every other condition of its lane.
        kind: Its code.
        priority: How soon somebody must act.
        text: What happened, in the station's words.
        is_first: It was the first-out cause of a stop.
        times: How often it has come while it was listed.
        raised_us: When, in microseconds since 1970 UTC.
        cleared_us: When it went; `None` while it is there.
        acked_us: When somebody took note; `None` before.
        acked_by: Who.
        code: Why, as a code of `Condition`; known while the condition is there, and not kept.
        camera: The camera that it is about, likewise.
    """

    number: int
    lane: int
    key: str
    kind: str
    priority: Priority
    text: str
    is_first: bool
    times: int
    raised_us: int
    cleared_us: int | None = None
    acked_us: int | None = None
    acked_by: str | None = None
    code: str = ""
    camera: str = ""

    @property
    def is_listed(self) -> bool:
        """It is there, or nobody has taken note of it."""
        return self.cleared_us is None or self.acked_us is None

    @property
    def weight(self) -> tuple[int, int, bool, int, int, int]:
        """Order of the list: what is there, then what nobody knows of, the first-out cause before its consequences."""
        gone, known = self.cleared_us is not None, self.acked_us is not None
        return (int(gone), int(known), not self.is_first, int(self.priority), self.raised_us, self.number)


class Alarms:
    """The alarms of all lanes. `look` belongs to one thread; the others may be called by any.

    Args:
        store: Where they are kept.
        clock: For the times.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._order = Lock()
        self._listed: dict[int, dict[str, Alarm]] = {}
        self._unsaved: set[tuple[int, str]] = set()
        self._is_loaded = False
        self._last_unsaved = 0

    def look(self, lane: int, conditions: Iterable[Condition]) -> bool:
        """Takes what is wrong with a lane now.

        Returns:
            Whether its list has changed.
        """
        now_us = micros(self._clock.wall())
        with self._order:
            self._load()
            listed = self._listed.setdefault(lane, {})
            there = {each.key: each for each in conditions}
            changed = [self._raised(lane, each, listed.get(key), now_us) for key, each in there.items()]
            changed += [
                replace(each, cleared_us=now_us)
                for key, each in listed.items()
                if key not in there and each.cleared_us is None
            ]
            for alarm in filter(None, changed):
                self._keep(alarm)
            for key in [key for _lane, key in self._unsaved if _lane == lane]:
                self._keep(listed[key])
            return any(changed)

    def listed(self, lane: int) -> list[Alarm]:
        """The alarms that are there or that nobody has taken note of, the weightiest first."""
        with self._order:
            alarms = sorted(self._listed.get(lane, {}).values(), key=lambda each: each.weight)
        return alarms[:MOST_LISTED]

    def acknowledge(self, lane: int, number: int | None, by: str) -> list[Alarm]:
        """Takes note of an alarm, or of all of a lane.

        Args:
            lane: The lane.
            number: The alarm; `None`: all that are listed.
            by: Who.

        Returns:
            Those that nobody had taken note of before.

        Raises:
            UsageError: There is no such alarm in the list.
        """
        now_us = micros(self._clock.wall())
        with self._order:
            known = list(self._listed.get(lane, {}).values())
            meant = [each for each in known if number in (None, each.number)]
            if number is not None and not meant:
                raise UsageError(f"alarm {number} is not listed", "look at the list; it may have been settled")
            noted = [replace(each, acked_us=now_us, acked_by=by) for each in meant if each.acked_us is None]
            for alarm in noted:
                self._keep(alarm)
        return noted

    def history(
        self, lane: int, kind: str = "", words: str = "", most: int = 100, before: int | None = None
    ) -> list[Alarm]:
        """Alarms of a lane, newest first.

        Args:
            lane: The lane.
            kind: Only this code; empty: all.
            words: Only those whose words hold these.
            most: How many at most.
            before: Only alarms with a smaller number, for the next page.

        Raises:
            RecordError: The store cannot be read.
        """
        query = select(ALARMS).where(ALARMS.c.lane == lane).order_by(ALARMS.c.number.desc()).limit(most)
        if kind:
            query = query.where(ALARMS.c.kind == kind)
        if words:
            query = query.where(ALARMS.c.text.icontains(words, autoescape=True))
        if before is not None:
            query = query.where(ALARMS.c.number < before)
        with self._store.reading() as connection:
            return [_alarm(each) for each in connection.execute(query)]

    # How

    def _load(self) -> None:
        """Goes on with the alarms that were listed when the pages were last served."""
        if self._is_loaded:
            return
        try:
            with self._store.reading() as connection:
                for row in connection.execute(select(ALARMS).where(text(LISTED))):
                    alarm = _alarm(row)
                    self._listed.setdefault(alarm.lane, {})[alarm.key] = alarm
        except RecordError as error:
            _LOG.warning("alarms of before are not known: %s", error)
        self._is_loaded = True

    def _raised(self, lane: int, condition: Condition, known: Alarm | None, now_us: int) -> Alarm | None:
        """What a condition makes of the alarm that is listed for it; `None` where nothing changes."""
        if known is None:
            self._last_unsaved -= 1
            named = (condition.key, condition.kind, condition.priority, condition.text, condition.is_first)
            return Alarm(self._last_unsaved, lane, *named, 1, now_us, code=condition.code, camera=condition.camera)
        told = replace(known, text=condition.text, code=condition.code, camera=condition.camera)
        if known.cleared_us is not None:
            again = replace(told, cleared_us=None, acked_us=None, acked_by=None, times=known.times + 1)
            return replace(again, is_first=condition.is_first, raised_us=now_us)
        return None if told == known else told

    def _keep(self, alarm: Alarm) -> None:
        place = (alarm.lane, alarm.key)
        try:
            alarm = self._saved(alarm)
            self._unsaved.discard(place)
        except RecordError as error:
            if place not in self._unsaved:
                _LOG.warning("alarm %s is not kept: %s", alarm.key, error)
            self._unsaved.add(place)
        listed = self._listed.setdefault(alarm.lane, {})
        if alarm.is_listed or place in self._unsaved:
            listed[alarm.key] = alarm
        else:
            listed.pop(alarm.key, None)

    def _saved(self, alarm: Alarm) -> Alarm:
        values: dict[str, Any] = {
            column.name: getattr(alarm, column.name) for column in ALARMS.columns if column.name != "number"
        }
        values |= {"priority": int(alarm.priority), "is_first": int(alarm.is_first)}
        with self._store.writing() as connection:
            if alarm.number >= 0:
                connection.execute(update(ALARMS).where(ALARMS.c.number == alarm.number).values(values))
                return alarm
            made = connection.execute(ALARMS.insert().values(values)).inserted_primary_key
        return replace(alarm, number=int(made[0]) if made else alarm.number)


def _alarm(row: Row[Any]) -> Alarm:
    said = dict(row._mapping)  # noqa: SLF001 - the public name of a row as a mapping
    said |= {"priority": Priority(said["priority"]), "is_first": bool(said["is_first"])}
    return Alarm(**said)
