"""The station's side of the accelerator: an engine whose inference runs in the process that owns the device.

The station prepares pictures in memory that both see, asks, and waits until its part's time for this is over. Whatever
goes wrong is a `DetectorError` that names its kind, so that the standby judges the same picture.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.bus.bell import Bell
from app.bus.exchange import ExchangeClient
from app.bus.life import NONE, life_of
from app.clock import NS_PER_MS, NS_PER_S, Clock
from app.detect.curtain import MEND
from app.detect.decode import Placement
from app.detect.detector import Result
from app.detect.engine import LocalDetector
from app.detect.package import Package
from app.detect.ports import Outputs, Port, check_outputs
from app.detect.prepare import Preparation, input_bytes
from app.detect.readers import Reading
from app.detect.serving import Field
from app.errors import BusError, DetectorError, PackageError
from app.status import Degraded
from app.types import Image


class RemoteEngine:
    """An `Engine` in another process.

    Args:
        exchange: Where it is asked.
        outputs: Views of the answers.
        ring: Wakes it.
        answered: Rung by it.
        clock: The machine's monotonic time, which both sides know.
        life: From `life_of`: with it nobody waits for a process that has ended. Closed here.

    Attributes:
        outputs: As the seam says; they hold from an inference to the next.
        slice_ns: How long a picture may take, from `begin` to its answer.
    """

    def __init__(
        self,
        exchange: ExchangeClient,
        outputs: Outputs,
        ring: Callable[[], None],
        answered: Bell,
        clock: Clock,
        life: int = NONE,
    ) -> None:
        self.outputs = outputs
        self.slice_ns = NS_PER_MS
        self._exchange = exchange
        self._session = exchange.session
        self._ring = ring
        self._answered = answered
        self._life = life
        self._fds = (answered.fileno(),) if life == NONE else (answered.fileno(), life)
        self._clock = clock
        self._began_ns = clock.now_ns()

    @property
    def has_left(self) -> bool:
        """It has ended because somebody asked it to."""
        return self._exchange.session == self._session and self._exchange.has_left

    def begin(self) -> None:
        """The time for the next picture begins; it may be laid into the input.

        Raises:
            DetectorError: As `check`.
        """
        self._began_ns = self._clock.now_ns()
        self.check()

    def check(self) -> None:
        """Looks whether it could be asked.

        Raises:
            DetectorError: It is gone, was started again, or still owes an answer.
        """
        if not self._exchange.is_ready or self._exchange.session != self._session:
            raise DetectorError("accelerator gone: its process has ended", MEND, code=Degraded.GONE.value)
        if self._exchange.is_busy:
            raise DetectorError(
                "accelerator busy: it still owes the answer to an earlier picture", MEND, code=Degraded.BUSY.value
            )

    def infer(self) -> None:
        """Asks, and waits for the answer.

        Raises:
            DetectorError: It is gone, late, or has failed.
        """
        self.check()
        self._answered.silence()
        cut_off_ns = self._began_ns + self.slice_ns
        self._exchange.ask(cut_off_ns)
        self._ring()
        while self._exchange.is_busy:
            left_ns = cut_off_ns - self._clock.now_ns()
            if left_ns <= 0:
                limit_ms = self.slice_ns / NS_PER_MS
                raise DetectorError(
                    f"accelerator late: no answer within {limit_ms:.1f} ms", MEND, code=Degraded.LATE.value
                )
            ready, _, _ = select.select(self._fds, (), (), left_ns / NS_PER_S)
            self._answered.silence()
            if self._life in ready and self._exchange.is_busy:
                raise DetectorError("accelerator gone: its process has ended", MEND, code=Degraded.GONE.value)
        if self._exchange.session != self._session:
            raise DetectorError(
                "accelerator gone: its process has ended and was started again", MEND, code=Degraded.GONE.value
            )
        error = self._exchange.error
        if error:
            raise DetectorError(f"accelerator failed: {error}", MEND, code=Degraded.FAILED.value)

    def close(self) -> None:
        """Asks no more. Idempotent."""
        if self._life != NONE:
            os.close(self._life)
            self._life = NONE

    def distrust(self, why: str) -> None:
        """Asks the process to end, so that it is started again."""
        if self._exchange.session == self._session:
            self._exchange.distrust(self._session, why)
            self._ring()


class RemoteDetector(LocalDetector):
    """A `Detector` that prepares and decodes here, and infers there.

    Args:
        package: What runs there.
        runtime: Where: its name.
        preparation: Its buffers lie in the exchange.
        engine: The other process.
        clock: Times the stages.
    """

    def __init__(
        self, package: Package, runtime: str, preparation: Preparation, engine: RemoteEngine, clock: Clock
    ) -> None:
        # Nobody here may wait for more than a slice: it shows what it can do when it is proven.
        super().__init__(package, runtime, preparation, engine, clock, warm_ups=0)
        self.remote = engine

    def detect(self, image: Image, golden: Image | None = None) -> Result:
        """Judges one picture there.

        Raises:
            DetectorError: As the seam says; where it is the other process's fault its words begin with `accelerator`.
        """
        self.remote.begin()
        return super().detect(image, golden)

    def close(self) -> None:
        """Asks no more. Idempotent."""
        super().close()
        self.remote.close()

    def _read(self, placement: Placement, size_px: tuple[int, int]) -> tuple[Reading, NDArray[np.float32] | None]:
        try:
            return super()._read(placement, size_px)
        except DetectorError as error:
            raise DetectorError(f"accelerator wrong: {error.what}", MEND, code=Degraded.WRONG.value) from error


def open_remote(
    exchange: ExchangeClient,
    package_of: Callable[[str], Package],
    ring: Callable[[], None],
    answered: Bell,
    clock: Clock,
) -> tuple[RemoteDetector, Package]:
    """Opens the model that a ready server offers.

    Args:
        exchange: Attached to the server.
        package_of: The station's own package by variant, to compare with.
        ring: Wakes the server.
        answered: Rung by the server.
        clock: Times the stages.

    Raises:
        PackageError: The server runs another model.
        DetectorError: It runs this one, and yet its answers would not be what the package says.
        BusError: It has ended, or is just being replaced.
    """
    about = exchange.about()
    life = life_of(exchange.server_pid, str(about.get("life", "")))
    try:
        return _opened(exchange, about, package_of, ring, answered, clock, life)
    except BaseException:
        if life != NONE:
            os.close(life)
        raise


def _opened(
    exchange: ExchangeClient,
    about: dict[str, Any],
    package_of: Callable[[str], Package],
    ring: Callable[[], None],
    answered: Bell,
    clock: Clock,
    life: int,
) -> tuple[RemoteDetector, Package]:
    package = package_of(str(about.get("variant", "")))
    if about.get("onnx_sha256") != package.onnx_sha256:
        raise PackageError(
            f"the accelerator runs another model than {package.name}:{package.variant}",
            "wait until it has loaded the active package, or restart it",
        )
    outputs = Outputs({field.name: field.view(exchange.output) for field in _fields(about, package, exchange)})
    preparation = Preparation(package.spec, exchange.input)
    engine = RemoteEngine(exchange, outputs, ring, answered, clock, life)
    return RemoteDetector(package, str(about.get("runtime", "accelerator")), preparation, engine, clock), package


def _fields(about: dict[str, Any], package: Package, exchange: ExchangeClient) -> Sequence[Field]:
    """Where the tables of an answer lie, checked against the package and the room that there is."""
    try:
        fields = [
            Field(str(name), str(kind), tuple(int(size) for size in shape), int(at))
            for name, kind, shape, at in about["outputs"]
        ]
        ends = [field.at + field.view(exchange.output).nbytes for field in fields]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BusError(
            "what the accelerator says of its answers makes no sense", "it is starting: try again"
        ) from error
    try:
        check_outputs(package, [Port(field.name, field.kind, field.shape) for field in fields])
    except PackageError as error:
        raise DetectorError(f"accelerator wrong: {error.what}", MEND, code=Degraded.WRONG.value) from error
    is_within = min(field.at for field in fields) >= 0 and max(ends) <= len(exchange.output)
    if len(exchange.input) != input_bytes(package.spec) or not is_within:
        raise DetectorError("accelerator wrong: its memory does not fit the package", MEND, code=Degraded.WRONG.value)
    return fields
