"""The hot loop: the only file that knows the order of the stages.

It has two halves. `step_line` takes the belt position and the sensors' edges, lets the tracker say what is due, moves
gates and triggers cameras, and shows by toggling the permit that all of it works. `serve` judges the frames that have
come. In real time each half has a thread of its own (`app.loops`); in virtual time `step` does both.
`docs/architecture.md` follows one part through it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Lock

from app.capture.camera import Camera
from app.capture.trigger import SoftwareTrigger
from app.changeover import Answer, Changeover, Preparing, Proposal
from app.clock import NS_PER_MS, Clock
from app.config import IDLE_MS, Line, inputs_of
from app.decide import reject
from app.errors import LineError
from app.latency import LatencyLedger
from app.recipe import Recipe
from app.reject.hands import Hands
from app.reject.handshake import Handshake
from app.reject.kernel_watchdog import Guard
from app.reject.levels import InputLevels
from app.reject.lineio import Edge, Encoder, LineIO
from app.reject.pulsing import PulseWish, Pulsing
from app.reject.signals import Command, Expose, MoveGate, Permit
from app.reject.tracking import Tracker
from app.reject.watchdog import Heartbeat
from app.sight import Sight
from app.status import State, Status, StopReason
from app.types import LedgerEvent, Reason, Scalar
from app.verdicts import AtWork, Judge, Recorder, Verdicts

STAGES = ("transfer", "wake", "pre", "infer", "decode", "decide", "frame_to_verdict", "command", "gate")
"""What the ledger of latencies measures. `transfer` runs from the exposure to the frame in memory, `wake` from there to
the start of judging; `frame_to_verdict` from the frame in memory to the tracker's answer; `command` from a gate's
command to its pin's edge, and `gate` from its fire point on the belt to that edge."""

WORKERS = ("trigger", "verdict", "output")
IDLE_NS = round(IDLE_MS * NS_PER_MS)
"""Longest sleep: the belt may start at any time without an edge that says so."""


def _nobody() -> None:
    """Wakes nobody: who steps the station looks by himself."""


