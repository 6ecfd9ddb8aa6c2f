"""The real station on the twin in virtual time: as fast as it goes, and the same every time.

The twin moves to its next event, the station wakes when it asked to or when something changed, and a person at the
machine clears the belt and resets the line when it has stopped. What is measured of the detector is real time; what the
belt does is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.clock import NS_PER_MS, NS_PER_S, VirtualClock
from app.errors import CommandRefusedError
from app.station import Station
from app.status import State, Status
from app.twin.machine import Machine
from app.twin.truth import Comparison, Record
from app.types import Detection, EventKind, Frame, Image, LedgerEvent, Outcome, Verdict

PERSON = "the twin's operator"
COMES_AFTER_NS = 3 * NS_PER_S
"""How long it takes the person to come to a line that has stopped."""

GIVES_UP_AFTER = 20
"""Visits in a row that end without a reset, before the run is ended as it stands."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A rejected part as the camera saw it."""

    name: str
    image: Image
    verdict: Verdict


class Notebook:
    """A recorder in memory: every part's record, the first rejects with their pictures, and what stopped the line.

    Args:
        pictures: How many rejects to keep with their pictures.
    """

    def __init__(self, pictures: int) -> None:
        self.rejects: list[Judged] = []
        self.reasons: Counter[str] = Counter()
        self.stops: list[str] = []
        self.events = 0
        self._pictures = pictures
        self._triggers: dict[int, int] = {}
        self._outcomes: dict[int, Outcome] = {}
        self._routes: dict[int, str] = {}

    @property
    def is_full(self) -> bool:
        """A notebook has always room."""
        return False

    def take(self, events: Sequence[LedgerEvent]) -> int:
        """Reads what matters for the summary."""
        self.events += len(events)
        for event in events:
            if event.kind is EventKind.LATCHED:
                self.stops.append(str(event.data["cause"]))
            if event.part_id is None:
                continue
            if event.kind is EventKind.TRIGGER:
                self._triggers[event.part_id] = int(event.data["trigger_count"] or 0)
            elif event.kind is EventKind.VERDICT:
                self._routes[event.part_id] = str(event.data["destination"])
                self.reasons.update(str(event.data["reasons"]).split())
            elif event.kind is EventKind.OUTCOME:
                self._outcomes[event.part_id] = Outcome(event.data["outcome"])
        return len(events)

    def keep(self, frame: Frame, verdict: Verdict, detections: Sequence[Detection]) -> bool:  # noqa: ARG002 - the seam
        """Keeps the first rejects with their pictures."""
        if not verdict.is_pass and len(self.rejects) < self._pictures:
            self.rejects.append(Judged(frame.name, frame.image.copy(), verdict))
        return True

    def records(self) -> list[Record]:
        """What the ledger says of each part, to be held against the truth."""
        return [
            Record(count, self._outcomes.get(part_id), self._routes.get(part_id))
            for part_id, count in self._triggers.items()
        ]


class Rehearsal:
    """One run.

    Args:
        station: The station, on the machine's pins.
        machine: The machine.
        clock: The clock of both.
        notebook: The station's recorder.
    """

    def __init__(self, station: Station, machine: Machine, clock: VirtualClock, notebook: Notebook) -> None:
        self.station = station
        self.machine = machine
        self._clock = clock
        self._notebook = notebook
        self._stopped_ns: int | None = None
        self._visits = 0

    def run(self, limit_s: float, on_progress: Callable[[Status], None]) -> None:
        """Runs until every part has left the belt.

        Args:
            limit_s: Longest virtual time.
            on_progress: Called about once per virtual second.
        """
        station, machine, clock = self.station, self.machine, self._clock
        station.start()
        end_ns = clock.now_ns() + round(limit_s * NS_PER_S)
        report_ns = clock.now_ns()
        while not machine.is_done and clock.now_ns() < end_ns and self._visits < GIVES_UP_AFTER:
            wake_ns = station.next_wake_ns()
            has_changed = machine.run(max(wake_ns, clock.now_ns() + 1))
            if has_changed or clock.now_ns() >= wake_ns:
                station.step()
            self._attend()
            if clock.now_ns() >= report_ns:
                report_ns = clock.now_ns() + NS_PER_S
                on_progress(station.status())
        on_progress(station.status())

    def compare(self) -> Comparison:
        """Holds the ledger against the truth."""
        return self.machine.truth().compare(self._notebook.records())

    def _attend(self) -> None:
        """A person sees that the line has stopped, clears the belt when it stands, and resets."""
        if self.station.state is not State.STOPPED:
            self._stopped_ns, self._visits = None, 0
            return
        now_ns = self._clock.now_ns()
        if self._stopped_ns is None:
            self._stopped_ns = now_ns
        if now_ns - self._stopped_ns < COMES_AFTER_NS or not self.machine.is_still:
            return
        self._visits += 1
        self._stopped_ns = now_ns - COMES_AFTER_NS + 500 * NS_PER_MS
        self.machine.clear_stretch()
        try:
            self.station.reset(PERSON, "lead", "belt cleared by hand", is_cleared=True)
        except CommandRefusedError:
            return
