"""A hot standby behind the seam `Detector`."""

from __future__ import annotations

from array import array
from dataclasses import replace

from app.clock import NS_PER_MS, Clock
from app.detect.curtain import Curtain
from app.detect.detector import Detector, InputSpec, Result, Timed
from app.errors import DetectorError
from app.status import Degraded
from app.types import Detection, Image

JUST_NS = 3 * NS_PER_MS
"""So soon after a picture the next is not due on any line."""

STILL_NS = 250 * NS_PER_MS
"""So long after a picture the line stands or runs empty."""

KEPT = 32
"""Pictures whose way to the detector and from it is remembered."""


class Slices:
    """How the time for a verdict is shared between an accelerator and the standby.

    The budget runs from the frame in memory to the verdict. Of it goes what lies before the question, which is told for
    each picture: the way to the thread that judges, cutting out, registering. What the standby needs is kept back, and
    what deciding takes behind it, by the last pictures. The rest is the accelerator's slice.

    Args:
        budget_ns: From the frame in memory to the verdict.
        standby_ns: What the standby needs for a picture at its slowest.
        least_ns: The accelerator gets so much in any case: parts that it fails on may then miss their budget.
    """

    def __init__(self, budget_ns: int, standby_ns: int, least_ns: int) -> None:
        self.standby_ns = standby_ns
        self._budget_ns = budget_ns
        self._least_ns = least_ns
        self._ahead, self._behind = _Last(), _Last()

    @property
    def ahead_ns(self) -> int:
        """What the last pictures took from the frame in memory to the question, in the middle."""
        return self._ahead.middle()

    @property
    def usual_ns(self) -> int:
        """The slice of a picture that is asked for as soon as most are."""
        return max(self._least_ns, self._budget_ns - self.standby_ns - self._behind.middle() - self.ahead_ns)

    def left_ns(self, since_ns: int, now_ns: int, least_ns: int = 0) -> int:
        """The slice of one picture, which is about to be asked for.

        Args:
            since_ns: When its frame was in memory.
            now_ns: The present.
            least_ns: What the accelerator needs. A picture that has waited for another one is late whoever judges it,
                and is not held against the accelerator.
        """
        ahead_ns = now_ns - since_ns
        self._ahead.note(ahead_ns)
        return max(self._least_ns, least_ns, self._budget_ns - self.standby_ns - self._behind.middle() - ahead_ns)

    def told(self, behind_ns: int) -> None:
        """Notes what a picture took from its findings to its verdict."""
        self._behind.note(behind_ns)


