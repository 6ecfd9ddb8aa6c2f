"""What a build wrote down, when it still holds, and what that does to the order in which models are tried."""

import json
import os
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from app.detect.building_file import MAX_FILES, build_path, manifest_hash, read_build, write_build
from app.detect.building_key import NO_GPU, BuildKey, difference, key_of, processor
from app.detect.building_record import Measured, RoleBuild
from app.detect.building_timing import Machine, Times
from app.detect.building_use import current_build, measured_first, why_due
from app.detect.choose import Candidate, Refusal
from app.detect.gpu_probe import GpuFacts
from app.detect.package import load_package
from app.errors import DetectorError, PackageError
from tests.unit.detect.tiny_model import tiny_package, write_package

FRIDAY = datetime(2026, 11, 20, 14, 30, tzinfo=timezone.utc)
ORIN = GpuFacts("Orin", "8.7", 8_000_000_000, is_integrated=True, cuda=12060, tensorrt="10.3.0")
ON_ONNX, ON_OPENVINO = Candidate("accelerator-fp32", "onnx"), Candidate("accelerator-fp32", "openvino")
ON_CUDA = Candidate("accelerator-fp32", "onnx-cuda")


@pytest.fixture
def package(tmp_path):
    return tiny_package(tmp_path / "tiny")


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


def no_gpu():
    raise DetectorError("there is no driver", "install it")


def orin():
    return ORIN


def measured(candidate, p50_ms=2.0):
    return Measured(candidate, Times(200, p50_ms, p50_ms + 1, p50_ms + 2, p50_ms + 3), 0.25, 0.02, 1.5)


def role_build(key, *passed, refused=()):
    return RoleBuild(key, FRIDAY, Machine(2, 0.1, 1.2, "SCHED_OTHER"), "accelerator-fp32 on onnx", passed, refused)


def written(state, package, *passed, role="standby", key=None, **rest):
    found = role_build(key or key_of(role, 2, no_gpu), *passed, **rest)
    write_build(state, package, role, found)
    return found


def ordered(state, package, *candidates, role="standby", threads=2, ask=no_gpu):
    told = []
    found = measured_first(candidates, state, package, role, threads, told.append, ask)
    return found, told


def test_what_was_written_is_read_again(state, package):
    found = written(
        state, package, measured(ON_ONNX), refused=(Refusal(ON_OPENVINO, "it collapses here; use another"),)
    )
    assert read_build(state, package).roles["standby"] == found


def test_one_role_is_replaced_and_the_other_stays(state, package):
    standby = written(state, package, measured(ON_ONNX))
    written(state, package, role="accelerator")
    latest = written(state, package, measured(ON_CUDA), role="accelerator")
    assert dict(read_build(state, package).roles) == {"standby": standby, "accelerator": latest}


def test_package_that_was_changed_has_no_build(state, package):
    written(state, package, measured(ON_ONNX))
    write_package(package.folder, version='"1.0.1"')
    changed = load_package(package.folder)
    assert read_build(state, changed) is None
    found, why = current_build(state, changed, "standby", 2, no_gpu)
    assert found is None
    assert why == "the builds there are of tiny are of others than 1.0.1 as it is; run: takt models build"