class Station:
    """One lane at work.

    Args:
        line: The settings.
        recipe: What counts as a defect.
        clock: Time for decisions.
        stopwatch: Time for latencies: the machine's own, even where `clock` is virtual.
        io: Inputs and outputs.
        encoder: The belt position.
        cameras: Open cameras by name.
        judge: The detector with its recipe.
        recorder: Who keeps events and pictures.
        tracker: The model of the belt.
        latency: Where the times of each stage are kept.
        on_verdict: Called in the thread of `serve` when a verdict may have changed what is due next.
        identity: What runs here, for the ledger: model, recipe, settings, version.
        preparing: Makes what judges by another recipe; without it the recipe stays.

    Attributes:
        latency: The times of each stage.
        beats: How often the heartbeat has beaten: it stands still while a worker hangs.
    """

    def __init__(  # noqa: PLR0913 - everything is injected, and here it all comes together
        self,
        *,
        line: Line,
        recipe: Recipe,
        clock: Clock,
        stopwatch: Clock,
        io: LineIO,
        encoder: Encoder,
        cameras: Mapping[str, Camera],
        judge: Judge,
        recorder: Recorder,
        tracker: Tracker,
        latency: LatencyLedger | None = None,
        on_verdict: Callable[[], None] = _nobody,
        identity: Mapping[str, Scalar] | None = None,
        preparing: Preparing | None = None,
    ) -> None:
        self.latency = latency or LatencyLedger(STAGES)
        self._line = line
        self._clock = clock
        self._stopwatch = stopwatch
        self._io = io
        self._encoder = encoder
        self._recorder = recorder
        self._tracker = tracker
        self._identity = identity or {}
        self._guards: tuple[Guard, ...] = ()
        self.beats = 0
        self._handshake = Handshake(line.handshake)
        self._turn = Lock()
        self._sight = Sight(cameras, tracker, self._turn)
        self._verdicts = Verdicts(
            tracker=tracker,
            turn=self._turn,
            at_work=AtWork(recipe, judge),
            recorder=recorder,
            latency=self.latency,
            clock=clock,
            stopwatch=stopwatch,
            budget_ns=round(line.model.verdict_ms * NS_PER_MS),
            default_destination=line.default_gate.destination,
            on_verdict=on_verdict,
        )
        self._changeover = Changeover(preparing, self._verdicts, tracker, self._turn, clock)
        toggle_ms = line.permit.toggle_ms if line.permit else IDLE_MS
        self._heartbeat = Heartbeat(WORKERS, round(toggle_ms * NS_PER_MS))
        self._software = (
            SoftwareTrigger(line.trigger.every_mm * line.encoder.counts_per_mm) if line.trigger.every_mm else None
        )
        self._hands = Hands(line, io, tracker.fault)
        self._inputs = InputLevels(line)
        self._pulsing = Pulsing(line, tracker, self._hands, self._inputs, self._hand_over)
        self._unsaved: list[LedgerEvent] = []
        self._is_followed = False
        self._why_degraded = self._degraded_code = ""
        self._failovers = 0
        self._since_ns = clock.now_ns()
        self._state = State.STOPPED

    # What a person or another process may ask, in the thread of `step_line`

    @property
    def state(self) -> State:
        """What the line is doing, cameras and detector apart."""
        return self._tracker.state

    def start(self) -> None:
        """Begins: outputs safe, the belt purged or waiting to be cleared."""
        with self._turn:
            now_ns = self._clock.now_ns()
            active = [name for name in inputs_of(self._line) if self._io.is_active(name)]
            self._inputs.start(active)
            self._tracker.start(self._encoder.read(now_ns), now_ns, active, **self._identity)
            self._is_followed = True
            self._finish(now_ns)

    def guarded_by(self, guards: Sequence[Guard]) -> None:
        """From now on these are shown that all workers make progress, and act when that stays out."""
        self._guards = (*self._guards, *guards)

    def ask(self, question: Callable[[Tracker], None]) -> None:
        """Lets a person or another process ask something of the tracker, and does what follows from it.

        Raises:
            CommandRefusedError: It is not allowed in the present state.
        """
        with self._turn:
            question(self._tracker)
            self._finish(self._clock.now_ns())

    def propose(self, proposal: Proposal, answer: Answer) -> None:
        """Lets a person have another recipe, which is taken up between two parts; see `Changeover.propose`."""
        self._changeover.propose(proposal, answer)

    @property
    def at_work(self) -> AtWork:
        """What parts are judged by that are triggered now."""
        return self._verdicts.at_work

    def rest(self) -> None:
        """Does what waits until no picture does, in the thread of `serve`."""
        self._changeover.rest()

    def place(self) -> tuple[int, int]:
        """Epoch and sequence number of the newest ledger event."""
        return self._tracker.epoch, self._tracker.sequence

    def stop(self, by: str) -> None:
        """Stops the line at a person's wish."""
        self.ask(lambda tracker: tracker.stop(by))

    def reset(self, by: str, role: str, reason: str, *, is_cleared: bool = False) -> None:
        """Ends a latched stop; see `Tracker.reset`."""
        self.ask(lambda tracker: tracker.reset(by, role, reason, is_cleared=is_cleared))

    def pulse(self, wish: PulseWish) -> int:
        """Tries an output of a standing line; see `Pulsing.begin`, whose errors it raises."""
        with self._turn:
            now_ns = self._clock.now_ns()
            self._pulsing.observe(self._encoder.read(now_ns), now_ns)
            try:
                return self._pulsing.begin(wish, now_ns, is_recorded=self._is_recorded())
            finally:
                self._finish(now_ns)

    def silence(self) -> None:
        """Lets the buzzer be still for what is wrong now; see `Handshake.silence`."""
        with self._turn:
            self._handshake.silence()
            self._finish(self._clock.now_ns())

    def note_judge(self, why_degraded: str, failovers: int, code: str = "") -> None:
        """Takes down who judges, as the detector tells it.

        Args:
            why_degraded: Why the standby judges; empty while it does not.
            failovers: Frames that the standby judged because the first detector could not.
            code: A code of `Degraded` for the same.
        """
        with self._turn:
            self._why_degraded, self._failovers, self._degraded_code = why_degraded, failovers, code
            self._note_state(self._clock.now_ns())

    def status(self) -> Status:
        """How the station is now. Looks, and changes nothing."""
        now_ns, tracker, verdicts = self._clock.now_ns(), self._tracker, self._verdicts
        with self._turn:
            latches = tuple(StopReason(e.cause.value, e.text, e.at_ns, e.part_id) for e in tracker.latches)
            line_state, state = tracker.state, self._present_state()
            since_ns = self._since_ns if state is self._state else now_ns
            tally, lot = tracker.tally, tracker.lot
            bar = self._pulsing.bar(now_ns, is_recorded=self._is_recorded())
        is_blind, is_degraded = bool(self._sight.fault), bool(self._why_degraded)
        return Status(
            state=state,
            why=latches[0].text if latches else self._why(state),
            code=latches[0].cause if latches else self._code(state),
            since_ns=since_ns,
            at_ns=now_ns,
            tally=tally,
            lot=lot,
            failovers=self._failovers,
            stray_frames=verdicts.stray_frames,
            misses=verdicts.misses,
            lane=self._line.line.lane,
            name=self._line.line.name,
            epoch=tracker.epoch,
            budget_ms=self._line.model.verdict_ms,
            speed_mm_s=round(tracker.speed_mm_s, 1),
            position_mm=round(tracker.position_mm, 1),
            count=tracker.count,
            missed=tracker.missed,
            is_permitted=self._hands.is_permitted,
            latches=latches,
            cameras=self._sight.status(),
            pictures_dropped=verdicts.pictures_dropped,
            challenge_phase=tracker.challenge_phase,
            is_challenge_due=tracker.is_challenge_due(),
            lamps=self._handshake.lit(line_state, is_blind=is_blind, is_degraded=is_degraded),
            has_buzzer=self._handshake.has_buzzer,
            inputs=self._inputs.status(),
            outputs=self._pulsing.outputs(),
            pulse_bar=bar,
        )

    def _present_state(self) -> State:
        """What the line is doing, cameras and detector included."""
        state = self._tracker.state
        if state is not State.RUNNING:
            return state
        if self._sight.fault:
            return State.NO_CAMERA
        return State.DEGRADED if self._why_degraded else state

    def _why(self, state: State) -> str:
        """The cause of a state that nothing has latched."""
        return {State.NO_CAMERA: self._sight.fault, State.DEGRADED: self._why_degraded}.get(state, "")

    def _code(self, state: State) -> str:
        """The same as a code."""
        return {State.NO_CAMERA: self._sight.code, State.DEGRADED: self._degraded_code}.get(state, "")

    def _note_state(self, now_ns: int) -> None:
        """Takes down since when the line does what it does."""
        state = self._present_state()
        if state is not self._state:
            self._state, self._since_ns = state, now_ns

    # The loop

    def step(self) -> None:
        """Does everything that is due now, in one thread."""
        self.step_line()
        for name in self._sight.names:
            if self.serve(name):
                with self._turn:
                    self._finish(self._clock.now_ns())
        self.rest()

    def step_line(self) -> None:
        """Does everything that is due on the line: edges, gates, triggers, permit."""
        edges = self._io.edges()
        now_ns = self._clock.now_ns()
        with self._turn:
            reading = self._encoder.read(now_ns)
            self._tracker.observe(reading, now_ns)
            self._pulsing.observe(reading, now_ns)
            self._sense(edges)
            self._finish(now_ns)  # gates first: what follows is not due to the microsecond
            faults = self._io.tick(now_ns)
            for text in faults:
                self._hands.fault(text)
            self._tracker.ledger(is_full=self._recorder.is_full)
            if faults or self._tracker.has_commands:
                self._finish(now_ns)
            if self._heartbeat.should_toggle(now_ns):
                self._refresh(now_ns)

    def serve(self, name: str) -> bool:
        """Judges the frames that a camera has now; says whether there were any."""
        is_any = False
        while True:
            self._heartbeat.progress("verdict")
            if not self._is_followed:  # what a camera does before the belt is followed concerns no part
                return is_any
            frame = self._sight.grab(name, self._clock.now_ns())
            if frame is None:
                return is_any
            is_any = True
            is_early = False
            try:
                is_early = not self._verdicts.judge(frame)
            finally:
                if not is_early:
                    frame.release()
            if is_early:
                self._sight.set_aside(name, frame)
                return is_any
            self._sight.count(name)

    def next_wake_ns(self) -> int:
        """When `step_line` is next needed, if no edge and no frame comes first."""
        now_ns = self._clock.now_ns()
        with self._turn:
            due = [
                now_ns + IDLE_NS,
                self._tracker.next_wake_ns(now_ns),
                self._io.next_due_ns(),
                self._heartbeat.next_due_ns(),
                self._pulsing.due_ns(),
            ]
        return max(now_ns, min(each for each in due if each is not None))

    def fileno(self) -> int:
        """Becomes readable when there may be edges: `step_line` is needed then."""
        return self._io.fileno()

    def close(self, *, is_wanted: bool = False) -> None:
        """Makes every output safe and lets go of cameras, pins and guards. Idempotent.

        Args:
            is_wanted: The station was told to end. Otherwise, and where an output does not go safe, the guards stay on
                watch.

        Raises:
            ActuationError: An output could not be made safe.
        """
        is_safe = False
        try:
            self._io.close()
            self._encoder.close()
            self._sight.close()
            is_safe = is_wanted
        finally:
            if self._pulsing.close():
                self._hand_over()
            for guard in self._guards:
                guard.close(is_safe=is_safe)

    # How

    def _sense(self, edges: Sequence[Edge]) -> None:
        for edge in edges:
            self._inputs.note(edge)
            self._tracker.edge(edge)
        if self._software is not None:
            reading = self._encoder.read(self._clock.now_ns())
            for count in self._software.due(reading.count):
                self._tracker.trigger(reading.at_ns, count)
        self._heartbeat.progress("trigger")

    def _finish(self, now_ns: int) -> None:
        """Lets the tracker say what is due, does it, and hands the record over."""
        self._tracker.tick(now_ns)
        self._pulsing.look(now_ns)
        for command in self._tracker.take_commands():
            self._obey(command, now_ns)
        self._note_state(now_ns)
        self._say_bad_news(now_ns)
        self._heartbeat.progress("output")
        self._hand_over()

    def _hand_over(self) -> bool:
        """Hands the record over; says whether all of it was taken."""
        events = self._tracker.take_events()
        if events or self._unsaved:
            waiting = [*self._unsaved, *events]
            self._unsaved = waiting[self._recorder.take(waiting) :]
        return not self._unsaved

    def _is_recorded(self) -> bool:
        return not (self._recorder.is_full or self._unsaved)

    def _obey(self, command: Command, now_ns: int) -> None:
        if isinstance(command, MoveGate):
            started_ns = self._stopwatch.now_ns()
            self._hands.move(command.destination, now_ns, is_rejecting=command.is_rejecting)
            self.latency.note("command", self._stopwatch.now_ns() - started_ns)
            if command.due_ns is not None and self._clock is self._stopwatch:
                self.latency.note("gate", self._clock.now_ns() - command.due_ns)
        elif isinstance(command, Expose):
            self._expose(command, now_ns)
        elif isinstance(command, Permit):
            self._hands.permit(is_given=command.is_given)

    def _expose(self, command: Expose, now_ns: int) -> None:
        text = self._sight.trigger(command.exposure.camera, now_ns)
        if text:
            destination = self._line.default_gate.destination
            self._tracker.verdict(reject(command.part_id, Reason.NO_FRAME, text, destination, now_ns))

    def _refresh(self, now_ns: int) -> None:
        """Shows that the loop works: one more permit edge, and the held outputs once more."""
        self.beats += 1
        self._hands.toggle_permit(now_ns)
        self._hands.refresh(self._handshake.beat(), now_ns)
        for guard in self._guards:
            try:
                guard.pet(now_ns)
            except LineError as error:
                self._tracker.fault(str(error))

    def _say_bad_news(self, now_ns: int) -> None:
        """Lets go of the handshake lines whose news has turned bad; good news waits for the heartbeat."""
        if not self._handshake.is_wired:
            return
        tracker = self._tracker
        causes = [latch.cause for latch in tracker.latches]
        is_blind, is_degraded = bool(self._sight.fault), bool(self._why_degraded)
        for name, _ in self._handshake.update(tracker.state, causes, is_blind=is_blind, is_degraded=is_degraded):
            self._hands.let_go(name, now_ns)
