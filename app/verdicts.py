"""From a frame to a verdict: bind, judge, decide, hand over. The half of the hot loop that waits for a model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

from app.clock import Clock
from app.decide import decide, reject
from app.detect.detector import Result, Timed
from app.errors import DataError, DetectorError
from app.latency import LatencyLedger
from app.recipe import Recipe
from app.reject.binding import Outstanding
from app.reject.tracking import Tracker
from app.types import Detection, Frame, Image, LedgerEvent, Reason, Scalar, Verdict

NS_PER_US = 1000
MAX_OPEN_PARTS = 256
"""Findings of parts this far behind the newest are forgotten: their last frame never came."""

MOST_RECORDED = 64
"""Detections of one frame that the ledger keeps, best first."""


class Judge(Timed, Protocol):
    """What finds defects in one frame: `app.detect.inspection.Inspector`, or what a test puts in its place."""

    def inspect(self, image: Image, name: str) -> Result:
        """Judges one frame; raises DetectorError or DataError where it cannot."""
        ...


class Recorder(Protocol):
    """Who keeps what happens. Nothing here may block."""

    @property
    def is_full(self) -> bool:
        """Hardly any room is left for events: the line must stop."""
        ...

    def take(self, events: Sequence[LedgerEvent]) -> int:
        """Takes ledger events in order, and says how many it took; the others are offered again."""
        ...

    def keep(self, frame: Frame, verdict: Verdict, detections: Sequence[Detection]) -> bool:
        """Takes a judged frame's picture, whose pixels are the caller's again after the call; says whether it did."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class AtWork:
    """A recipe, what judges by it, and from when on.

    Attributes:
        recipe: What counts as a defect.
        judge: The detector with this recipe.
        sha256: The hash of the recipe's text; empty where it came with the start of the station.
        since_part: The first part that is judged by it.
    """

    recipe: Recipe
    judge: Judge
    sha256: str = ""
    since_part: int = 0


