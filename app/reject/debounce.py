"""Raw edges of one input in, confirmed edges out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RawEdge:
    """One change of an input, as the pin reported it or as debouncing confirmed it.

    Attributes:
        is_active: The new state, polarity already undone.
        at_ns: When it changed.
        count: Belt position when it changed.
    """

    is_active: bool
    at_ns: int
    count: int


class Debounce:
    """Confirms an edge once the new state has held for `debounce_ns`, and dates it back to where it began.

    A contact that bounces sends a burst: edges closer together than `debounce_ns`. A burst that ends in the other state
    is one edge, with the time and the count of the burst's first raw edge, because that is where the part was. A burst
    that ends where it started is a glitch: it is dropped and counted. So confirmed edges always alternate, and a raw
    edge that repeats the present state is no change. With a debounce time of 0 every change passes at once.

    Pure: it knows only the times that it is given, which must not decrease.

    Args:
        debounce_ns: How long a state must hold, in ns.
        is_active: The state at the start; it makes no edge.

    Attributes:
        is_active: The last confirmed state.
        glitches: Bursts dropped so far.
    """

    def __init__(self, debounce_ns: int, *, is_active: bool = False) -> None:
        self.is_active = is_active
        self.glitches = 0
        self._debounce_ns = debounce_ns
        self._first: RawEdge | None = None
        self._last = RawEdge(is_active=is_active, at_ns=0, count=0)

    def push(self, edge: RawEdge) -> RawEdge | None:
        """Takes a raw edge.

        Returns:
            The edge that is confirmed by the time of this one; without a debounce time that is this one.
        """
        confirmed = self.settle(edge.at_ns)
        if edge.is_active == self._last.is_active:
            return confirmed
        if self._first is None:
            self._first = edge
        self._last = edge
        return confirmed or self.settle(edge.at_ns)

    def settle(self, now_ns: int) -> RawEdge | None:
        """The edge that is confirmed by `now_ns`, if there is one."""
        first = self._first
        if first is None or now_ns - self._last.at_ns < self._debounce_ns:
            return None
        self._first = None
        if self._last.is_active == self.is_active:
            self.glitches += 1
            return None
        self.is_active = self._last.is_active
        return first

    def due_ns(self) -> int | None:
        """When the pending edge is confirmed unless another comes; `None` while the input rests."""
        if self._first is None or self._last.is_active == self.is_active:
            return None
        return self._last.at_ns + self._debounce_ns
