"""TensorRT-RTX's own parser and builder with the zoo's models, and its own failure where there is no GPU."""

import importlib
import os
import re
import signal
import subprocess
import sys

import onnx
import pytest
from onnx import TensorProto, helper

from app.clock import SystemClock
from app.detect.zoo import find_package, zoo_folder
from app.errors import ConfigError, DetectorError, PackageError
from tests.groups import GROUPS, ROOT
from tests.unit.detect.tiny_model import tiny_onnx, tiny_package

pytestmark = pytest.mark.tensorrt


@pytest.fixture(scope="module")
def build():
    """The module that builds, on the real library."""
    # By name, not as the package's attribute: that may be what a test on a fake library has left there.
    tensorrt_build = importlib.import_module("app.detect.tensorrt_build")
    if not tensorrt_build.IS_RTX:
        pytest.skip(next(group for group in GROUPS if group.name == "tensorrt").reason)
    return tensorrt_build


def changed(content, change):
    model = onnx.load_from_string(content)
    change(model.graph)
    return model.SerializeToString()


@pytest.mark.parametrize("capability", ["8.6", "12.0"])
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_accelerators_models_are_built_in_every_precision(build, precision, capability):
    package = find_package(f"pcb-golden:accelerator-{precision}", zoo_folder())
    steps = []
    built = build.build_plan(
        package, build.BuildOptions(capability=capability), on_progress=lambda *step: steps.append(step)
    )
    assert len(built.plan) > 500_000
    assert built.timings == b""
    assert steps[0][1] == 0
    assert any(done == total > 1 for _, done, total in steps)


def test_standby_in_float_is_built_too(build):
    assert build.build_plan(find_package("pcb-nano", zoo_folder()), build.BuildOptions(capability="8.6")).plan


def test_node_that_tensorrt_does_not_take_is_named_with_its_operator(build):
    words = r"can read: node image\.fours \(Reshape\): image\.fours: first input has type UInt8 but must have type"
    with pytest.raises(PackageError, match=words):
        build.build_plan(find_package("pcb-nano-int8", zoo_folder()), build.BuildOptions(capability="8.6"))


def test_operator_that_tensorrt_does_not_know_is_named(build, tmp_path):
    def unknown(graph):
        graph.node[0].op_type, graph.node[0].domain, graph.node[0].name = "Juggle", "com.example", "first"

    model = onnx.load_from_string(changed(tiny_onnx(), unknown))
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    package = tiny_package(tmp_path / "unknown", model.SerializeToString())
    with pytest.raises(PackageError, match=r"node first \(Juggle\): .*Plugin not found"):
        build.build_plan(package, build.BuildOptions(capability="8.6"))


@pytest.mark.parametrize("content", [b"this is no model", b"\xff" * 100, b"", tiny_onnx()[:500]])
def test_file_that_is_no_model_is_refused(build, tmp_path, content):
    package = tiny_package(tmp_path / "junk", content)
    with pytest.raises(
        PackageError, match=r"model\.onnx (is no model that TensorRT-RTX .* can read|has the inputs none)"
    ):
        build.build_plan(package, build.BuildOptions(capability="8.6"))


def test_dynamic_shape_is_refused_before_it_is_built(build, tmp_path):
    def free(graph):
        graph.input[0].CopyFrom(helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 24, 32, 1]))

    package = tiny_package(tmp_path / "free", changed(tiny_onnx(golden=False), free), golden=False)
    with pytest.raises(PackageError, match=r"has the inputs image uint8 \(\?, 24, 32, 1\) where"):
        build.build_plan(package, build.BuildOptions(capability="8.6"))


def test_input_that_the_manifest_does_not_name_is_refused(build, tmp_path):
    package = tiny_package(tmp_path / "golden", tiny_onnx(golden=True), golden=False)
    with pytest.raises(PackageError, match=r"has the inputs image uint8 .*, golden uint8 .* where"):
        build.build_plan(package, build.BuildOptions(capability="8.6"))


def test_outputs_that_were_not_suppressed_in_the_graph_are_refused(build, tmp_path):
    def without_classes(graph):
        del graph.output[2]

    package = tiny_package(tmp_path / "raw", changed(tiny_onnx(), without_classes))
    with pytest.raises(PackageError, match=r"has the outputs boxes float32 .* where kind 'detection' wants"):
        build.build_plan(package, build.BuildOptions(capability="8.6"))


def test_small_model_is_built_for_the_oldest_gpu_and_the_newest(build, tmp_path):
    package = tiny_package(tmp_path / "tiny")
    plans = {each: build.build_plan(package, build.BuildOptions(capability=each)).plan for each in ("7.5", "12.1")}
    assert plans["7.5"] != plans["12.1"]


def test_capability_that_the_library_does_not_build_for_is_refused(build, tmp_path):
    with pytest.raises(ConfigError, match=r"cannot build for compute capability 8\.7 on another machine; build on the"):
        build.build_plan(tiny_package(tmp_path / "tiny"), build.BuildOptions(capability="8.7"))


def test_dla_core_is_refused_where_there_is_none(build, tmp_path):
    options = build.BuildOptions(dla_core=0, capability="8.6")
    with pytest.raises(ConfigError, match="DLA core 0 is asked for and the device has none"):
        build.build_plan(tiny_package(tmp_path / "tiny"), options)


def test_ctrl_c_ends_a_build(build):
    code = """
from app.detect.tensorrt_build import BuildOptions, build_plan
from app.detect.zoo import find_package, zoo_folder
package = find_package("pcb-golden:accelerator-int8", zoo_folder())
try:
    build_plan(package, BuildOptions(capability="8.6"), on_progress=lambda *step: print(step, flush=True))
except KeyboardInterrupt:
    print("\\ninterrupted", flush=True)  # a step may have been cut short
"""
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as child:
        child.stdout.readline()
        child.send_signal(signal.SIGINT)
        said = child.stdout.read()
    assert child.returncode == 0
    assert said.splitlines()[-1] == "interrupted"
    assert "('Building engine', 6, 6)" not in said


def test_machine_without_a_gpu_is_told_so_in_one_sentence_with_its_mend(build, tmp_path, monkeypatch):
    from app.detect.tensorrt import open_tensorrt

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(DetectorError) as caught:
        open_tensorrt(tiny_package(tmp_path / "tiny"), 1, SystemClock())
    assert re.search(r"no NVIDIA driver \(libcuda\.so\.1|no CUDA-capable device|shows no GPU", caught.value.what)
    assert re.search("or use the runtime openvino or onnx$", caught.value.mend)
    assert "\n" not in str(caught.value)
