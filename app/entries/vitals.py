"""What the accelerator's process shows of itself: heat, clock and power of its device, and what it serves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from app.bus.block import BlockWriter
from app.clock import NS_PER_S, Clock
from app.health.health import AcceleratorHealth
from app.health.report import BLOCK_BYTES, Report, Served, encode_report

BEAT_NS = NS_PER_S
"""So often the device is asked; what it answers is fetched at the next beat, so that nobody waits for a driver."""


class Vitals:
    """Writes the process's status block, in the thread that serves, while no question waits.

    Args:
        path: The block.
        health: The device; answers at once.
        clock: Time.

    Raises:
        BusError: Another process writes the block, or it cannot be made.
    """

    def __init__(self, path: Path, health: AcceleratorHealth, clock: Clock) -> None:
        self._block = BlockWriter(path, BLOCK_BYTES)
        self._health = health
        self._clock = clock
        now_ns = clock.now_ns()
        self._said = Report(now_ns, now_ns, is_serving=False, serves=(), health=health.read())
        self._next_ns = 0
        self.look()

    def serve(self, serves: Sequence[Served]) -> None:
        """From now on it answers, with these."""
        self._said = replace(self._said, since_ns=self._clock.now_ns(), is_serving=True, serves=tuple(serves))
        self._next_ns = 0
        self.look()

    def look(self) -> None:
        """Asks the device, and writes what it has answered, if that is due."""
        now_ns = self._clock.now_ns()
        if now_ns < self._next_ns:
            return
        self._next_ns = now_ns + BEAT_NS
        self._said = replace(self._said, at_ns=now_ns, health=self._health.read())
        self._block.write(encode_report(self._said))

    def close(self) -> None:
        """Lets go of block and device. Idempotent."""
        self._health.close()
        self._block.close()
