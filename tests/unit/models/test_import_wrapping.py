# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
"""What a foreign graph gets of the camera's uint8, and what of it stays in the package."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason='importing needs: pip install "takt-inspect[train]"')
ort = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper

from models.importing.cost import count_gmac
from models.importing.layout import Layout, Wishes, recognise
from models.importing.layouts import CANDIDATES
from models.importing.sizes import open_source
from models.importing.wrapping import precision_of, wrapped
from tests.unit.models.import_graphs import HEIGHT, TYPES, ULTRALYTICS, WIDTH, exported, finished, raw_table

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


@pytest.fixture
def picture():
    return np.random.default_rng(2).integers(0, 256, (1, 8, 12, 3), np.uint8)


@pytest.fixture
def seen(tmp_path):
    """What the model's own input is when the package is given a picture."""

    def run(picture, pixels, *, shape=(1, 3, 8, 12), kind="float32", is_bgr=False):
        values = helper.make_tensor_value_info("x", TYPES[kind], shape)
        nodes = [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)]
        model = finished(nodes, [values], [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)])
        onnx.save(model, tmp_path / "model.onnx")
        source = open_source(tmp_path / "model.onnx")
        size = int(np.prod(shape))
        layout = Layout(
            name="mirror",
            seen="",
            kind="classification",
            write=lambda writer, _picture: writer.name_as("source.y", "probabilities", [1, size]),
            count=size,
            is_bgr=is_bgr,
        )
        session = ort.InferenceSession(wrapped(source, layout, pixels).SerializeToString())
        return session.run(None, {"image": picture})[0].reshape(shape)

    return run


def _as_libraries_do(picture, pixels):
    """Red first, channels first, as every library but YOLOX feeds its nets."""
    values = picture[0, :, :, ::-1].astype(np.float64)
    if pixels == "unit":
        values = values / 255
    elif pixels == "imagenet":
        values = (values / 255 - MEAN) / DEVIATION
    elif pixels == "signed":
        values = values / 127.5 - 1
    return values.transpose(2, 0, 1)[None]


@pytest.mark.parametrize("pixels", ["unit", "imagenet", "byte", "signed"])
def test_grey_levels_become_what_the_library_makes_of_them(picture, seen, pixels):
    assert np.allclose(seen(picture, pixels), _as_libraries_do(picture, pixels), atol=1e-6)


def test_blue_stays_first_where_the_model_wants_it_so(picture, seen):
    assert (seen(picture, "byte", is_bgr=True) == picture.transpose(0, 3, 1, 2)).all()


@pytest.mark.parametrize("pixels", ["unit", "imagenet"])
def test_model_with_channels_last_gets_them_last(picture, seen, pixels):
    wanted = _as_libraries_do(picture, pixels).transpose(0, 2, 3, 1)
    assert np.allclose(seen(picture, pixels, shape=(1, 8, 12, 3)), wanted, atol=1e-6)


def test_model_without_a_batch_gets_none(picture, seen):
    assert np.allclose(seen(picture, "unit", shape=(3, 8, 12)), _as_libraries_do(picture, "unit")[0], atol=1e-6)


def test_grey_model_takes_one_channel(picture, seen):
    grey = picture[:, :, :, :1]
    assert np.allclose(seen(grey, "unit", shape=(1, 1, 8, 12)), grey.transpose(0, 3, 1, 2) / 255, atol=1e-6)


def test_float16_model_gets_float16(picture, seen):
    wanted = _as_libraries_do(picture, "unit").astype(np.float16)
    assert np.allclose(seen(picture, "unit", kind="float16"), wanted, atol=1e-3)


def test_uint8_model_gets_levels_whatever_was_wished(picture, seen):
    assert (seen(picture, "imagenet", kind="uint8") == _as_libraries_do(picture, "byte")).all()


def _wrapped(tmp_path, model, **wishes):
    onnx.save(model, tmp_path / "model.onnx")
    source = open_source(tmp_path / "model.onnx")
    layout = recognise(source, Wishes(**wishes), CANDIDATES)
    return source, wrapped(source, layout, layout.pixels)