class _Last:
    """The last times of something, and the one in the middle of them: a single one that was held up does not count."""

    def __init__(self) -> None:
        self._times = array("q", bytes(8 * KEPT))
        self._count = 0

    def note(self, took_ns: int) -> None:
        self._times[self._count % KEPT] = took_ns
        self._count += 1

    def middle(self) -> int:
        count = min(self._count, KEPT)
        return sorted(self._times[:count])[count // 2] if count else 0


class Failover(Timed):
    """Two detectors that look like one: what the first cannot judge, the standby does.

    After the first failure the first is left alone until `restore`. A picture that neither can judge says nothing
    against the first, so it keeps its place.

    Args:
        first: Judges while it can.
        standby: Open and warm; judges the very frame that `first` failed on, and all after it.

    Attributes:
        runtime: The runtime that judges.
        failovers: Frames that the standby judged because the first could not.
        why: The first's failure, in words; empty while it judges.
        code: The same as a code of `Degraded`; means something only where `why` does.
    """

    def __init__(self, first: Detector, standby: Detector) -> None:
        self._first = first
        self._standby = standby
        self.runtime = first.runtime
        self.failovers = 0
        self.why = self.code = ""
        # Each ignores a golden sample that it does not want.
        self.spec: InputSpec = replace(first.spec, is_golden=first.spec.is_golden or standby.spec.is_golden)

    @property
    def is_degraded(self) -> bool:
        """The standby judges."""
        return bool(self.why)

    def detect(self, image: Image, golden: Image | None = None) -> Result:
        """Judges one picture with the first detector, else with the standby.

        Raises:
            DetectorError: Neither can.
        """
        why = self.why
        if not why:
            try:
                return self._first.detect(image, golden)
            except DetectorError as error:
                why, self.code = str(error), error.code or Degraded.FAILED.value
        result = self._standby.detect(image, golden)
        self.why, self.runtime = why, self._standby.runtime
        self.failovers += 1
        return result

    def restore(self, first: Detector | None = None) -> None:
        """Trusts the first detector again, once it was proven.

        Args:
            first: A new one in its place; the old one is closed.
        """
        if first is not None and first is not self._first:
            self._first.close()
            self._first = first
        self.why, self.runtime = "", self._first.runtime

    def close(self) -> None:
        """Closes both. Idempotent."""
        self._first.close()
        self._standby.close()


class Accelerated(Timed):
    """The accelerator while it is trusted, and the standby of this process whenever it is not.

    Args:
        standby: Open, proven and warm; judges the very picture that the accelerator failed on, and all after it.
        curtain: Knows whether there is an accelerator to be trusted.
        thresholds: The standby's own score threshold and the accelerator's: scores of the standby are told so that
            its threshold becomes the accelerator's, and a recipe means the same with either.
        clock: Time.
        slices: How the time for a verdict is shared.
        just_ns: So soon after a picture the next one is not due.

    Attributes:
        runtime: The runtime that judges.
        spec: What a picture needs for both of them.
        slices: How the time for a verdict is shared.
        failovers: Pictures that the standby judged because the accelerator could not.
    """

    def __init__(
        self,
        standby: Detector,
        spec: InputSpec,
        curtain: Curtain,
        thresholds: tuple[float, float],
        clock: Clock,
        slices: Slices,
        just_ns: int = JUST_NS,
    ) -> None:
        self.slices = slices
        self._standby = standby
        self._curtain = curtain
        self._thresholds = thresholds
        self._clock = clock
        self._just_ns = just_ns
        self._last_ns = clock.now_ns()
        self._since_ns = self._began_ns = 0
        self.runtime = standby.runtime
        self.failovers = 0
        # Each ignores a golden sample that it does not want.
        self.spec: InputSpec = replace(spec, is_golden=spec.is_golden or standby.spec.is_golden)

    @property
    def why(self) -> str:
        """Why the standby judges; empty while the accelerator does."""
        return self._curtain.why

    @property
    def code(self) -> str:
        """The same as a code of `Degraded`."""
        return self._curtain.code

    @property
    def curtain(self) -> Curtain:
        """What is known of the accelerator."""
        return self._curtain

    @property
    def standby_runtime(self) -> str:
        """What the standby runs on."""
        return self._standby.runtime

    def begin(self, since_ns: int) -> None:
        """Says when the frame of the next picture was in memory; without this its time begins when it is judged."""
        self._since_ns = self._began_ns = since_ns

    def done(self, total_ns: int) -> None:
        """Says how long the last picture took from its frame in memory to its verdict."""
        has_been_judged = not self._since_ns
        if self._began_ns and has_been_judged:
            self.slices.told(max(0, self._began_ns + total_ns - self._last_ns))

    def detect(self, image: Image, golden: Image | None = None) -> Result:
        """Judges one picture with the accelerator, else with the standby.

        Raises:
            DetectorError: Neither can.
        """
        try:
            return self._judged(image, golden)
        finally:
            self._last_ns = self._clock.now_ns()
            self._since_ns = 0

    def rest(self) -> None:
        """Called while no picture waits: does one small thing for the accelerator if no picture is due either."""
        idle_ns = self._clock.now_ns() - self._last_ns
        if idle_ns <= self._just_ns or idle_ns >= STILL_NS:
            self._curtain.slice_ns = self.slices.usual_ns
            self._curtain.step()

    def close(self) -> None:
        """Closes both. Idempotent."""
        self._curtain.close()
        self._standby.close()

    def _judged(self, image: Image, golden: Image | None) -> Result:
        first = self._curtain.detector
        why = code = ""
        now_ns = self._clock.now_ns()
        slice_ns = self.slices.left_ns(self._since_ns or now_ns, now_ns, self._curtain.least_ns)
        if first is not None:
            self._curtain.allow(slice_ns)
            try:
                result = first.detect(image, golden)
            except DetectorError as error:
                why, code = str(error), error.code or Degraded.FAILED.value
            else:
                self.runtime = first.runtime
                self._curtain.took(result.infer_ns)
                return result
        result = self._standby.detect(image, golden)
        self.runtime = self._standby.runtime
        if why:  # A picture that neither can judge says nothing against the accelerator.
            self.failovers += 1
            self._curtain.failed(why, code)
        own, wanted = self._thresholds
        if own == wanted:
            return result
        return replace(result, detections=tuple(_as_told(each, own, wanted) for each in result.detections))


def _as_told(found: Detection, own: float, wanted: float) -> Detection:
    """The same finding with a score in which one threshold has become the other; 0 and 1 stay what they are."""
    score = found.score
    told = score * wanted / own if score < own else wanted + (score - own) * (1 - wanted) / (1 - own)
    return replace(found, score=told)
