"""The work of a capture process: triggers in, frames out into slots, and a word on how the camera is.

It opens the camera, and closes and opens it again when it fails: how a failing camera is known is in
`app.capture.examine` and `app.capture.condition`. A driver may hang in a call that nobody can interrupt. It hangs here,
in a process of its own: `report`, which is also its sign of life, is not called any more, and the process is replaced.
"""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from app.bus.bell import TriggerPipe
from app.bus.slots import SlotWriter
from app.capture.camera import Camera, Spotter
from app.capture.condition import MOST_UNANSWERED, Condition
from app.capture.examine import Examiner, Flaw, Refusal, is_recorded
from app.capture.looking import Looks
from app.clock import NS_PER_MS, NS_PER_S, Clock
from app.config import CameraSettings
from app.errors import CameraError, FrameTimeoutError
from app.status import CameraStatus, Trouble
from app.types import Frame

REPORT_NS = 100 * NS_PER_MS
"""How often it says that it lives, and how the camera is; at once where that has changed."""

SLICE_NS = 2 * NS_PER_MS
"""Longest wait in a driver that cannot be waited for by descriptor: a trigger must not wait longer."""

LEAST_BLIND_NS = 200 * NS_PER_MS
"""Without a good frame for so long, or for `frame_timeout_ms` where that is longer, nobody watches the belt."""

PROOF_NS = 200 * NS_PER_MS
"""A camera that was opened again is asked for a picture so often until it gives a good one."""

MOST_AT_ONCE = 8
MOST_TEXT = 500

Wait = Callable[[Sequence[int], float], object]
"""Waits until one of the descriptors is readable, no longer than the time in s."""


def _wait(descriptors: Sequence[int], longest_s: float) -> object:
    return select.select(descriptors, (), (), longest_s)