DAMAGED = {
    "empty": "",
    "torn": "{",
    "list": "[]",
    "null": "null",
    "number": "5",
    "half": '{"schema": 1}',
    "newer": '{"schema": 2}',
    "bytes": "\x00",
    "deep": "[" * 100_000,
    "huge": " " * 1_000_001,
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_file_is_told_with_its_mend_and_replaced_by_the_next_build(state, package, content):
    path = build_path(state, package)
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(PackageError, match=r"run takt models build again"):
        read_build(state, package)
    assert current_build(state, package, "standby", 2, no_gpu)[0] is None
    found = written(state, package, measured(ON_ONNX))
    assert read_build(state, package).roles["standby"] == found


def test_figures_that_are_no_numbers_are_refused(state, package):
    written(state, package, measured(ON_ONNX))
    path = build_path(state, package)
    document = json.loads(path.read_text())
    document["roles"]["standby"]["passed"][0]["times"]["p50_ms"] = "fast"
    path.write_text(json.dumps(document))
    with pytest.raises(PackageError, match=r"roles\.standby\.passed\.0\.times\.p50_ms"):
        read_build(state, package)


def test_record_that_may_not_be_read_is_told_and_not_used(state, package):
    build_path(state, package).mkdir(parents=True)  # root may read every file, but no folder as one
    with pytest.raises(PackageError, match="cannot be read: Is a directory; check its owner"):
        read_build(state, package)
    assert "cannot be read" in ordered(state, package, ON_ONNX)[1][0]


def test_folder_of_records_may_be_entered_by_the_station_whatever_mask_the_builder_has(state, package):
    before = os.umask(0o077)
    try:
        written(state, package, measured(ON_ONNX))
    finally:
        os.umask(before)
    path = build_path(state, package)
    assert (path.parent.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o755, 0o644)


def test_record_that_cannot_be_written_leaves_the_old_one(state, package, monkeypatch):
    old = written(state, package, measured(ON_ONNX))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.detect.building_file.replace_text", full)
    with pytest.raises(PackageError, match="cannot be written: No space left on device; make room"):
        written(state, package, measured(ON_OPENVINO))
    assert read_build(state, package).roles["standby"] == old


def test_records_of_packages_that_nobody_builds_any_more_are_forgotten(state, package):
    path = build_path(state, package)
    path.parent.mkdir(parents=True)
    for number in range(MAX_FILES + 3):
        (path.parent / f"other-{number:012d}.json").write_text("{}")
    written(state, package, measured(ON_ONNX))
    assert len(list(path.parent.glob("*.json"))) == MAX_FILES
    assert path.exists()


def test_measured_order_comes_first_and_what_was_not_measured_follows(state, package):
    written(state, package, measured(ON_ONNX, 2.0), measured(ON_OPENVINO, 3.0))
    other = Candidate("standby-int8", "openvino")
    found, told = ordered(state, package, other, ON_OPENVINO, ON_ONNX)
    assert found == (ON_ONNX, ON_OPENVINO, other)
    assert told == ["accelerator-fp32 on onnx was the fastest here on 2026-11-20 14:30: 2.00 ms"]


def test_refused_candidate_comes_last(state, package):
    written(state, package, measured(ON_ONNX), refused=(Refusal(ON_OPENVINO, "it is wrong here"),))
    assert ordered(state, package, ON_OPENVINO, ON_ONNX)[0] == (ON_ONNX, ON_OPENVINO)


def test_preference_decides_in_silence_where_nothing_was_ever_measured(state, package):
    assert ordered(state, package, ON_OPENVINO, ON_ONNX) == ((ON_OPENVINO, ON_ONNX), [])


def test_preference_decides_where_none_of_what_is_asked_for_passed(state, package):
    written(state, package, measured(ON_CUDA))
    found, told = ordered(state, package, ON_OPENVINO, ON_ONNX)
    assert found == (ON_OPENVINO, ON_ONNX)
    assert told == ["none of what is asked for passed the build of 2026-11-20 14:30; the order of preference decides"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"device": "another board, 4 cores"}, "was made on another board, 4 cores, and this is "),
        ({"versions": {"onnxruntime": "1.2.3"}}, "was made with onnxruntime 1.2.3, and now there is onnxruntime "),
        ({"versions": {}}, "was made with no onnxruntime, and now there is onnxruntime "),
        ({"threads": 4}, "was made with 4 threads of an inference, and 2 are set"),
    ],
)
def test_order_that_was_measured_elsewhere_is_not_used_and_the_difference_is_told(state, package, changes, why):
    now = key_of("standby", 2, no_gpu)
    written(state, package, measured(ON_ONNX), measured(ON_OPENVINO), key=replace(now, **changes))
    found, told = ordered(state, package, ON_OPENVINO, ON_ONNX)
    assert found == (ON_OPENVINO, ON_ONNX)
    assert len(told) == 1
    assert told[0].startswith("the build of tiny as standby of 2026-11-20 14:30 was made ")
    assert why in told[0]
    assert told[0].endswith("; run: takt models build; until then the order of preference decides")


def test_accelerators_order_holds_for_one_gpu(state, package):
    written(state, package, measured(ON_CUDA), role="accelerator", key=key_of("accelerator", 2, orin))
    asked = Candidate("accelerator-fp32", "tensorrt"), ON_CUDA
    assert ordered(state, package, *asked, role="accelerator", ask=orin)[0] == (ON_CUDA, asked[0])
    found, told = ordered(state, package, *asked, role="accelerator", ask=no_gpu)
    assert found == asked
    assert f"was made on Orin, compute capability 8.7, and this is {NO_GPU}" in told[0]


def test_another_driver_or_another_tensorrt_is_another_key():
    key = key_of("accelerator", 2, orin)
    assert (key.device, key.threads) == ("Orin, compute capability 8.7", 0)
    newer = key_of("accelerator", 2, lambda: replace(ORIN, tensorrt="10.9.0"))
    assert difference(key, newer) == (
        "was made with TensorRT's C++ library 10.3.0, and now there is TensorRT's C++ library 10.9.0"
    )
    assert "CUDA of the driver 12060" in difference(key, key_of("accelerator", 2, lambda: replace(ORIN, cuda=13000)))
    assert difference(key, key_of("accelerator", 4, orin)) == ""


def test_processor_is_named_as_its_maker_does_or_as_its_board(tmp_path):
    (tmp_path / "proc" / "device-tree").mkdir(parents=True)
    (tmp_path / "proc" / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Fast One\nmodel name\t: Fast One\n")
    assert processor(tmp_path).startswith("Fast One, ")
    (tmp_path / "proc" / "device-tree" / "model").write_bytes(b"NVIDIA Orin Nano\0")
    assert processor(tmp_path).startswith("NVIDIA Orin Nano, ")


def test_build_is_due_until_there_is_one_that_holds(state, package):
    assert why_due(state, package, no_gpu) == "tiny was never built on this device; run: takt models build"
    written(state, package, role="accelerator", key=BuildKey(NO_GPU, {}, 0))
    assert "tiny was never built as standby" in why_due(state, package, no_gpu)
    written(state, package, measured(ON_ONNX))
    written(state, package, role="accelerator")
    assert why_due(state, package, no_gpu) == ""


def test_build_is_due_when_a_gpu_has_come(state, package):
    written(state, package, measured(ON_ONNX))
    assert why_due(state, package, orin) == "", "it was never built as an accelerator: not every line has one"
    written(state, package, role="accelerator")
    assert "was made on no GPU, and this is Orin" in why_due(state, package, orin)


def test_manifest_that_is_gone_is_an_error(package):
    (package.folder / "manifest.toml").unlink()
    with pytest.raises(PackageError, match=r"manifest\.toml cannot be read"):
        manifest_hash(package)
