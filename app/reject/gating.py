"""Drives the gates and says which parts they took (REJECT_TRACKING, rules 3, 4 and 6)."""

from __future__ import annotations

from collections.abc import Iterator

from app.clock import NS_PER_S
from app.reject.book import Book
from app.reject.gates import Gate
from app.reject.signals import MoveGate
from app.reject.stops import StopCause
from app.reject.track import Fate, Track
from app.types import EventKind, Reason


class Gating:
    """All gates of the line.

    Args:
        book: The running record.
    """

    def __init__(self, book: Book) -> None:
        self._book = book
        line = book.line
        in_order = sorted(line.gates, key=lambda gate: gate.position_mm)
        self.gates = tuple(Gate(each, line.part, line.encoder.counts_per_mm) for each in in_order)
        self._by_name = {gate.destination: gate for gate in self.gates}
        self.default = self._by_name[line.default_gate.destination]
        self.is_purging = False

    def __getitem__(self, destination: str) -> Gate:
        """The gate that serves a destination."""
        return self._by_name[destination]

    def route(self, track: Track, destination: str) -> str:
        """Where a bad part goes: its own bin, or the default one if its bin is unknown or its cut-off has passed."""
        gate = self._by_name.get(destination)
        if gate is None or self._book.reach >= gate.cut_off(track, self._book.speed):
            return self.default.destination
        return destination

    def is_late(self, track: Track) -> bool:
        """The part has no verdict, and the default gate cannot wait for one any longer."""
        return track.fate is Fate.PENDING and self._book.reach >= self.default.cut_off(track, self._book.speed)

    def is_past(self, track: Track) -> bool:
        """No gate can take the part any more, or one has."""
        return track.taken_by is not None or track.gates_passed == len(self.gates)

    def drive(self) -> None:
        """Turns each gate on or off, as the parts before it demand."""
        for gate in self.gates:
            since = self._wanted_since(gate)
            limit_ns = gate.limit_ns()
            if gate.is_on and limit_ns is not None and self._book.now_ns >= limit_ns:
                self._time_out(gate)
            elif since is not None and not gate.is_on:
                gate.turn_on(self._book.reach, self._book.speed, self._book.now_ns)
                self._move(gate, EventKind.GATE_ON, since)
            elif since is None and gate.may_drop(self._book.now_ns):
                gate.turn_off(self._book.reach, self._book.speed)
                self._move(gate, EventKind.GATE_OFF)

    def follow(self) -> None:
        """Notes for each part, gate by gate, whether its centre was taken."""
        for track in self._book.tracks:
            while not self.is_past(track):
                gate = self.gates[track.gates_passed]
                if self._book.reach < gate.centre(track):
                    break
                self._pass(track, gate)

    def positions(self, track: Track) -> Iterator[float]:
        """Belt positions at which something is due for a part."""
        if self.is_past(track) and track.fire is None:
            return
        speed = self._book.speed
        if track.fate is Fate.PENDING:
            yield self.default.cut_off(track, speed)
        if track.route is not None:
            gate = self._by_name[track.route]
            yield gate.fire(track, speed)
            yield gate.off(track, speed)
        if not self.is_past(track):
            yield self.gates[track.gates_passed].centre(track)

    def due_ns(self) -> list[int]:
        """Times at which a gate that is on must be looked at."""
        times = [time_ns for gate in self.gates for time_ns in (gate.limit_ns(), gate.earliest_off_ns())]
        return [time_ns for time_ns in times if time_ns is not None and time_ns > self._book.now_ns]

    def _wanted_since(self, gate: Gate) -> float | None:
        """The fire point that the gate is on for, or the present place where it purges; `None`: it should be off."""
        reach, speed = self._book.reach, self._book.speed
        if self.is_purging and gate is self.default and not gate.settings.is_pulse:
            return reach
        since: float | None = None
        for track in self._book.tracks:
            if track.route != gate.destination or track.is_spent or track.is_suppressed:
                continue
            fire = gate.fire(track, speed)
            if fire <= reach < gate.off(track, speed):
                track.fire = fire
                since = fire if since is None else min(since, fire)
            elif track.fire is not None and reach > fire:
                # The end of a dwell moves with the speed: once reached, it must not be taken back.
                track.is_spent = True
        return since

    def _pass(self, track: Track, gate: Gate) -> None:
        track.gates_passed += 1
        if gate.takes(track):
            if track.route != gate.destination:
                # Whatever it was judged, the gate was open for a neighbour and took it along.
                track.route, track.reason, track.fire = gate.destination, Reason.COLLATERAL, None
                self._book.write(EventKind.REROUTED, track.part_id, to=gate.destination, reason=Reason.COLLATERAL.value)
            track.fire = gate.fire(track, self._book.speed)
            track.taken_by = gate.destination
        elif track.route == gate.destination and not track.is_suppressed:
            text = f"part {track.part_id} passed gate {gate.destination} before it could act"
            self._book.latch(StopCause.BAD_NOT_REJECTED, text, track.part_id)

    def _time_out(self, gate: Gate) -> None:
        gate.turn_off(self._book.reach, self._book.speed)
        self._move(gate, EventKind.GATE_OFF)
        speed = self._book.speed
        inside = [
            track
            for track in self._book.tracks
            if track.outcome is None and gate.fire(track, speed) <= self._book.reach < gate.off(track, speed)
        ]
        for track in inside:
            track.is_spent = True
            track.route, track.reason = gate.destination, Reason.GATE_SUSPECT
        names = ", ".join(str(track.part_id) for track in inside)
        text = (
            f"gate {gate.destination} was on for its maximum of {gate.settings.max_on_ms:g} ms; suspect: part {names}"
        )
        self._book.latch(StopCause.GATE_TIMEOUT, text, inside[0].part_id if inside else None)

    def _move(self, gate: Gate, kind: EventKind, fire: float | None = None) -> None:
        is_rejecting = kind is EventKind.GATE_ON
        book = self._book
        due_ns = None
        if fire is not None and book.speed > 0:
            due_ns = book.now_ns - round((book.reach - fire) / book.speed * NS_PER_S)
        book.commands.append(MoveGate(gate.destination, is_rejecting, due_ns))
        self._book.write(kind, destination=gate.destination, position=round(self._book.reach, 2))
