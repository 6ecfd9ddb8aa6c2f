"""The line on GPIO pins: `LineIO` through gpiozero devices, on whatever pin factory it is given.

Polarity of inputs: `active_low` inputs are pulled up and active when low, as NPN sensors and contacts to ground are
wired; the others are pulled down and active when high (PNP sensors, contacts to the supply). So a broken wire reads as
inactive, on every board whose inputs have pulls.

Polarity of gates: pusher and air are energised to reject, a diverter is energised to pass. Without current a diverter
therefore rejects, and `off` is the safe state of every output.

A read-back contact is active while its output is energised, and has `lag_ms` + `margin_ms` of the gate to follow it,
or `refresh_ms` of the handshake lines; that of the permit is a contact of the relay, and has `hold_ms` + `toggle_ms`.
Its debounce time comes on top. Handshake lines are energised while what they say is good.
"""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from gpiozero import Device

from app.clock import Clock
from app.config import Line, inputs_of, pins_of
from app.errors import ActuationError, LineError
from app.reject.counter import CounterEncoder
from app.reject.debounce import RawEdge
from app.reject.encoder import GpioEncoder, VirtualEncoder
from app.reject.lineio import Edge, Encoder
from app.reject.pins import pin_failures
from app.reject.wiring import Channel, WiredGate, WiredLine, WiredPermit, WiredSwitch, Wiring

QUEUE_EDGES = 1024


