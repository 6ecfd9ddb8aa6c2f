"""What the standby of a station can do: how long it takes where it has to step in, and which speed it holds alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.clock import NS_PER_MS, Clock
from app.config import Line
from app.detect.curtain import Shown
from app.detect.detector import Detector

EVICTED_BYTES = 24 << 20
"""More than the caches of the cores that stations run on; whatever lay there has to be fetched again."""

MS_PER_S = 1000.0
_CACHE_LINE = 64


def slowest_of(detector: Detector, frames: Sequence[Shown], clock: Clock, samples: int = 15, rounds: int = 4) -> int:
    """The longest time in ns that a detector takes for a golden frame out of a row, in the quietest of some rounds.

    A standby steps in after hours in which others had the caches, and is slower then than in a row of its own: 3.6 ms
    against 2.2 in the middle (pcb-nano-int8 on OpenVINO, two shared x86-64 cores). So the caches are filled with
    something else before each. The quietest round counts, as a station starts together with all the others, and what
    they load meanwhile must not count as its own time for good.
    """
    others = np.zeros(EVICTED_BYTES, np.uint8)
    return min(_slowest_ns(detector, frames, clock, samples, others) for _ in range(rounds))


def _slowest_ns(
    detector: Detector, frames: Sequence[Shown], clock: Clock, samples: int, others: NDArray[np.uint8]
) -> int:
    slowest_ns = 0
    for index in range(samples):
        shown = frames[index % len(frames)]
        others[::_CACHE_LINE] += 1
        since_ns = clock.now_ns()
        detector.detect(shown.image, shown.golden)
        slowest_ns = max(slowest_ns, clock.now_ns() - since_ns)
    return slowest_ns


@dataclass(frozen=True, slots=True)
class Hold:
    """What the standby holds of a line's speed when it judges alone.

    Attributes:
        judged_ns: How long a picture takes from the begin of its judging to its findings.
        speed_mm_s: At this speed of the belt every part still has its verdict in time.
        wanted_mm_s: The line's own fastest.
        because: What limits it, in words.
    """

    judged_ns: int
    speed_mm_s: float
    wanted_mm_s: float
    because: str

    @property
    def is_enough(self) -> bool:
        """The line may run as fast as it does."""
        return self.speed_mm_s >= self.wanted_mm_s

    @property
    def text(self) -> str:
        """The same in one sentence."""
        speed = f"the standby holds {self.speed_mm_s:.0f} mm/s"
        if self.is_enough:
            return f"{speed}, and the line runs at {self.wanted_mm_s:g} at most"
        return f"{speed} and the line runs at up to {self.wanted_mm_s:g}: {self.because}"


def hold_of(line: Line, judged_ns: int) -> Hold:
    """Which speed of a line one detector holds.

    Pictures must not come faster than they are judged, and each verdict must be there at the cut-off of every gate
    (REJECT_TRACKING, rule 4).

    Args:
        line: The line.
        judged_ns: How long a picture takes at its slowest, its preparation included.
    """
    wanted = line.belt.v_max_mm_s
    judged_ms, pictures = judged_ns / NS_PER_MS, len(line.cameras)
    takes = f"a part's {pictures} pictures take" if pictures > 1 else "a picture takes"
    gap_ms = MS_PER_S * line.part.min_pitch_mm / wanted
    because = f"{takes} {pictures * judged_ms:.1f} ms, and at full speed a part comes every {gap_ms:.1f}"
    limits = [(MS_PER_S * line.part.min_pitch_mm / (pictures * judged_ms), because)]
    for camera, gate, there_mm, other_ms in _ways(line):
        total_ms = other_ms + judged_ms
        because = f"from camera {camera!r} to gate {gate!r} a verdict takes {total_ms:.1f} ms in all"
        limits.append((MS_PER_S * there_mm / total_ms, because))
    speed, because = min(limits)
    return Hold(judged_ns, min(speed, wanted), wanted, because)


def picture_ms_of(line: Line) -> float:
    """How long judging a picture may take at most at a line's full speed, whatever the budget says, in ms."""
    wanted = line.belt.v_max_mm_s
    ways = [MS_PER_S * there_mm / wanted - other_ms for _, _, there_mm, other_ms in _ways(line)]
    return min(MS_PER_S * line.part.min_pitch_mm / wanted / len(line.cameras), *ways)


def _ways(line: Line) -> Iterator[tuple[str, str, float, float]]:
    """From each camera to each gate: their names, the belt between them in mm, and what but judging takes, in ms."""
    for gate in line.gates:
        for camera in line.cameras:
            there_mm = gate.position_mm + gate.offset_mm - camera.position_mm
            other_ms = camera.exposure_ms + camera.transfer_ms + gate.lag_ms + gate.margin_ms
            yield camera.name, gate.destination, there_mm, other_ms
