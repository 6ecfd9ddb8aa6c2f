"""What is built, held against the reference and timed: with real runtimes, a tiny model and a clock that is moved."""

from dataclasses import replace
from datetime import datetime, timezone

import pytest

from app.clock import NS_PER_MS, VirtualClock
from app.detect import building
from app.detect.building import Order, build_role, candidates_for
from app.detect.building_key import BuildKey
from app.detect.choose import Candidate
from app.detect.engine_folder import Keeping
from app.detect.package import load_package
from app.errors import DataError, DetectorError
from tests.unit.detect.gpu_bench import GpuBench
from tests.unit.detect.scripted_detector import ScriptedDetector
from tests.unit.detect.tiny_kinds import classifier_onnx, write_kind
from tests.unit.detect.tiny_model import read, tiny_package
from tests.unit.detect.two_models import write_two_models

FRIDAY = datetime(2026, 11, 20, 14, 30, tzinfo=timezone.utc)
KEY = BuildKey("a machine", {"onnxruntime": "1.20"}, 1)
RIGHT, WRONG = classifier_onnx(), classifier_onnx(weights=(-0.5, 0.25, 0.25))


class TimedDetector(ScriptedDetector):
    """Takes as long as it is told to, on a clock that stands still otherwise."""

    def __init__(self, clock, took_ms, **options):
        super().__init__(**options)
        self._clock, self._took_ms = clock, took_ms

    def detect(self, image, golden=None):
        self._clock.advance_to(self._clock.now_ns() + round(self._took_ms * NS_PER_MS))
        return super().detect(image, golden)


@pytest.fixture
def order():
    steps = []
    asked = Order("standby", (), KEY, FRIDAY, 1, 1, read, VirtualClock(), Keeping(), lambda *step: steps.append(step))
    return steps, asked


def built(package, order, *candidates, **changes):
    return build_role(package, replace(order[1], candidates=tuple(Candidate(*each) for each in candidates), **changes))


def names(found):
    return [str(each.candidate) for each in found]


@pytest.fixture
def scripted(monkeypatch, order):
    """Runtimes that are made up: how long each takes, or what it says instead."""
    clock, opened = order[1].clock, []

    def use(times):
        def opener(model, runtime, *_):
            said = times[f"{model.variant} on {runtime}"]
            if isinstance(said, Exception):
                raise said
            detector = said if isinstance(said, ScriptedDetector) else TimedDetector(clock, said, runtime=runtime)
            opened.append(detector)
            return detector

        monkeypatch.setattr(building, "open_local", opener)
        monkeypatch.setattr(building, "prove", lambda *_: None)
        monkeypatch.setattr(building, "_compared", lambda *_: (0.0, 0.0))
        return opened

    return use


def test_every_runtime_of_the_processor_passes_with_a_model_that_is_right(tmp_path, order):
    found = built(
        tiny_package(tmp_path / "tiny"), order, ("accelerator-fp32", "onnx"), ("accelerator-fp32", "openvino")
    )
    assert sorted(names(found.passed)) == ["accelerator-fp32 on onnx", "accelerator-fp32 on openvino"]
    assert found.reference == "accelerator-fp32 on onnx"
    assert all(each.worst_px < 0.1 and each.worst_score < 0.01 for each in found.passed)
    assert {each.times.count for each in found.passed} == {10}
    assert (found.key, found.at, found.refused) == (KEY, FRIDAY, ())


def test_model_that_says_another_thing_than_its_golden_frames_is_refused_with_the_reason(tmp_path, order):
    package = load_package(write_kind(tmp_path / "two", models={"standby-fp32": RIGHT, "standby-int8": WRONG}))
    found = built(package, order, ("standby-int8", "onnx"), ("standby-fp32", "onnx"))
    assert names(found.passed) == ["standby-fp32 on onnx"]
    assert str(found.refused[0].candidate) == "standby-int8 on onnx"
    assert "fails its proof on onnx" in found.refused[0].why


def test_model_that_says_another_thing_than_the_reference_is_refused_though_its_golden_frames_reproduce(
    tmp_path, order, monkeypatch
):
    package = load_package(write_kind(tmp_path / "two", models={"standby-fp32": RIGHT, "standby-int8": WRONG}))
    monkeypatch.setattr(building, "prove", lambda *_: None)
    found = built(package, order, ("standby-int8", "onnx"), ("standby-fp32", "onnx"))
    assert names(found.passed) == ["standby-fp32 on onnx"]
    assert "standby-int8 on onnx says another thing than standby-fp32 on onnx: golden frame" in found.refused[0].why


def test_fastest_comes_first(tmp_path, order, scripted):
    scripted({"accelerator-fp32 on onnx": 3.0, "accelerator-fp32 on openvino": 2.0})
    found = built(
        tiny_package(tmp_path / "tiny"), order, ("accelerator-fp32", "onnx"), ("accelerator-fp32", "openvino")
    )
    assert names(found.passed) == ["accelerator-fp32 on openvino", "accelerator-fp32 on onnx"]
    assert [each.times.p50_ms for each in found.passed] == [2.0, 3.0]
    assert str(found.chosen.candidate) == "accelerator-fp32 on openvino"


def test_detector_that_fails_while_it_is_timed_is_taken_out_and_the_others_are_timed_anew(tmp_path, order, scripted):
    broken = ScriptedDetector(runtime="openvino")
    broken.is_failing = True
    opened = scripted({"accelerator-fp32 on onnx": 3.0, "accelerator-fp32 on openvino": broken})
    found = built(
        tiny_package(tmp_path / "tiny"), order, ("accelerator-fp32", "onnx"), ("accelerator-fp32", "openvino")
    )
    assert names(found.passed) == ["accelerator-fp32 on onnx"]
    assert found.refused[0].why.startswith("it failed while it was timed: ")
    assert all(each.closings == 1 for each in opened)