def test_names_of_the_source_meet_none_of_the_package(tmp_path):
    rows = np.zeros((1, 5, 4), np.float32)
    more = {"orig_target_sizes": (TensorProto.INT64, (1, 2))}
    outputs = {"labels": np.zeros((1, 5), np.int64), "boxes": rows, "scores": np.zeros((1, 5), np.float32)}
    _, model = _wrapped(tmp_path, exported(outputs, name="image", more=more))
    ort.InferenceSession(model.SerializeToString())
    assert [each.name for each in model.graph.output] == ["boxes", "scores", "classes"]


def test_what_no_output_needs_is_dropped(tmp_path):
    table = raw_table(np.random.default_rng(0), 3, extras=32)
    masks = np.ones((1, 32, 16, 24), np.float32)
    _, model = _wrapped(
        tmp_path, exported({"output0": table, "output1": masks}, metadata={**ULTRALYTICS, "task": "segment"})
    )
    assert not any("output1" in each.name for each in model.graph.initializer)


def test_what_a_branch_reads_is_kept(tmp_path):
    """Graphs of torchvision choose between branches, which read names from outside."""
    inner = [helper.make_node("Add", ["table", "shift"], ["inner"])]
    info = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [1, 7, 126])
    branch = helper.make_graph(inner, "branch", [], [info])
    table = raw_table(np.random.default_rng(0), 3)
    nodes = [
        helper.make_node("ReduceMax", ["images"], ["highest"], keepdims=0),
        helper.make_node("Cast", ["highest"], ["is_light"], to=TensorProto.BOOL),
        helper.make_node("If", ["is_light"], ["output0"], then_branch=branch, else_branch=branch),
    ]
    model = finished(
        nodes,
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, table.shape)],
        [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.float32(0), "shift")],
        metadata=ULTRALYTICS,
    )
    _, made = _wrapped(tmp_path, model)
    session = ort.InferenceSession(made.SerializeToString())
    found = session.run(["scores"], {"image": np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)})[0]
    assert found[0, 0] == pytest.approx(table[0, 4:].max())


def test_every_size_of_a_package_is_fixed(tmp_path):
    table = raw_table(np.random.default_rng(0), 3)
    model = exported(
        {"output0": table}, shape=(None, 3, None, None), declared={"output0": (None, 7, None)}, metadata=ULTRALYTICS
    )
    _, made = _wrapped(tmp_path, model)
    for value in (*made.graph.input, *made.graph.output):
        assert all(each.HasField("dim_value") for each in value.type.tensor_type.shape.dim)


@pytest.mark.parametrize(("kind", "precision"), [(np.float32, "fp32"), (np.float16, "fp16")])
def test_precision_is_that_of_most_weights(tmp_path, kind, precision):
    source, _ = _wrapped(
        tmp_path, exported({"output0": raw_table(np.random.default_rng(0), 3).astype(kind)}, metadata=ULTRALYTICS)
    )
    assert precision_of(source) == precision


def test_model_with_rounded_weights_is_int8(tmp_path):
    model = exported({"output0": raw_table(np.random.default_rng(0), 3)}, metadata=ULTRALYTICS)
    model.graph.initializer.append(numpy_helper.from_array(np.float32(1), "step"))
    model.graph.node.append(helper.make_node("QuantizeLinear", ["zero", "step"], ["rounded"]))
    source, _ = _wrapped(tmp_path, model)
    assert precision_of(source) == "int8"


def test_work_is_that_of_convolutions_and_products():
    """80 x 80 px, 3 to 16 channels by 3 x 3, then 16 to 1000."""
    weights = {"kernel": np.zeros((16, 3, 3, 3), np.float32), "table": np.zeros((16, 1000), np.float32)}
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("GlobalAveragePool", ["a"], ["b"]),
        helper.make_node("Flatten", ["b"], ["c"]),
        helper.make_node("Gemm", ["c", "table"], ["y"]),
    ]
    model = finished(
        nodes,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 80, 80])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1000])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    assert count_gmac(model) == round((80 * 80 * 16 * 27 + 16_000) / 1e9, 4)


def test_work_of_a_graph_with_open_sizes_is_not_known():
    nodes = [helper.make_node("Conv", ["x", "kernel"], ["y"])]
    model = finished(
        nodes,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.zeros((1, 3, 3, 3), np.float32), "kernel")],
    )
    assert count_gmac(model) is None
