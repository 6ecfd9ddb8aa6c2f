"""Memory that a model needs against memory that there is."""

from types import SimpleNamespace

import pytest

from app.detect.gpu_probe import GpuFacts
from app.detect.room import check_fits, check_fits_machine, free_memory_bytes
from app.errors import DetectorError

SIZE = 2_500_000


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "large.onnx"
    path.write_bytes(bytes(SIZE))
    return SimpleNamespace(onnx=path)


def gpu(memory_bytes, free_bytes):
    return GpuFacts("Orin", "8.7", memory_bytes, is_integrated=True, cuda=12060, free_bytes=free_bytes)


@pytest.mark.parametrize(("memory", "free"), [(SIZE, SIZE), (SIZE, None), (10 * SIZE, SIZE)])
def test_model_that_fits_passes(package, memory, free):
    check_fits(package, gpu(memory, free))


@pytest.mark.parametrize(
    ("memory", "free", "words"),
    [
        (1_500_000, None, r"large\.onnx has 2\.5 MB and Orin 1\.5 MB of memory; use a smaller model"),
        (8_000_000, 1_500_000, r"large\.onnx has 2\.5 MB and Orin 1\.5 MB free; use a smaller model, or close"),
    ],
)
def test_model_that_does_not_fit_the_gpu_is_refused_with_both_sizes(package, memory, free, words):
    with pytest.raises(DetectorError, match=words):
        check_fits(package, gpu(memory, free))


def test_model_that_does_not_fit_the_machine_is_refused_with_both_sizes(package):
    check_fits_machine(package, SIZE)
    check_fits_machine(package, None)
    with pytest.raises(DetectorError, match=r"large\.onnx has 2\.5 MB and this machine 2\.4 MB of memory free; use a"):
        check_fits_machine(package, 2_400_000)


@pytest.mark.parametrize(
    ("content", "free"),
    [
        ("MemTotal: 8 kB\nMemAvailable:  4000 kB\n", 4_096_000),
        ("MemTotal: 8 kB\n", None),
        ("MemAvailable: much\n", None),
    ],
)
def test_free_memory_is_what_the_kernel_estimates(tmp_path, content, free):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text(content)
    assert free_memory_bytes(tmp_path) == free


def test_kernel_that_does_not_say_is_no_error(tmp_path):
    assert free_memory_bytes(tmp_path) is None
