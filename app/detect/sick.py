"""Driver `sick`: a CPU runtime in the accelerator's process of the twin, which goes wrong when and as it is told.

The settings refuse it where any camera is a real one. Process, exchange and whoever asks are the real ones; only what
the runtime does is not to be relied on (`sickness.py` lists how).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from app.bus.exchange import ExchangeServer
from app.clock import NS_PER_MS, NS_PER_S, Clock
from app.detect.engine import Engine, LocalDetector
from app.detect.onnx import OnnxEngine
from app.detect.package import Package
from app.detect.ports import MAX_DETECTIONS, Outputs
from app.detect.prepare import Preparation
from app.detect.runtimes import SICK
from app.detect.serving import fields_of
from app.detect.sickness import Act, Load, Sickness
from app.errors import DetectorError, MissingDriverError, PackageError, TaktError

_EXPONENT = 1 << 30
"""The highest bit of a float's exponent: whatever was between 0 and 1 is far above."""

_FACTORS: Mapping[Act, int] = {Act.SLOW_2: 2, Act.SLOW_10: 10}
_MUCH_LATER_NS = 100 * NS_PER_MS
_MEND = "this is the twin: it was told to fail"


class SickEngine:
    """An `Engine` that goes wrong while a question waits, and is well otherwise: when it is loaded, warmed and timed.

    Args:
        real: What it does while it is well.
        outputs: What it offers: those of `real`, or something else.
        exchange: Where the questions wait.
        sickness: What goes wrong, and when.
        clock: The machine's monotonic time.

    Attributes:
        outputs: As the seam says.
    """

    def __init__(
        self, real: Engine, outputs: Outputs, exchange: ExchangeServer, sickness: Sickness, clock: Clock
    ) -> None:
        self.outputs = outputs
        self._real = real
        self._exchange = exchange
        self._sickness = sickness
        self._clock = clock
        self._before: Mapping[Act, Callable[[], None]] = {
            Act.KILL: lambda: _end(signal.SIGKILL),
            Act.HANG: lambda: _end(signal.SIGSTOP),
            Act.ERROR: _report_error,
            Act.LOST: _report_lost,
            Act.LATE: self._wait_too_long,
        }
        self._after: Mapping[Act, Callable[[], None]] = {
            Act.NAN: self._spoil,
            Act.FLIP: self._flip,
            Act.LIE: self._lie,
            Act.TORN: self._die_unsaid,
        }

    def infer(self) -> None:
        """Runs the real engine, and goes wrong if that is due.

        Raises:
            DetectorError: It was told to fail, or the real engine did.
        """
        since_ns = self._clock.now_ns()
        cut_off_ns = self._exchange.asked()
        act = Act.NOTHING if cut_off_ns is None else self._sickness.at_request(since_ns, cut_off_ns)
        self._before.get(act, _nothing)()
        self._real.infer()
        if self.outputs is not self._real.outputs:
            self._offer_more()
        self._after.get(act, _nothing)()
        factor = _FACTORS.get(act, 1)
        if factor > 1:
            time.sleep((self._clock.now_ns() - since_ns) * (factor - 1) / NS_PER_S)

    def _wait_too_long(self) -> None:
        left_ns = (self._exchange.asked() or 0) - self._clock.now_ns() + _MUCH_LATER_NS
        time.sleep(max(0, left_ns) / NS_PER_S)

    def _spoil(self) -> None:
        for table in self.outputs.by_name().values():
            if table.dtype.kind == "f":
                table.fill(np.nan)

    def _flip(self) -> None:
        for table in self.outputs.by_name().values():
            if table.dtype == np.float32:
                table.view(np.uint32)[...] ^= _EXPONENT

    def _lie(self) -> None:
        tables = self.outputs.by_name()
        for name in ("boxes", "scores", "classes"):
            if name in tables:
                tables[name][0, :-1] = tables[name][0, 1:].copy()
        if "scores" in tables:
            tables["scores"][0, -1] = 0
        if "probabilities" in tables:
            tables["probabilities"][0] = np.roll(tables["probabilities"][0], 1)
        for name in ("score", "map"):
            if name in tables:
                tables[name].fill(0)

    def _die_unsaid(self) -> None:
        tables = self.outputs.by_name()
        for field in fields_of(self.outputs)[0]:
            np.copyto(field.view(self._exchange.output), tables[field.name])
        _end(signal.SIGKILL)

    def _offer_more(self) -> None:
        more = self.outputs.by_name()
        for name, table in self._real.outputs.by_name().items():
            more[name][tuple(slice(size) for size in table.shape)] = table


def open_sick(
    package: Package,
    threads: int,
    clock: Clock,
    preparation: Preparation,
    exchange: ExchangeServer,
    path: Path,
) -> LocalDetector:
    """Loads a package on OpenVINO, on ONNX Runtime where that is not installed, or fails to, as it is told.

    Args:
        package: The package.
        threads: Threads of one inference.
        clock: Times the stages.
        preparation: The input buffers.
        exchange: Where the questions wait.
        path: The file of the sickness.

    Raises:
        PackageError: It was told so, or the file is no such model.
        DetectorError: It was told so, or it does not run.
        MissingDriverError: It was told so.
        BusError: The file of the sickness cannot be used.
    """
    sickness = Sickness(path)
    load = sickness.at_start()
    refusal = _REFUSALS.get(load)
    if refusal is not None:
        raise refusal
    real = _real(package, threads, preparation)
    outputs = _too_many(real.outputs) if load is Load.SHAPE else real.outputs
    return LocalDetector(package, SICK, preparation, SickEngine(real, outputs, exchange, sickness, clock), clock)


_REFUSALS: Mapping[Load, TaktError] = {
    Load.OOM: DetectorError("out of memory: the model needs 812 MiB and the device has 96 MiB left", _MEND),
    Load.LIBRARY: MissingDriverError("the detector runtime tensorrt", "libnvinfer.so.10", "gpu"),
    Load.ENGINE: PackageError("the engine was built by version 10.3 and here is version 10.7", _MEND),
    Load.LOST: DetectorError("CUDA error 100: no CUDA-capable device is detected", _MEND),
}


def _real(package: Package, threads: int, preparation: Preparation) -> Engine:
    try:
        from app.detect.openvino import OpenVinoEngine  # noqa: PLC0415 - imported by name, as every driver
    except MissingDriverError:
        return OnnxEngine(package, threads, preparation)
    return OpenVinoEngine(package, threads, preparation)


def _too_many(outputs: Outputs) -> Outputs:
    """The same tables with more rows than any model may have."""
    return Outputs(
        {
            name: np.zeros((1, MAX_DETECTIONS + 1, *table.shape[2:]), table.dtype)
            for name, table in outputs.by_name().items()
        }
    )


def _report_error() -> None:
    raise DetectorError("CUDA error 700: an illegal memory access was encountered", _MEND)


def _report_lost() -> None:
    raise DetectorError("CUDA error 46: all CUDA-capable devices are busy or unavailable", _MEND)


def _nothing() -> None:
    pass


def _end(number: int) -> None:
    os.kill(os.getpid(), number)
