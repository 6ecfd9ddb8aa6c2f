"""The probes of the doctor that need a GPU to succeed: what they say with one, without one and with half of one."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from app.cli import probe
from app.detect import gpu_probe
from app.detect.gpu_probe import GpuFacts
from tests.unit.detect.tiny_model import write_package

FACTS = GpuFacts("Orin", "8.7", 8 << 30, is_integrated=True, cuda=12_060)
CUDA, TENSORRT = "CUDAExecutionProvider", "TensorrtExecutionProvider"


@pytest.fixture
def driver(monkeypatch):
    """A driver with a GPU, and libraries as the test says."""
    monkeypatch.setattr(gpu_probe, "ask_driver", lambda: FACTS)

    def have(*names):
        for name in (probe.CUDA_LIBRARY, probe.GRAPH_LIBRARY):
            monkeypatch.setitem(sys.modules, name, ModuleType(name) if name in names else None)
            monkeypatch.setitem(sys.modules, name.partition(".")[0], ModuleType(name.partition(".")[0]))
        if probe.GRAPH_LIBRARY in names:
            monkeypatch.setitem(sys.modules, "cuda.bindings", ModuleType("cuda.bindings"))

    return have


class FakeSession:
    """A session that has the provider which the library lets it have."""

    def __init__(self, library, providers):
        self._library = library
        (self._provider,) = providers

    def get_providers(self):
        return [*(name for name in self._library.loading if name == self._provider), "CPUExecutionProvider"]

    def get_inputs(self):
        return [SimpleNamespace(name="image", type="tensor(uint8)", shape=["batch", 4, 6, 1])]

    def run(self, outputs, feed):
        assert outputs is None
        assert (feed["image"].dtype, feed["image"].shape) == (np.uint8, (1, 4, 6, 1))
        if self._provider in self._library.failing:
            raise RuntimeError("CUDA failure 100: no CUDA-capable\n  device is detected")


class FakeRuntime:
    """ONNX Runtime: what it lists, what of it loads, and what of that fails."""

    def __init__(self, listed, loading=(), failing=()):
        self.listed, self.loading, self.failing = listed, loading, failing

    def get_available_providers(self):
        return [*self.listed, "CPUExecutionProvider"]

    def InferenceSession(self, path, providers):  # noqa: N802 - the library's name
        assert path.endswith("model.onnx")
        return FakeSession(self, providers)


@pytest.fixture
def tried(tmp_path, monkeypatch):
    write_package(tmp_path / "pcb-nano", golden=False)
    monkeypatch.setenv("TAKT_ZOO", str(tmp_path))
    return lambda *arguments: probe.try_providers(FakeRuntime(*arguments))


def test_a_gpu_with_its_libraries_is_told(driver):
    driver(probe.CUDA_LIBRARY, probe.GRAPH_LIBRARY)

    assert probe.try_cuda() == {"ok": "Orin, capability 8.7, CUDA 12.6 of the driver"}


def test_without_pycuda_tensorrt_cannot_be_run(driver):
    driver(probe.GRAPH_LIBRARY)

    said = probe.try_cuda()

    assert "pycuda.driver does not load" in said["error"]
    assert "takt-inspect[gpu]" in said["mend"]


def test_without_cuda_bindings_there_are_no_graphs_and_nothing_is_wrong(driver):
    driver(probe.CUDA_LIBRARY)

    assert "without CUDA graphs" in probe.try_cuda()["ok"]


def test_a_provider_that_runs_is_told(tried):
    assert tried([CUDA], [CUDA]) == {"ok": f"{CUDA} run"}


def test_a_provider_that_does_not_load_is_not_taken_for_one_that_runs(tried):
    said = tried([CUDA])

    assert said["error"] == f"{CUDA} does not run: it does not load, and the CPU takes its place"
    assert said["mend"]


def test_a_provider_that_loads_and_fails_says_why(tried):
    assert tried([CUDA], [CUDA], [CUDA])["error"] == (
        f"{CUDA} does not run: CUDA failure 100: no CUDA-capable device is detected"
    )


def test_one_provider_of_two_is_enough(tried):
    said = tried([TENSORRT, CUDA], [CUDA])

    assert said["ok"].startswith(f"{CUDA} run; {TENSORRT} does not run")


def test_the_real_runtime_says_what_it_has(monkeypatch, tmp_path):
    write_package(tmp_path / "pcb-nano", golden=False)
    monkeypatch.setenv("TAKT_ZOO", str(tmp_path))

    said = probe.try_runtime("onnx")

    assert "CPUExecutionProvider" in said["providers"]
