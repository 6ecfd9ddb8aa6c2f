"""The driver `tensorrt` on a fake TensorRT and a fake GPU: its modules loaded anew with these in their places."""

import importlib
import sys
from types import ModuleType

from app.clock import SystemClock
from app.detect.gpu_probe import GpuFacts
from tests.unit.detect.fake_cuda import FakeBindings, FakeDriver
from tests.unit.detect.fake_tensorrt import FakeTensorRt

OURS = tuple(f"app.detect.tensorrt{each}" for each in ("", "_build", "_engine", "_library"))
FACTS = GpuFacts("Fake Orin", "8.7", 8_000_000_000, is_integrated=False, cuda=12060)


class GpuBench:
    """What a test changes, and what it reads.

    Attributes:
        driver: The fake `pycuda.driver`.
        bindings: The fake `cuda.bindings.driver`.
        library: The fake TensorRT.
        module: `app.detect.tensorrt`, on these.
        notes: What was told while detectors were opened.
    """

    def __init__(self, monkeypatch, folder, *, has_bindings=True, without=(), dla_cores=0, is_rtx=False, **gpu):
        self.driver = FakeDriver(**gpu)
        self.bindings = FakeBindings(self.driver) if has_bindings else None
        self.library = FakeTensorRt(self.driver, without, dla_cores, is_rtx=is_rtx)
        self.folder, self.notes, self.steps = folder, [], []
        self.facts = FACTS
        self._opened = []
        monkeypatch.setitem(sys.modules, "tensorrt", None if is_rtx else self.library.module)
        monkeypatch.setitem(sys.modules, "tensorrt_rtx", self.library.module if is_rtx else None)
        monkeypatch.setitem(sys.modules, "pycuda", ModuleType("pycuda"))
        monkeypatch.setitem(sys.modules, "pycuda.driver", self.driver)
        monkeypatch.setitem(sys.modules, "cuda.bindings.driver", self.bindings)
        self._before = {name: sys.modules.pop(name, None) for name in OURS}
        self.module = importlib.import_module("app.detect.tensorrt")
        self.build = importlib.import_module("app.detect.tensorrt_build")
        monkeypatch.setattr(self.module, "probe_gpu", lambda: self.facts)

    def open(self, package, preparation=None, **options):
        settings = self.module.TensorRtOptions(folder=self.folder, **options)
        detector = self.module.open_tensorrt(
            package,
            1,
            SystemClock(),
            preparation,
            settings,
            on_progress=lambda *step: self.steps.append(step),
            on_note=self.notes.append,
        )
        self._opened.append(detector)
        return detector

    def calls_of(self, work):
        """What the GPU is asked while something is done."""
        before = len(self.driver.calls)
        work()
        return [each[0] for each in self.driver.calls[before:]]

    def end(self):
        for detector in self._opened:
            detector.close()
        for name, module in self._before.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module


def facts(**changes):
    return GpuFacts(**{**{name: getattr(FACTS, name) for name in GpuFacts.__slots__}, **changes})
