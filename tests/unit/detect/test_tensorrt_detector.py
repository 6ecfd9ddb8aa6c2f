"""The driver `tensorrt` on a GPU made of arrays: what is asked of the GPU, in which order, and what when it fails."""

import sys

import numpy as np
import pytest

from app.detect.prepare import Preparation
from app.detect.proof import prove
from app.detect.runtimes import PREFERRED, RUNTIMES, open_detector
from app.errors import ConfigError, DetectorError, MissingDriverError, PackageError
from tests.unit.detect.fake_cuda import BEGIN, END
from tests.unit.detect.gpu_bench import OURS, facts
from tests.unit.detect.tiny_model import HEIGHT, WIDTH, blank, read, tiny_onnx, tiny_package, with_spot

STEP = ["send", "send", "execute", "fetch", "fetch", "fetch"]


@pytest.fixture
def package(tmp_path):
    return tiny_package(tmp_path / "tiny")


def boxes(result):
    return [(each.label, each.score, each.box_px) for each in result.detections]


@pytest.mark.parametrize("has_bindings", [True, False])
@pytest.mark.parametrize("is_integrated", [True, False])
def test_golden_frames_reproduce_in_every_way_of_running(make_bench, package, has_bindings, is_integrated):
    detector = make_bench(has_bindings=has_bindings, is_integrated=is_integrated).open(package)
    assert detector.runtime == "tensorrt"
    assert prove(package, detector, read).detections == 1


def test_frame_is_copied_in_judged_and_copied_out_by_one_graph(bench, package):
    detector = bench.open(package)
    frame = bench.calls_of(lambda: detector.detect(with_spot(9, 20), blank()))
    assert frame == ["push", "launch graph", "record", "wait", "pop"]
    assert detector.why_not_recorded == ""


def test_graph_holds_the_step_that_was_tried_before_it_was_recorded(bench, package):
    bench.open(package)
    names = [each[0] for each in bench.driver.calls]
    begin, end = names.index(BEGIN), names.index(END)
    assert names[begin + 1 : end] == STEP
    assert [name for name in names[:begin] if name in STEP] == STEP


def test_without_cuda_bindings_a_frame_is_queued_in_parts(make_bench, package):
    bench = make_bench(has_bindings=False)
    detector = bench.open(package)
    frame = bench.calls_of(lambda: detector.detect(with_spot(9, 20), blank()))
    assert frame == ["push", *STEP, "record", "wait", "pop"]
    assert bench.notes == ["frames are queued in parts and not launched as one graph: cuda-bindings is not installed"]


def test_graph_that_was_not_asked_for_is_not_recorded(bench, package):
    bench.open(package, is_recorded=False)
    assert BEGIN not in [each[0] for each in bench.driver.calls]


@pytest.mark.parametrize("call", ["cuStreamBeginCapture", "cuStreamEndCapture", "cuGraphInstantiate"])
def test_step_that_cannot_be_recorded_is_queued_in_parts(bench, package, call):
    bench.bindings.faults[call] = 900
    detector = bench.open(package)
    assert boxes(detector.detect(with_spot(9, 20, 204), blank())) == [("left", 0.8, (8, 16, 8, 8))]
    assert "the work cannot be recorded: error number 900" in bench.notes[0]


def test_engine_that_tensorrt_rtx_cannot_record_is_queued_in_parts(make_bench, package):
    bench = make_bench(is_rtx=True)
    bench.library.is_capturable = False
    assert prove(package, bench.open(package), read).detections == 1
    assert bench.notes[0].endswith("TensorRT-RTX 10.3.0 says that this engine cannot be")
    assert BEGIN not in [each[0] for each in bench.driver.calls]


def test_engine_that_tensorrt_rtx_can_record_is_a_graph(make_bench, package):
    bench = make_bench(is_rtx=True)
    assert prove(package, bench.open(package), read).detections == 1
    assert bench.notes == []


def test_everything_is_queued_on_one_stream_at_the_addresses_that_tensorrt_was_given(make_bench, package):
    bench = make_bench(has_bindings=False)
    detector = bench.open(package)
    before = len(bench.driver.calls)
    detector.detect(with_spot(9, 20), blank())
    frame = bench.driver.calls[before:]
    assert {each[-1] for each in frame if each[0] in ("send", "fetch", "execute", "record")} == {77}
    assert len({each[1] for each in frame if each[0] in ("send", "fetch")}) == 5


def test_integrated_gpu_reads_the_picture_where_it_was_prepared(make_bench, package):
    bench = make_bench(has_bindings=False, is_integrated=True)
    detector = bench.open(package)
    frame = bench.calls_of(lambda: detector.detect(with_spot(9, 20), blank()))
    assert frame == ["push", "execute", "fetch", "fetch", "fetch", "record", "wait", "pop"]


