"""The thread that turns what is wrong with the lanes into alarms. It writes to a disk, for which nobody else waits."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from app.clock import NS_PER_S, Clock
from app.record.walltime import moment
from app.web.line.alarms import Alarm, Alarms
from app.web.line.conditions import conditions_of
from app.web.live import Live

LOOK_S = 0.2
"""An alarm shall be seen within a second of its cause; most of that is for the page."""

SETTLE_NS = 3 * NS_PER_S
"""Pages that are served anew know nothing of the stations at first; so long that is no alarm."""

_LOG = logging.getLogger(__name__)


class AlarmWatch:
    """Follows the lanes for their alarms, and says with every report of a lane which are listed.

    Args:
        live: What is known of the lanes.
        alarms: The alarms.
        clock: For their ages.
        also: Called in the thread with each report of a lane.
    """

    def __init__(
        self, live: Live, alarms: Alarms, clock: Clock, also: Callable[[dict[str, Any]], None] = lambda _: None
    ) -> None:
        self._live = live
        self._alarms = alarms
        self._clock = clock
        self._also = also
        self._since_ns = clock.now_ns()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        live.accompany("alarms", self.told, self)

    def start(self) -> None:
        """Starts the thread."""
        self._thread = threading.Thread(target=self._run, name="alarms", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread. Idempotent."""
        self._stop.set()
        if self._thread:
            self._thread.join()
            self._thread = None

    def look(self) -> None:
        """Looks once at every lane."""
        is_new = self._clock.now_ns() - self._since_ns < SETTLE_NS
        for lane in self._live.lanes:
            report = self._live.status(lane.number)
            if not (is_new and report["status"] is None):
                self._alarms.look(lane.number, conditions_of(report))
            self._also(report)

    def told(self, lane: int) -> list[dict[str, Any]]:
        """The listed alarms of a lane as its page gets them."""
        now = self._clock.wall()
        return [as_json(each, (now - moment(each.raised_us)).total_seconds()) for each in self._alarms.listed(lane)]

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            try:
                self.look()
            except Exception:  # noqa: BLE001 - the thread's border: the next look may go well, and the pages need this one
                _LOG.exception("the alarms could not be looked at")


def as_json(alarm: Alarm, age_s: float) -> dict[str, Any]:
    """An alarm as the page gets it.

    Args:
        alarm: The alarm.
        age_s: How long ago it was raised.
    """
    return {
        "number": alarm.number,
        "kind": alarm.kind,
        "priority": alarm.priority.name.lower(),
        "text": alarm.text,
        "code": alarm.code,
        "camera": alarm.camera,
        "is_first": alarm.is_first,
        "times": alarm.times,
        "for_ms": max(0.0, round(age_s * 1000)),
        "is_cleared": alarm.cleared_us is not None,
        "is_acknowledged": alarm.acked_us is not None,
        "acknowledged_by": alarm.acked_by or "",
    }
