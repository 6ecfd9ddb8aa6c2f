"""The reject device: what the box commands, and what the metal does a lag later."""

from __future__ import annotations

from random import Random

from app.clock import NS_PER_MS
from app.config import GateSettings
from app.twin.agenda import Agenda
from app.twin.pins import TwinFactory
from app.twin.sensors import Sensor

_BOUNCE_MS = 1.0


class Gate:
    """One diverter, pusher or air blast.

    It follows its command after its lag, for on and off alike, and rebounds once or twice when it arrives. A diverter
    rejects without current, the others with it.

    Args:
        settings: Kind, output and lag.
        factory: Whose pins it is wired to.
        agenda: Where its movements are entered.
        random: What jitter and rebounds are drawn from.
        jitter_ms: Largest deviation of the lag.

    Attributes:
        settings: The settings.
    """

    def __init__(
        self, settings: GateSettings, factory: TwinFactory, agenda: Agenda, random: Random, jitter_ms: float
    ) -> None:
        self.settings = settings
        self._agenda = agenda
        self._random = random
        self._jitter_ms = min(jitter_ms, settings.lag_ms)
        self._late_ms = 0.0
        self._stuck: bool | None = None
        self._misses: set[int] = set()
        self._arrives_ns = 0
        output = settings.output
        wire = factory.wire(output.pin)
        wire.fit_resistor("up" if output.active_low else "down")
        wire.watch(self._commanded)
        self._is_active_low = output.active_low
        self._read_back = Sensor(output.read_back, factory, agenda, random) if output.read_back else None
        is_energised = wire.level != output.active_low
        self._is_rejecting = is_energised is settings.is_pulse
        self._show(is_energised, 0)

    @property
    def is_rejecting(self) -> bool:
        """Where the metal is now."""
        return self._is_rejecting if self._stuck is None else self._stuck

    def takes(self, part: int) -> bool:
        """Whether the gate takes this part, whose centre passes now."""
        return self.is_rejecting and part not in self._misses

    def stick(self, is_rejecting: bool | None) -> None:
        """The metal stays in this state, or follows its command again (`None`)."""
        self._stuck = is_rejecting

    def miss(self, part: int) -> None:
        """The gate will not get hold of this part."""
        self._misses.add(part)

    def slow(self, late_ms: float) -> None:
        """From now on it arrives so much later than its settings say."""
        self._late_ms = late_ms

    def lie(self, *, is_lying: bool) -> None:
        """The read-back shows the opposite of the output, or the truth again."""
        if self._read_back:
            self._read_back.stick(not self._read_back.is_on if is_lying else None)

    def _commanded(self, is_high: bool, at_ns: int) -> None:
        is_energised = is_high != self._is_active_low
        self._show(is_energised, at_ns)
        lag_ms = self.settings.lag_ms + self._late_ms + self._random.uniform(-1, 1) * self._jitter_ms
        # Two commands never arrive in the wrong order, however the lag jitters.
        self._arrives_ns = max(at_ns + round(lag_ms * NS_PER_MS), self._arrives_ns + 1)
        self._move(is_energised is self.settings.is_pulse, self._arrives_ns)

    def _move(self, is_rejecting: bool, at_ns: int) -> None:
        self._agenda.at(at_ns, lambda _: self._arrive(is_rejecting))
        rebounds = sorted(
            round(self._random.random() * _BOUNCE_MS * NS_PER_MS) for _ in range(2 * self._random.randint(0, 2))
        )
        for number, after_ns in enumerate(rebounds):
            state = is_rejecting if number % 2 else not is_rejecting
            self._agenda.at(at_ns + after_ns, lambda _, state=state: self._arrive(state))  # type: ignore[misc]

    def _arrive(self, is_rejecting: bool) -> None:
        self._is_rejecting = is_rejecting

    def _show(self, is_energised: bool, now_ns: int) -> None:
        # The read-back is wired to the output itself: it proves current, not movement.
        if self._read_back:
            self._read_back.set(is_energised, now_ns)
