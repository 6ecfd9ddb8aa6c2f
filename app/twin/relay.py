"""The permit relay outside the box: it lives on edges and drops by itself."""

from __future__ import annotations

from collections.abc import Callable

from app.clock import NS_PER_MS
from app.config import PermitSettings
from app.twin.agenda import Agenda
from app.twin.pins import TwinFactory


class PermitRelay:
    """Picks up on the second edge within its hold time, stays while edges come, and drops `hold_ms` after the last.

    Only edges to the energised level count, every second toggle: a pin that is let go when its process dies goes to its
    resistor's level, and must not hold the belt once more. One edge alone does not move it, so that claiming the pin
    never starts the belt.

    Args:
        settings: Output and hold time.
        factory: Whose pin it is wired to.
        agenda: Where its drop is entered.
        on_change: Called with the new state and the time in ns.
    """

    def __init__(
        self, settings: PermitSettings, factory: TwinFactory, agenda: Agenda, on_change: Callable[[bool, int], None]
    ) -> None:
        self._hold_ns = round(settings.hold_ms * NS_PER_MS)
        self._agenda = agenda
        self._on_change = on_change
        self._energised = not settings.output.active_low
        self._last_ns: int | None = None
        self._is_watched = False
        self.is_on = False
        self.is_ignoring = False
        wire = factory.wire(settings.output.pin)
        wire.fit_resistor("up" if settings.output.active_low else "down")
        wire.watch(self._edge)

    def _edge(self, is_high: bool, at_ns: int) -> None:
        if self.is_ignoring or is_high is not self._energised:
            return
        is_second = self._last_ns is not None and at_ns - self._last_ns < self._hold_ns
        self._last_ns = at_ns
        if is_second and not self.is_on:
            self.is_on = True
            self._on_change(True, at_ns)
        if self.is_on and not self._is_watched:
            self._is_watched = True
            self._agenda.at(at_ns + self._hold_ns, self._look)

    def _look(self, now_ns: int) -> None:
        self._is_watched = False
        assert self._last_ns is not None
        drop_ns = self._last_ns + self._hold_ns
        if now_ns < drop_ns:
            self._is_watched = True
            self._agenda.at(drop_ns, self._look)
            return
        self.is_on = False
        self._on_change(False, now_ns)
