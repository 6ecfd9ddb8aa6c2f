"""Driver `gige`: industrial cameras that speak GigE Vision, by Aravis.

Two threads stand behind a camera: one takes the frames, one makes the calls that wait for the camera's answer. Neither
`trigger` nor `grab` nor `close` waits for a camera that does not answer.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from app.capture.caller import Caller
from app.capture.camera import Found, Knob
from app.capture.gige.aravis import load_aravis
from app.capture.gige.link import Link
from app.capture.inbox import Inbox
from app.clock import NS_PER_MS, NS_PER_S, Clock
from app.config import CameraSettings
from app.errors import CameraError, FrameTimeoutError
from app.status import Trouble
from app.types import Frame, Scalar

MOST_WAITING = 4
"""Frames that wait to be grabbed; one more and the oldest goes."""

_OPEN_S = 6.0
_ANSWER_S = 5.0
_GOODBYE_S, _GONE_S = 0.8, 0.1
_CONFIRMED_NS = 600 * NS_PER_MS
_MEND = "check its cable and power"
_T = TypeVar("_T")


class GigeCamera:
    """A GigE Vision camera.

    `Frame.counter` counts the blocks that the camera sent since it was opened, from 1, also past the 16 bits of GigE
    Vision 1.x. A picture that was torn by a lost packet, or lost as a whole, takes its number with it: the next frame's
    is higher by one more. A trigger that the camera missed makes no block, so that the next frame has the number of the
    part before: that is what `binding` = counter finds by its time. A camera that sends its trigger counter as chunk
    data (`gige.chunks`, CounterValue) counts missed triggers too. `Frame.device_ns` is the camera's stamp.

    A frame that came torn is not handed out: `refused` counts it and `last_refusal` tells why. One of another size or
    format than was agreed is counted too, and an error of the next `grab`.

    Args:
        settings: `source` is an IPv4 address, a serial number or vendor-model-serial.
        clock: Stamps the frames.

    Attributes:
        name: The camera's name.

    Raises:
        MissingDriverError: Aravis is not installed.
    """

    def __init__(self, settings: CameraSettings, clock: Clock) -> None:
        load_aravis()  # a box without it is told at once, not at each attempt to open
        self.name = settings.name
        self._settings = settings
        self._clock = clock
        self._caller: Caller | None = None
        self._link: Link | None = None
        self._inbox = Inbox(MOST_WAITING)
        self._trigger: Future[None] | None = None
        self._triggered_ns = 0

    @property
    def refused(self) -> int:
        """Frames since it was opened that came torn or of another size or format."""
        return self._link.receiver.refused if self._link else 0

    @property
    def last_refusal(self) -> str:
        """Why the last of them was refused; empty where none was."""
        return self._link.receiver.last_refusal if self._link else ""

    @property
    def heard_ns(self) -> int | None:
        """When the last frame came, wanted or not, of a camera that runs freely; `None` where frames are triggered."""
        return self._link.receiver.heard_ns if self._link and self._settings.trigger == "free" else None

    @property
    def missing(self) -> int:
        """Frames since it was opened of which not one packet came."""
        return self._link.receiver.missing if self._link else 0

    @property
    def underruns(self) -> int:
        """Frames since it was opened for which no buffer was free."""
        return self._link.receiver.underruns() if self._link else 0

    def open(self) -> None:
        """Takes control of the camera, sets it up and lets it send.

        Raises:
            CameraError: It does not answer, is in use, is the wrong one, or cannot give what the settings ask.
        """
        if self._link is not None:
            return
        self._inbox = Inbox(MOST_WAITING)
        caller = Caller(f"camera {self.name} calls")
        try:
            self._link = caller.call(partial(Link, self._settings, self._clock, self._inbox), _OPEN_S, Link.shut)
        except TimeoutError as error:
            raise self._error(f"it did not open within {_OPEN_S:g} s", _MEND, code=Trouble.ABSENT.value) from error
        finally:
            if self._link is None:
                caller.end()
                self._inbox.close()
        self._caller = caller
        self._trigger = None

    def fileno(self) -> int:
        """Becomes readable when a frame waits or the camera is gone; another one after each `open`.

        Raises:
            CameraError: Closed.
        """
        self._opened()
        return self._inbox.fileno()

    def trigger(self, at_ns: int) -> None:
        """Asks for one exposure: by a command, or of the frame that begins next; a wire triggers by itself.

        The command is on its way when this returns; that the camera did not take it is said later.

        Raises:
            CameraError: Closed or gone.
        """
        link = self._opened()
        self._check(link)
        if self._settings.trigger == "free":
            link.receiver.ask(at_ns)
        elif self._settings.trigger == "command" and self._caller is not None:
            sent_ns = self._clock.now_ns()
            link.receiver.expect(sent_ns)
            trigger = self._caller.post(link.expose)
            if self._trigger is None or self._trigger.done():  # else the one before is still waited for
                self._trigger, self._triggered_ns = trigger, sent_ns

    def grab(self, deadline_ns: int) -> Frame:
        """The next frame that answers a trigger, or the next at all after `stream` and with a wire.

        Raises:
            FrameTimeoutError: None came in time.
            CameraError: Closed or gone, silent for too long, or the frame has another size or format than was agreed.
        """
        link = self._opened()
        frame = self._inbox.take((deadline_ns - self._clock.now_ns()) / NS_PER_S)
        if frame is None:
            self._check(link)
            raise FrameTimeoutError(f"camera {self.name!r} sent no frame in time", "check its trigger and frame rate")
        return frame

    def stream(self) -> None:
        """From now on every frame of a camera that runs freely is handed out.

        Raises:
            CameraError: Closed.
        """
        self._opened().receiver.want_all()

    def about(self) -> Found:
        """Which camera this is.

        Raises:
            CameraError: Closed.
        """
        return self._opened().found

    def knobs(self) -> tuple[Knob, ...]:
        """Its GenICam features that have a value.

        Raises:
            CameraError: Closed, or it does not answer.
        """
        return self._answer(self._opened().features.knobs)

    def adjust(self, name: str, value: Scalar) -> Scalar:
        """Sets a GenICam feature.

        Returns:
            What the camera took.

        Raises:
            CameraError: Closed, it does not answer, has no such feature, or does not take the value.
        """
        return self._answer(partial(self._opened().features.set, name, value))

    def close(self) -> None:
        """Lets the camera go. Idempotent; a camera that does not answer is left to the thread that waits for it."""
        link, caller = self._link, self._caller
        self._link = self._caller = self._trigger = None
        if link is None or caller is None:
            return
        try:
            caller.call(link.shut, _GOODBYE_S if self._inbox.failure is None else _GONE_S)
        except TimeoutError:
            pass  # it ends when Aravis gives up
        finally:
            caller.post(link.bury)
            caller.end()
            self._inbox.close()

    def _answer(self, work: Callable[[], _T]) -> _T:
        if self._caller is None:
            raise self._error("it is closed", "open it first")
        try:
            return self._caller.call(work, _ANSWER_S)
        except TimeoutError as error:
            raise self._error(f"it did not answer within {_ANSWER_S:g} s", _MEND, code=Trouble.SILENT.value) from error

    def _opened(self) -> Link:
        if self._link is None:
            raise self._error("it is closed", "open it first")
        return self._link

    def _check(self, link: Link) -> None:
        """Sees whether the camera still does what it should.

        Raises:
            CameraError: It does not.
        """
        trigger, failure = self._trigger, self._inbox.failure
        if failure is None and trigger is not None and not trigger.done():
            if self._clock.now_ns() - self._triggered_ns > _CONFIRMED_NS:
                failure = self._error("it confirms no trigger", _MEND, code=Trouble.SILENT.value)
        elif failure is None and trigger is not None and isinstance(error := trigger.exception(), CameraError):
            failure = error
        silent_ns = link.receiver.silent_ns()
        if failure is None and silent_ns > self._settings.silent_ms * NS_PER_MS:
            failure = self._error(
                f"it has sent nothing for {silent_ns / NS_PER_S:.1f} s", _MEND, code=Trouble.SILENT.value
            )
        if failure is not None:
            self._inbox.fail(failure)
            raise CameraError(failure.what, failure.mend, code=failure.code)

    def _error(self, what: str, mend: str, code: str = "") -> CameraError:
        return CameraError(f"camera {self.name!r}: {what}", mend, code=code)
