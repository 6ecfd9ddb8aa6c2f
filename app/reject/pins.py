"""Pins as the line claims them through gpiozero: exclusively, with times, and with errors that name the claimant."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from gpiozero import DigitalInputDevice, DigitalOutputDevice
from gpiozero.exc import GPIOPinInUse, GPIOZeroError, PinFixedPull, PinInvalidPin

from app.clock import NS_PER_S, Clock, SystemClock
from app.config import PinName
from app.errors import ActuationError, ConfigError, LineError, TaktError

OnEdge = Callable[[bool, int], None]
"""Called with the new state (active) and its time in ns, in the thread that the pin factory reports edges from."""

Claims = Sequence[tuple[str, PinName]]
"""Who claims which pin, as `app.config.pins_of` gives it."""


class NoPullError(PinFixedPull):  # type: ignore[misc]  # gpiozero ships no types
    """The pin's driver cannot set its pull, and nobody has said that a resistor is fitted."""


class EdgePin:
    """An input pin whose edges are handed over as they come.

    It is a gpiozero `DigitalInputDevice` with a handler of ours on its pin: the device's own events start no thread but
    tell neither time nor level, and gpiozero's `bounce` drops edges without a count.

    Args:
        claimant: What the pin is for, for error messages.
        pin: The pin.
        is_pulled_up: Pull towards high, and active when low; otherwise pull towards low, and active when high.
        on_edge: Called for each edge.
        clock: The clock that times are given in.
        pin_factory: The gpiozero factory.
        claims: Every claim of the line, so that a conflict can name both sides.

    Raises:
        ConfigError: The board has no such pin, it is claimed twice, or its pull is fixed the other way.
        LineError: The pin cannot be had.
    """

    def __init__(
        self,
        claimant: str,
        pin: PinName,
        *,
        is_pulled_up: bool,
        on_edge: OnEdge,
        clock: Clock,
        pin_factory: Any,
        claims: Claims = (),
    ) -> None:
        self._on_edge = on_edge
        self._now_ns = clock.now_ns
        self._ticks = pin_factory.ticks
        self._ticks_diff = pin_factory.ticks_diff
        self._is_pulled_up = is_pulled_up
        self._are_ticks_ours = _has_ticks_of(clock, pin_factory)
        try:
            self._device = DigitalInputDevice(pin, pull_up=is_pulled_up, pin_factory=pin_factory)
        except pin_failures() as error:
            # The traceback would keep the failed device alive, and its pin claimed, as long as our error lives.
            raise refused(claimant, pin, error, pin_factory, claims) from error.with_traceback(None)
        # A pin holds its handler weakly: this object, which holds the device, keeps it alive.
        self._device.pin.when_changed = self._changed

    def is_active(self) -> bool:
        """The present state, read from the pin."""
        return bool(self._device.is_active)

    def close(self) -> None:
        """Lets the pin go. Idempotent."""
        self._device.close()

    def _changed(self, ticks: Any, state: Any) -> None:
        if self._are_ticks_ours:
            self._on_edge(bool(state) is not self._is_pulled_up, ticks)
            return
        # Ticks are opaque and may wrap, so only their age is used: it carries the edge's time over to our clock.
        age_ns = round(self._ticks_diff(self._ticks(), ticks) * NS_PER_S)
        self._on_edge(bool(state) is not self._is_pulled_up, self._now_ns() - age_ns)


