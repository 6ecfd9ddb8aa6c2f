"""The table of runtimes, and the check of a model's tensors."""

import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from app.detect.ports import MAX_DETECTIONS, MAX_SIDE, Port, check_ports
from app.detect.runtimes import PREFERRED, open_detector
from app.errors import ConfigError, MissingDriverError, PackageError
from tests.unit.detect.tiny_kinds import kind_package
from tests.unit.detect.tiny_model import tiny_onnx, tiny_package

INPUTS = [Port("image", "uint8", (1, 24, 32, 1)), Port("golden", "uint8", (1, 24, 32, 1))]
OUTPUTS = [
    Port("boxes", "float32", (1, 12, 4)),
    Port("scores", "float32", (1, 12)),
    Port("classes", "int32", (1, 12)),
]


@pytest.fixture
def package(tmp_path):
    return tiny_package(tmp_path / "tiny")


@pytest.fixture
def without_openvino(monkeypatch):
    """A machine where `import openvino` fails."""
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delitem(sys.modules, "app.detect.openvino", raising=False)


def replaced(ports, port):
    return [port if each.name == port.name else each for each in ports]


def test_auto_takes_openvino_where_it_is_installed(package):
    detector = open_detector(package, "auto", 1)
    assert detector.runtime == "openvino"
    detector.close()


def test_auto_takes_onnx_runtime_where_openvino_is_not_installed(package, without_openvino):
    detector = open_detector(package, "auto", 1)
    assert detector.runtime == "onnx"
    detector.close()


def test_missing_library_is_named_with_its_install_line(package, without_openvino):
    with pytest.raises(MissingDriverError, match=r'pip install "takt-inspect\[openvino\]"'):
        open_detector(package, "openvino")


def test_unknown_runtime_is_refused(package):
    with pytest.raises(ConfigError, match="no detector runtime 'tpu'; use auto or one of"):
        open_detector(package, "tpu")


def test_buffers_have_the_shapes_of_the_outputs(package):
    buffers = check_ports(package, INPUTS, OUTPUTS).by_name()
    assert {name: (buffer.shape, buffer.dtype) for name, buffer in buffers.items()} == {
        "boxes": ((1, 12, 4), np.float32),
        "scores": ((1, 12), np.float32),
        "classes": ((1, 12), np.int32),
    }


def test_order_of_the_tensors_does_not_matter(package):
    assert check_ports(package, INPUTS[::-1], OUTPUTS[::-1]).by_name()["boxes"].shape == (1, 12, 4)


@pytest.mark.parametrize(
    "inputs",
    [
        [],
        INPUTS[:1],
        [*INPUTS, Port("other", "uint8", (1, 24, 32, 1))],
        replaced(INPUTS, Port("image", "float32", (1, 24, 32, 1))),
        replaced(INPUTS, Port("golden", "uint8", (1, 1, 24, 32))),
        replaced(INPUTS, Port("image", "uint8", (None, 24, 32, 1))),
    ],
)
def test_other_inputs_are_refused(package, inputs):
    with pytest.raises(PackageError, match=r"model\.onnx has the inputs .* where kind 'detection' wants image uint8"):
        check_ports(package, inputs, OUTPUTS)


@pytest.mark.parametrize(
    "outputs",
    [
        [],
        OUTPUTS[:2],
        [*OUTPUTS, Port("other", "float32", (1,))],
        replaced(OUTPUTS, Port("boxes", "float32", (1, 13, 4))),
        replaced(OUTPUTS, Port("boxes", "float32", (1, 12, 6))),
        replaced(OUTPUTS, Port("boxes", "float16", (1, 12, 4))),
        replaced(OUTPUTS, Port("scores", "float32", (1, None))),
        replaced(OUTPUTS, Port("scores", "float32", (2, 12))),
        replaced(OUTPUTS, Port("scores", "float32", ())),
        replaced(OUTPUTS, Port("scores", "float32", (1, 0))),
        replaced(OUTPUTS, Port("scores", "float32", (1, MAX_DETECTIONS + 1))),
        replaced(OUTPUTS, Port("scores", "float64", (1, 12))),
        replaced(OUTPUTS, Port("classes", "float32", (1, 12))),
        replaced(OUTPUTS, Port("classes", "int32", (1, 11))),
    ],
)
def test_other_outputs_are_refused(package, outputs):
    words = r"model\.onnx has the outputs .* where kind 'detection' wants boxes float32"
    with pytest.raises(PackageError, match=words):
        check_ports(package, INPUTS, outputs)


@pytest.mark.parametrize(
    ("kind", "outputs"),
    [
        ("classification", [Port("probabilities", "float32", (1, 3))]),
        ("anomaly", [Port("score", "float32", (1, 1)), Port("map", "float32", (1, 6, 8))]),
    ],
)
def test_every_kind_has_outputs_of_its_own_and_may_have_an_embedding(tmp_path, kind, outputs):
    package = kind_package(tmp_path / "kind", kind)
    embedding = Port("embedding", "float32", (1, 64))
    buffers = check_ports(package, INPUTS[:1], [*outputs, embedding]).by_name()
    assert {name: buffer.shape for name, buffer in buffers.items()} == {
        port.name: port.shape for port in [*outputs, embedding]
    }
    assert set(check_ports(package, INPUTS[:1], outputs).by_name()) == {port.name for port in outputs}


@pytest.mark.parametrize(
    ("kind", "outputs"),
    [
        ("classification", OUTPUTS),
        ("classification", [Port("probabilities", "float32", (1, 4))]),
        ("classification", [Port("probabilities", "float32", (3,))]),
        ("classification", [Port("probabilities", "float16", (1, 3))]),
        ("classification", [Port("embedding", "float32", (1, 64))]),
        ("anomaly", [Port("score", "float32", (1, 1))]),
        ("anomaly", [Port("score", "float32", (1,)), Port("map", "float32", (1, 6, 8))]),
        ("anomaly", [Port("score", "float32", (1, 1)), Port("map", "float32", (1, 1, 6, 8))]),
        ("anomaly", [Port("score", "float32", (1, 1)), Port("map", "float32", (1, None, 8))]),
        ("anomaly", [Port("score", "float32", (1, 1)), Port("map", "float32", (1, MAX_SIDE + 1, 8))]),
        ("detection", [*OUTPUTS, Port("embedding", "float32", (64,))]),
        ("detection", [*OUTPUTS, Port("embedding", "float32", (1, None))]),
        ("detection", [*OUTPUTS, Port("embedding", "float64", (1, 64))]),
    ],
)
def test_outputs_that_a_kind_does_not_have_are_refused(tmp_path, kind, outputs):
    package = kind_package(tmp_path / "kind", kind)
    with pytest.raises(PackageError, match=f"has the outputs .* where kind '{kind}' wants"):
        check_ports(package, INPUTS[:1], outputs)


@pytest.mark.parametrize("runtime", PREFERRED)
def test_unfixed_size_is_shown_as_a_question_mark(tmp_path, runtime):
    model = onnx.load_from_string(tiny_onnx(golden=False))
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 24, 32, 1]))
    package = tiny_package(tmp_path / "free", model.SerializeToString(), golden=False)
    with pytest.raises(PackageError, match=r"has the inputs image uint8 \(\?, 24, 32, 1\) where"):
        open_detector(package, runtime, 1)
