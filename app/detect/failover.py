"""A hot standby behind the seam `Detector`."""

from __future__ import annotations

from dataclasses import replace

from app.clock import NS_PER_MS, Clock
from app.detect.curtain import Curtain
from app.detect.detector import Detector, InputSpec, Result
from app.errors import DetectorError
from app.types import Detection, Image

JUST_NS = 3 * NS_PER_MS
"""So soon after a picture the next is not due on any line."""

STILL_NS = 250 * NS_PER_MS
"""So long after a picture the line stands or runs empty."""


class Failover:
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
    """

    def __init__(self, first: Detector, standby: Detector) -> None:
        self._first = first
        self._standby = standby
        self.runtime = first.runtime
        self.failovers = 0
        self.why = ""
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
                why = str(error)
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


class Accelerated:
    """The accelerator while it is trusted, and the standby of this process whenever it is not.

    Args:
        standby: Open, proven and warm; judges the very picture that the accelerator failed on, and all after it.
        curtain: Knows whether there is an accelerator to be trusted.
        thresholds: The standby's own score threshold and the accelerator's: scores of the standby are told so that
            its threshold becomes the accelerator's, and a recipe means the same with either.
        clock: Time.
        just_ns: So soon after a picture the next one is not due.

    Attributes:
        runtime: The runtime that judges.
        spec: What a picture needs for both of them.
        failovers: Pictures that the standby judged because the accelerator could not.
    """

    def __init__(
        self,
        standby: Detector,
        spec: InputSpec,
        curtain: Curtain,
        thresholds: tuple[float, float],
        clock: Clock,
        just_ns: int = JUST_NS,
    ) -> None:
        self._standby = standby
        self._curtain = curtain
        self._thresholds = thresholds
        self._clock = clock
        self._just_ns = just_ns
        self._last_ns = clock.now_ns()
        self.runtime = standby.runtime
        self.failovers = 0
        # Each ignores a golden sample that it does not want.
        self.spec: InputSpec = replace(spec, is_golden=spec.is_golden or standby.spec.is_golden)

    @property
    def why(self) -> str:
        """Why the standby judges; empty while the accelerator does."""
        return self._curtain.why

    @property
    def curtain(self) -> Curtain:
        """What is known of the accelerator."""
        return self._curtain

    def detect(self, image: Image, golden: Image | None = None) -> Result:
        """Judges one picture with the accelerator, else with the standby.

        Raises:
            DetectorError: Neither can.
        """
        try:
            return self._judged(image, golden)
        finally:
            self._last_ns = self._clock.now_ns()

    def rest(self) -> None:
        """Called while no picture waits: does one small thing for the accelerator if no picture is due either."""
        idle_ns = self._clock.now_ns() - self._last_ns
        if idle_ns <= self._just_ns or idle_ns >= STILL_NS:
            self._curtain.step()

    def close(self) -> None:
        """Closes both. Idempotent."""
        self._curtain.close()
        self._standby.close()

    def _judged(self, image: Image, golden: Image | None) -> Result:
        first = self._curtain.detector
        why = ""
        if first is not None:
            try:
                result = first.detect(image, golden)
            except DetectorError as error:
                why = str(error)
            else:
                self.runtime = first.runtime
                self._curtain.took(result.infer_ns)
                return result
        result = self._standby.detect(image, golden)
        self.runtime = self._standby.runtime
        if why:  # A picture that neither can judge says nothing against the accelerator.
            self.failovers += 1
            self._curtain.failed(why)
        own, wanted = self._thresholds
        if own == wanted:
            return result
        return replace(result, detections=tuple(_as_told(each, own, wanted) for each in result.detections))


def _as_told(found: Detection, own: float, wanted: float) -> Detection:
    """The same finding with a score in which one threshold has become the other; 0 and 1 stay what they are."""
    score = found.score
    told = score * wanted / own if score < own else wanted + (score - own) * (1 - wanted) / (1 - own)
    return replace(found, score=told)
