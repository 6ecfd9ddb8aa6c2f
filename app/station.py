"""The hot loop: the only file that knows the order of the stages.

One step takes the belt position and the sensors' edges, lets the tracker say what is due, moves gates and triggers
cameras, judges the frames that have come, and shows by toggling the permit that all of it works. `docs/architecture.md`
follows one part through it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from app.capture.camera import Camera
from app.capture.trigger import SoftwareTrigger
from app.clock import NS_PER_MS, Clock
from app.config import IDLE_MS, Line, inputs_of
from app.decide import decide, reject
from app.detect.detector import Result
from app.errors import ActuationError, CameraError, DataError, DetectorError, FrameTimeoutError
from app.latency import LatencyLedger
from app.recipe import Recipe
from app.reject.binding import Outstanding
from app.reject.lineio import Encoder, LineIO
from app.reject.signals import Command, Expose, MoveGate, Permit
from app.reject.tracking import Tracker
from app.reject.watchdog import Heartbeat
from app.status import State, Status
from app.types import Detection, Frame, Image, LedgerEvent, Reason, Verdict

STAGES = ("pre", "infer", "decode", "decide", "command", "frame_to_verdict")
"""What the ledger of latencies measures. `command` is from a gate's command to its pin's edge; `frame_to_verdict` runs
from the frame in memory to the tracker's answer."""

WORKERS = ("trigger", "verdict", "output")
IDLE_NS = round(IDLE_MS * NS_PER_MS)
"""Longest sleep: the belt may start at any time without an edge that says so."""


MAX_OPEN_PARTS = 256
"""Findings of parts this far behind the newest are forgotten: their last frame never came."""


class Judge(Protocol):
    """What finds defects in one frame: `app.detect.inspection.Inspector`, or what a test puts in its place."""

    def inspect(self, image: Image, name: str) -> Result:
        """Judges one frame; raises DetectorError or DataError where it cannot."""
        ...


