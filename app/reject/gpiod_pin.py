"""A line of a GPIO chip as gpiozero's devices use it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MethodType
from typing import Any
from weakref import WeakMethod, ref

from gpiozero import exc
from gpiozero.pins import Pin, PinInfo

from app.reject.gpiod_claim import Claim, Mode
from app.reject.gpiod_edges import EdgeFeed
from app.reject.gpiod_lines import EXTERNAL_PULL, OPEN_DRAIN, OPEN_SOURCE, LineAddress
from app.reject.pins import NoPullError

_PULLS = ("up", "down", "floating")
_EDGES = ("both", "rising", "falling", "none")
_US_PER_S = 1_000_000

Handler = Callable[[int, bool], None]
"""What gpiozero hangs on a pin: takes ticks and the level."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What all pins of a factory stand on.

    Attributes:
        library: The module `gpiod`, or what stands for it.
        feed: Hands edges over.
        consumer: The name that others find at our lines.
    """

    library: Any
    feed: EdgeFeed
    consumer: str


class GpiodPin(Pin):  # type: ignore[misc]  # gpiozero ships no types
    """A line. It is held from its first use until `close`, and then free for others; it may be used again.

    An output is claimed together with its level, in one step. Its state is read back from the line, where the chip can.

    Args:
        factory: The factory that this pin belongs to.
        info: What gpiozero wants to know of it.
        address: The line.
        ground: What all pins of the factory stand on.
        has_pulls: The kernel can set the line's pull.
    """

    def __init__(self, factory: Any, info: PinInfo, address: LineAddress, ground: Ground, *, has_pulls: bool) -> None:
        super().__init__()
        self._factory = factory
        self._info = info
        self._address = address
        self._ground = ground
        self._has_pulls = has_pulls
        self._claim: Claim | None = None
        self._drive: str | None = None
        self._is_pulled_outside = False
        self._pull = "floating"
        self._edges = "both"
        self._bounce_us = 0
        self._handler: Callable[[], Handler | None] | None = None

    def __repr__(self) -> str:
        return str(self._info.name)

    @property
    def factory(self) -> Any:
        """The factory that this pin belongs to."""
        return self._factory

    @property
    def address(self) -> LineAddress:
        """The line."""
        return self._address

    def equip(self, options: frozenset[str]) -> None:
        """Takes the options that stood behind the pin's name; without effect while the line is held."""
        if self._claim is None:
            self._drive = next((each for each in (OPEN_DRAIN, OPEN_SOURCE) if each in options), None)
            self._is_pulled_outside = EXTERNAL_PULL in options

    def close(self) -> None:
        """Gives up edge detection and lets the line go. Idempotent."""
        self._set_when_changed(None)
        self._pull, self._edges, self._bounce_us = "floating", "both", 0
        claim, self._claim = self._claim, None
        if claim:
            claim.release()

    def output_with_state(self, state: Any) -> None:
        """Becomes an output with this level from the first instant."""
        self._set_when_changed(None)
        self._use(direction="output", level=bool(state), drive=self._drive, pull="", edges="none", bounce_us=0)

    def input_with_pull(self, pull: str) -> None:
        """Becomes an input with this pull."""
        self._use(**self._as_input(self._checked_pull(pull)))
        self._pull = pull
        self._detect()

    def _get_info(self) -> PinInfo:
        return self._info

    def _get_function(self) -> str:
        return "output" if self._claim and self._claim.mode.direction == "output" else "input"

    def _set_function(self, value: str) -> None:
        if value not in ("input", "output"):
            raise exc.PinInvalidFunction(f"pin {self!r} can be input or output, not {value!r}")
        if value == "output":
            if self._get_function() != "output":
                self.output_with_state(self._held().read())
        elif self._claim is None or self._claim.mode.direction != "input":
            self.input_with_pull(self._info.pull or "floating")

    def _get_state(self) -> int:
        return int(self._held().read())

    def _set_state(self, value: Any) -> None:
        if self._claim is None or self._claim.mode.direction != "output":
            raise exc.PinSetInput(f"cannot set the state of pin {self!r}: it is an input")
        if value not in (0, 1):
            raise exc.PinInvalidState(f"pin {self!r} can be 0 or 1, not {value!r}")
        self._claim.write(bool(value))

    def _get_pull(self) -> str:
        return self._pull

    def _set_pull(self, value: str) -> None:
        if self._get_function() == "output":
            raise exc.PinFixedPull(f"cannot set the pull of pin {self!r}: it is an output")
        self.input_with_pull(value)

    def _get_frequency(self) -> None:
        return None

    def _set_frequency(self, value: float | None) -> None:
        if value is not None:
            raise exc.PinPWMUnsupported(f"pin {self!r} has no PWM, a GPIO line only switches: use DigitalOutputDevice")

    def _get_bounce(self) -> float | None:
        return self._bounce_us / _US_PER_S if self._bounce_us else None

    def _set_bounce(self, value: float | None) -> None:
        if value is not None and value < 0:
            raise exc.PinInvalidBounce(f"the bounce time of pin {self!r} must be None or 0 and more, not {value!r}")
        self._bounce_us = round(value * _US_PER_S) if value else 0
        self._detect()

    def _get_edges(self) -> str:
        return self._edges

    def _set_edges(self, value: str) -> None:
        if value not in _EDGES:
            raise exc.PinInvalidEdges(f"the edges of pin {self!r} can be {', '.join(_EDGES)}, not {value!r}")
        self._edges = value
        self._detect()

    def _get_when_changed(self) -> Handler | None:
        return None if self._handler is None else self._handler()

    def _set_when_changed(self, value: Handler | None) -> None:
        was_heard = self._handler is not None
        # Weak, as in every gpiozero factory: a device that is dropped without close() must be able to die.
        if value is None:
            self._handler = None
        else:
            self._handler = WeakMethod(value) if isinstance(value, MethodType) else ref(value)
        if was_heard is not (value is not None):
            self._detect()

    def _detect(self) -> None:
        """Has the kernel report the edges that somebody wants to hear of."""
        claim = self._claim
        if claim is None or claim.mode.direction == "output":
            return
        wanted = self._edges if self._handler else "none"
        bounce_us = self._bounce_us if wanted != "none" else 0
        if (claim.mode.edges, claim.mode.bounce_us) == (wanted, bounce_us):
            return
        if claim.mode.edges != "none":
            self._ground.feed.forget(claim.fd)
        if claim.mode.direction != "input":
            self._use(**self._as_input(self._pull))
        try:
            claim.change(edges=wanted, bounce_us=bounce_us)
        except OSError:
            if wanted != "none":
                self._handler = None
                raise
            return  # a chip that has gone reports no edges either
        if wanted != "none":
            self._ground.feed.listen(claim.fd, claim, self._deliver)

    def _deliver(self, at_ns: int, is_high: bool) -> None:
        handler = self._handler() if self._handler else None
        if handler is None:
            self._set_when_changed(None)
            return
        handler(at_ns, is_high)

    def _use(self, **changes: Any) -> None:
        if self._claim is None:
            self._claim = Claim(self._ground.library, self._address, self._ground.consumer, Mode(**changes))
        else:
            self._claim.change(**changes)

    def _held(self) -> Claim:
        if self._claim is None:
            self._use()
        assert self._claim is not None, "it was claimed just now"
        return self._claim

    def _as_input(self, pull: str) -> dict[str, Any]:
        """An input as the chip can make it: a pull that nobody can set, or that is fitted outside, is not asked for."""
        can_set = self._has_pulls and not self._is_pulled_outside
        return {"direction": "input", "level": False, "drive": None, "pull": pull if can_set else ""}

    def _checked_pull(self, pull: str) -> str:
        if pull not in _PULLS:
            raise exc.PinInvalidPull(f"the pull of pin {self!r} can be up, down or floating, not {pull!r}")
        if self._info.pull not in ("", pull):
            raise exc.PinFixedPull(f"pin {self!r} has a resistor on the board that pulls it {self._info.pull}")
        if pull != "floating" and not self._has_pulls and not self._is_pulled_outside:
            raise NoPullError(
                f"fit a resistor that pulls it {pull}, as the driver of {self._address.label} cannot, and write"
                f" '{self!r},{EXTERNAL_PULL}'"
            )
        return pull