def test_device_without_memory_for_a_model_is_a_reason_like_another(tmp_path, order, scripted):
    scripted({"accelerator-fp32 on onnx": 1.0, "accelerator-fp32 on openvino": MemoryError()})
    found = built(
        tiny_package(tmp_path / "tiny"), order, ("accelerator-fp32", "onnx"), ("accelerator-fp32", "openvino")
    )
    assert found.refused[0].why == "there is not enough memory for it"


def test_model_larger_than_the_machines_free_memory_is_refused_with_both_sizes(tmp_path, order, monkeypatch):
    monkeypatch.setattr(building, "free_memory_bytes", lambda: 10)
    found = built(tiny_package(tmp_path / "tiny"), order, ("accelerator-fp32", "onnx"))
    assert found.passed == ()
    assert "model.onnx has 0.0 MB and this machine 0.0 MB of memory free; use a smaller" in found.refused[0].why


def test_person_who_interrupts_leaves_nothing_open(tmp_path, order, scripted):
    opened = scripted({"accelerator-fp32 on onnx": 1.0, "accelerator-fp32 on openvino": 1.0})

    def interrupt(what, done, _steps):
        if what.startswith("timing") and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        built(
            tiny_package(tmp_path / "tiny"),
            order,
            ("accelerator-fp32", "onnx"),
            ("accelerator-fp32", "openvino"),
            on_step=interrupt,
        )
    assert [each.closings for each in opened] == [1, 1, 1]


def test_steps_name_what_is_being_built_and_how_far_the_timing_is(tmp_path, order, scripted):
    scripted({"accelerator-fp32 on onnx": 1.0})
    built(tiny_package(tmp_path / "tiny"), order, ("accelerator-fp32", "onnx"), rounds=2)
    assert order[0] == [
        ("judging golden frames by accelerator-fp32 on onnx", 0, 1),
        ("building accelerator-fp32 on onnx", 0, 1),
        ("timing", 0, 2),
        ("timing", 1, 2),
        ("timing", 2, 2),
    ]


def test_runtime_that_is_not_there_is_refused_with_how_to_install_it(tmp_path, order, monkeypatch):
    from app.detect import onnx_gpu

    monkeypatch.setattr(onnx_gpu.ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    package = tiny_package(tmp_path / "tiny")
    found = built(package, order, ("accelerator-fp32", "onnx-cuda"), role="accelerator")
    assert (found.passed, found.chosen) == ((), None)
    assert "run: pip uninstall onnxruntime, then: pip install onnxruntime-gpu" in found.refused[0].why


def test_role_without_candidates_is_found_empty_and_opens_nothing(tmp_path, order):
    found = built(tiny_package(tmp_path / "tiny"), order)
    assert (found.passed, found.refused, found.reference, order[0]) == ((), (), "", [])


def test_golden_frame_that_cannot_be_read_is_no_fault_of_a_candidate(tmp_path, order):
    package = tiny_package(tmp_path / "tiny")
    (package.folder / "golden" / "spot.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"spot\.png"):
        built(package, order, ("accelerator-fp32", "onnx"))


def test_package_without_a_model_that_runs_as_the_reference_is_held_against_its_golden_frames_alone(
    tmp_path, order, monkeypatch
):
    package = tiny_package(tmp_path / "tiny")
    real = building.open_local
    failing = DetectorError("it does not run", "use another")

    def opener(model, runtime, *rest):
        if runtime == "onnx":
            raise failing
        return real(model, runtime, *rest)

    monkeypatch.setattr(building, "open_local", opener)
    found = built(package, order, ("accelerator-fp32", "onnx"), ("accelerator-fp32", "openvino"))
    assert (found.reference, names(found.passed)) == ("", ["accelerator-fp32 on openvino"])


def test_engine_of_a_gpu_is_built_with_its_progress_and_kept_for_the_next_time(tmp_path, order, monkeypatch):
    bench = GpuBench(monkeypatch, tmp_path / "unused")
    package, keeping = tiny_package(tmp_path / "tiny"), Keeping(tmp_path / "engines")
    try:
        found = [
            built(package, order, ("accelerator-fp32", "tensorrt"), role="accelerator", keeping=keeping)
            for _ in range(2)
        ]
    finally:
        bench.end()
    assert [names(each.passed) for each in found] == [["accelerator-fp32 on tensorrt"]] * 2
    assert bench.library.builds == 1
    assert list((tmp_path / "engines").glob("*.engine"))
    assert any(what.startswith("building accelerator-fp32 on tensorrt: ") for what, _, _ in order[0])


def test_candidates_of_an_accelerator_run_on_a_gpu_and_those_of_a_standby_on_the_processor(tmp_path):
    package = load_package(write_two_models(tmp_path / "pair"))
    assert [str(each) for each in candidates_for(package, "accelerator")] == [
        "accelerator-fp32 on tensorrt",
        "accelerator-fp32 on onnx-tensorrt",
        "accelerator-fp32 on onnx-cuda",
    ]
    assert [str(each) for each in candidates_for(package, "standby")] == [
        "standby-int8 on openvino",
        "standby-int8 on onnx",
    ]


def test_candidates_may_be_narrowed_to_a_runtime_or_a_model(tmp_path):
    package = load_package(write_two_models(tmp_path / "pair"))
    assert [str(each) for each in candidates_for(package, "accelerator", "onnx-cuda")] == [
        "accelerator-fp32 on onnx-cuda"
    ]
    assert candidates_for(package, "standby", "tensorrt") == ()
    assert [str(each) for each in candidates_for(package, "standby", "onnx", "accelerator-fp32")] == [
        "accelerator-fp32 on onnx"
    ]
