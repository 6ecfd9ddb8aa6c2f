"""The belt position from a counter of the kernel: quadrature that hardware decodes, at any rate the hardware can.

The count is one file below `/sys/bus/counter/devices`, read afresh at every look. It is as wide as the hardware made it
and wraps; here it is carried on into the belt count. What cannot be told from the count alone is asked for now and
then: whether the inputs are noisy (`error_noise`), and how often the count has wrapped, of the device `/dev/counterN`,
where the driver offers these. No driver tells of single states that it skipped.

Interface: Documentation/ABI/testing/sysfs-bus-counter and Documentation/driver-api/generic-counter.rst of the kernel.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from threading import Lock

from app.clock import NS_PER_MS, NS_PER_S, Clock
from app.errors import LineError
from app.reject.counter_events import Ioctl, WrapEvents
from app.reject.counter_place import CounterPlace, find_counter
from app.reject.lineio import BeltReading

QUADRATURE = "quadrature x4"

LOOK_NS = 100 * NS_PER_MS
"""How often noise and wraps are asked for."""

TOLD_NS = NS_PER_S
"""A fault that has passed stands so long in the readings."""

SPEED_NS = 5 * NS_PER_MS
"""Speed, which dates back the count of an edge that was fetched late, is taken over at least so long."""

FASTEST = 4
"""A belt that seems to run so many times as fast as it can was not moved: something else has set the counter."""

LEAST_JUMP = 64
WIDTHS = (16, 24, 32)
"""How many bits hardware counters have."""

_DIGITS = 24


class CounterEncoder:
    """A quadrature encoder on a counter of the kernel.

    Opening sets the function to four counts per cycle and starts the counter, unless it is so already: where `/sys` is
    read-only, as below systemd, a rule of udev does that (`docs/encoders.md`).

    Of a driver that does not tell where its count wraps, that is found out at the first wrap.

    `read` for a time in the past, as of an edge that was fetched late, goes back by what the belt has moved since.

    Args:
        name: Which counter: `counter0/count0`, or the name of its driver in place of `counter0`.
        fastest_counts_s: The belt at its full speed, in counts per second.
        clock: The clock that times are given in.
        is_reversed: Count the other way.
        root: The root of the file system.
        ioctl: Talks to the driver.

    Raises:
        LineError: It is not there, does not decode quadrature, or may not be used.
    """

    def __init__(
        self,
        name: str,
        fastest_counts_s: float,
        *,
        clock: Clock,
        is_reversed: bool = False,
        root: Path = Path("/"),
        ioctl: Ioctl = fcntl.ioctl,
    ) -> None:
        self._noise = -1
        self._events: WrapEvents | None = None
        self._clock = clock
        self._sign = -1 if is_reversed else 1
        self._fastest_counts_s = FASTEST * fastest_counts_s
        self._lock = Lock()
        self._place = find_counter(name, root)
        ceiling = _prepare(self._place)
        self._modulus = ceiling + 1 if ceiling else 1 << WIDTHS[-1]
        self._is_width_known = bool(ceiling)
        self._file = _optional(self._place.folder / "count")
        try:
            self._raw, self._raw_ns = self._fetch(), clock.now_ns()
        except (OSError, ValueError) as error:
            self.close()
            raise LineError(f"encoder.counter {name} cannot be read: {error}", "look at its driver") from error
        self._noise = _optional(self._place.folder / "error_noise")
        self._count, self._changed_ns = 0, self._raw_ns
        self._earlier = (0, self._raw_ns)
        self._wraps, self._looked_ns = 0, self._raw_ns
        self._missed = 0
        self._trouble, self._told_ns = "", 0
        self._is_noisy = False
        self._events = WrapEvents.opened(self._place.device, self._place.number, ioctl)

    def read(self, now_ns: int) -> BeltReading:
        """The belt position at `now_ns`, which may lie a little in the past."""
        with self._lock:
            at_ns = self._clock.now_ns()
            if self._file >= 0:
                self._follow(at_ns)
            back = round(self._speed_counts_ns(at_ns) * max(0, at_ns - now_ns))
            trouble = self._trouble if at_ns < self._told_ns else ""
            return BeltReading(self._sign * (self._count - back), self._changed_ns, self._missed, trouble)

    def close(self) -> None:
        """Lets the counter go; it counts on. Idempotent; the last count stays readable."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            if self._noise >= 0:
                os.close(self._noise)
            if self._events is not None:
                self._events.close()

    def _follow(self, at_ns: int) -> None:
        try:
            raw = self._fetch()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            self._fault(f"{self._place.name} cannot be read ({why})", at_ns)
            return
        most = LEAST_JUMP + self._fastest_counts_s * (at_ns - self._raw_ns) / NS_PER_S
        step = self._step_to(raw, most)
        self._wraps += (self._raw + step - raw) // self._modulus
        self._raw, self._raw_ns = raw, at_ns
        if abs(step) > most:
            self._fault(f"{self._place.name} jumped by {step:+,} counts: something else sets it", at_ns)
        if step:
            if at_ns - self._earlier[1] >= SPEED_NS:
                self._earlier = (self._count, self._changed_ns)
            self._count += step
            self._changed_ns = at_ns
        if at_ns - self._looked_ns >= LOOK_NS:
            self._looked_ns = at_ns
            self._look(at_ns)

    def _look(self, at_ns: int) -> None:
        """Asks for what the count does not tell."""
        was_noisy, self._is_noisy = self._is_noisy, _is_set(self._noise)
        if self._is_noisy and not was_noisy:
            self._fault(f"{self._place.name} finds noise at its inputs", at_ns)
        if self._events is None:
            return
        # Near its ends the count may have wrapped between our two questions.
        if self._modulus <= 4 * self._raw <= 3 * self._modulus:
            unseen = self._events.wraps() - self._wraps
            if unseen:
                self._wraps += unseen
                self._fault(f"{self._place.name} wrapped {abs(unseen)} times unseen", at_ns)

    def _fault(self, text: str, at_ns: int) -> None:
        is_new = text != self._trouble or at_ns >= self._told_ns
        self._trouble, self._told_ns = text, at_ns + TOLD_NS
        self._missed += is_new

    def _step_to(self, raw: int, most: float) -> int:
        """The way from the last count to this one, the shorter of the two around."""
        step = _shorter(raw - self._raw, self._modulus)
        if abs(step) > most and not self._is_width_known:
            for modulus in (1 << bits for bits in WIDTHS):
                narrow = _shorter(raw - self._raw, modulus)
                if max(raw, self._raw) < modulus and abs(narrow) <= most:
                    self._modulus, self._is_width_known = modulus, True
                    return narrow
        return step

    def _speed_counts_ns(self, at_ns: int) -> float:
        count, since_ns = self._earlier
        return (self._count - count) / (at_ns - since_ns) if at_ns > since_ns else 0.0

    def _fetch(self) -> int:
        return int(os.pread(self._file, _DIGITS, 0))


