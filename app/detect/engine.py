"""What every local detector does around its runtime: prepare, infer, decode, and time each."""

from __future__ import annotations

from typing import Protocol

from app.clock import Clock
from app.detect.detector import InputSpec, Result
from app.detect.package import Package
from app.detect.ports import Outputs
from app.detect.prepare import Preparation
from app.detect.readers import Reader, read_embedding, reader_for
from app.errors import DetectorError
from app.types import Image

WARM_UPS = 3


class Engine(Protocol):
    """A compiled model bound to fixed buffers."""

    outputs: Outputs

    def infer(self) -> None:
        """Reads the input buffers and fills `outputs`.

        Raises:
            DetectorError: The runtime failed.
        """
        ...


class LocalDetector:
    """A `Detector` on a runtime of this process.

    Args:
        package: The package.
        runtime: The runtime's name.
        preparation: Owner of the input buffers that `engine` is bound to.
        engine: The compiled model.
        clock: Times the stages.
    """

    def __init__(self, package: Package, runtime: str, preparation: Preparation, engine: Engine, clock: Clock) -> None:
        self.runtime = runtime
        self.spec: InputSpec = package.spec
        self._preparation = preparation
        self._engine: Engine | None = engine
        self._reader: Reader = reader_for(package, engine.outputs)
        self._clock = clock
        # The first inferences choose kernels and touch memory; no part should wait for that.
        for _ in range(WARM_UPS):
            engine.infer()

    def detect(self, image: Image, golden: Image | None = None) -> Result:
        """Judges one picture.

        Raises:
            DetectorError: As the seam says, or the detector is closed.
        """
        if self._engine is None:
            raise DetectorError(f"the {self.runtime} detector is closed", "open it again")
        start_ns = self._clock.now_ns()
        placement = self._preparation.fill(image, golden)
        filled_ns = self._clock.now_ns()
        self._engine.infer()
        inferred_ns = self._clock.now_ns()
        reading = self._reader.read(placement, (image.shape[1], image.shape[0]))
        embedding = read_embedding(self._engine.outputs)
        done_ns = self._clock.now_ns()
        return Result(
            reading.detections,
            reading.anomaly_map,
            embedding,
            reading.picture_score,
            pre_ns=filled_ns - start_ns,
            infer_ns=inferred_ns - filled_ns,
            decode_ns=done_ns - inferred_ns,
        )

    def close(self) -> None:
        """Frees the runtime. Idempotent."""
        self._engine = None