@pytest.mark.parametrize("is_integrated", [True, False])
def test_nothing_is_allocated_for_a_frame(make_bench, package, is_integrated):
    bench = make_bench(is_integrated=is_integrated)
    detector = bench.open(package)
    free = bench.driver.free
    calls = bench.calls_of(lambda: [detector.detect(with_spot(9, 20), blank()) for _ in range(50)])
    assert set(calls) == {"push", "launch graph", "record", "wait", "pop"}
    assert bench.driver.free == free


@pytest.mark.parametrize("is_integrated", [True, False])
def test_memory_that_somebody_else_fills_is_locked_where_it_lies(make_bench, package, is_integrated):
    bench = make_bench(is_integrated=is_integrated)
    theirs = Preparation(package.spec)
    detector = bench.open(package, theirs)
    theirs.fill(with_spot(9, 20, 204), blank())
    scores = detector.infer().by_name()["scores"]
    assert scores.max() == np.float32(0.8)
    assert [each[0] for each in bench.driver.calls].count("register") == 2


@pytest.mark.parametrize("has_bindings", [True, False])
def test_memory_that_cannot_be_locked_is_copied(make_bench, package, has_bindings):
    bench = make_bench(has_bindings=has_bindings)
    if has_bindings:
        bench.bindings.faults["cuMemHostRegister"] = 801
    theirs = Preparation(package.spec)
    detector = bench.open(package, theirs)
    theirs.fill(with_spot(9, 20, 204), blank())
    assert detector.infer().by_name()["scores"].max() == np.float32(0.8)


def test_adopted_memory_is_let_go_when_the_detector_is_closed(bench, package):
    detector = bench.open(package, Preparation(package.spec))
    assert bench.calls_of(detector.close).count("unregister") == 2


@pytest.mark.parametrize("has_bindings", [True, False])
def test_failure_of_cuda_is_told_in_the_drivers_words_and_ends_the_context(make_bench, package, has_bindings):
    bench = make_bench(has_bindings=has_bindings)
    detector = bench.open(package)
    bench.driver.later = "an illegal memory access was encountered"
    with pytest.raises(DetectorError, match="CUDA failed: cuEventSynchronize failed: an illegal memory access was enc"):
        detector.detect(with_spot(9, 20), blank())

    bench.driver.later = ""
    calls = len(bench.driver.calls)
    with pytest.raises(
        DetectorError, match=r"is not used any more, as it failed before: .*illegal memory access.*dmesg"
    ):
        detector.detect(with_spot(9, 20), blank())
    assert len(bench.driver.calls) == calls


def test_failed_launch_of_a_graph_is_told(bench, package):
    detector = bench.open(package)
    bench.bindings.faults["cuGraphLaunch"] = 719
    with pytest.raises(DetectorError, match="CUDA failed: error number 719"):
        detector.detect(with_spot(9, 20), blank())


def test_tensorrt_that_refuses_to_run_says_why(make_bench, package):
    bench = make_bench(has_bindings=False)
    detector = bench.open(package)
    bench.library.fails_with = "[x.cpp::enqueue::9] Error Code 1: Cuda Runtime (misaligned address)"
    with pytest.raises(DetectorError, match=r"TensorRT 10\.3\.0 failed: misaligned address; restart"):
        detector.detect(with_spot(9, 20), blank())


def test_context_is_given_back_whatever_happens(bench, package):
    detector = bench.open(package)
    bench.driver.later = "gone"
    with pytest.raises(DetectorError):
        detector.detect(with_spot(9, 20), blank())
    assert bench.driver.depth == 0


def test_closing_frees_all_of_the_gpus_memory_and_is_idempotent(bench, package):
    detector = bench.open(package)
    last = detector.infer()
    detector.close()
    detector.close()
    assert bench.driver.free == bench.driver.total
    assert last.by_name()["scores"].shape == (1, 12)
    with pytest.raises(DetectorError, match="closed"):
        detector.detect(with_spot(9, 20), blank())


def test_gpu_is_given_back_when_the_model_does_not_open(bench, package):
    bench.driver.faults["execute"] = "an illegal instruction was encountered"
    with pytest.raises(DetectorError, match="illegal instruction"):
        bench.open(package)
    assert bench.driver.free == bench.driver.total


def test_engine_is_built_once_and_loaded_from_then_on(bench, package):
    bench.open(package)
    assert bench.steps == [("Building", 0, 2), ("Building", 1, 2), ("Building", 2, 2), ("Building", 2, 2)]
    bench.open(package)
    assert bench.library.builds == 1


@pytest.mark.parametrize(
    "changes", [{"name": "Another"}, {"capability": "8.6"}], ids=["another GPU", "another capability"]
)
def test_another_gpu_gets_an_engine_of_its_own(bench, package, changes):
    bench.open(package)
    bench.facts = facts(**changes)
    bench.open(package)
    assert bench.library.builds == 2


