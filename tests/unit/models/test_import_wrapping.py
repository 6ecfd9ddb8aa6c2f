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


def _picking(*, repeat="Expand", width=4):
    """An end-to-end head of a segmenter: its boxes are cut from the rows, and the best ones gathered by index."""
    add = helper.make_node
    table = np.random.default_rng(1).uniform(1, 9, (1, 50, 42)).astype(np.float32)
    table[0, :, 2:4] += 20
    model = exported({"table": table})
    count = 30
    last = {"Expand": [1, count, 4], "Tile": [1, 1, 4]}[repeat]
    numbers = {"0": [0], "2": [2], "4": [4], "5": [5], "-1": [-1], "width": [width], "count": [count], "times": last}
    model.graph.initializer.extend(numpy_helper.from_array(np.array(value), name) for name, value in numbers.items())
    model.graph.node.extend(
        [
            add("Slice", ["table", "0", "width", "-1"], ["places"]),
            add("Slice", ["table", "4", "5", "-1"], ["column"]),
            add("Squeeze", ["column", "2"], ["scores"]),
            add("TopK", ["scores", "count"], ["values", "indices"], axis=1),
            add("Unsqueeze", ["indices", "2"], ["index"]),
            add("Unsqueeze", ["values", "2"], ["best"]),
            add(repeat, ["index", "times"], ["indices4"]),
            add("GatherElements", ["places", "indices4"], ["picked"], axis=1),
            add("Sub", ["best", "best"], ["classes"]),
            add("Div", ["best", "ten"], ["shares"]),
            add("Concat", ["picked", "shares", "classes"], ["output0"], axis=2),
        ]
    )
    model.graph.initializer.append(numpy_helper.from_array(np.float32(10), "ten"))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, count, 6]))
    helper.set_model_props(model, {**ULTRALYTICS, "end2end": "True"})
    order = np.argsort(-table[0, :, 4], kind="stable")[:count]
    return model, table[0, order, :4]


@pytest.mark.parametrize(("repeat", "width"), [("Expand", 4), ("Tile", 4), ("Expand", 42)])
def test_rows_picked_by_a_repeated_index_are_gathered_whole(tmp_path, repeat, width):
    """OpenVINO refuses the GatherElements of such a head, whose slice it takes away first."""
    model, places = _picking(repeat=repeat, width=width)
    _, made = _wrapped(tmp_path, model)
    assert "GatherElements" not in {node.op_type for node in made.graph.node}
    session = ort.InferenceSession(made.SerializeToString())
    found = session.run(["boxes"], {"image": np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)})[0]
    assert (found[0] == places).all()


def test_package_of_a_head_that_picks_rows_runs_on_openvino(tmp_path):
    openvino = pytest.importorskip("openvino", reason='needs: pip install "takt-inspect[openvino]"')
    model, places = _picking()
    _, made = _wrapped(tmp_path, model)
    onnx.save(made, tmp_path / "made.onnx")
    compiled = openvino.Core().compile_model(tmp_path / "made.onnx", "CPU")
    found = compiled(np.zeros((1, HEIGHT, WIDTH, 3), np.uint8))["boxes"]
    assert np.allclose(found[0], places, atol=1e-4)


def test_elements_picked_one_by_one_stay_so(tmp_path):
    table = raw_table(np.random.default_rng(0), 3)
    places = np.random.default_rng(1).integers(0, table.shape[2], table.shape)
    model = exported({"table": table})
    model.graph.initializer.append(numpy_helper.from_array(places, "places"))
    model.graph.node.append(helper.make_node("GatherElements", ["table", "places"], ["output0"], axis=2))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("output0", TensorProto.FLOAT, table.shape))
    helper.set_model_props(model, ULTRALYTICS)
    _, made = _wrapped(tmp_path, model)
    assert "GatherElements" in {node.op_type for node in made.graph.node}


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