class Verdicts:
    """Judges the frames of one lane.

    The tracker is asked under the lock; the detector works outside it, so that no gate waits for a model.

    Args:
        tracker: The model of the belt.
        turn: Held by whoever uses the tracker.
        at_work: The recipe, and what judges by it.
        recorder: Who keeps pictures.
        latency: Where the times of each stage are kept.
        clock: Time for decisions.
        stopwatch: Time for latencies.
        budget_ns: Longest time from frame in memory to verdict.
        default_destination: Where a part goes that cannot be judged.
        on_verdict: Called when a verdict may have changed what is due next.

    Attributes:
        misses: Verdicts that took longer than the budget.
        stray_frames: Frames that belonged to no part.
        pictures_dropped: Pictures that the recorder did not take.
        seen: Height and width of the last frame; `None` before the first.
    """

    def __init__(  # noqa: PLR0913 - everything is injected
        self,
        *,
        tracker: Tracker,
        turn: Lock,
        at_work: AtWork,
        recorder: Recorder,
        latency: LatencyLedger,
        clock: Clock,
        stopwatch: Clock,
        budget_ns: int,
        default_destination: str,
        on_verdict: Callable[[], None],
    ) -> None:
        self.misses = 0
        self.stray_frames = 0
        self.pictures_dropped = 0
        self.seen: tuple[int, int] | None = None
        self._tracker = tracker
        self._turn = turn
        self._at_work: tuple[AtWork, ...] = (at_work,)
        self._recorder = recorder
        self._latency = latency
        self._clock = clock
        self._stopwatch = stopwatch
        # Stamps of frames are of the decisions' clock; only where that is real do they tell how long a frame waited.
        self._is_stamped = clock is stopwatch
        self._budget_ns = budget_ns
        self._default_destination = default_destination
        self._on_verdict = on_verdict
        self._found: dict[int, list[Detection]] = {}

    @property
    def at_work(self) -> AtWork:
        """What parts are judged by that are triggered now."""
        return self._at_work[0]

    def adopt(self, at_work: AtWork, oldest: int | None) -> None:
        """Judges by another recipe from its first part on; those before it keep theirs.

        Args:
            at_work: The recipe, and what judges by it.
            oldest: The oldest part that waits for its verdict.
        """
        kept = [at_work]
        for before in self._at_work:
            if oldest is None or oldest >= kept[-1].since_part:
                break
            kept.append(before)
        self._at_work = tuple(kept)

    def judge(self, frame: Frame) -> bool:
        """Takes one frame from memory to verdict; the frame stays the caller's to release.

        Returns:
            Whether it is done with; otherwise the frame has come before its part's trigger, and must be shown again.
        """
        started_ns = self._stopwatch.now_ns()
        with self._turn:
            if self._tracker.is_early(frame):
                return False
            exposure = self._tracker.frame(frame)
        if exposure is None:
            self.stray_frames += 1
            return True
        part_id, now_ns = exposure.part_id, self._clock.now_ns()
        at_work = next(each for each in self._at_work if part_id >= each.since_part)
        self.seen = (frame.image.shape[0], frame.image.shape[1])
        result: Result | None = None
        at_work.judge.begin(self._since(frame, started_ns))
        try:
            result = at_work.judge.inspect(frame.image, frame.name)
        except (DetectorError, DataError) as error:
            verdict = reject(part_id, Reason.DETECTOR_FAILED, str(error), self._default_destination, now_ns)
            decide_ns = 0
        else:
            found = self._found.setdefault(part_id, [])
            found.extend(result.detections)
            decided_ns = self._stopwatch.now_ns()
            verdict = decide(part_id, found, at_work.recipe, now_ns)
            decide_ns = self._stopwatch.now_ns() - decided_ns
        with self._turn:
            is_last = result is None or self._tracker.is_complete(part_id)
            if is_last:
                self._tracker.verdict(verdict)
        total_ns = self._stopwatch.now_ns() - self._since(frame, started_ns)
        at_work.judge.done(total_ns)
        if is_last:
            self._on_verdict()
        said = {"recipe_sha256": at_work.sha256} if at_work.sha256 else {}
        self._note(frame, exposure, verdict, result, (started_ns, decide_ns, total_ns), said, is_last=is_last)
        return True

    def _note(
        self,
        frame: Frame,
        exposure: Outstanding,
        verdict: Verdict,
        result: Result | None,
        times_ns: tuple[int, int, int],
        said: Mapping[str, Scalar],
        *,
        is_last: bool,
    ) -> None:
        """What is not urgent any more: picture, times and record."""
        started_ns, decide_ns, total_ns = times_ns
        note = self._latency.note
        detections: Sequence[Detection] = result.detections if result else ()
        wake_ns = started_ns - self._since(frame, started_ns)
        if self._is_stamped:
            note("transfer", frame.in_memory_ns - frame.host_ns)
            note("wake", wake_ns)
        if result is not None:
            note("pre", result.pre_ns)
            note("infer", result.infer_ns)
            note("decode", result.decode_ns)
            note("decide", decide_ns)
        if is_last:
            note("frame_to_verdict", total_ns, exposure.part_id)
            self.misses += total_ns > self._budget_ns
            detections = self._found.pop(exposure.part_id, detections)
        is_kept = self._recorder.keep(frame, verdict, detections)
        self.pictures_dropped += not is_kept
        data: dict[str, Scalar] = {
            "camera": frame.camera,
            "exposure": exposure.index,
            "slot": frame.slot if is_kept else -1,
            "generation": frame.generation,
            "picture": frame.name,
            "destination": verdict.destination,
            "is_flagged": verdict.is_flagged,
            "detections": _as_text(result.detections if result else ()),
            "height": frame.image.shape[0],
            "width": frame.image.shape[1],
            "channels": frame.image.shape[2] if frame.image.ndim > 2 else 1,  # noqa: PLR2004 - (height, width)
            "host_ns": frame.host_ns,
            "in_memory_ns": frame.in_memory_ns,
            "transfer_us": (frame.in_memory_ns - frame.host_ns) // NS_PER_US,
            "wake_us": wake_ns // NS_PER_US,
            "pre_us": result.pre_ns // NS_PER_US if result else 0,
            "infer_us": result.infer_ns // NS_PER_US if result else 0,
            "decode_us": result.decode_ns // NS_PER_US if result else 0,
            "decide_us": decide_ns // NS_PER_US,
            "total_us": total_ns // NS_PER_US,
            **said,
        }
        with self._turn:
            self._tracker.judged(exposure.part_id, data)
        if not is_last:
            self._forget_all_but(exposure.part_id)

    def _since(self, frame: Frame, started_ns: int) -> int:
        """When the frame was in memory, by the stopwatch."""
        return frame.in_memory_ns if self._is_stamped and frame.in_memory_ns else started_ns

    def _forget_all_but(self, part_id: int) -> None:
        """Parts far behind were given up before their last frame came; their findings must not pile up."""
        for old in [each for each in self._found if each < part_id - MAX_OPEN_PARTS]:
            del self._found[old]


def _as_text(detections: Sequence[Detection]) -> str:
    rows = [
        [each.label, round(each.score, 5), *(round(value, 2) for value in each.box_px)]
        for each in detections[:MOST_RECORDED]
    ]
    return json.dumps(rows, separators=(",", ":"))
