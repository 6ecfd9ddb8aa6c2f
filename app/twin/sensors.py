"""Contacts that the box reads: what they show, how they bounce, and how they fail."""

from __future__ import annotations

from random import Random

from app.clock import NS_PER_MS
from app.config import Input
from app.twin.agenda import Agenda
from app.twin.pins import TwinFactory

_MOST_BOUNCES = 3
_BOUNCE_SHARE = 0.8
"""A bounce ends well before the debounce time that somebody chose for this contact."""


class Sensor:
    """One input of the box.

    Args:
        settings: Pin and polarity.
        factory: Whose pin it is wired to.
        agenda: Where bounces are entered.
        random: What bounces are drawn from.
        bounce_ms: For how long the contact bounces after a change. An input that is configured without debounce is
            taken for an electronic switch, which does not.
    """

    def __init__(
        self, settings: Input, factory: TwinFactory, agenda: Agenda, random: Random, bounce_ms: float = 0.0
    ) -> None:
        self._wire = factory.wire(settings.pin)
        self._is_active_low = settings.active_low
        self._agenda = agenda
        self._random = random
        self._bounce_ms = min(bounce_ms, _BOUNCE_SHARE * settings.debounce_ms)
        self._chatter_ms = 0.0
        self._is_on = False
        self._present = 0
        self._stuck: bool | None = None
        self._change = 0
        self._show(False)

    @property
    def is_on(self) -> bool:
        """What there is to be seen, whatever the sensor makes of it."""
        return self._is_on

    def set(self, is_on: bool, now_ns: int) -> None:
        """There is something in front of the sensor, or no longer."""
        if is_on == self._is_on:
            return
        self._is_on = is_on
        self._change += 1
        self._show(is_on)
        lasts_ns = round(max(self._bounce_ms, self._chatter_ms) * NS_PER_MS)
        if lasts_ns:
            self._bounce(now_ns, lasts_ns)

    def enter(self, now_ns: int) -> None:
        """One more thing comes in front of the sensor."""
        self._present += 1
        self.set(True, now_ns)

    def leave(self, now_ns: int) -> None:
        """One thing leaves the sensor."""
        self._present -= 1
        self.set(self._present > 0, now_ns)

    def stick(self, level: bool | None) -> None:
        """The sensor shows this for ever, or works again (`None`)."""
        self._stuck = level
        self._show(self._is_on)

    def chatter(self, lasts_ms: float) -> None:
        """From now on each edge bounces for so long, debounce or not; 0 ends it."""
        self._chatter_ms = lasts_ms

    def flash(self, lasts_ms: float, now_ns: int) -> None:
        """A signal without a cause: the opposite of what is there, for so long."""
        change = self._change
        self._show(not self._is_on)
        self._agenda.at(now_ns + max(1, round(lasts_ms * NS_PER_MS)), lambda _: self._restore(change))

    def _bounce(self, now_ns: int, lasts_ns: int) -> None:
        change, is_on = self._change, self._is_on
        times = sorted(
            self._random.randrange(1, lasts_ns + 1) for _ in range(2 * self._random.randint(1, _MOST_BOUNCES))
        )
        for number, after_ns in enumerate(times):
            level = is_on if number % 2 else not is_on
            self._agenda.at(now_ns + after_ns, lambda _, level=level: self._restore(change, level))  # type: ignore[misc]

    def _restore(self, change: int, level: bool | None = None) -> None:
        if change == self._change:
            self._show(self._is_on if level is None else level)

    def _show(self, is_on: bool) -> None:
        seen = is_on if self._stuck is None else self._stuck
        self._wire.drive(seen != self._is_active_low)
