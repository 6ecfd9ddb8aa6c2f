"""Detectors timed against each other on one machine, in one run, in turns.

In turns, as a machine's clock and load change within seconds: whoever is timed a minute later meets another machine.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.clock import NS_PER_MS, Clock
from app.detect.detector import Detector
from app.types import Image

TURN = 10
"""Pictures of one turn that count; one before them, which brings the model back into the caches, does not."""

BREATH_S = 0.002
"""Between turns: a runtime's threads wait for more work by computing, and must not do so in the next one's turn."""

BUSY_SHARE = 0.5
"""A machine on which so many others per core want to compute before the run is busy, and the figures are too long."""

_POLICIES = {os.SCHED_OTHER: "SCHED_OTHER", os.SCHED_FIFO: "SCHED_FIFO", os.SCHED_RR: "SCHED_RR"}


@dataclass(frozen=True, slots=True)
class Times:
    """How long a detector takes for a picture.

    Attributes:
        count: Pictures that count.
        p50_ms: The median.
        p95_ms: 95th percentile.
        p99_ms: 99th percentile.
        max_ms: The longest.
    """

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class Machine:
    """What the figures of a run are worth.

    Attributes:
        cores: Cores that this process may use.
        load_before: Processes that wanted to compute, mean of the minute before the run.
        load_after: The same after it; the run is one of them.
        scheduling: Class and priority of the thread that judged.
    """

    cores: int
    load_before: float
    load_after: float
    scheduling: str

    @property
    def is_busy(self) -> bool:
        """Others were computing already when the run began."""
        return self.load_before > BUSY_SHARE * self.cores


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A picture in memory.

    Attributes:
        image: uint8, (height, width) or (height, width, 3) BGR.
        golden: Its golden sample, where the model wants one.
    """

    image: Image
    golden: Image | None


OnRound = Callable[[], None]


def time_in_turns(
    detectors: Sequence[Detector],
    shots: Sequence[Sequence[Shot]],
    rounds: int,
    clock: Clock,
    on_round: OnRound = lambda: None,
    breathe: Callable[[float], None] = time.sleep,
) -> tuple[Times, ...]:
    """Times `detect`, from the picture in memory to detections, of several detectors in turns of `TURN` pictures.

    The one that begins is another in each round.

    Args:
        detectors: Open and warm.
        shots: Each one's pictures, shown over and over.
        rounds: How many turns each has.
        clock: Measures.
        on_round: Called after each round.
        breathe: Waits between two turns.

    Returns:
        Each one's times.

    Raises:
        DetectorError: One failed.
    """
    taken_ns = np.zeros((len(detectors), rounds, TURN), np.int64)
    for number in range(rounds):
        for place in range(len(detectors)):
            who = (number + place) % len(detectors)
            breathe(BREATH_S)
            _turn(detectors[who], shots[who], number, clock, taken_ns[who, number])
        on_round()
    return tuple(times_of(each.reshape(-1)) for each in taken_ns)


def times_of(taken_ns: NDArray[np.int64]) -> Times:
    """The figures of a row of times in ns; at least one."""
    p50, p95, p99 = (float(each) / NS_PER_MS for each in np.percentile(taken_ns.astype(np.float64), (50, 95, 99)))
    return Times(
        len(taken_ns), round(p50, 4), round(p95, 4), round(p99, 4), round(float(taken_ns.max()) / NS_PER_MS, 4)
    )


def look_at_machine(load_before: float) -> Machine:
    """The machine after a run.

    Args:
        load_before: What `load` said before it.
    """
    return Machine(len(os.sched_getaffinity(0)), load_before, load(), scheduling())


def load() -> float:
    """Processes that wanted to compute, mean of the last minute."""
    return round(os.getloadavg()[0], 2)


def scheduling() -> str:
    """Class and priority of the calling thread, in the kernel's words."""
    policy = os.sched_getscheduler(0) & ~getattr(os, "SCHED_RESET_ON_FORK", 0)
    name = _POLICIES.get(policy, f"policy {policy}")
    priority = os.sched_getparam(0).sched_priority
    return f"{name} {priority}" if priority else name


def _turn(detector: Detector, shots: Sequence[Shot], number: int, clock: Clock, taken_ns: NDArray[np.int64]) -> None:
    for index in range(-1, TURN):
        shot = shots[(number * TURN + index) % len(shots)]
        since_ns = clock.now_ns()
        detector.detect(shot.image, shot.golden)
        if index >= 0:
            taken_ns[index] = clock.now_ns() - since_ns
