"""Runs the rows of the process table as children: starts them, watches them, starts them again, ends them in order.

Nothing here is needed for the line to be safe. A station whose supervisor is gone goes on until it is told to end, and
one that is gone itself is made safe by the permit relay.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from app.bus.block import BlockWriter
from app.bus.place import Place
from app.child import Child, Say
from app.clock import NS_PER_MS, NS_PER_S, Clock
from app.ending import ending_on_signals
from app.processes import Kind, Process, cores_of
from app.signs import Watch
from app.support.supervised import BLOCK, BLOCK_BYTES, MOST_ENDINGS, ChildStatus, End, Supervised, encode_supervised

LOOK_S = 0.05
"""Children are looked after so often; a station that has ended is started again as soon."""

REAP_NS = NS_PER_S
"""What was killed is waited for so long; the kernel may be held up by a disk."""

_STATUS_NS = NS_PER_S // 4


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended.

    Attributes:
        exit_code: For the process that ran it.
        sentence: What a person should know; empty when it was ended as wished.
    """

    exit_code: int = 0
    sentence: str = ""


class Supervisor:
    """The processes of a box under one parent.

    Args:
        rows: The table; they start in its order.
        place: Where they meet. The caller holds its lock `supervisor`.
        clock: Time.
        command: Makes the command line of a row.
        watch: Makes the watch over a row.
        say: Takes what a person should read: a process's name and a line.
        pause: Waits so many seconds.
    """

    def __init__(
        self,
        rows: Sequence[Process],
        place: Place,
        *,
        clock: Clock,
        command: Callable[[Process], Sequence[str]],
        watch: Callable[[Process], Watch],
        say: Say,
        pause: Callable[[float], None],
    ) -> None:
        available = sorted(os.sched_getaffinity(0))
        self.children = tuple(Child(row, command(row), cores_of(row, rows, available), watch(row), say) for row in rows)
        self._clock = clock
        self._say = say
        self._pause = pause
        self._is_wanted = True
        self._status = BlockWriter(status_path(place), BLOCK_BYTES)
        self._told: tuple[object, ...] = ()
        self._told_ns = 0
        self._ends: deque[End] = deque(maxlen=MOST_ENDINGS)

    def run(self, on_look: Callable[[], None] = lambda: None) -> Ending:
        """Runs until `stop` is called or a signal asks to end, and ends all within two seconds.

        Args:
            on_look: Called after each look at the children; it must not block.

        Returns:
            Exit code 0 after a wish to end, that of an essential process which cannot start as things are, or 1 where
            a station had to be killed.
        """
        with ending_on_signals(self.stop):
            try:
                return self._run(on_look)
            finally:
                for child in self.children:
                    child.retire()
                    child.kill("killed")
                self._wait_for(self.children, self._clock.now_ns() + REAP_NS)
                self._publish()
                self._status.close()

    def stop(self) -> None:
        """Asks `run` to end; may be called by a signal handler."""
        self._is_wanted = False

    def statuses(self) -> tuple[ChildStatus, ...]:
        """How each process is."""
        return tuple(
            ChildStatus(
                name=child.row.name,
                kind=child.row.kind.value,
                lane=child.row.lane,
                pid=child.pid,
                since_ns=child.since_ns,
                is_alive=child.is_running and child.watch.is_alive,
                age_ms=round(child.watch.age_ms, 1),
                restarts=max(0, child.starts - 1),
                last_exit=child.last_exit,
            )
            for child in self.children
        )

    def _run(self, on_look: Callable[[], None]) -> Ending:
        ending = Ending()
        while self._is_wanted:
            self._look()
            refusal = next((child.refusal for child in self.children if child.refusal), None)
            if refusal:
                ending = Ending(refusal.exit_code, refusal.sentence)
                break
            on_look()
            if self._is_wanted:
                self._pause(LOOK_S)
        killed = self._end()
        if killed and not ending.exit_code:
            return Ending(
                1, f"{', '.join(killed)} did not end when asked to and was killed: the permit relay made it safe"
            )
        return ending

    def _look(self) -> None:
        for child in self.children:
            had_run = child.is_running
            child.look(self._clock.now_ns())
            if had_run and not child.is_running:
                self._ends.append(End(child.row.name, child.since_ns, child.last_exit))
        now_ns = self._clock.now_ns()
        facts = tuple((child.pid, child.starts, child.watch.is_alive) for child in self.children)
        if facts != self._told or now_ns - self._told_ns >= _STATUS_NS:
            self._told, self._told_ns = facts, now_ns
            self._publish()

    def _end(self) -> list[str]:
        """Ends the stations first, as they make the outputs safe, then the others.

        Returns:
            The stations that had to be killed.
        """
        for child in self.children:
            child.retire()
        killed = []
        # From here on all limits count, so that what one step takes longer is not added to the next.
        until_ns = self._clock.now_ns()
        in_order = sorted(self.children, key=lambda child: child.row.stop.order)
        for _, group in groupby(in_order, key=lambda child: child.row.stop.order):
            children = list(group)
            for child in children:
                child.terminate()
            until_ns += round(max(child.row.stop.limit_ms for child in children) * NS_PER_MS)
            self._wait_for(children, until_ns)
            late = [child for child in children if child.is_running]
            for child in late:
                child.kill(f"killed, as it did not end within {child.row.stop.limit_ms / 1000:g} s")
            killed += [child.row.name for child in late if child.row.kind is Kind.STATION]
            self._wait_for(late, self._clock.now_ns() + REAP_NS)
        return killed

    def _wait_for(self, children: Sequence[Child], until_ns: int) -> None:
        while any(child.is_running for child in children) and self._clock.now_ns() < until_ns:
            self._look()
            self._pause(LOOK_S / 5)

    def _publish(self) -> None:
        said = Supervised(self._clock.now_ns(), os.getpid(), self.statuses(), tuple(self._ends))
        self._status.write(encode_supervised(said))


def status_path(place: Place) -> Path:
    """Where the supervisor says how the processes are: JSON in a block."""
    return place.root / BLOCK