class Feeder:
    """Runs one camera.

    Args:
        camera: The camera; it is opened here.
        settings: Its settings.
        slots: Where its frames go.
        triggers: Where the station asks for exposures.
        report: Takes the state of the camera, about ten times a second and whenever it changes.
        clock: The time.
        spotter: Where there is one, the camera runs freely, all frames are shown to it, and those in which it sees a
            part are published with their `lead_um`; triggers are passed over.
        wait: Waits for descriptors.
    """

    def __init__(
        self,
        camera: Camera,
        settings: CameraSettings,
        slots: SlotWriter,
        triggers: TriggerPipe,
        report: Callable[[CameraStatus, int], None],
        clock: Clock,
        spotter: Spotter | None = None,
        wait: Wait = _wait,
    ) -> None:
        self._camera = camera
        self._settings = settings
        self._slots = slots
        self._triggers = triggers
        self._report = report
        self._clock = clock
        self._spotter = spotter
        self._wait = wait
        self._looks: Looks | None = None
        self._timeout_ns = round(settings.frame_timeout_ms * NS_PER_MS)
        self._silent_ns = round(settings.silent_ms * NS_PER_MS)
        self._blind_ns = max(LEAST_BLIND_NS, self._timeout_ns)
        self._is_wired = settings.trigger == "wire"
        self._examiner = Examiner(settings, is_streaming=spotter is not None)
        self._condition = Condition(camera.name, is_watching=spotter is not None)
        self._fds: Sequence[int] | None = None
        self._waits = False
        self._waiting: deque[int] = deque()
        self._proofs = 0
        self._asked_ns: int | None = None
        self._torn = 0
        self._frames = 0
        self._last_frame_ns = 0
        self._opened_ns = self._heard_ns = self._good_ns = self._proof_ns = 0
        self._told: tuple[object, ...] = ()
        self._told_ns = 0

    def let_look(self, looks: Looks) -> None:
        """From now on people may look at the camera; before it runs.

        Args:
            looks: Knows whether somebody does. It is closed here.
        """
        self._looks = looks

    def run(self, is_stopped: Callable[[], bool]) -> None:
        """Works until it is stopped; closes the camera.

        Raises:
            MissingDriverError: The driver's library is not installed.
            ConfigError: The driver cannot work with these settings.
        """
        try:
            while not is_stopped():
                self.step()
        finally:
            self._camera.close()
            if self._looks is not None:
                self._looks.close()

    def step(self) -> None:
        """Opens the camera where it is closed and due; else waits for a trigger or a frame and passes on what there is.

        Never waits much longer than `REPORT_NS`, the driver's own calls apart.
        """
        self._tell()
        try:
            if self._fds is None:
                self._open()
            else:
                self._work(self._fds)
        except CameraError as error:
            self._lose(error)
        self._tell()

    # Open and closed

    def _open(self) -> None:
        now_ns = self._clock.now_ns()
        wait_ns = self._condition.wait_ns(now_ns)
        if wait_ns:
            self._wait((self._triggers.fileno(),), min(wait_ns, REPORT_NS) / NS_PER_S)
            self._triggers.receive(now_ns)  # whose parts are rejected by now
            return
        self._condition.try_again()
        self._tell(is_due=True)  # the last sign of life for as long as this takes
        camera = self._camera
        camera.open()
        if self._spotter is not None:
            self._stream(self._spotter)
        fileno = getattr(camera, "fileno", None)
        self._waits = fileno is not None
        self._fds = (self._triggers.fileno(), *((fileno(),) if fileno else ()))
        self._examiner.restart()
        self._torn = getattr(camera, "refused", 0)
        self._opened_ns = self._heard_ns = self._good_ns = self._clock.now_ns()
        self._proof_ns = self._proofs = 0
        self._asked_ns = None
        if self._looks is not None:
            self._looks.forget(self._opened_ns)
        self._condition.opened()
        if self._condition.is_away and (self._is_wired or is_recorded(self._settings)):
            self._condition.trust()

    def _stream(self, spotter: Spotter) -> None:
        stream = getattr(self._camera, "stream", None)
        if stream is None:
            raise CameraError(
                f"camera {self._camera.name!r}: its driver {self._settings.driver!r} cannot run freely",
                "trigger by a sensor, or use another driver",
                code=Trouble.UNFIT.value,
            )
        stream()
        spotter.restart()

    def _lose(self, error: CameraError) -> None:
        self._condition.lose(str(error), self._clock.now_ns(), error.code or Trouble.OTHER.value)
        self._fds = None
        self._waiting.clear()
        self._tell()  # before a call that may take its time
        self._camera.close()

    # Work

    def _work(self, descriptors: Sequence[int]) -> None:
        is_busy = self._waiting or self._condition.is_away or self._spotter is not None or self._is_looking
        if (self._waits or not is_busy) and not self._is_proof_due():
            self._wait(descriptors, REPORT_NS / NS_PER_S)
        self._expose()
        self._look()
        self._fetch(is_busy=bool(is_busy))
        self._count_torn()
        self._look_out()

    def _expose(self) -> None:
        now_ns = self._clock.now_ns()
        is_away = self._condition.is_away
        # One that waited here while this process was not there belongs to a part that has gone by.
        for trigger in self._triggers.receive(now_ns - self._timeout_ns):
            if is_away or self._spotter is not None:
                continue
            if not self._is_wired:
                self._ask(trigger.at_ns)
            if self._looks is not None:
                self._looks.triggered(trigger.at_ns)
            self._waiting.append(trigger.at_ns)
        if self._is_proof_due():
            # A live device forgets a trigger for the next one, so that has to wait for the answer.
            self._proof_ns = now_ns + max(PROOF_NS, 2 * self._timeout_ns)
            self._proofs += 1
            self._ask(now_ns)

    def _is_proof_due(self) -> bool:
        return self._condition.is_away and self._spotter is None and self._clock.now_ns() >= self._proof_ns

    def _ask(self, at_ns: int) -> None:
        if self._asked_ns is None:
            self._asked_ns = at_ns
        self._camera.trigger(at_ns)

    @property
    def _is_looking(self) -> bool:
        return self._looks is not None and self._looks.is_out(self._clock.now_ns())

    def _look(self) -> None:
        """Asks for a picture for those who look, where no part is near."""
        looks, now_ns = self._looks, self._clock.now_ns()
        if looks is None or self._waiting or self._condition.is_away or not looks.may_ask(now_ns):
            return
        looks.asked(now_ns)
        self._camera.trigger(now_ns)

    def _fetch(self, *, is_busy: bool) -> None:
        for _ in range(MOST_AT_ONCE):
            now_ns = self._clock.now_ns()
            try:
                frame = self._camera.grab(now_ns + SLICE_NS if is_busy and not self._waits else now_ns)
            except FrameTimeoutError:
                return
            try:
                self._take(frame)
            finally:
                frame.release()

    def _take(self, frame: Frame) -> None:
        now_ns = self._clock.now_ns()
        self._heard_ns = now_ns
        if self._looks is not None and self._looks.owns(frame):
            self._show(self._looks, frame)
            return
        self._frames += 1
        if self._is_spare(frame):
            return
        refusal = self._examine(frame)
        if refusal is not None:
            self._refuse(refusal)
            return
        self._good_ns = now_ns
        is_proof = self._condition.good(now_ns) and self._spotter is None
        self._proofs -= is_proof
        # Before the frame: it would come from a camera that the station takes for gone.
        self._tell()
        if self._spotter is not None:
            if self._looks is not None and self._looks.is_due(now_ns):
                self._looks.show(frame, now_ns)
            for lead_um in self._spotter.look(frame):
                self._publish(replace(frame, lead_um=lead_um))
        elif not is_proof:
            self._publish(frame)

    def _show(self, looks: Looks, frame: Frame) -> None:
        """Takes the answer to a look: dark or not, it is shown. What is wrong with the camera is noticed here, too."""
        looks.answered(frame)
        refusal = self._examiner.look(frame)
        if refusal is not None and refusal.flaw is not Flaw.DARK:
            self._refuse(refusal)
            return
        looks.show(frame, self._clock.now_ns())

    def _is_spare(self, frame: Frame) -> bool:
        """It is from before the first trigger, or answers one by which the camera has proven itself already."""
        if self._is_wired or self._spotter is not None:
            return False
        latest_ns = frame.host_ns + frame.uncertainty_ns
        if self._asked_ns is None or latest_ns < self._asked_ns:
            return True
        if self._condition.is_away or not self._proofs:
            return False
        self._proofs -= 1
        return not self._waiting or latest_ns < self._waiting[0]

    def _examine(self, frame: Frame) -> Refusal | None:
        self._condition.answered()
        if self._condition.is_away or self._spotter is not None:
            return self._examiner.look(frame)
        if self._is_wired:
            self._waiting.clear()
            return self._examiner.look(frame)
        asked_ns = self._waiting[0] if self._waiting else None
        refusal = self._examiner.look(frame, asked_ns)
        if asked_ns is None:
            return refusal or self._examiner.untimely(frame)
        # The answer to this trigger may still be on its way.
        if refusal is None or refusal.flaw not in (Flaw.UNTIMELY, Flaw.REPEATED):
            self._waiting.popleft()
        return refusal

    def _publish(self, frame: Frame) -> None:
        frame = self._counted(frame)
        slot = self._slots.free()
        if slot is None:
            return
        np.copyto(slot, frame.image)
        self._last_frame_ns = self._clock.now_ns()
        self._slots.publish(replace(frame, in_memory_ns=self._last_frame_ns))

    def _counted(self, frame: Frame) -> Frame:
        """The frame with the camera's count as it would be had nobody looked."""
        if self._looks is None:
            return frame
        self._looks.passed(frame)
        counted = self._looks.counted
        return replace(frame, counter=frame.counter - counted) if counted and frame.counter is not None else frame

    # What may be wrong

    def _refuse(self, refusal: Refusal, often: int = 1) -> None:
        if self._condition.refuse(refusal, self._clock.now_ns(), often):
            raise CameraError(refusal.what, refusal.mend, code=refusal.code)

    def _count_torn(self) -> None:
        """Takes what the driver has refused itself."""
        torn = getattr(self._camera, "refused", 0)
        before, self._torn = self._torn, torn
        if torn > before:
            self._heard_ns = self._clock.now_ns()
            self._condition.answered()
            for _ in range(min(torn - before, len(self._waiting))):
                self._waiting.popleft()
            text = getattr(self._camera, "last_refusal", "") or "its driver refused a frame"
            self._refuse(self._examiner.torn(text), torn - before)

    def _look_out(self) -> None:
        """Notices what does not come.

        Raises:
            CameraError: The camera is to be closed and opened again.
        """
        now_ns = self._clock.now_ns()
        name = f"camera {self._camera.name!r}"
        while self._waiting and now_ns - self._waiting[0] > self._timeout_ns:
            trigger_ns = self._waiting.popleft()
            if self._looks is not None and self._looks.has_lost(trigger_ns):
                raise CameraError(
                    f"{name} gave no frame to a trigger that came while somebody looked at it",
                    "wait for the next part",
                    code=Trouble.LOOKED.value,
                )
            if self._condition.unanswered():
                raise CameraError(
                    f"{name} does not answer, {MOST_UNANSWERED} triggers in a row gave no frame",
                    "check its cable, power and trigger",
                    code=Trouble.SILENT.value,
                )
        if self._spotter is not None and now_ns - self._good_ns > self._blind_ns and not self._condition.is_away:
            self._spotter.restart()
            self._condition.blind(
                f"{name} watches the belt and has sent no good frame for {self._blind_ns / NS_PER_S:g} s; look what"
                " holds it up"
            )
        # Not every driver tells of frames that it does not hand out.
        heard_ns = getattr(self._camera, "heard_ns", None)
        if heard_ns is not None or self._spotter is not None or self._condition.is_away:
            silent_ns = now_ns - max(self._heard_ns, heard_ns or 0)
            if silent_ns > self._silent_ns:
                raise CameraError(
                    f"{name} has sent nothing for {silent_ns / NS_PER_S:.1f} s",
                    "check its cable and power",
                    code=Trouble.SILENT.value,
                )

    def _tell(self, *, is_due: bool = False) -> None:
        """Says how the camera is, where that is due or has changed."""
        now_ns = self._clock.now_ns()
        condition = self._condition
        condition.settle(now_ns)
        facts = (condition.text != "", condition.is_away, condition.is_lost, condition.reopened)
        if not is_due and facts == self._told and now_ns - self._told_ns < REPORT_NS:
            return
        self._told, self._told_ns = facts, now_ns
        state = CameraStatus(
            name=self._camera.name,
            text=condition.text[:MOST_TEXT],
            frames=self._frames,
            last_frame_ns=self._last_frame_ns,
            dropped=self._slots.dropped,
            refused=condition.refused,
            reopened=condition.reopened,
            is_away=condition.is_away,
            code=condition.code,
        )
        self._report(state, now_ns)
