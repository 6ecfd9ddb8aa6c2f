"""Whether a detector grows slow, told from its latencies before a part is missed. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.clock import NS_PER_MS
from app.errors import DetectorError

WINDOW = 64
MOST_ABOVE = 32
"""More of the window than this above the middle limit: the window's median lies above it."""

MOST_IN_TAIL = 16
TOLERANCE = 1.25
FEWEST_PROVEN = 20


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a detector took when it was proven.

    Attributes:
        p50_ns: Median.
        p99_ns: 99th percentile.
    """

    p50_ns: int
    p99_ns: int

    def __post_init__(self) -> None:
        if not 0 < self.p50_ns <= self.p99_ns:
            raise DetectorError(
                f"a detector cannot have taken {self.p50_ns} ns in the middle and {self.p99_ns} ns at most",
                "prove it again",
            )


def envelope_of(taken_ns: Sequence[int]) -> Envelope:
    """The envelope of a burst of inferences.

    Args:
        taken_ns: What each took; at least 20, better 200: the 99th percentile of fewer is their longest.

    Raises:
        DetectorError: Too few, or times that cannot be.
    """
    if len(taken_ns) < FEWEST_PROVEN:
        raise DetectorError(
            f"{len(taken_ns)} inferences do not tell what a detector takes", f"time {FEWEST_PROVEN} or more"
        )
    p50_ns, p99_ns = (round(float(each)) for each in np.percentile(np.asarray(taken_ns, np.float64), (50, 99)))
    return Envelope(p50_ns, p99_ns)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a detector has been of late.

    Attributes:
        count: So many inferences these figures are of.
        p50_ns: Their median.
        p99_ns: Their 99th percentile.
        above: How many took longer than the middle limit.
        in_tail: How many took longer than the tail's limit.
        ratio: The median over that of the proof.
    """

    count: int
    p50_ns: int
    p99_ns: int
    above: int
    in_tail: int
    ratio: float


class SlowTrend:
    """Watches the latencies of a detector against its envelope.

    Two limits come of the envelope: the middle one, 1.25 times its median, and the tail's, its 99th percentile or the
    middle one, whichever is longer. Over the last 64 inferences the detector is slow once

    - more than 32 took longer than the middle limit: their median has shifted (the sign test, W. J. Conover, Practical
      Nonparametric Statistics, 3.4), or
    - more than 16 took longer than the tail's limit: every fourth is slow, as under a clock that comes and goes.

    Counts, not sums, so single times may be as long as they like: 16 of 64 never raise an alarm. When all inferences
    grow 1.5 times as long it comes after 17 to 21 of them where the times scatter by 10% or less, and within 64 where
    they scatter by 30% (standard deviation of the logarithm). Of times that do not change, each independent of the
    others, a window raises a false alarm by the first rule with a chance of 5 in 10 million at a scatter of 30% (23%
    of them above the middle limit) and of 3 in 10^13 at 20%, and by the second rule of 1 in 100 million even where the
    proof took the 95th percentile for the 99th; all by the binomial distribution. Nothing is allocated per inference.

    Once slow it stays so until `reset`: a detector that was found slow is not trusted again without a new proof.

    Args:
        envelope: What it took at its proof.

    Attributes:
        is_slow: It has grown slow since the proof.
    """

    def __init__(self, envelope: Envelope) -> None:
        self._ring = array("q", bytes(8 * WINDOW))
        self.reset(envelope)

    def reset(self, envelope: Envelope | None = None) -> None:
        """Begins anew after a proof.

        Args:
            envelope: What the proof found; by default the old one holds.
        """
        if envelope is not None:
            self._envelope = envelope
            self._middle_ns = round(TOLERANCE * envelope.p50_ns)
            self._tail_ns = max(envelope.p99_ns, self._middle_ns)
        self.is_slow = False
        self._count = self._above = self._in_tail = 0
        for index in range(WINDOW):
            self._ring[index] = 0

    def note(self, took_ns: int) -> bool:
        """Adds one inference.

        Args:
            took_ns: How long it took; 0 or more.

        Returns:
            Whether the detector is slow.
        """
        place = self._count % WINDOW
        gone_ns = self._ring[place]
        self._ring[place] = took_ns
        self._count += 1
        # What was never measured is 0 and counts for neither.
        self._above += (took_ns > self._middle_ns) - (gone_ns > self._middle_ns)
        self._in_tail += (took_ns > self._tail_ns) - (gone_ns > self._tail_ns)
        if self._above > MOST_ABOVE or self._in_tail > MOST_IN_TAIL:
            self.is_slow = True
        return self.is_slow

    def pace(self) -> Pace:
        """The figures of the last 64 inferences, or of as many as there are. Allocates, so ask seldom."""
        count = min(self._count, WINDOW)
        if not count:
            return Pace(0, 0, 0, 0, 0, 0.0)
        taken = np.frombuffer(self._ring, np.int64)[:count]
        p50_ns, p99_ns = (round(float(each)) for each in np.percentile(taken, (50, 99)))
        return Pace(count, p50_ns, p99_ns, self._above, self._in_tail, p50_ns / self._envelope.p50_ns)

    def in_words(self) -> str:
        """What is slow and by how much; empty while nothing is."""
        if not self.is_slow:
            return ""
        pace, was = self.pace(), self._envelope
        text = (
            f"the last {pace.count} inferences took {pace.p50_ns / NS_PER_MS:.2f} ms in the middle,"
            f" {pace.ratio:.2f} times the {was.p50_ns / NS_PER_MS:.2f} ms of its proof"
        )
        if pace.in_tail:
            text += f", {pace.in_tail} of them more than {self._tail_ns / NS_PER_MS:.2f} ms"
        return text
