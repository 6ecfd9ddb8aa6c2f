"""The drivers `onnx-tensorrt` and `onnx-cuda` on a real GPU: what they find, and that they run where they say."""

import os
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from app.capture.pictures import read_picture
from app.clock import SystemClock
from app.detect import onnx_gpu
from app.detect.proof import prove
from app.detect.runtimes import open_detector
from app.detect.zoo import find_package, list_packages, with_variant, zoo_folder

pytestmark = pytest.mark.gpu

MODELS = [
    with_variant(entry.package.name, variant if len(entry.package.variants) > 1 else "")
    for entry in list_packages(zoo_folder())
    if entry.package is not None
    for variant in entry.package.variants
]
REFUSED = ("pcb-nano-int8",)
"""For the CPU only."""

FRAMES, LEEWAY_BYTES = 1000, 4 << 20


@pytest.fixture(params=[onnx_gpu.BY_TENSORRT, onnx_gpu.BY_CUDA], ids=lambda way: way.runtime)
def opened(request, tmp_path):
    """Opens a model on one way and closes it at the end."""
    way = request.param
    if way.providers[0] not in onnxruntime.get_available_providers():
        pytest.skip("gpu: no GPU with TensorRT and pycuda; run where there is one: make test-gpu")
    opener = onnx_gpu.open_onnx_tensorrt if way is onnx_gpu.BY_TENSORRT else onnx_gpu.open_onnx_cuda
    detectors = []

    def open_one(package):
        detectors.append(opener(package, 1, SystemClock(), folder=tmp_path / "engines"))
        return detectors[-1]

    yield open_one
    for detector in detectors:
        detector.close()


@pytest.mark.parametrize("name", [each for each in MODELS if each not in REFUSED])
def test_golden_frames_reproduce_through_onnx_runtime(opened, name):
    package = find_package(name, zoo_folder())
    assert prove(package, opened(package), read_picture).frames == len(package.frames)


def test_scores_are_those_of_the_processor(opened):
    package = find_package("pcb-nano", zoo_folder())
    gpu, cpu = opened(package), open_detector(package, "onnx", 2)
    for frame in package.frames:
        picture, golden = read_picture(frame.image), read_picture(frame.golden) if frame.golden else None
        ours, theirs = (each.detect(picture, golden).detections for each in (gpu, cpu))
        assert [each.label for each in ours] == [each.label for each in theirs]
        assert np.allclose([each.score for each in ours], [each.score for each in theirs], atol=package.tolerance_score)


def test_memory_of_the_machine_stays_flat(opened):
    package = find_package("pcb-nano", zoo_folder())
    detector, frame = opened(package), package.frames[0]
    picture, golden = read_picture(frame.image), read_picture(frame.golden)
    for _ in range(50):
        detector.detect(picture, golden)
    before = resident_bytes()
    for _ in range(FRAMES):
        detector.detect(picture, golden)
    assert resident_bytes() - before < LEEWAY_BYTES


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