class GpioLine:
    """The line's inputs and outputs on GPIO pins; a `LineIO`.

    An input that is active at the start makes no edge, but `is_active` says so. Edges of inputs with different debounce
    times are in order within one call of `edges`; an edge that took longer to confirm may be older than those of the
    call before. Raw edges wait in a queue of `QUEUE_EDGES`: what does not fit is counted in `lost_edges`, `tick`
    reports it as a fault, and every input is read afresh.

    A virtual encoder is fed by the raw edges of the input `running`, without its debounce time, so that it counts from
    the instant of the change.

    Edges may be reported from the factory's own thread. All else belongs to the thread that ticks.

    Args:
        line: The settings.
        clock: The clock that edges are stamped with and that the `now_ns` of commands come from.
        pin_factory: The gpiozero factory; it stays open.
        encoder: The belt position. It is closed with the line.

    Attributes:
        encoder: The belt position.
        lost_edges: Raw edges that found a queue full, here or in the factory.

    Raises:
        ConfigError: A pin does not exist, is claimed twice, or cannot be pulled the way its polarity needs.
        LineError: A pin cannot be had. What was claimed before is let go again.
    """

    def __init__(self, line: Line, clock: Clock, pin_factory: Any, encoder: Encoder) -> None:
        self.encoder = encoder
        self.lost_edges = 0
        self._clock = clock
        self._lost_told = self._lost_mended = 0
        self._raw: deque[tuple[Channel, RawEdge]] = deque()
        self._edges: list[Edge] = []
        self._virtual = encoder if isinstance(encoder, VirtualEncoder) else None
        self._is_open = True
        # A factory that can be waited on hands its edges over when it is asked to; others have threads of their own.
        self._pump: Callable[[], None] = getattr(pin_factory, "pump", _nothing)
        self._factory_fileno: Callable[[], int] | None = getattr(pin_factory, "fileno", None)
        self._factory = pin_factory
        self._factory_lost = 0
        self._bell: int | None = None
        with ExitStack() as opened:
            wiring = Wiring(clock, pin_factory, pins_of(line), opened, self._take)
            self._permit = WiredPermit(line.permit, wiring) if line.permit else None
            self._gates = {gate.destination: WiredGate(gate, wiring) for gate in line.gates}
            self._lines = {
                name: WiredLine(name, each, line.handshake.refresh_ms, wiring)
                for name, each in line.handshake.outputs.items()
            }
            self._inputs = {name: Channel(name, each, wiring) for name, each in inputs_of(line).items()}
            opened.pop_all()
        self._outputs: list[WiredSwitch | WiredPermit] = [
            *([self._permit] if self._permit else []),
            *self._lines.values(),
            *self._gates.values(),
        ]
        contacts = (output.proof.contact for output in self._outputs)
        self._channels = [*self._inputs.values(), *(contact for contact in contacts if contact)]
        if self._virtual:
            self._virtual.on_running(self.is_active("running"), clock.now_ns())

    @property
    def glitches(self) -> Mapping[str, int]:
        """Bursts too short to be an edge, by input."""
        return {channel.name: channel.debounce.glitches for channel in self._channels}

    def edges(self) -> Sequence[Edge]:
        """The edges confirmed since the last call, oldest first."""
        if self._is_open:
            self._pump()
            lost = getattr(self._factory, "lost_edges", 0)
            if lost != self._factory_lost:
                self.lost_edges += lost - self._factory_lost
                self._factory_lost = lost
            if self._bell is not None:
                with suppress(BlockingIOError):
                    os.eventfd_read(self._bell)
            self._settle(self._clock.now_ns())
        edges, self._edges = self._edges, []
        return sorted(edges, key=lambda edge: edge.at_ns)

    def fileno(self) -> int:
        """A descriptor to wait on: it becomes readable when there may be edges, and stays so until `edges`."""
        if self._factory_fileno is not None:
            return self._factory_fileno()
        if self._bell is None:
            self._bell = os.eventfd(len(self._raw), os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        return self._bell

    def is_active(self, name: str) -> bool:
        """The present, debounced state of an input; `False` for one that is not wired and after `close`."""
        channel = self._inputs.get(name)
        return self._is_open and channel is not None and channel.debounce.is_active

    def set_gate(self, destination: str, is_rejecting: bool, now_ns: int) -> None:
        """Moves a gate. Called again with the same state it refreshes a held output.

        Raises:
            ActuationError: No gate has this destination, the pin refused or did not take its level, or the line is
                closed. The gate is then switched off, its safe state, as soon as that works.
        """
        gate = self._gates.get(destination)
        if gate is None:
            raise ActuationError(f"no gate serves the destination {destination!r}", "correct the recipe or the line")
        gate.command(now_ns, is_rejecting=is_rejecting)

    def set_line(self, name: str, is_on: bool, now_ns: int) -> None:
        """Switches a handshake line, or refreshes it; does nothing for one that is not wired.

        Raises:
            ActuationError: The pin refused or did not take its level, or the line is closed. The output is then
                switched off as soon as that works.
        """
        wired = self._lines.get(name)
        if wired is not None:
            wired.switch(now_ns, is_on=is_on)

    def toggle_permit(self, now_ns: int) -> None:
        """Gives the permit relay one more edge; does nothing where there is none.

        Once given, the permit has to be toggled again within `hold_ms`, or be dropped by `drop_permit`: the relay drops
        by itself either way, but toggles that stay out unannounced are a fault.

        Raises:
            ActuationError: The pin refused or did not take its level, or the line is closed.
        """
        if self._permit:
            self._permit.toggle(now_ns)

    def drop_permit(self) -> None:
        """Sets the permit output low. Does nothing where there is none, and after `close`.

        The last edge may hold the relay for up to `hold_ms` more.

        Raises:
            ActuationError: The pin refused or did not take its level.
        """
        if self._permit and self._is_open:
            self._permit.drop(self._clock.now_ns())

    def tick(self, now_ns: int) -> Sequence[str]:
        """Enforces minimum and maximum on-time and refresh, compares read-backs and tells of lost edges.

        Returns:
            One sentence per fault found since the last call; each is a latched stop.
        """
        if not self._is_open:
            return ()
        self._settle(now_ns)
        faults = [fault for output in self._outputs for fault in output.tick(now_ns)]
        lost, self._lost_told = self.lost_edges - self._lost_told, self.lost_edges
        if lost:
            faults.append(f"{lost} edges of inputs were lost, the queue was full; find a sensor that chatters")
        return faults

    def next_due_ns(self) -> int | None:
        """When `tick` must be called next, or `None`; now, while edges wait to be fetched."""
        if not self._is_open:
            return None
        if self._raw or self._edges:
            return self._clock.now_ns()
        dues = [due_ns for output in self._outputs for due_ns in output.due_ns()]
        dues += [channel.debounce.due_ns() for channel in self._channels]
        return min((due_ns for due_ns in dues if due_ns is not None), default=None)

    def close(self) -> None:
        """Switches every output off, the permit first, and lets all pins go. Idempotent.

        Raises:
            ActuationError: An output could not be switched off; all pins are let go nevertheless.
        """
        if not self._is_open:
            return
        self._is_open = False
        failures = [error for error in map(_closing_error, self._outputs) if error]
        for channel in self._channels:
            channel.pin.close()
        self.encoder.close()
        if self._bell is not None:
            os.close(self._bell)
            self._bell = None
        if failures:
            raise ActuationError(", ".join(error.what for error in failures), failures[0].mend)

    def _take(self, channel: Channel, is_active: bool, at_ns: int) -> None:
        if self._virtual and channel.name == "running":
            self._virtual.on_running(is_active, at_ns)
        if len(self._raw) >= QUEUE_EDGES:
            self.lost_edges += 1
            return
        self._raw.append((channel, RawEdge(is_active, at_ns, self.encoder.read(at_ns).count)))
        if self._bell is not None:
            os.eventfd_write(self._bell, 1)

    def _settle(self, now_ns: int) -> None:
        while self._raw and len(self._edges) < QUEUE_EDGES:
            channel, raw = self._raw.popleft()
            self._confirm(channel, channel.debounce.push(raw))
        if self._raw:
            return
        if self._lost_mended != self.lost_edges:
            self._lost_mended = self.lost_edges
            count = self.encoder.read(now_ns).count
            for channel in self._channels:
                self._confirm(channel, channel.debounce.push(RawEdge(channel.pin.is_active(), now_ns, count)))
        for channel in self._channels:
            self._confirm(channel, channel.debounce.settle(now_ns))

    def _confirm(self, channel: Channel, edge: RawEdge | None) -> None:
        if edge and channel.name in self._inputs:
            self._edges.append(Edge(channel.name, edge.is_active, edge.at_ns, edge.count))


def _nothing() -> None:
    """Fetches nothing: the edges have come already."""


def _closing_error(output: WiredSwitch | WiredPermit) -> ActuationError | None:
    try:
        output.close()
    except ActuationError as error:
        return error
    return None


def open_line(line: Line, clock: Clock, pin_factory: Any = None, root: Path = Path("/")) -> GpioLine:
    """Opens the line's encoder, inputs and outputs.

    Args:
        line: The settings.
        clock: The clock that edges are stamped with.
        pin_factory: The gpiozero factory; without one, gpiozero's own choice for this board.
        root: The root of the file system, where a counter of the kernel is looked for.

    Returns:
        The line, all outputs safe; its `encoder` is closed with it.

    Raises:
        ConfigError: A pin does not exist, is claimed twice, or cannot be pulled the way its polarity needs.
        LineError: A pin cannot be had, or this board's pins cannot. Nothing stays claimed.
    """
    factory = pin_factory if pin_factory is not None else _default_factory()
    encoder = _open_encoder(line, clock, factory, root)
    try:
        return GpioLine(line, clock, factory, encoder)
    except BaseException:
        encoder.close()
        raise


def _open_encoder(line: Line, clock: Clock, pin_factory: Any, root: Path) -> Encoder:
    settings = line.encoder
    if settings.a is not None and settings.b is not None and settings.driver == "gpio":
        return GpioEncoder(
            settings.a,
            settings.b,
            clock=clock,
            pin_factory=pin_factory,
            claims=pins_of(line),
            is_reversed=settings.reverse,
        )
    if settings.counter is not None and settings.driver == "counter":
        fastest_counts_s = line.belt.v_max_mm_s * settings.counts_per_mm
        return CounterEncoder(settings.counter, fastest_counts_s, clock=clock, is_reversed=settings.reverse, root=root)
    assert settings.speed_mm_s is not None, "a Line with a virtual encoder has its speed"
    return VirtualEncoder(settings.counts_per_mm, settings.speed_mm_s)


def _default_factory() -> Any:
    with warnings.catch_warnings(record=True) as tried:
        warnings.simplefilter("always")
        try:
            Device.ensure_pin_factory()
        except pin_failures() as error:
            causes = "; ".join(str(each.message) for each in tried) or str(error)
            raise LineError(
                f"gpiozero finds no way to the pins of this machine ({causes})",
                "install the library of its board, or name a pin factory in GPIOZERO_PIN_FACTORY",
            ) from error
    for each in tried:
        warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    return Device.pin_factory
