"""The hot loop: the only file that knows the order of the stages.

It has two halves. `step_line` takes the belt position and the sensors' edges, lets the tracker say what is due, moves
gates and triggers cameras, and shows by toggling the permit that all of it works. `serve` judges the frames that have
come. In real time each half has a thread of its own (`app.loops`); in virtual time `step` does both.
`docs/architecture.md` follows one part through it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from threading import Lock

from app.capture.camera import Camera
from app.capture.trigger import SoftwareTrigger
from app.clock import NS_PER_MS, Clock
from app.config import IDLE_MS, Line, inputs_of
from app.decide import reject
from app.errors import ActuationError, CameraError, FrameTimeoutError, LineError
from app.latency import LatencyLedger
from app.recipe import Recipe
from app.reject.handshake import Handshake
from app.reject.kernel_watchdog import Guard
from app.reject.lineio import Edge, Encoder, LineIO
from app.reject.signals import Command, Expose, MoveGate, Permit
from app.reject.tracking import Tracker
from app.reject.watchdog import Heartbeat
from app.status import CameraStatus, State, Status, StopReason
from app.types import Frame, LedgerEvent, Reason, Scalar, Tally
from app.verdicts import Judge, Recorder, Verdicts

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
    ) -> None:
        self.latency = latency or LatencyLedger(STAGES)
        self._line = line
        self._clock = clock
        self._stopwatch = stopwatch
        self._io = io
        self._encoder = encoder
        self._cameras = cameras
        self._recorder = recorder
        self._tracker = tracker
        self._identity = identity or {}
        self._guards: tuple[Guard, ...] = ()
        self.beats = 0
        self._handshake = Handshake(line.handshake)
        self._turn = Lock()
        self._verdicts = Verdicts(
            tracker=tracker,
            turn=self._turn,
            recipe=recipe,
            judge=judge,
            recorder=recorder,
            latency=self.latency,
            clock=clock,
            stopwatch=stopwatch,
            budget_ns=round(line.model.verdict_ms * NS_PER_MS),
            default_destination=line.default_gate.destination,
            on_verdict=on_verdict,
        )
        toggle_ms = line.permit.toggle_ms if line.permit else IDLE_MS
        self._heartbeat = Heartbeat(WORKERS, round(toggle_ms * NS_PER_MS))
        self._software = (
            SoftwareTrigger(line.trigger.every_mm * line.encoder.counts_per_mm) if line.trigger.every_mm else None
        )
        self._rejecting = {gate.destination: False for gate in line.gates}
        self._is_permitted = False
        self._unsaved: list[LedgerEvent] = []
        self._camera_faults = dict.fromkeys(cameras, "")
        self._is_followed = False
        self._lost: set[str] = set()
        self._early: dict[str, Frame] = {}
        self._deaf: set[str] = set()
        self._frames = dict.fromkeys(cameras, 0)
        self._last_frame_ns = dict.fromkeys(cameras, 0)
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

    def place(self) -> tuple[int, int]:
        """Epoch and sequence number of the newest ledger event."""
        return self._tracker.epoch, self._tracker.sequence

    def stop(self, by: str) -> None:
        """Stops the line at a person's wish."""
        self.ask(lambda tracker: tracker.stop(by))

    def reset(self, by: str, role: str, reason: str, *, is_cleared: bool = False) -> None:
        """Ends a latched stop; see `Tracker.reset`."""
        self.ask(lambda tracker: tracker.reset(by, role, reason, is_cleared=is_cleared))

    def status(self, failovers: int = 0, why_degraded: str = "") -> Status:
        """How the station is now.

        Args:
            failovers: Frames that the standby judged.
            why_degraded: Why the standby judges; empty while it does not.
        """
        now_ns = self._clock.now_ns()
        with self._turn:
            tracker = self._tracker
            latches = tuple(StopReason(e.cause.value, e.text, e.at_ns, e.part_id) for e in tracker.latches)
            state, why = tracker.state, latches[0].text if latches else ""
            tally, lot = tracker.tally, tracker.lot
        camera_fault = next((text for text in self._camera_faults.values() if text), "")
        if state is State.RUNNING and camera_fault:
            state, why = State.NO_CAMERA, camera_fault
        elif state is State.RUNNING and why_degraded:
            state, why = State.DEGRADED, why_degraded
        if state is not self._state:
            self._state, self._since_ns = state, now_ns
        return self._snapshot(now_ns, state, why, tally, lot, latches, failovers)

    def _snapshot(
        self,
        now_ns: int,
        state: State,
        why: str,
        tally: Tally,
        lot: str,
        latches: tuple[StopReason, ...],
        failovers: int,
    ) -> Status:
        return Status(
            state=state,
            why=why,
            since_ns=self._since_ns,
            at_ns=now_ns,
            tally=tally,
            lot=lot,
            failovers=failovers,
            stray_frames=self._verdicts.stray_frames,
            misses=self._verdicts.misses,
            lane=self._line.line.lane,
            name=self._line.line.name,
            epoch=self._tracker.epoch,
            budget_ms=self._line.model.verdict_ms,
            speed_mm_s=round(self._tracker.speed_mm_s, 1),
            position_mm=round(self._tracker.position_mm, 1),
            count=self._tracker.count,
            missed=self._tracker.missed,
            is_permitted=self._is_permitted,
            latches=latches,
            cameras=tuple(self._camera_status(name) for name in self._cameras),
            pictures_dropped=self._verdicts.pictures_dropped,
            challenge_phase=self._tracker.challenge_phase,
            is_challenge_due=self._tracker.is_challenge_due(),
        )

    # The loop

    def step(self) -> None:
        """Does everything that is due now, in one thread."""
        self.step_line()
        for name in self._cameras:
            if self.serve(name):
                with self._turn:
                    self._finish(self._clock.now_ns())

    def step_line(self) -> None:
        """Does everything that is due on the line: edges, gates, triggers, permit."""
        edges = self._io.edges()
        now_ns = self._clock.now_ns()
        with self._turn:
            self._tracker.observe(self._encoder.read(now_ns), now_ns)
            self._sense(edges)
            self._finish(now_ns)  # gates first: what follows is not due to the microsecond
            faults = self._io.tick(now_ns)
            for text in faults:
                self._tracker.fault(text)
            self._tracker.ledger(is_full=self._recorder.is_full)
            if faults or self._tracker.has_commands:
                self._finish(now_ns)
            if self._heartbeat.should_toggle(now_ns):
                self._refresh(now_ns)

    def serve(self, name: str) -> bool:
        """Judges the frames that a camera has now; says whether there were any."""
        is_any = False
        camera = self._cameras[name]
        while True:
            self._heartbeat.progress("verdict")
            if not self._is_followed:  # what a camera does before the belt is followed concerns no part
                return is_any
            try:
                frame = self._early.pop(name, None) or camera.grab(self._clock.now_ns())
            except FrameTimeoutError:
                self._hear(name)
                return is_any
            except CameraError as error:
                self._lose(name, str(error))
                return is_any
            is_any = True
            self._deaf.discard(name)
            self._hear(name)
            self._last_frame_ns[name] = frame.in_memory_ns
            is_early = False
            try:
                is_early = not self._verdicts.judge(frame)
            finally:
                if not is_early:
                    frame.release()
            if is_early:
                self._early[name] = frame
                return is_any
            self._frames[name] += 1

    def next_wake_ns(self) -> int:
        """When `step_line` is next needed, if no edge and no frame comes first."""
        now_ns = self._clock.now_ns()
        with self._turn:
            due = [
                now_ns + IDLE_NS,
                self._tracker.next_wake_ns(now_ns),
                self._io.next_due_ns(),
                self._heartbeat.next_due_ns(),
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
            while self._early:
                self._early.popitem()[1].release()
            for camera in self._cameras.values():
                camera.close()
            is_safe = is_wanted
        finally:
            for guard in self._guards:
                guard.close(is_safe=is_safe)

    # How

    def _lose(self, name: str, text: str) -> None:
        """A camera gives no frames, and has forgotten what it was asked for."""
        self._camera_faults[name] = text
        if name in self._early:
            self._early.pop(name).release()
        if name not in self._lost:
            self._lost.add(name)
            self._deaf.discard(name)
            with self._turn:
                self._tracker.camera(name, text, is_lost=True)

    def _hear(self, name: str) -> None:
        """A camera works: whatever is wrong with its frames, it says itself."""
        said: CameraStatus | None = getattr(self._cameras[name], "said", None)
        text = said.text if said else ""
        before, was_lost = self._camera_faults[name], name in self._lost
        if name in self._deaf or (text == before and not was_lost):
            return
        self._lost.discard(name)
        self._camera_faults[name] = text
        if was_lost or not (text and before):
            with self._turn:
                self._tracker.camera(name, text, is_lost=False)

    def _camera_status(self, name: str) -> CameraStatus:
        said: CameraStatus = getattr(self._cameras[name], "said", None) or CameraStatus(name)
        return replace(
            said,
            text=self._camera_faults[name],
            frames=self._frames[name],
            last_frame_ns=self._last_frame_ns[name],
            is_away=name in self._lost,
        )

    def _sense(self, edges: Sequence[Edge]) -> None:
        for edge in edges:
            self._tracker.edge(edge)
        if self._software is not None:
            reading = self._encoder.read(self._clock.now_ns())
            for count in self._software.due(reading.count):
                self._tracker.trigger(reading.at_ns, count)
        self._heartbeat.progress("trigger")

    def _finish(self, now_ns: int) -> None:
        """Lets the tracker say what is due, does it, and hands the record over."""
        self._tracker.tick(now_ns)
        for command in self._tracker.take_commands():
            self._obey(command, now_ns)
        self._say_bad_news(now_ns)
        self._heartbeat.progress("output")
        events = self._tracker.take_events()
        if events or self._unsaved:
            waiting = [*self._unsaved, *events]
            self._unsaved = waiting[self._recorder.take(waiting) :]

    def _obey(self, command: Command, now_ns: int) -> None:
        if isinstance(command, MoveGate):
            started_ns = self._stopwatch.now_ns()
            self._rejecting[command.destination] = command.is_rejecting
            self._move(command.destination, now_ns)
            self.latency.note("command", self._stopwatch.now_ns() - started_ns)
            if command.due_ns is not None and self._clock is self._stopwatch:
                self.latency.note("gate", self._clock.now_ns() - command.due_ns)
        elif isinstance(command, Expose):
            self._expose(command, now_ns)
        elif isinstance(command, Permit):
            self._is_permitted = command.is_given
            if not command.is_given:
                self._drop_permit()

    def _drop_permit(self) -> None:
        try:
            self._io.drop_permit()
        except ActuationError as error:
            # The toggles end here all the same, so the relay drops by itself within its hold time.
            self._tracker.fault(str(error))

    def _move(self, destination: str, now_ns: int) -> None:
        try:
            self._io.set_gate(destination, self._rejecting[destination], now_ns)
        except ActuationError as error:
            self._tracker.fault(str(error))

    def _expose(self, command: Expose, now_ns: int) -> None:
        name = command.exposure.camera
        text = self._camera_faults[name] if name in self._lost else ""
        if not text:
            try:
                self._cameras[name].trigger(now_ns)
            except CameraError as error:
                text = str(error)
                self._deaf.add(name)
                if not self._camera_faults[name]:
                    self._tracker.camera(name, text, is_lost=False)
                self._camera_faults[name] = text
        if text:
            destination = self._line.default_gate.destination
            self._tracker.verdict(reject(command.part_id, Reason.NO_FRAME, text, destination, now_ns))

    def _refresh(self, now_ns: int) -> None:
        """Shows that the loop works: one more permit edge, and the held outputs once more."""
        self.beats += 1
        if self._is_permitted:
            try:
                self._io.toggle_permit(now_ns)
            except ActuationError as error:
                self._tracker.fault(str(error))
        for gate in self._line.gates:
            if not gate.is_pulse:
                self._move(gate.destination, now_ns)
        for name, is_on in self._handshake.beat():
            self._set_line(name, now_ns, is_on=is_on)
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
        is_blind = any(self._camera_faults.values())
        for name, is_on in self._handshake.update(tracker.state, causes, is_blind=is_blind):
            self._set_line(name, now_ns, is_on=is_on)

    def _set_line(self, name: str, now_ns: int, *, is_on: bool) -> None:
        try:
            self._io.set_line(name, is_on, now_ns)
        except ActuationError as error:
            self._tracker.fault(str(error))
