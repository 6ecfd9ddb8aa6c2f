"""What every local detector does around its runtime: prepare, infer, decode, and time each."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.clock import Clock
from app.detect.decode import Placement
from app.detect.detector import InputSpec, Result, Timed
from app.detect.package import Package
from app.detect.ports import Outputs
from app.detect.prepare import Preparation
from app.detect.readers import Reader, Reading, read_embedding, reader_for
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


class LocalDetector(Timed):
    """A `Detector` on a runtime of this process.

    Args:
        package: The package.
        runtime: The runtime's name.
        preparation: Owner of the input buffers that `engine` is bound to.
        engine: The compiled model.
        clock: Times the stages.
        warm_ups: Inferences before the first picture.
    """

    def __init__(
        self,
        package: Package,
        runtime: str,
        preparation: Preparation,
        engine: Engine,
        clock: Clock,
        *,
        warm_ups: int = WARM_UPS,
    ) -> None:
        self.runtime = runtime
        self.spec: InputSpec = package.spec
        self._preparation = preparation
        self._engine: Engine | None = engine
        self._reader: Reader = reader_for(package, engine.outputs)
        self._clock = clock
        # The first inferences choose kernels and touch memory; no part should wait for that.
        for _ in range(warm_ups):
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
        reading, embedding = self._read(placement, (image.shape[1], image.shape[0]))
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

    def infer(self) -> Outputs:
        """Judges what lies in the input buffers, and leaves the outputs as the model gives them.

        Raises:
            DetectorError: The runtime failed, or the detector is closed.
        """
        if self._engine is None:
            raise DetectorError(f"the {self.runtime} detector is closed", "open it again")
        self._engine.infer()
        return self._engine.outputs

    def close(self) -> None:
        """Frees the runtime. Idempotent."""
        self._engine = None

    def _read(self, placement: Placement, size_px: tuple[int, int]) -> tuple[Reading, NDArray[np.float32] | None]:
        """What the outputs say."""
        assert self._engine is not None
        return self._reader.read(placement, size_px), read_embedding(self._engine.outputs)
