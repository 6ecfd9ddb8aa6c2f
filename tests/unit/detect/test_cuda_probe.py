"""What becomes of a child that asks for the GPU: it answers, says what is wrong, dies or hangs."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from app.detect import gpu_probe
from app.detect.gpu_probe import GpuFacts, heard, probe_gpu
from app.errors import DetectorError, MissingDriverError

ORIN = {
    "name": "Orin",
    "capability": "8.7",
    "memory_bytes": 8_000_000_000,
    "is_integrated": True,
    "cuda": 12060,
    "dla_cores": 2,
}


def test_child_that_found_a_gpu_is_believed():
    assert heard(0, "a library greets\n" + json.dumps(ORIN), "") == GpuFacts(**ORIN)


def test_child_that_was_killed_is_named_with_its_signal():
    with pytest.raises(DetectorError, match="ended with SIGSEGV when it was tried on this machine's GPU; mend the"):
        heard(-11, "", "")


def test_child_that_found_no_tensorrt_gives_the_install_line():
    with pytest.raises(MissingDriverError, match=r'pip install "takt-inspect\[gpu\]"'):
        heard(0, '{"problem": "absent"}', "")


def test_childs_own_words_are_passed_on():
    with pytest.raises(DetectorError, match=r"^the driver is too old; install a newer one$"):
        heard(0, '{"problem": "the driver is too old", "mend": "install a newer one"}', "")


@pytest.mark.parametrize("said", ["", "no JSON", "[]", "5", '{"name": "half of it"}', '{"unknown": 1}'])
def test_child_that_says_nothing_of_use_is_told_with_its_last_words(said):
    with pytest.raises(DetectorError, match="trying the GPU ended with code 1: ImportError: last words"):
        heard(1, said, "Traceback\nImportError: last words")


def test_child_that_hangs_is_given_up(monkeypatch):
    def hang(*arguments, **options):
        return real([sys.executable, "-c", "import time; time.sleep(600)"], **options)

    real = subprocess.run
    monkeypatch.setattr(gpu_probe.subprocess, "run", hang)
    with pytest.raises(DetectorError, match=r"the GPU does not answer within 0\.5 s; mend the GPU's driver"):
        probe_gpu(0.5)


class FakeLibrary:
    """libcuda, as far as it is asked: GPUs, and which call fails with what number."""

    def __init__(self, count=1, fails="", code=100):
        self._count, self._fails, self._code = count, fails, code

    def __getattr__(self, name):
        return lambda *arguments: self._code if name == self._fails else self._answer(name, arguments)

    def _answer(self, name, arguments):
        if name == "cuDeviceGetCount":
            arguments[0]._obj.value = self._count
        elif name == "cuDeviceGetName":
            arguments[0].value = b"Orin"
        elif name == "cuDeviceTotalMem_v2":
            arguments[0]._obj.value = 8_000_000_000
        elif name == "cuDriverGetVersion":
            arguments[0]._obj.value = 12060
        elif name == "cuDeviceGetAttribute":
            arguments[0]._obj.value = {75: 8, 76: 7, 18: 1}[arguments[1]]
        elif name == "cuGetErrorString":
            arguments[1]._obj.value = b"no CUDA-capable device is detected"
        return 0


def test_driver_describes_its_first_gpu(monkeypatch):
    monkeypatch.setattr(gpu_probe.ctypes, "CDLL", lambda _: FakeLibrary())
    assert gpu_probe.ask_driver() == GpuFacts(**{**ORIN, "dla_cores": 0})


@pytest.mark.parametrize(
    ("library", "words"),
    [
        (FakeLibrary(count=0), "the NVIDIA driver shows no GPU; mend"),
        (FakeLibrary(fails="cuInit"), r"cannot start: no CUDA-capable device is detected \(CUDA error 100\); mend"),
        (FakeLibrary(fails="cuDeviceTotalMem_v2"), "cannot tell the GPU's memory: no CUDA-capable"),
    ],
)
def test_driver_that_does_not_work_is_told_in_its_words(monkeypatch, library, words):
    monkeypatch.setattr(gpu_probe.ctypes, "CDLL", lambda _: library)
    with pytest.raises(DetectorError, match=words):
        gpu_probe.ask_driver()


def test_machine_without_a_driver_is_told_so(monkeypatch):
    def absent(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(gpu_probe.ctypes, "CDLL", absent)
    with pytest.raises(DetectorError, match=r"no NVIDIA driver \(libcuda\.so\.1: cannot open.*\); install the GPU's"):
        gpu_probe.ask_driver()


def test_driver_tells_how_much_memory_is_free(monkeypatch):
    class FreeLibrary(FakeLibrary):
        def _answer(self, name, arguments):
            if name == "cuMemGetInfo_v2":
                arguments[0]._obj.value, arguments[1]._obj.value = 3_000_000_000, 8_000_000_000
            return super()._answer(name, arguments)

    monkeypatch.setattr(gpu_probe.ctypes, "CDLL", lambda _: FreeLibrary())
    assert gpu_probe.ask_free_bytes() == 3_000_000_000


def test_gpu_that_gives_no_context_is_told_in_the_drivers_words(monkeypatch):
    library = FakeLibrary(fails="cuDevicePrimaryCtxRetain", code=2)
    monkeypatch.setattr(gpu_probe.ctypes, "CDLL", lambda _: library)
    with pytest.raises(DetectorError, match=r"cannot start on the GPU: .* \(CUDA error 2\); mend"):
        gpu_probe.ask_free_bytes()


@pytest.mark.parametrize(
    ("numbers", "words"),
    [({}, ""), ({10: 100_300}, "10.3.0"), ({11: 110_401, 10: 100_900}, "11.4.1 and 10.9.0")],
)
def test_versions_of_tensorrts_own_library_are_told(monkeypatch, numbers, words):
    def load(name):
        number = numbers.get(int(name.rpartition(".")[2]))
        if number is None:
            raise OSError(f"{name}: cannot open shared object file")
        return SimpleNamespace(getInferLibVersion=lambda: number)

    monkeypatch.setattr(gpu_probe.ctypes, "CDLL", load)
    assert gpu_probe.ask_infer() == words


@pytest.mark.parametrize("is_driver_only", [False, True])
def test_child_is_told_whether_to_touch_tensorrt(monkeypatch, is_driver_only):
    asked = []

    def run(command, **_):
        asked.append(command[3:])
        return SimpleNamespace(returncode=0, stdout=json.dumps(ORIN), stderr="")

    monkeypatch.setattr(gpu_probe.subprocess, "run", run)
    assert probe_gpu(is_driver_only=is_driver_only) == GpuFacts(**ORIN)
    assert asked == [["driver"] if is_driver_only else []]
