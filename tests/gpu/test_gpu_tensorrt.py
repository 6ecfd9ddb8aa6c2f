"""The driver `tensorrt` on a real GPU: what it finds, how it runs, and what it holds on to."""

import mmap
import os
from pathlib import Path

import numpy as np
import pytest

from app.capture.pictures import read_picture
from app.clock import SystemClock
from app.detect.prepare import Preparation, input_bytes
from app.detect.proof import prove
from app.detect.runtimes import open_detector
from app.detect.zoo import find_package, list_packages, with_variant, zoo_folder
from app.errors import PackageError

pytestmark = pytest.mark.gpu

REFUSED = ("pcb-nano-int8",)
"""For the CPU only: TensorRT takes no uint8 but into a Cast, and its first node is another."""

MODELS = [
    with_variant(entry.package.name, variant if len(entry.package.variants) > 1 else "")
    for entry in list_packages(zoo_folder())
    if entry.package is not None
    for variant in entry.package.variants
]
WARM_FRAMES, FRAMES = 50, 1000
LEEWAY_BYTES = 4 << 20


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    """Where this run keeps its engines; each model is built once."""
    return tmp_path_factory.mktemp("engines")


@pytest.fixture
def opened(engines):
    """Opens a model on the GPU and closes it at the end."""
    from app.detect.tensorrt import TensorRtOptions, open_tensorrt

    detectors = []

    def opener(package, preparation=None, steps=None, **options):
        detectors.append(
            open_tensorrt(
                package,
                1,
                SystemClock(),
                preparation,
                TensorRtOptions(folder=engines, **options),
                on_progress=lambda *step: steps.append(step) if steps is not None else None,
            )
        )
        return detectors[-1]

    yield opener
    for detector in detectors:
        detector.close()


@pytest.fixture(params=[name for name in MODELS if name not in REFUSED])
def package(request):
    return find_package(request.param, zoo_folder())


@pytest.fixture
def smallest():
    return find_package("pcb-nano", zoo_folder())


def pictures(package, count):
    """Made up of noise at every level."""
    random = np.random.default_rng(5)
    shape = (package.spec.height_px, package.spec.width_px)
    return [random.integers(0, 256, shape).astype(np.uint8) for _ in range(count)]


def outputs(detector, picture, golden):
    detector.detect(picture, golden)
    return {name: each.copy() for name, each in detector.infer().by_name().items()}


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_golden_frames_reproduce(opened, package):
    assert prove(package, opened(package), read_picture).frames == len(package.frames)


def test_outputs_are_those_of_onnx_runtime(opened, package, record_property):
    gpu, cpu = opened(package), open_detector(package, "onnx", 2)
    worst = {}
    for frame in package.frames:
        picture, golden = read_picture(frame.image), read_picture(frame.golden) if frame.golden else None
        theirs, ours = outputs(cpu, picture, golden), outputs(gpu, picture, golden)
        assert theirs.keys() == ours.keys()
        for name in theirs.keys() - {"boxes", "classes"}:  # rows of equal scores may change places
            far = float(np.abs(theirs[name] - ours[name]).max())
            worst[name] = max(worst.get(name, 0.0), far)
    cpu.close()
    for name, far in worst.items():
        record_property(f"{package.name}:{package.variant} {name}", far)
    assert worst["scores"] <= package.tolerance_score


@pytest.mark.parametrize("name", REFUSED)
def test_model_for_the_cpu_only_is_refused_with_the_node(opened, name):
    with pytest.raises(PackageError, match=r"can read: node \S+ \(\w+\): "):
        opened(find_package(name, zoo_folder()))


def test_replayed_graph_gives_what_plain_launches_give(opened, package):
    pytest.importorskip("cuda.bindings", reason='run: pip install "takt-inspect[gpu]"')
    graph, plain = opened(package), opened(package, is_recorded=False)
    assert graph.why_not_recorded == ""
    first, *others = pictures(package, 10)
    for picture in others:
        one, two = outputs(graph, picture, first), outputs(plain, picture, first)
        assert all(np.array_equal(one[name], two[name]) for name in one)


def test_engine_that_is_kept_is_not_built_again(opened, smallest):
    opened(smallest)
    steps = []
    opened(smallest, steps=steps)
    assert steps == []


def test_memory_that_another_process_could_fill_is_judged_where_it_lies(opened, smallest):
    picture, golden = pictures(smallest, 2)
    shared = np.frombuffer(mmap.mmap(-1, input_bytes(smallest.spec)), np.uint8)
    theirs = Preparation(smallest.spec, shared)
    adopted = opened(smallest, theirs)
    theirs.fill(picture, golden)
    found = {name: each.copy() for name, each in adopted.infer().by_name().items()}
    wanted = outputs(opened(smallest), picture, golden)
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


def test_memory_stays_flat(opened, package):
    from app.detect.cuda import open_cuda

    detector, onlooker = opened(package), open_cuda()
    picture, golden = pictures(package, 2)
    for _ in range(WARM_FRAMES):
        detector.detect(picture, golden)
    free, resident = onlooker.free_bytes(), resident_bytes()
    for _ in range(FRAMES):
        detector.detect(picture, golden)
    assert free - onlooker.free_bytes() <= LEEWAY_BYTES
    assert resident_bytes() - resident <= LEEWAY_BYTES
    onlooker.close()


def test_closed_detector_gives_the_gpus_memory_back(opened, smallest):
    from app.detect.cuda import open_cuda

    opened(smallest).close()
    onlooker = open_cuda()
    free = onlooker.free_bytes()
    for _ in range(5):
        opened(smallest).close()
    assert free - onlooker.free_bytes() <= LEEWAY_BYTES
    onlooker.close()
