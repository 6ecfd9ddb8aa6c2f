"""How a part is followed from the trigger to its outcome: the pure state machine of REJECT_TRACKING.

No I/O, no threads, no clock of its own. It is fed belt readings, sensor edges, frames, verdicts and ticks, each with
its time, and answers with commands and ledger events, which `take_commands` and `take_events` hand over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from app.clock import NS_PER_MS
from app.config import Line
from app.errors import CommandRefusedError
from app.reject.arriving import Arriving
from app.reject.binding import Outstanding
from app.reject.book import Book
from app.reject.estate import Estate
from app.reject.exposing import Exposing
from app.reject.gating import Gating
from app.reject.judging import Judging
from app.reject.lineio import BeltReading, Edge
from app.reject.purging import Purging
from app.reject.settling import Settling
from app.reject.signals import Command, Permit
from app.reject.stops import SWAP, Latch, StopCause
from app.reject.track import Fate
from app.status import State
from app.types import (
    EventKind,
    Frame,
    LedgerEvent,
    Opening,
    Scalar,
    Tally,
    Verdict,
)

FIRST = Opening()

LEVEL_CAUSES = {
    "bin_full": StopCause.BIN_FULL,
    "bin_open": StopCause.BIN_OPEN,
    "air_low": StopCause.AIR_LOW,
    "stopped": StopCause.EXTERNAL_STOP,
}


class Tracker:
    """One lane.

    Args:
        line: The settings.
        opening: Which start of the station this is, its lot, and what it takes over from the starts before.
    """

    def __init__(self, line: Line, opening: Opening = FIRST) -> None:
        self._line = line
        self._opening = opening
        self._book = Book(line, opening)
        self._estate = Estate(self._book, opening)
        self._gating = Gating(self._book)
        self._settling = Settling(self._book, self._gating)
        self._judging = Judging(self._book, self._gating)
        self._exposing = Exposing(self._book, self._gating, self._judging)
        self._arriving = Arriving(self._book, self._gating, self._judging, self._exposing)
        self._purging = Purging(self._book, self._gating, self._judging, self._arriving, self._estate)
        self._running_since_ns: int | None = None

    # What the rest of the station may know

    @property
    def tally(self) -> Tally:
        """The account of the running lot."""
        return self._book.account.tally()

    @property
    def lot(self) -> str:
        """The running lot."""
        return self._book.account.lot

    @property
    def latches(self) -> tuple[Latch, ...]:
        """Why the line is stopped, the first-out cause first."""
        return self._book.stops.latches

    @property
    def state(self) -> State:
        """STOPPED, PURGING or RUNNING."""
        if self._book.stops.is_latched:
            return State.STOPPED
        return State.RUNNING if self._purging.end is None else State.PURGING

    @property
    def challenge_phase(self) -> str:
        """What the challenge test waits for, `IDLE` where none runs."""
        return self._book.challenge.phase.value

    def is_challenge_due(self) -> bool:
        """A challenge test should be run now."""
        return self._book.challenge.is_due(self._book.now_ns)

    @property
    def epoch(self) -> int:
        """Which start of the station this is."""
        return self._opening.epoch

    @property
    def sequence(self) -> int:
        """The sequence number of the newest ledger event."""
        return self._book.journal.last

    @property
    def speed_mm_s(self) -> float:
        """The belt's speed."""
        return self._book.speed / self._book.belt.counts_per_mm

    @property
    def position_mm(self) -> float:
        """How far the belt has come since the start."""
        return (self._book.belt.count - self._book.belt.origin) / self._book.belt.counts_per_mm

    @property
    def count(self) -> int:
        """The encoder's count."""
        return self._book.belt.count

    @property
    def missed(self) -> int:
        """How many quadrature states the encoder has skipped since its start."""
        return self._book.belt.missed

    @property
    def has_commands(self) -> bool:
        """There is something to carry out."""
        return bool(self._book.commands)

    def take_commands(self) -> list[Command]:
        """The commands since the last call, in the order in which they must be carried out."""
        commands, self._book.commands = self._book.commands, []
        return commands

    def take_events(self) -> list[LedgerEvent]:
        """The ledger events since the last call."""
        return self._book.journal.take()

    # Start, stop, reset

    def start(self, reading: BeltReading, now_ns: int, active: Iterable[str] = (), **identity: Scalar) -> None:
        """Begins. What is on the belt now was not seen: it is purged, or a person must clear it (rule 7).

        Args:
            reading: The belt position.
            now_ns: The time.
            active: Names of the inputs that are active already.
            identity: What runs here, for the ledger: model, recipe, settings, version.
        """
        book = self._book
        book.belt.start(reading)
        book.at(now_ns)
        book.write(EventKind.STARTED, None, lot=self.lot, **identity)
        if self.lot not in self._opening.tallies:
            book.write(EventKind.LOT_OPENED, lot=self.lot)
        self._estate.open()
        active = tuple(active)
        self._arriving.start(reading, is_covered="part" in active)
        for name in active:
            if name != "part":
                self._level(name, is_active=True)
        if self._purging.gate.is_pulse:
            book.latch(StopCause.NOT_CLEARED, "nobody has confirmed that the belt up to the gate is cleared")
        elif not book.stops.is_latched:
            book.commands.append(Permit(is_given=True))
        self._purging.begin()

    def purge(self, by: str) -> None:
        """Rejects everything up to the last gate, at a person's wish, while the line runs.

        Raises:
            CommandRefusedError: The line is stopped, or its gate cannot purge.
        """
        if self._book.stops.is_latched:
            raise CommandRefusedError("the line is stopped", "reset it: a purge follows", code="PURGE_STOPPED")
        self._purging.check_gate("stop the line, clear the belt up to the gate by hand and reset")
        self._purging.begin(by or "a person at the machine")

    def stop(self, by: str) -> None:
        """Stops the line at a person's wish; needs no login."""
        self._book.latch(StopCause.OPERATOR, f"stopped by {by or 'a person at the machine'}")

    def fault(self, text: str) -> None:
        """Stops the line because an output or input does not do what it must."""
        self._book.latch(StopCause.OUTPUT_FAULT, text)

    def ledger(self, *, is_full: bool) -> None:
        """Stops the line while nobody takes its record: what is not recorded must not happen."""
        self._book.stops.set_present(StopCause.LEDGER_FULL, "recorder", is_full)
        if is_full:
            self._book.latch(StopCause.LEDGER_FULL, "the recorder does not keep up, or has no room on its disk")

    def note(self, kind: EventKind, **said: Scalar) -> None:
        """Writes down what concerns no part: where the accelerator stands, an output that somebody tries."""
        self._book.write(kind, None, **said)

    def standby(self, text: str) -> None:
        """Stops the line while a standby judges that cannot keep up with it; empty: none does."""
        self._book.stops.set_present(StopCause.STANDBY_SLOW, "accelerator", bool(text))
        if text:
            self._book.latch(StopCause.STANDBY_SLOW, text)

    def reset(self, by: str, role: str, reason: str, *, is_cleared: bool = False) -> None:
        """Ends a latched stop; a purge follows, unless what was cleared by hand is itself a cause to stand.

        Args:
            by: Who.
            role: In what role.
            reason: Why.
            is_cleared: The belt from the sensor to the last gate and its coasting distance beyond was cleared by hand.

        Raises:
            CommandRefusedError: Nothing is latched, a cause is still present, who or why is missing, the role may
                not, or the gate cannot purge and nobody confirmed that the belt is cleared.
        """
        book = self._book
        book.stops.check_reset(by, role, reason)
        if not is_cleared:
            self._purging.check_gate("clear the belt up to the gate by hand and confirm it")
        causes = " ".join(latch.cause.value for latch in book.stops.latches)
        book.write(EventKind.RESET, by=by, role=role, why=reason, causes=causes, is_cleared=is_cleared)
        book.stops.clear()
        if is_cleared:
            self._purging.clear_by_hand()
            if book.stops.is_latched:  # a challenge test that was cut off has failed: that wants a reset of its own
                return
        book.commands.append(Permit(is_given=True))
        self._purging.begin()

    # Inputs

    def observe(self, reading: BeltReading, now_ns: int) -> None:
        """Takes the belt position; call it first at every step."""
        skipped = self._book.belt.observe(reading, now_ns)
        self._arriving.observe(reading)
        self._book.at(now_ns)
        self._book.stops.set_present(StopCause.ENCODER_FAULT, "encoder", bool(reading.trouble))
        if skipped:
            is_known = any(each.cause is StopCause.ENCODER_FAULT for each in self.latches)
            why = reading.trouble or f"the encoder skipped {skipped} states"
            self._book.latch(StopCause.ENCODER_FAULT, f"{why}: the belt position is lost")
            self._purging.begin(is_told=not is_known)

    def edge(self, edge: Edge) -> None:
        """Takes a debounced edge of any input; inputs without a rule are ignored."""
        name, _, place = edge.input.partition(":")
        if name == "part" and self._line.trigger.source == "sensor":
            if edge.is_active:
                self._arriving.cover(edge.at_ns, edge.count)
            else:
                self._arriving.uncover(edge.count)
        elif name == "chute" and edge.is_active:
            self._settling.see_chute(place, edge.count)
        elif name == "exit" and edge.is_active:
            self._settling.see_exit(edge.count)
        else:
            self._level(edge.input, is_active=edge.is_active, at_ns=edge.at_ns)

    def trigger(self, at_ns: int, count: int, serial: str | None = None) -> None:
        """A part is where the part sensor would be, as a software trigger says.

        Args:
            at_ns: When its leading edge came.
            count: Belt position at that time.
            serial: Its serial number, if it is known already.
        """
        self._arriving.begin(at_ns, count, serial)

    def is_early(self, frame: Frame) -> bool:
        """The frame may be of a part whose sensor's edge is not confirmed yet: show it again in a moment.

        So it is where the part sensor triggers the camera by a wire.
        """
        return frame.lead_um is None and self._exposing.is_early(frame)

    def frame(self, frame: Frame) -> Outstanding | None:
        """Takes a frame and says which exposure of which part it answers; `None`: it is not to be judged.

        A frame with a `lead_um` creates the part that it shows.
        """
        return self._exposing.bind(frame) if frame.lead_um is None else self._arriving.show(frame)

    def camera(self, name: str, text: str, *, is_lost: bool) -> None:
        """Notes how a camera is.

        Args:
            name: The camera.
            text: What is wrong with it; empty: it is back.
            is_lost: It gives no frames now, and has forgotten what it was asked for.
        """
        self._book.write(EventKind.CAMERA, camera=name, text=text)
        self._arriving.watch(name, text, is_lost=is_lost)
        if is_lost:
            self.camera_restarted(name)

    def camera_restarted(self, camera: str) -> None:
        """The camera has forgotten what it was asked for: the parts that wait for it are rejected."""
        self._exposing.restart(camera)

    def judged(self, part_id: int, data: Mapping[str, Scalar]) -> None:
        """Notes how a frame was judged, and how long each stage took."""
        self._book.write(EventKind.JUDGED, part_id, **data)

    def is_complete(self, part_id: int) -> bool:
        """Every exposure of the part was triggered and has its frame."""
        return self._exposing.is_complete(part_id)

    def verdict(self, verdict: Verdict) -> bool:
        """Takes a verdict. The first one counts; a later one is only logged.

        Returns:
            Whether it counted.
        """
        return self._judging.take(verdict)

    def serial(self, part_id: int, serial: str) -> None:
        """Notes a serial number that arrived after the trigger."""
        self._book.write(EventKind.SERIAL, part_id, serial=serial)

    def open_lot(self, lot: str) -> None:
        """Starts a lot; parts triggered from now on belong to it.

        Raises:
            CommandRefusedError: It has no name, or is open already.
        """
        self._book.account.open(lot)
        self._book.challenge.lot_started()
        self._book.write(EventKind.LOT_OPENED, lot=lot)

    def close_lot(self, lot: str, by: str = "", reason: str = "") -> Tally:
        """Closes a lot that no longer runs. One without lost parts is closed by `tick`, without anybody's asking.

        Raises:
            CommandRefusedError: Parts are in flight, or parts were lost and no name and reason are given.
        """
        return self._book.close_lot(lot, by, reason)

    def start_challenge(self, by: str) -> None:
        """Begins a challenge test: the next parts are known to be bad.

        Raises:
            CommandRefusedError: The line is stopped or purging, a test runs, or no sensor could prove the stop.
        """
        if self.state is not State.RUNNING or self._book.challenge.is_running:
            what = "a challenge test needs a running line and no other test"
            raise CommandRefusedError(what, "try again then", code="CHALLENGE_NOT_NOW")
        if not self._settling.can_prove_a_stop():
            what = "no chute or exit sensor could notice a missing reject"
            raise CommandRefusedError(what, "fit one", code="CHALLENGE_UNSEEN")
        self._book.challenge.start()
        self._book.write(EventKind.CHALLENGE, result="STARTED", text=f"started by {by}")

    def adopt_recipe(self, recipe: str, sha256: str, by: str, role: str, reason: str) -> int:
        """Notes that parts which are triggered from now on are judged by another recipe.

        Args:
            recipe: Its name.
            sha256: The hash of its text.
            by: Who chose it.
            role: In what role.
            reason: Why.

        Returns:
            The number of the first such part.

        Raises:
            CommandRefusedError: A challenge test runs, which proves the chain under one recipe.
        """
        if self._book.challenge.is_running:
            mend = "let it end, then change the recipe"
            raise CommandRefusedError("a challenge test runs", mend, code="RECIPE_CHALLENGE")
        first = self._book.triggers + 1
        said: dict[str, Scalar] = {"recipe": recipe, "recipe_sha256": sha256, "by": by, "role": role, "why": reason}
        self._book.write(EventKind.RECIPE, None, from_part=first, **said)
        return first

    def oldest_unjudged(self) -> int | None:
        """The number of the oldest part on the belt that has no verdict yet; `None` where all have one."""
        return next((track.part_id for track in self._book.tracks if track.fate is Fate.PENDING), None)

    @property
    def awaits_frames(self) -> bool:
        """A camera was triggered and its frame has not come."""
        return bool(self._exposing.due_ns())

    def tick(self, now_ns: int) -> None:
        """Does everything that is due at `now_ns`; call it last at every step."""
        self._book.at(now_ns)
        self._check_belt()
        self._exposing.expose()
        self._exposing.expire()
        self._judging.miss_deadlines()
        self._gating.drive()
        self._gating.follow()
        self._settling.overdue()
        self._purging.follow()
        self._book.close_ended_lots()
        if self._book.tracks and self._settling.is_done(self._book.tracks[0]):
            self._book.tracks = [each for each in self._book.tracks if not self._settling.is_done(each)]

    def next_wake_ns(self, now_ns: int) -> int | None:
        """When `tick` is next needed, if neither edge nor frame comes first; `None` while the belt stands."""
        self._book.at(now_ns)
        times = self._gating.due_ns()
        times += self._exposing.due_ns()
        ahead = [place for place in self._places() if place > self._book.reach]
        eta_ns = self._book.belt.eta_ns(min(ahead), now_ns) if ahead else None
        if eta_ns is not None:
            times.append(now_ns + eta_ns + 1)
        return max(now_ns, min(times)) if times else None

    # How

    def _places(self) -> Iterator[float]:
        if self._purging.end is not None:
            yield self._purging.end
        for track in self._book.tracks:
            yield from self._exposing.positions(track)
            yield from self._gating.positions(track)
            yield from self._settling.positions(track)

    def _level(self, name: str, *, is_active: bool, at_ns: int | None = None) -> None:
        if name == "running":
            self._running_since_ns = (self._book.now_ns if at_ns is None else at_ns) if is_active else None
            return
        cause = LEVEL_CAUSES.get(name.partition(":")[0])
        if cause is not None:
            self._book.stops.set_present(cause, name, is_active)
            if is_active and cause is not StopCause.EXTERNAL_STOP:
                self._book.latch(cause, f"input {name} is active")
            elif is_active:
                self._book.latch(cause, "the line was stopped from outside: input stopped is active")
                if at_ns is not None:  # at the start a purge follows anyway
                    self._purging.begin()

    def _check_belt(self) -> None:
        book = self._book
        still_ns = round(self._line.encoder.still_ms * NS_PER_MS)
        since_ns = self._running_since_ns
        is_still = since_ns is not None and book.now_ns - max(since_ns, book.belt.count_ns) >= still_ns
        book.stops.set_present(StopCause.ENCODER_STILL, "encoder", is_still)
        if is_still:
            book.latch(StopCause.ENCODER_STILL, "the belt runs and the encoder does not count")
        back_mm = (book.belt.high_water - book.belt.count) / book.belt.counts_per_mm
        if back_mm > self._purging.watched_mm:
            text = f"the belt has gone back by {back_mm:.0f} mm; if it runs forward, {SWAP}"
            book.latch(StopCause.BELT_BACKWARDS, text)
        self._arriving.check_sensor()
