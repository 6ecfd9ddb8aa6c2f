"""Two models on the same pictures, one beside the other: what they say, and how long they take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.cli.judging import Judged, Judging
from app.cli.pictures import Exhibit
from app.clock import NS_PER_MS
from app.detect.package import GoldenFrame, Package
from app.errors import UsageError
from app.latency import LatencyLedger
from app.types import Detection, Image

MOST_SHOWN = 24
"""Disagreements whose pictures are kept for the sheet."""

KEPT_PX = 640
"""Longest side of such a picture."""

LEAST_TIMED = 60
"""Judgements that percentiles need; few pictures are judged again until there are so many."""

LEAST_IOU = 0.3
"""Boxes of one class that overlap at least so much mean the same thing."""

Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two.

    Attributes:
        package: Its model.
        runtime: What runs it.
        threshold: What scores so much is a defect.
        unproven: Why its golden frames do not reproduce here; empty where they do.
    """

    package: Package
    runtime: str
    threshold: float
    unproven: str


@dataclass(frozen=True, slots=True)
class Pair:
    """One picture, judged by both.

    Attributes:
        one: What the first said, without pixels.
        other: What the second said.
        score_gap: How far the score of one finding differs at most; a finding that only one has counts in full.
    """

    one: Judged
    other: Judged
    score_gap: float

    @property
    def is_different(self) -> bool:
        """The part would be sent elsewhere."""
        return self.one.verdict.destination != self.other.verdict.destination


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of it.

    Attributes:
        sides: The two.
        pairs: Every picture.
        shown: The first disagreements with pictures small enough to keep.
        latencies: What each took from picture in memory to verdict, in the stage `total`.
    """

    sides: tuple[Side, Side]
    pairs: tuple[Pair, ...]
    shown: tuple[tuple[Exhibit, Exhibit], ...]
    latencies: tuple[LatencyLedger, LatencyLedger]

    @property
    def different(self) -> tuple[Pair, ...]:
        """The pictures on which they disagree."""
        return tuple(each for each in self.pairs if each.is_different)


class FrameGoldens:
    """The golden samples of golden frames, by the name of their picture.

    Args:
        frames: The golden frames.
        read: Reads a picture.

    Raises:
        UsageError: A frame has no golden sample, or two pictures of one name have different ones.
    """

    def __init__(self, frames: Sequence[GoldenFrame], read: Callable[[Path], Image]) -> None:
        paths: dict[str, Path] = {}
        for frame in frames:
            if frame.golden is None:
                raise UsageError(
                    f"the golden frame {frame.image} has no golden sample, and a model wants one",
                    "give pictures with --images, and --golden",
                )
            if paths.setdefault(frame.image.name, frame.golden) != frame.golden:
                raise UsageError(
                    f"two golden frames are called {frame.image.name}", "give pictures with --images, and --golden"
                )
        images = {path: read(path) for path in set(paths.values())}
        self._images = {name: images[path] for name, path in paths.items()}

    def find(self, name: str) -> Image:
        """The golden sample of the part whose picture has this file name; the same array each time."""
        return self._images[name]


def compare_on(
    paths: Sequence[Path], sides: tuple[Side, Side], judges: tuple[Judging, Judging], step: Step
) -> Comparison:
    """Judges every picture by both in turn, first one ahead and then the other.

    Neither so has the cooler processor or the warmer cache. Pictures that are too few for percentiles are judged again,
    for the times alone.

    Args:
        paths: The pictures.
        sides: The two.
        judges: Their models, ready.
        step: Called after each picture.
    """
    table = _Timed(judges, (LatencyLedger(("total",)), LatencyLedger(("total",))))
    for judge in judges:
        # The first picture pays for what is set up on it, such as the golden sample.
        judge.judge(1, paths[0])
    pairs: list[Pair] = []
    shown: list[tuple[Exhibit, Exhibit]] = []
    for number, path in enumerate(paths, 1):
        one, other = table.judge(number, path)
        gap = score_gap(_findings(one, sides[0]), other.detections, _findings(other, sides[1]), one.detections)
        pair = Pair(replace(one, image=None), replace(other, image=None), gap)
        if pair.is_different and len(shown) < MOST_SHOWN:
            shown.append((Exhibit.of(one, KEPT_PX), Exhibit.of(other, KEPT_PX)))
        pairs.append(pair)
        step(path.name)
    timed = [path for path, pair in zip(paths, pairs, strict=True) if not pair.one.error and not pair.other.error]
    for count in range(len(timed), LEAST_TIMED if timed else 0):
        table.judge(count, timed[count % len(timed)])
    return Comparison(sides, tuple(pairs), tuple(shown), table.ledgers)


def score_gap(
    one: Iterable[Detection], others: Sequence[Detection], other: Iterable[Detection], ones: Sequence[Detection]
) -> float:
    """How far the score of one finding differs at most.

    Args:
        one: What counts as a defect for the first.
        others: Everything that the second found, defect or not.
        other: What counts as a defect for the second.
        ones: Everything that the first found.

    Returns:
        0 .. 1; a finding whose like the other one does not have at all counts with its whole score.
    """
    gaps = [_gap(each, others) for each in one] + [_gap(each, ones) for each in other]
    return max(gaps, default=0.0)


def _gap(finding: Detection, candidates: Sequence[Detection]) -> float:
    alike = (each.score for each in candidates if each.label == finding.label and iou(each, finding) >= LEAST_IOU)
    return min((abs(finding.score - score) for score in alike), default=finding.score)


def iou(one: Detection, other: Detection) -> float:
    """Intersection over union of two boxes; 0 where one has no area."""
    (x, y, width, height), (other_x, other_y, other_width, other_height) = one.box_px, other.box_px
    across = min(x + width, other_x + other_width) - max(x, other_x)
    down = min(y + height, other_y + other_height) - max(y, other_y)
    common = max(0.0, across) * max(0.0, down)
    whole = width * height + other_width * other_height - common
    return common / whole if whole > 0 else 0.0


@dataclass(slots=True)
class _Timed:
    """The two judges, of whom each goes first every other time.

    Attributes:
        judges: The two.
        ledgers: What they took.
        count: Pictures judged so far.
    """

    judges: tuple[Judging, Judging]
    ledgers: tuple[LatencyLedger, LatencyLedger]
    count: int = 0

    def judge(self, number: int, path: Path) -> tuple[Judged, Judged]:
        """Judges one picture by both."""
        self.count += 1
        if self.count % 2:
            one = self._take(0, number, path)
            return one, self._take(1, number, path)
        other = self._take(1, number, path)
        return self._take(0, number, path), other

    def _take(self, turn: int, number: int, path: Path) -> Judged:
        found = self.judges[turn].judge(number, path)
        if found.times:
            self.ledgers[turn].note("total", round(found.times.total * NS_PER_MS))
        return found


def _findings(judged: Judged, side: Side) -> tuple[Detection, ...]:
    return tuple(each for each in judged.detections if each.score >= side.threshold)
