"""One line as this process holds it: the kernel's request, with errors that say who, where and why."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from app.reject.gpiod_lines import OPEN_DRAIN, OPEN_SOURCE, LineAddress

EVENTS = 1024
"""Edges that the kernel keeps for a line until they are fetched: the most that it allows."""

CONSUMER_LETTERS = 31
"""What the kernel keeps of a consumer's name."""

_NOT_SUPPORTED = 524  # the kernel's ENOTSUPP, which errno does not know


@dataclass(frozen=True, slots=True)
class Mode:
    """How a line is used.

    Attributes:
        direction: "input", "output", or "as-is".
        level: Of an output, `True` for high.
        drive: Of an output: `None` for push-pull, "open-drain" or "open-source".
        pull: Of an input: "up", "down", "floating", or "" to leave it as it is.
        edges: Of an input: "none", "rising", "falling" or "both".
        bounce_us: Of an input: a change counts once it has lasted so long; 0 switches that off.
    """

    direction: str = "as-is"
    level: bool = False
    drive: str | None = None
    pull: str = ""
    edges: str = "none"
    bounce_us: int = 0


class Claim:
    """A line that is held. The kernel lets it go when the process ends, however it ends.

    Args:
        library: The module `gpiod`, or what stands for it.
        address: The line.
        consumer: The name that others find at the line.
        mode: How it is used, from the first instant.

    Attributes:
        mode: How it is used.

    Raises:
        OSError: It is held by somebody (EBUSY, with the holder's name), this user may not (EACCES), it cannot be used
            this way (EINVAL), or the chip is gone (ENODEV).
    """

    def __init__(self, library: Any, address: LineAddress, consumer: str, mode: Mode) -> None:
        self._library = library
        self._address = address
        self.mode = mode
        try:
            with library.Chip(address.path) as chip:
                self._refuse_stranger(chip)
                self._request: Any = chip.request_lines(
                    {address.offset: self._settings(mode)},
                    consumer=consumer[:CONSUMER_LETTERS],
                    event_buffer_size=EVENTS,
                )
        except (OSError, ValueError, NotImplementedError) as error:
            raise self._explained(error, mode) from error

    @property
    def fd(self) -> int:
        """Readable when there are edges."""
        return int(self._request.fd)

    def change(self, **changes: Any) -> None:
        """Uses the line in another way, without letting it go.

        Raises:
            OSError: As for the claim.
        """
        mode = replace(self.mode, **changes)
        try:
            self._request.reconfigure_lines({self._address.offset: self._settings(mode)})
        except (OSError, ValueError, NotImplementedError) as error:
            raise self._explained(error, mode) from error
        self.mode = mode

    def read(self) -> bool:
        """The present level, `True` for high; of an output too, where the chip can read it.

        Raises:
            OSError: The chip is gone.
        """
        try:
            return bool(self._request.get_value(self._address.offset))
        except OSError as error:
            raise self._explained(error, self.mode) from error

    def write(self, is_high: bool) -> None:
        """Sets the level of an output.

        Raises:
            OSError: The chip is gone.
        """
        values = self._library.line.Value
        try:
            self._request.set_value(self._address.offset, values.ACTIVE if is_high else values.INACTIVE)
        except OSError as error:
            raise self._explained(error, self.mode) from error
        self.mode = replace(self.mode, level=is_high)

    def fetch(self) -> list[tuple[int, bool, int]]:
        """The edges that wait, oldest first; call it only when `fd` is readable, or it waits for one.

        Returns:
            Of each its time in ns of CLOCK_MONOTONIC, the level that it led to, and its number on this line.

        Raises:
            OSError: The chip is gone.
        """
        rising = self._library.EdgeEvent.Type.RISING_EDGE
        try:
            events = self._request.read_edge_events(EVENTS)
        except OSError as error:
            raise self._explained(error, self.mode) from error
        return [(each.timestamp_ns, each.event_type == rising, each.line_seqno) for each in events]

    def release(self) -> None:
        """Lets the line go. What an output then does is the chip's affair."""
        self._request.release()

    def gone(self) -> OSError:
        """The error that tells that the chip is not there any more."""
        return self._explained(OSError(errno.ENODEV, os.strerror(errno.ENODEV)), self.mode)

    def _refuse_stranger(self, chip: Any) -> None:
        """Numbers of chips change when one is plugged in: better no line than another one."""
        info = chip.get_info()
        address = self._address
        if (info.name, info.label) != (address.chip, address.label) or address.offset >= info.num_lines:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))

    def _settings(self, mode: Mode) -> Any:
        line = self._library.line
        if mode.direction == "output":
            drives = {OPEN_DRAIN: line.Drive.OPEN_DRAIN, OPEN_SOURCE: line.Drive.OPEN_SOURCE}
            return self._library.LineSettings(
                direction=line.Direction.OUTPUT,
                drive=drives.get(mode.drive or "", line.Drive.PUSH_PULL),
                output_value=line.Value.ACTIVE if mode.level else line.Value.INACTIVE,
            )
        if mode.direction == "as-is":
            return self._library.LineSettings()
        pulls = {"up": line.Bias.PULL_UP, "down": line.Bias.PULL_DOWN, "floating": line.Bias.DISABLED}
        return self._library.LineSettings(
            direction=line.Direction.INPUT,
            bias=pulls.get(mode.pull, line.Bias.AS_IS),
            edge_detection=line.Edge[mode.edges.upper()],
            debounce_period=timedelta(microseconds=mode.bounce_us),
            event_clock=line.Clock.MONOTONIC,
        )

    def _explained(self, error: Exception, mode: Mode) -> OSError:
        number = (error.errno if isinstance(error, OSError) else None) or errno.EINVAL
        where = str(self._address)
        if number == errno.EBUSY:
            text = f"{where} is held by {self._holder()!r}"
        elif number in (errno.ENODEV, errno.ENOENT) or (number == errno.ENXIO and mode.edges == "none"):
            number = errno.ENODEV
            text = f"{where} is gone: its chip was unplugged, or its driver unloaded"
        elif mode.bounce_us and number == errno.EINVAL:
            text = f"{where} cannot be debounced for {mode.bounce_us / 1000:g} ms by its chip"
        elif mode.edges != "none" and number in (errno.EINVAL, errno.ENXIO, errno.EIO, _NOT_SUPPORTED):
            text = f"{where} reports no edges: its chip has no interrupt, or its interrupt line is not wired"
        else:
            text = f"{where}: {os.strerror(number)}"
        return OSError(number, text)

    def _holder(self) -> str:
        try:
            with self._library.Chip(self._address.path) as chip:
                return chip.get_line_info(self._address.offset).consumer or "the kernel"
        except OSError:
            return "somebody"
