"""A hot standby behind the seam `Detector`."""

from __future__ import annotations

from dataclasses import replace

from app.detect.detector import Detector, InputSpec, Result
from app.errors import DetectorError
from app.types import Image


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