def _prepare(place: CounterPlace) -> int:
    """Has the counter decode quadrature and count.

    Returns:
        Its highest count; 0 where the driver does not tell.

    Raises:
        LineError: It cannot, or may not be told to.
    """
    offered = place.read("function_available").splitlines()
    if offered and QUADRATURE not in offered:
        raise LineError(
            f"encoder.counter {place.name} does not decode quadrature, it offers {', '.join(offered)}",
            "name another counter, or wire the encoder to one that does",
        )
    can_rest = place.has("enable")
    is_set = place.read("function") == QUADRATURE and place.read("ceiling") != "0"
    if can_rest and not is_set:
        # Some, as intel-qep, are set only while they rest; a station that died has left it counting.
        place.demand("enable", "0")
    place.demand("function", QUADRATURE)
    if place.read("ceiling") == "0":
        _open_up(place)
    if can_rest:
        place.demand("enable", "1")
    return int(place.read("ceiling") or 0)


def _open_up(place: CounterPlace) -> None:
    """Gives a counter that may count to nought, as an eQEP after its reset, all the room that it has."""
    for bits in sorted(WIDTHS, reverse=True):
        try:
            place.demand("ceiling", str((1 << bits) - 1))
        except LineError as error:
            refusal = error
        else:
            return
    raise refusal


def _shorter(step: int, modulus: int) -> int:
    half = modulus // 2
    return (step + half) % modulus - half


def _optional(path: Path) -> int:
    with suppress(OSError):
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return -1


def _is_set(file: int) -> bool:
    if file < 0:
        return False
    with suppress(OSError):
        return os.pread(file, _DIGITS, 0).strip() not in (b"", b"0")
    return False
