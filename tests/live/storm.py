"""A line whose processes are killed and suspended at moments that nobody chose, and what must hold each time."""

from __future__ import annotations

import os
import signal
import time
from collections import defaultdict
from random import Random

from app.status import State
from tests.live.audit import Witness
from tests.live.box import LOOK_S, PATIENCE_S, Box, wait_until

PITCH_S = 0.2
HOLD_MS = 100.0
LATE_MS = 10.0
"""A machine that was later than this with what it does looks to the box like one that is broken."""


class Storm:
    """Strikes at one process or another.

    Args:
        box: The box, whose line goes on however many parts are rejected.
        seed: Of the moments.
    """

    def __init__(self, box: Box, seed: int) -> None:
        self.figures: dict[str, list[float]] = defaultdict(list)
        self.resets = 0
        self.witness = Witness(box)
        self._box = box
        self._random = Random(seed)

    def strike_station(self, number: signal.Signals) -> None:
        """The permit drops, the station comes back, and the line runs again with the belt purged."""
        pid, epoch = self._aim("station"), self._box.status().epoch
        struck_ns = time.monotonic_ns()
        os.kill(pid, number)
        wait_until(lambda: not self.witness.look()["permit"]["is_on"], "the permit drops", 5.0)
        truth = self.witness.look()
        dropped_ns = truth["permit"]["since_ns"]
        self._note(f"permit after {number.name}, ms", (dropped_ns - struck_ns) / 1e6)
        assert dropped_ns - struck_ns <= (HOLD_MS + truth["late_ms"]) * 1e6
        wait_until(lambda: self._box.status().epoch == epoch + 1, "the station comes back")
        self._recover(struck_ns, f"station after {number.name}, s")

    def strike_capture(self, number: signal.Signals) -> None:
        """The line goes on and rejects what it does not see."""
        pid, before = self._aim("capture-top"), self._box.status()
        struck_ns = time.monotonic_ns()
        os.kill(pid, number)
        self._watch_until_back({"capture-top": pid}, before.epoch)
        self._recover(struck_ns, f"capture after {number.name}, s")

    def strike_bystanders(self, number: signal.Signals) -> None:
        """The line does not notice that recorder and page are gone: nothing stops and no trigger is missed."""
        pids = {name: self._aim(name) for name in ("recorder", "web")}
        before, parts = self._box.status(), self.witness.look()["parts"]
        struck_ns = time.monotonic_ns()
        for pid in pids.values():
            os.kill(pid, number)
        self._watch_until_back(pids, before.epoch, is_seeing=True)
        after, more = self._box.status(), self.witness.look()["parts"]
        assert abs((more - parts) - (after.tally.triggers - before.tally.triggers)) <= 1
        self._recover(struck_ns, f"recorder and web after {number.name}, s")

    def _aim(self, name: str) -> int:
        """Waits until all is well, and then for a moment between two parts."""
        self.resets += self._box.run_on()
        wait_until(self._box.is_whole, f"every process lives: {self._box.children()}")
        self.witness.look()
        time.sleep(self._random.uniform(0, 2 * PITCH_S))
        return self._box.pid(name)

    def _watch_until_back(self, pids: dict[str, int], epoch: int, *, is_seeing: bool = False) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while any(self._box.pid(name) in (0, pid) for name, pid in pids.items()) or not self._box.is_whole():
            status = self._box.status()
            if self.witness.look()["late_ms"] < LATE_MS:
                assert status.epoch == epoch
                assert status.state is not State.STOPPED, status.why
                assert status.state is State.RUNNING or not is_seeing, status.why
            assert time.monotonic() < end_s, self._box.children()
            time.sleep(5 * LOOK_S)

    def _recover(self, struck_ns: int, what: str) -> None:
        self.resets += self._box.run_on()
        self._note(what, (time.monotonic_ns() - struck_ns) / 1e9)
        self.witness.look()

    def _note(self, what: str, figure: float) -> None:
        self.figures[what].append(round(figure, 3))
