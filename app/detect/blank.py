"""Driver `blank`: looks at nothing and finds nothing, at once, so that everything around a detector can be measured.

The settings refuse it where any camera is a real one. It proves nothing either: its package's golden frames would say
so at once.
"""

from __future__ import annotations

from dataclasses import replace

from app.clock import Clock
from app.detect.detector import InputSpec, Result, Timed
from app.detect.package import Package
from app.errors import DetectorError
from app.types import Image

RUNTIME = "blank"
_NOTHING = Result(())


class BlankDetector(Timed):
    """A `Detector` that passes every part.

    Args:
        spec: The size and channels that the package's model takes; it wants no golden sample.
    """

    def __init__(self, spec: InputSpec) -> None:
        self.runtime = RUNTIME
        self.spec = spec
        self._is_open = True

    def detect(self, image: Image, golden: Image | None = None) -> Result:  # noqa: ARG002 - the seam
        """Finds nothing.

        Raises:
            DetectorError: It is closed.
        """
        if not self._is_open:
            raise DetectorError("the blank detector is closed", "open it again")
        return _NOTHING

    def close(self) -> None:
        """Ends it. Idempotent."""
        self._is_open = False


def open_blank(package: Package, threads: int, clock: Clock) -> BlankDetector:  # noqa: ARG001 - as every driver is opened
    """Makes one with the size and channels of a package's model."""
    return BlankDetector(replace(package.spec, is_golden=False))
