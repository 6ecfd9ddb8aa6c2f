"""What a frame must be before it is judged: whole, new, of its trigger, lit, and of the format that is set.

A frame that is none of these is refused, never judged: a dark picture shows no defect, and a repeated one shows those
of another part. Its part is rejected as one without a frame. What a row of such frames means is decided here too,
by `Flaw.reopens_after`:

- a wrong format, three in a row: somebody else has set the camera; opening it sets it again;
- a repeated frame, three in a row: the driver hands out a buffer that nothing fills any more;
- a frame of another time than its trigger's, three in a row: a queue is one frame behind, and opening empties it;
- a torn frame, ten in a row: on a poor network opening costs more frames than it saves, so it comes late;
- a clock that went back, at once: the camera was off in between, and nothing that is known of its times holds;
- a dark frame, never: the light or the lens is at fault, and no camera sees better for being opened again.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import Enum

import numpy as np

from app.capture.address import device_of, is_stream
from app.clock import NS_PER_MS
from app.config import CameraSettings
from app.status import Trouble
from app.types import Frame, Image

MOST_SAMPLES = 3600
"""Pixels that the brightness is taken from: as many bytes, which is what is allocated for it."""

MOST_ROWS = 128
"""Rows that a frame is recognised by: noise makes any of them unlike that of another exposure."""


class Flaw(Enum):
    """Why a frame is refused.

    Attributes:
        word: For the sentence.
        reopens_after: So many in a row have the camera opened again; 0: none has.
    """

    FORMAT = ("of another format", 3)
    REPEATED = ("repeated", 3)
    UNTIMELY = ("not of its trigger", 3)
    TORN = ("torn", 10)
    BACKWARDS = ("stamped backwards", 1)
    DARK = ("dark", 0)

    def __init__(self, word: str, reopens_after: int) -> None:
        self.word = word
        self.reopens_after = reopens_after


@dataclass(frozen=True, slots=True)
class Refusal:
    """A frame that must not be judged.

    Attributes:
        flaw: Why.
        what: The same in words, with the camera's name.
        mend: What to do about it.
    """

    flaw: Flaw
    what: str
    mend: str

    @property
    def text(self) -> str:
        """All of it in one sentence."""
        return f"{self.what}; {self.mend}"

    @property
    def code(self) -> str:
        """The flaw as a code of `app.status.Trouble`."""
        return Trouble[self.flaw.name].value


class Examiner:
    """Looks at each frame of one camera before it is published. Pure: it is told every time that it needs.

    Args:
        settings: The camera: size, channels, `dark_level`, `frame_timeout_ms`, driver.
        is_streaming: Every frame is shown, and not only those that answer a trigger.
    """

    def __init__(self, settings: CameraSettings, *, is_streaming: bool = False) -> None:
        self._who = f"camera {settings.name!r}"
        self._settings = settings
        self._is_streaming = is_streaming
        size = (settings.height_px, settings.width_px)
        self._shape = size if settings.channels == 1 else (*size, settings.channels)
        self._timeout_ns = round(settings.frame_timeout_ms * NS_PER_MS)
        self._is_noisy = _is_noisy(settings, is_streaming=is_streaming)
        self._last: Frame | None = None
        self._print: int | None = None

    def restart(self) -> None:
        """The camera was opened anew: nothing that came before can come again."""
        self._last = self._print = None

    def look(self, frame: Frame, asked_ns: int | None = None) -> Refusal | None:
        """Examines the next frame.

        Args:
            frame: The frame. Of the one before only its stamps are kept, not its pixels.
            asked_ns: When the trigger was given that it answers; `None` where nobody knows.

        Returns:
            Why it must not be judged; `None` for a frame that may be.
        """
        text = self._wrong_format(frame.image)
        if text:
            return self._refused(Flaw.FORMAT, text, "correct width_px, height_px and channels, or the camera's own")
        last, self._last = self._last, _without_pixels(frame)
        before, self._print = self._print, _print_of(frame.image) if self._is_noisy else None
        if last is not None:
            text = self._repeats(frame, last)
            if not text and before is not None and before == self._print:
                text = "its pixels are those of the frame before, to the last bit"
            if text:
                return self._refused(Flaw.REPEATED, text, "look whether its sensor or its driver hangs")
            back_ns = (last.device_ns or 0) - frame.device_ns if frame.device_ns is not None else 0
            if back_ns > 0:
                text = f"the camera's clock went back by {back_ns / NS_PER_MS:.1f} ms"
                return self._refused(Flaw.BACKWARDS, text, "check its power supply")
        text = self._misses(frame, asked_ns) or (_precedes(frame, last) if last is not None else "")
        if text:
            return self._refused(Flaw.UNTIMELY, text, "raise frame_timeout_ms, or free its way to the box")
        grey = mean_grey(frame.image) if self._settings.dark_level else 255.0
        if grey < self._settings.dark_level:
            text = f"its mean grey is {grey:.1f} where dark_level asks for {self._settings.dark_level:g}"
            return self._refused(Flaw.DARK, text, "check light, lens cap and exposure_ms")
        return None

    def untimely(self, frame: Frame) -> Refusal:
        """The refusal of a frame whose trigger was given up before it came, or that nobody asked for."""
        self._last = _without_pixels(frame)
        late = f"it came when no trigger waited for it any longer than {self._settings.frame_timeout_ms:g} ms"
        return self._refused(Flaw.UNTIMELY, late, "raise frame_timeout_ms, or free its way to the box")

    def torn(self, text: str) -> Refusal:
        """The refusal of a frame that the driver itself did not hand out.

        Args:
            text: What the driver says of it.
        """
        text = text.removeprefix(f"{self._who}: ")
        return Refusal(Flaw.TORN, f"{self._who}: {text}", "check its cable, its network and its settings")

    def _refused(self, flaw: Flaw, text: str, mend: str) -> Refusal:
        return Refusal(flaw, f"{self._who}: a frame was refused as {flaw.word}, {text}", mend)

    def _wrong_format(self, image: Image) -> str:
        if image.shape == self._shape and image.dtype == np.uint8:
            return ""
        return f"{_format_of(image.shape)} {image.dtype} where the settings ask for {_format_of(self._shape)} uint8"

    def _repeats(self, frame: Frame, last: Frame) -> str:
        # What runs freely may count the triggers that it was given, and none was.
        if not self._is_streaming and frame.counter is not None and frame.counter == last.counter:
            return f"its number {frame.counter} is that of the frame before"
        if frame.device_ns is not None and frame.device_ns == last.device_ns:
            return "its time stamp is that of the frame before"
        return ""

    def _misses(self, frame: Frame, asked_ns: int | None) -> str:
        if asked_ns is None:
            return ""
        early_ns = asked_ns - (frame.host_ns + frame.uncertainty_ns)
        late_ns = (frame.host_ns - frame.uncertainty_ns) - asked_ns - self._timeout_ns
        if early_ns > 0:
            return f"it was exposed {early_ns / NS_PER_MS:.1f} ms before that"
        if late_ns > 0:
            return f"it was exposed {(late_ns + self._timeout_ns) / NS_PER_MS:.1f} ms after that"
        return ""


def mean_grey(image: Image) -> float:
    """The mean of a grid of pixels, 0 .. 255; all channels count alike.

    Args:
        image: uint8, (height, width) or (height, width, 3).
    """
    step = max(1, int(np.ceil(np.sqrt(image.size / MOST_SAMPLES))))
    # numpy would convert the samples to wider numbers for a mean, in more memory than the samples take.
    samples = image[step // 2 :: step, step // 2 :: step].tobytes()
    return sum(samples) / max(1, len(samples))


def is_recorded(settings: CameraSettings) -> bool:
    """Its pictures come from disk: nothing is exposed."""
    is_file = not is_stream(settings.source) and device_of(settings.source) is None
    return settings.driver == "folder" or (settings.driver == "opencv" and is_file)


def _is_noisy(settings: CameraSettings, *, is_streaming: bool) -> bool:
    """No two exposures of it are alike to the last bit.

    Pictures from disk and the twin's may be. A compressed stream repeats what stands still, so of a belt that stands it
    shows the same picture again and again; of two parts it does not.
    """
    if settings.driver == "twin" or is_recorded(settings):
        return False
    return not is_stream(settings.source) or not is_streaming


def _print_of(image: Image) -> int:
    """A checksum of every n-th row."""
    check = 0
    for row in range(0, image.shape[0], -(-image.shape[0] // MOST_ROWS)):
        check = zlib.crc32(np.ascontiguousarray(image[row]).data, check)
    return check


_NO_PIXELS = np.zeros((0, 0), np.uint8)


def _without_pixels(frame: Frame) -> Frame:
    return Frame(_NO_PIXELS, frame.camera, frame.host_ns, frame.uncertainty_ns, frame.device_ns, frame.counter)


def _precedes(frame: Frame, last: Frame) -> str:
    back_ns = (last.host_ns - last.uncertainty_ns) - (frame.host_ns + frame.uncertainty_ns)
    return f"it was exposed {back_ns / NS_PER_MS:.1f} ms before the frame before it" if back_ns > 0 else ""


def _format_of(shape: tuple[int, ...]) -> str:
    size = " x ".join(str(side) for side in shape[1::-1])
    return f"{size} px with {shape[2] if len(shape) > 2 else 1} channel(s),"  # noqa: PLR2004 - (height, width)