class DrivenPin:
    """An output pin that is off from the instant of its claim, and that is read back at every write.

    Polarity is inverted here and nowhere else: `write(True)` energises what hangs on the pin.

    Args:
        claimant: What the pin is for, for error messages.
        pin: The pin.
        is_active_low: The output is energised by a low level.
        pin_factory: The gpiozero factory.
        claims: Every claim of the line, so that a conflict can name both sides.

    Raises:
        ConfigError: The board has no such pin, or it is claimed twice.
        LineError: The pin cannot be had.
    """

    def __init__(
        self, claimant: str, pin: PinName, *, is_active_low: bool, pin_factory: Any, claims: Claims = ()
    ) -> None:
        self._claimant = claimant
        self._pin = pin
        self._is_open = True
        try:
            self._device = DigitalOutputDevice(
                pin, active_high=not is_active_low, initial_value=False, pin_factory=pin_factory
            )
        except pin_failures() as error:
            # Without its traceback, for the reason given in `EdgePin`.
            raise refused(claimant, pin, error, pin_factory, claims) from error.with_traceback(None)

    def write(self, is_on: bool) -> None:
        """Energises the output, or lets it go.

        Raises:
            ActuationError: The pin refused, does not have the level that was written, or is closed.
        """
        level = "on" if is_on else "off"
        mend = "check its wiring, its supply and that nothing else drives the pin"
        if not self._is_open:
            raise ActuationError(f"{self._claimant} cannot be switched {level}: the line is closed", "open the line")
        try:
            self._device.value = is_on
            is_taken = bool(self._device.is_active) is is_on
        except pin_failures() as error:
            raise ActuationError(
                f"{self._claimant} on pin {self._pin} cannot be switched {level}: {error}", mend
            ) from error
        if not is_taken:
            raise ActuationError(f"{self._claimant} on pin {self._pin} did not go {level}", mend)

    def close(self) -> None:
        """Switches off and lets the pin go, even if it cannot be switched off. Idempotent.

        Raises:
            ActuationError: It could not be switched off.
        """
        if self._is_open:
            try:
                self.write(False)
            finally:
                self._is_open = False
                self._device.close()


def _has_ticks_of(clock: Clock, pin_factory: Any) -> bool:
    """The factory's ticks are nanoseconds of this clock: an edge's time need not be reckoned from its age.

    Between the two readings that an age takes, the process may lose the processor for milliseconds.
    """
    own = getattr(pin_factory, "clock", None)
    is_same = own is clock or (isinstance(own, SystemClock) and isinstance(clock, SystemClock))
    return is_same and isinstance(pin_factory.ticks(), int)


def pin_failures() -> tuple[type[Exception], ...]:
    """What pins can raise: gpiozero's errors, the kernel's, those of libraries, and lgpio's, which derive from none."""
    lgpio = sys.modules.get("lgpio")
    return (GPIOZeroError, ImportError, OSError, RuntimeError, *((lgpio.error,) if lgpio else ()))


def refused(claimant: str, pin: PinName, error: Exception, pin_factory: Any, claims: Claims) -> TaktError:
    """The error that tells why a pin could not be claimed, and how to mend it."""
    if isinstance(error, GPIOPinInUse):
        rivals = " and ".join(_rivals(claimant, pin, pin_factory, claims)) or "something else in this program"
        return ConfigError(f"pin {pin} is claimed twice, by {rivals} and by {claimant}", "give one of them another pin")
    if isinstance(error, PinInvalidPin):
        return ConfigError(f"pin {pin!r} of {claimant} does not exist on this board", f"correct the pin: {error}")
    if isinstance(error, NoPullError):
        return ConfigError(f"pin {pin} of {claimant} has no pull of its own", str(error))
    if isinstance(error, PinFixedPull):
        return ConfigError(
            f"pin {pin} of {claimant} has a resistor that holds it at its active level",
            "choose another pin, or change active_low and the wiring with it",
        )
    return _refused_by_kernel(f"pin {pin} of {claimant}", error)


def _refused_by_kernel(pin: str, error: Exception) -> LineError:
    number, words = (error.errno, error.strerror) if isinstance(error, OSError) else (None, None)
    if number == errno.EBUSY and words not in (None, os.strerror(errno.EBUSY)):
        mend = "end what holds it, or choose another pin: takt line pins shows who holds what"
        return LineError(f"{pin} cannot be had: {words}", mend)
    if number == errno.EBUSY:
        return LineError(f"{pin} is held by another program", "end that program")
    if number in (errno.EACCES, errno.EPERM):
        return LineError(f"{pin} may not be used by this user", "add the user to the group gpio")
    if number == errno.ENODEV:
        return LineError(f"{pin} cannot be claimed: {words}", "plug it in again")
    return LineError(f"{pin} cannot be claimed: {error}", "check that the board offers it as GPIO and that it is free")


def _rivals(claimant: str, pin: PinName, pin_factory: Any, claims: Claims) -> list[str]:
    wanted = _infos(pin_factory, pin)
    return [name for name, other in claims if name != claimant and _infos(pin_factory, other) & wanted]


def _infos(pin_factory: Any, pin: PinName) -> set[Any]:
    return {info for _, info in pin_factory.board_info.find_pin(pin)}
