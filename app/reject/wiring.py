"""What hangs on the line's pins: inputs with debouncing, outputs with limits and read-back, the permit's output."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from app.clock import NS_PER_MS, Clock
from app.config import GateSettings, Input, Output, PermitSettings
from app.errors import ActuationError
from app.reject.debounce import Debounce
from app.reject.outputs import HeldOutput, Limits, PulseOutput, ReadBack
from app.reject.pins import Claims, DrivenPin, EdgePin

RETRY_NS = NS_PER_MS


@dataclass(frozen=True, slots=True)
class Wiring:
    """What every claim of a pin needs.

    Attributes:
        clock: The clock that times are given in.
        pin_factory: The gpiozero factory.
        claims: Every claim of the line, so that a conflict can name both sides.
        opened: Closes what was claimed, should a later claim fail.
        on_edge: Takes each raw edge of each channel: the channel, its new state and when it changed, in ns.
    """

    clock: Clock
    pin_factory: Any
    claims: Claims
    opened: ExitStack
    on_edge: Callable[[Channel, bool, int], None]

    def driven(self, claimant: str, output: Output) -> DrivenPin:
        """Claims an output pin, off."""
        pin = DrivenPin(
            claimant,
            output.pin,
            is_active_low=output.active_low,
            pin_factory=self.pin_factory,
            claims=self.claims,
        )
        self.opened.callback(pin.close)
        return pin


class Channel:
    """One input: its pin and its debouncing.

    Args:
        name: The input's name.
        settings: Pin, polarity and debounce time.
        wiring: What the claim needs.

    Attributes:
        name: The input's name.
        pin: The pin.
        debounce: Its debouncing; it starts with the state that the pin has now.
    """

    def __init__(self, name: str, settings: Input, wiring: Wiring) -> None:
        self.name = name
        self._take = wiring.on_edge
        self.pin = EdgePin(
            name,
            settings.pin,
            is_pulled_up=settings.active_low,
            on_edge=self._on_edge,
            clock=wiring.clock,
            pin_factory=wiring.pin_factory,
            claims=wiring.claims,
        )
        wiring.opened.callback(self.pin.close)
        self.debounce = Debounce(round(settings.debounce_ms * NS_PER_MS), is_active=self.pin.is_active())

    def _on_edge(self, is_active: bool, at_ns: int) -> None:
        self._take(self, is_active, at_ns)


class Proof:
    """An output's read-back contact, where there is one.

    Args:
        name: The output's name.
        settings: The contact, if it is wired.
        settle_ms: Longest time from the output's change to the contact's; the contact's debounce time comes on top.
        wiring: What the claim needs.

    Attributes:
        contact: The contact's input, if it is wired.
    """

    def __init__(self, name: str, settings: Input | None, settle_ms: float, wiring: Wiring) -> None:
        self.contact = Channel(f"{name} read-back", settings, wiring) if settings else None
        settle_ms += settings.debounce_ms if settings else 0
        self._read_back = ReadBack(name, round(settle_ms * NS_PER_MS), wiring.clock.now_ns())

    def expect(self, now_ns: int, *, is_on: bool) -> None:
        """The output was written."""
        self._read_back.expect(is_on, now_ns)

    def tick(self, now_ns: int) -> str | None:
        """Compares; a sentence at a new mismatch."""
        return self._read_back.check(self.contact.debounce.is_active, now_ns) if self.contact else None

    def due_ns(self) -> int | None:
        """When `tick` must be called next."""
        return self._read_back.due_ns() if self.contact else None


class WiredSwitch:
    """One output that is switched on and off: its limits, its pin and its read-back.

    Args:
        name: The output's name.
        settings: Pin, polarity and read-back.
        limits: How long it may be on.
        settle_ms: Longest time from the output's change to its contact's.
        wiring: What the claim needs.

    Attributes:
        pin: The pin.
        proof: Its read-back.
    """

    def __init__(self, name: str, settings: Output, limits: Limits, settle_ms: float, wiring: Wiring) -> None:
        self._limits = limits
        self.pin = wiring.driven(name, settings)
        self.proof = Proof(name, settings.read_back, settle_ms, wiring)
        self._written: bool | None = False
        self._retry_ns: int | None = None

    def switch(self, now_ns: int, *, is_on: bool) -> None:
        """Switches or refreshes it.

        Raises:
            ActuationError: The pin refused or did not take its level.
        """
        self._limits.command(is_on, now_ns)
        self._write(now_ns)

    def tick(self, now_ns: int) -> list[str]:
        """Enforces the limits and compares the read-back; a sentence for each new fault."""
        faults = [self._limits.tick(now_ns)]
        is_known_stuck = self._retry_ns is not None
        try:
            self._write(now_ns)
        except ActuationError as error:
            faults.append(None if is_known_stuck else str(error))
        faults.append(self.proof.tick(now_ns))
        return [fault for fault in faults if fault]

    def due_ns(self) -> list[int | None]:
        """When `tick` must be called next: the earliest of these."""
        return [self._limits.due_ns(), self._retry_ns, self.proof.due_ns()]

    def close(self) -> None:
        """Switches off and lets the pin go.

        Raises:
            ActuationError: It could not be switched off.
        """
        self._limits.force_off()
        self._written = False
        self.pin.close()

    def _write(self, now_ns: int) -> None:
        is_on = self._limits.is_on
        if is_on is self._written:
            return
        try:
            self.pin.write(is_on)
        except ActuationError:
            # What the pin does is unknown now. Never try again to switch on, which would be late; but do to switch off.
            self._written = None
            self._limits.force_off()
            self._retry_ns = now_ns + RETRY_NS
            raise
        self._written, self._retry_ns = is_on, None
        self.proof.expect(now_ns, is_on=is_on)


class WiredGate(WiredSwitch):
    """One gate.

    Args:
        settings: The gate.
        wiring: What the claim needs.
    """

    def __init__(self, settings: GateSettings, wiring: Wiring) -> None:
        name = f"gate:{settings.destination}"
        self._is_pulse = settings.is_pulse
        super().__init__(name, settings.output, _limits(name, settings), settings.lag_ms + settings.margin_ms, wiring)

    def command(self, now_ns: int, *, is_rejecting: bool) -> None:
        """Moves or refreshes it.

        Raises:
            ActuationError: The pin refused or did not take its level.
        """
        self.switch(now_ns, is_on=is_rejecting is self._is_pulse)


class WiredLine(WiredSwitch):
    """One handshake line.

    Args:
        name: Its name.
        settings: Pin, polarity and read-back.
        refresh_ms: Longest time unrefreshed; its contact has as long to follow.
        wiring: What the claim needs.
    """

    def __init__(self, name: str, settings: Output, refresh_ms: float, wiring: Wiring) -> None:
        limits = HeldOutput(name, round(refresh_ms * NS_PER_MS))
        super().__init__(name, settings, limits, refresh_ms, wiring)


class WiredPermit:
    """The output that feeds the permit relay with edges.

    Args:
        settings: The permit.
        wiring: What the claim needs.

    Attributes:
        pin: The pin that feeds the relay.
        proof: The read-back, a contact of the relay.
    """

    def __init__(self, settings: PermitSettings, wiring: Wiring) -> None:
        # These limits never move the pin when toggles stay out: one more edge would hold the relay longer.
        self._limits = HeldOutput("permit", round(settings.hold_ms * NS_PER_MS))
        self.pin = wiring.driven("permit", settings.output)
        self.proof = Proof("permit", settings.output.read_back, settings.hold_ms + settings.toggle_ms, wiring)
        self._is_high = False

    def toggle(self, now_ns: int) -> None:
        """Gives the relay one more edge.

        Raises:
            ActuationError: The pin refused or did not take its level.
        """
        self.pin.write(not self._is_high)
        self._is_high = not self._is_high
        self._limits.command(True, now_ns)
        self.proof.expect(now_ns, is_on=True)

    def drop(self, now_ns: int) -> None:
        """Leaves the output at its safe level.

        Raises:
            ActuationError: The pin refused or did not take its level.
        """
        self._limits.force_off()
        self.proof.expect(now_ns, is_on=False)
        self.pin.write(False)
        self._is_high = False

    def tick(self, now_ns: int) -> list[str]:
        """Tells of toggles that stay out, and compares the read-back; a sentence for each new fault."""
        overdue = self._limits.tick(now_ns)
        if overdue:
            self.proof.expect(now_ns, is_on=False)
        return [fault for fault in (overdue, self.proof.tick(now_ns)) if fault]

    def due_ns(self) -> list[int | None]:
        """When `tick` must be called next: the earliest of these."""
        return [self._limits.due_ns(), self.proof.due_ns()]

    def close(self) -> None:
        """Leaves the output at its safe level and lets the pin go.

        Raises:
            ActuationError: It could not be switched off.
        """
        self.pin.close()


def _limits(name: str, settings: GateSettings) -> Limits:
    if settings.is_pulse:
        return PulseOutput(name, round(settings.min_on_ms * NS_PER_MS), round(settings.max_on_ms * NS_PER_MS))
    return HeldOutput(name, round(settings.refresh_ms * NS_PER_MS))