@pytest.mark.parametrize("options", [{"workspace_bytes": 1000}, {"dla_core": 0}])
def test_other_options_get_an_engine_of_their_own(make_bench, package, options):
    bench = make_bench(dla_cores=1)
    bench.facts = facts(dla_cores=1)
    bench.open(package)
    bench.open(package, **options)
    assert bench.library.builds == 2


def test_another_model_gets_an_engine_of_its_own(bench, package, tmp_path):
    bench.open(package)
    bench.open(tiny_package(tmp_path / "other", tiny_onnx(golden=False), golden=False))
    assert bench.library.builds == 2


def test_kept_engine_that_tensorrt_refuses_is_built_anew(bench, package):
    bench.open(package)
    bench.library.refuses_plans = True
    detector = bench.open(package)
    assert boxes(detector.detect(with_spot(9, 20, 204), blank())) == [("left", 0.8, (8, 16, 8, 8))]
    assert bench.library.builds == 2
    assert "refuses the engine: the plan is of another version; the engine is built anew" in bench.notes[0]


def test_kept_engine_that_tensorrt_refuses_is_gone_even_if_no_other_can_be_built(bench, package, monkeypatch):
    bench.open(package)
    bench.library.refuses_plans = True

    def fail(*_):
        raise PackageError("it cannot be built", "export it again")

    monkeypatch.setattr(bench.module, "build_plan", fail)
    kept = list(bench.folder.glob("*.engine"))
    with pytest.raises(PackageError, match="it cannot be built"):
        bench.open(package)
    assert len(list(bench.folder.glob("*.engine"))) == len(kept) - 1


def test_new_engine_that_tensorrt_refuses_is_an_error(bench, package):
    bench.library.refuses_plans = True
    with pytest.raises(DetectorError, match="refuses the engine: the plan is of another version"):
        bench.open(package)


def test_model_larger_than_the_gpus_memory_is_refused_with_both_sizes_before_it_is_built(bench, package):
    bench.facts = facts(memory_bytes=package.onnx.stat().st_size - 1)
    with pytest.raises(
        DetectorError, match=r"model\.onnx has 0\.0 MB and Fake Orin 0\.0 MB of memory; use a smaller model"
    ):
        bench.open(package)
    assert bench.library.builds == 0


def test_engine_that_needs_more_memory_than_is_free_is_refused_with_both_sizes(make_bench, package):
    bench = make_bench(free=50_000_000)
    bench.library.activation_bytes = 200_000_000
    with pytest.raises(
        DetectorError, match=r"needs 200\.0 MB of the GPU's memory to compute in, which has (49|50)\.\d MB free"
    ):
        bench.open(package)


def test_plan_that_is_larger_than_what_is_free_is_refused_with_both_sizes(make_bench, package):
    bench = make_bench(free=2_000)
    with pytest.raises(
        DetectorError, match=r"needs 0\.0 MB of the GPU's memory for its weights, which has 0\.0 MB free"
    ):
        bench.open(package)


def test_dla_core_that_the_device_does_not_have_is_refused(bench, package):
    with pytest.raises(ConfigError, match="DLA core 1 is asked for and the device has none"):
        bench.open(package, dla_core=1)


def test_missing_tensorrt_is_named_with_its_install_line(bench, package, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    for name in OURS:
        sys.modules.pop(
            name, None
        )  # the bench puts back what was there; monkeypatch would bring its fakes back after it
    with pytest.raises(MissingDriverError, match=r'runtime tensorrt needs tensorrt.*pip install "takt-inspect\[gpu\]"'):
        open_detector(package, "tensorrt")


def test_runtime_that_is_preferred_is_never_a_gpu():
    assert "tensorrt" in RUNTIMES
    assert "tensorrt" not in PREFERRED


def test_missing_pycuda_is_named_with_its_install_line(bench, package, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    with pytest.raises(MissingDriverError, match=r'needs pycuda.*pip install "takt-inspect\[gpu\]"'):
        bench.open(package)


def test_gpu_that_gives_no_context_is_told(bench, package):
    bench.driver.faults["init"] = "no CUDA-capable device is detected"
    with pytest.raises(DetectorError, match="the GPU cannot start: init failed: no CUDA-capable device is detected"):
        bench.open(package)


def test_picture_of_another_size_is_scaled_into_locked_memory(bench, package):
    detector = bench.open(package)
    picture = np.zeros((HEIGHT * 2, WIDTH * 2), np.uint8)
    picture[40:42, 18:20] = 255
    assert boxes(detector.detect(picture, np.zeros_like(picture))) == [("left", 1.0, (16, 32, 16, 16))]


def test_model_with_other_inputs_is_refused_before_it_is_built(bench, tmp_path):
    wrong = tiny_package(tmp_path / "mono", tiny_onnx(channels=3), channels=1)
    with pytest.raises(PackageError, match=r"has the inputs image uint8"):
        bench.open(wrong)
    assert bench.library.builds == 0