class Recorder(Protocol):
    """Who keeps what happens. Nothing here may block."""

    def take(self, events: Sequence[LedgerEvent]) -> None:
        """Takes ledger events in order."""
        ...

    def judged(self, frame: Frame, verdict: Verdict, detections: Sequence[Detection]) -> None:
        """Takes the frame that completed a verdict; its pixels are only valid during the call."""
        ...


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
    ) -> None:
        self.latency = LatencyLedger(STAGES)
        self.misses = 0
        self.stray_frames = 0
        self._line = line
        self._recipe = recipe
        self._clock = clock
        self._stopwatch = stopwatch
        self._io = io
        self._encoder = encoder
        self._cameras = cameras
        self._judge = judge
        self._recorder = recorder
        self._tracker = tracker
        self._budget_ns = round(line.model.verdict_ms * NS_PER_MS)
        toggle_ms = line.permit.toggle_ms if line.permit else IDLE_MS
        self._heartbeat = Heartbeat(WORKERS, round(toggle_ms * NS_PER_MS))
        self._software = (
            SoftwareTrigger(line.trigger.every_mm * line.encoder.counts_per_mm) if line.trigger.every_mm else None
        )
        self._found: dict[int, list[Detection]] = {}
        self._rejecting = {gate.destination: False for gate in line.gates}
        self._is_permitted = False
        self._camera_fault = ""
        self._since_ns = clock.now_ns()
        self._state = State.STOPPED

    # What a person or another process may ask

    @property
    def state(self) -> State:
        """What the line is doing, cameras and detector apart."""
        return self._tracker.state

    def start(self) -> None:
        """Begins: outputs safe, the belt purged or waiting to be cleared."""
        now_ns = self._clock.now_ns()
        active = [name for name in inputs_of(self._line) if self._io.is_active(name)]
        self._tracker.start(self._encoder.read(now_ns), now_ns, active)
        self._finish(now_ns)

    def stop(self, by: str) -> None:
        """Stops the line at a person's wish."""
        self._tracker.stop(by)
        self._finish(self._clock.now_ns())

    def reset(self, by: str, role: str, reason: str, *, is_cleared: bool = False) -> None:
        """Ends a latched stop; see `Tracker.reset`."""
        self._tracker.reset(by, role, reason, is_cleared=is_cleared)
        self._finish(self._clock.now_ns())

    def status(self, failovers: int = 0, why_degraded: str = "") -> Status:
        """How the station is now.

        Args:
            failovers: Frames that the standby judged.
            why_degraded: Why the standby judges; empty while it does not.
        """
        now_ns = self._clock.now_ns()
        latches = self._tracker.latches
        state, why = self._tracker.state, latches[0].text if latches else ""
        if state is State.RUNNING and self._camera_fault:
            state, why = State.NO_CAMERA, self._camera_fault
        elif state is State.RUNNING and why_degraded:
            state, why = State.DEGRADED, why_degraded
        if state is not self._state:
            self._state, self._since_ns = state, now_ns
        return Status(
            state=state,
            why=why,
            since_ns=self._since_ns,
            at_ns=now_ns,
            tally=self._tracker.tally,
            lot=self._tracker.lot,
            failovers=failovers,
            stray_frames=self.stray_frames,
            misses=self.misses,
        )

    # The loop

    def step(self) -> None:
        """Does everything that is due now."""
        now_ns = self._clock.now_ns()
        self._tracker.observe(self._encoder.read(now_ns), now_ns)
        self._sense()
        for text in self._io.tick(now_ns):
            self._tracker.fault(text)
        self._finish(now_ns)
        has_judged = False
        for name, camera in self._cameras.items():
            has_judged |= self._serve(name, camera)
        if has_judged:
            self._finish(now_ns)
        self._heartbeat.progress("verdict")
        if self._heartbeat.should_toggle(now_ns):
            self._refresh(now_ns)

    def next_wake_ns(self) -> int:
        """When `step` is next needed, if no edge and no frame comes first."""
        now_ns = self._clock.now_ns()
        due = [
            now_ns + IDLE_NS,
            self._tracker.next_wake_ns(now_ns),
            self._io.next_due_ns(),
            self._heartbeat.next_due_ns(),
        ]
        return max(now_ns, min(each for each in due if each is not None))

    def close(self) -> None:
        """Makes every output safe and lets go of cameras and pins."""
        for camera in self._cameras.values():
            camera.close()
        self._io.close()
        self._encoder.close()

    # How

    def _sense(self) -> None:
        for edge in self._io.edges():
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
        self._heartbeat.progress("output")
        events = self._tracker.take_events()
        if events:
            self._recorder.take(events)

    def _obey(self, command: Command, now_ns: int) -> None:
        if isinstance(command, MoveGate):
            started_ns = self._stopwatch.now_ns()
            self._rejecting[command.destination] = command.is_rejecting
            self._move(command.destination, now_ns)
            self.latency.note("command", self._stopwatch.now_ns() - started_ns)
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
        try:
            self._cameras[command.exposure.camera].trigger(now_ns)
        except CameraError as error:
            self._camera_fault = str(error)
            destination = self._line.default_gate.destination
            self._tracker.verdict(reject(command.part_id, Reason.NO_FRAME, str(error), destination, now_ns))

    def _serve(self, name: str, camera: Camera) -> bool:
        """Judges the frames that a camera has; says whether there were any."""
        is_any = False
        while True:
            try:
                frame = camera.grab(self._clock.now_ns())
            except FrameTimeoutError:
                return is_any
            except CameraError as error:
                self._camera_fault = f"camera {name}: {error}"
                return is_any
            is_any = True
            self._camera_fault = ""
            try:
                self._judge_frame(frame)
            finally:
                frame.release()

    def _judge_frame(self, frame: Frame) -> None:
        started_ns = self._stopwatch.now_ns()
        exposure = self._tracker.frame(frame)
        if exposure is None:
            self.stray_frames += 1
            return
        verdict = self._verdict(frame, exposure)
        if verdict is None:
            return
        self._tracker.verdict(verdict)
        took_ns = self._stopwatch.now_ns() - started_ns
        self.latency.note("frame_to_verdict", took_ns)
        if took_ns > self._budget_ns:
            self.misses += 1
        self._recorder.judged(frame, verdict, self._found.pop(exposure.part_id, ()))

    def _verdict(self, frame: Frame, exposure: Outstanding) -> Verdict | None:
        """The verdict that this frame completes; `None` while the part waits for others."""
        part_id = exposure.part_id
        now_ns = self._clock.now_ns()
        try:
            result = self._judge.inspect(frame.image, frame.name)
        except (DetectorError, DataError) as error:
            destination = self._line.default_gate.destination
            return reject(part_id, Reason.DETECTOR_FAILED, str(error), destination, now_ns)
        for stage, took_ns in (("pre", result.pre_ns), ("infer", result.infer_ns), ("decode", result.decode_ns)):
            self.latency.note(stage, took_ns)
        found = self._found.setdefault(part_id, [])
        found.extend(result.detections)
        if not self._tracker.is_complete(part_id):
            self._forget_all_but(part_id)
            return None
        started_ns = self._stopwatch.now_ns()
        verdict = decide(part_id, found, self._recipe, now_ns)
        self.latency.note("decide", self._stopwatch.now_ns() - started_ns)
        return verdict

    def _forget_all_but(self, part_id: int) -> None:
        """Parts far behind were given up before their last frame came; their findings must not pile up."""
        for old in [each for each in self._found if each < part_id - MAX_OPEN_PARTS]:
            del self._found[old]

    def _refresh(self, now_ns: int) -> None:
        """Shows that the loop works: one more permit edge, and the held outputs once more."""
        if self._is_permitted:
            try:
                self._io.toggle_permit(now_ns)
            except ActuationError as error:
                self._tracker.fault(str(error))
        for gate in self._line.gates:
            if not gate.is_pulse:
                self._move(gate.destination, now_ns)
