"""Small ONNX graphs with the outputs that other libraries export, and what those libraries would make of them."""

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from models.importing.layout import Wishes, recognise
from models.importing.layouts import CANDIDATES
from models.importing.sizes import open_source
from models.importing.wrapping import wrapped

TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}
NAMES = "{0: 'open', 1: 'short', 2: 'spur'}"
ULTRALYTICS = {
    "author": "Ultralytics",
    "license": "AGPL-3.0 License (https://ultralytics.com/license)",
    "version": "8.4.190",
    "task": "detect",
    "stride": "32",
    "imgsz": "[64, 96]",
    "names": NAMES,
}
WIDTH, HEIGHT = 96, 64
CELLS = sum((WIDTH // stride) * (HEIGHT // stride) for stride in (8, 16, 32))


def exported(
    outputs,
    *,
    shape=(1, 3, HEIGHT, WIDTH),
    kind="float32",
    name="images",
    declared=None,
    metadata=None,
    more=None,
    opset=17,
):
    """A graph that gives these arrays whatever the picture shows.

    `declared` replaces the shapes it declares, by name; `more` adds inputs, name -> (type, shape).
    """
    nodes = [helper.make_node("Cast", [name], ["float"], to=TensorProto.FLOAT)]
    nodes.append(helper.make_node("ReduceMin", ["float"], ["least"], keepdims=0))
    nodes.append(helper.make_node("Mul", ["least", "nothing"], ["zero"]))
    constants = [numpy_helper.from_array(np.float32(0), "nothing")]
    infos = []
    for each, values in ((name, np.asarray(values)) for name, values in outputs.items()):
        code = helper.np_dtype_to_tensor_dtype(values.dtype)
        constants.append(numpy_helper.from_array(values, f"{each}.values"))
        nodes.append(helper.make_node("Cast", ["zero"], [f"{each}.zero"], to=code))
        nodes.append(helper.make_node("Add", [f"{each}.values", f"{each}.zero"], [each]))
        infos.append(helper.make_tensor_value_info(each, code, (declared or {}).get(each, values.shape)))
    inputs = [helper.make_tensor_value_info(name, TYPES[kind], shape)]
    inputs += [helper.make_tensor_value_info(key, *value) for key, value in (more or {}).items()]
    return finished(nodes, inputs, infos, constants, metadata=metadata, opset=opset)


def finished(nodes, inputs, outputs, constants=(), *, metadata=None, opset=17, domains=()):
    graph = helper.make_graph(nodes, "exported", inputs, outputs, list(constants))
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8, producer_name="pytorch")
    helper.set_model_props(model, metadata or {})
    return model


def brightness(*, end="Softmax", shape=(1, 3, 16, 24), kind="float32"):
    """A classifier whose classes are the channels: the brightest wins."""
    nodes = [
        helper.make_node("Cast", ["input"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node(end, ["means"], ["output"], **({"axis": 1} if "Softmax" in end else {})),
    ]
    inputs = [helper.make_tensor_value_info("input", TYPES[kind], shape)]
    return finished(nodes, inputs, [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, shape[1]])])


def spotter(*, metadata=None, fault=""):
    """A raw Ultralytics head on 32 x 32 px that sees: a cell of 8 px scores its brightness, as `left` or `right`."""
    columns = 4
    y, x = np.mgrid[:columns, :columns] * 8 + 4
    boxes = np.zeros((1, 4, 21), np.float32)
    boxes[0, :, :16] = np.stack([x.ravel(), y.ravel(), np.full(16, 8), np.full(16, 8)])
    boxes[0, 2:, 16:] = 1
    is_left = (x.ravel() < 16).astype(np.float32)
    share = np.stack([is_left, 1 - is_left])[None]
    level = {"": 1.0, "nan": float("nan")}[fault]
    constants = {
        "boxes": boxes,
        "share": share,
        "level": np.float32(level),
        "flat": np.array([1, 1, 16]),
        "rest": np.zeros((1, 2, 5), np.float32),
    }
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["grey"], axes=[1], keepdims=1),
        helper.make_node("AveragePool", ["grey"], ["cells"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Reshape", ["cells", "flat"], ["row"]),
        helper.make_node("Mul", ["row", "share"], ["split"]),
        helper.make_node("Mul", ["split", "level"], ["scores"]),
        helper.make_node("Concat", ["scores", "rest"], ["all"], axis=2),
        helper.make_node("Concat", ["boxes", "all"], ["output0"], axis=1),
    ]
    properties = (
        {**ULTRALYTICS, "imgsz": "[32, 32]", "names": "{0: 'left', 1: 'right'}"} if metadata is None else metadata
    )
    return finished(
        nodes,
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 6, 21])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
        metadata=properties,
    )


def raw_table(random, classes, count=CELLS, extras=0):
    """Centre and size, then distinct class scores, then extras: (1, 4 + classes + extras, count)."""
    places = np.stack([random.uniform(0, WIDTH, count), random.uniform(0, HEIGHT, count)])
    sizes = random.uniform(2, 40, (2, count))
    scores = random.permutation(classes * count).reshape(classes, count) / (classes * count)
    rest = random.uniform(-9, 9, (extras, count))
    return np.concatenate([places, sizes, scores, rest])[None].astype(np.float32)


def corners(boxes):
    """(n, 4) centre and size -> corners."""
    return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)


def best_first(boxes, scores, classes):
    """Rows by descending score, as a package's graph gives them."""
    order = np.argsort(-scores, kind="stable")
    return boxes[order], scores[order], classes[order]


def finished_rows(random, count=50, extras=0):
    """x1, y1, x2, y2, score (descending), class, then extras: (1, count, 6 + extras)."""
    starts = random.uniform(0, 50, (count, 2))
    scores = np.sort(random.uniform(0, 1, (count, 1)), axis=0)[::-1]
    classes = random.integers(0, 3, (count, 1))
    rest = random.uniform(-9, 9, (count, extras))
    return np.concatenate([starts, starts + 9, scores, classes, rest], axis=1)[None].astype(np.float32)


def take(path, model, size=None, **wishes):
    """Saves a model, recognises it and runs its package's graph on a black picture."""
    onnx.save(model, path)
    source = open_source(path, size)
    layout = recognise(source, Wishes(**wishes), CANDIDATES)
    graph = wrapped(source, layout, layout.pixels)
    session = ort.InferenceSession(graph.SerializeToString())
    assert [each.shape for each in session.get_outputs()] == [
        [size.dim_value for size in each.type.tensor_type.shape.dim] for each in graph.graph.output
    ]
    (picture,) = session.get_inputs()
    assert (picture.name, picture.type) == ("image", "tensor(uint8)")
    found = session.run(None, {"image": np.zeros(picture.shape, np.uint8)})
    return layout, dict(zip([each.name for each in session.get_outputs()], found, strict=True))


def agree(found, boxes, scores, classes):
    count = min(len(scores), 1000)
    assert found["boxes"].shape == (1, count, 4)
    assert np.allclose(found["scores"][0], scores[:count], atol=1e-6)
    assert (found["classes"][0] == classes[:count]).all()
    assert np.allclose(found["boxes"][0], boxes[:count], atol=1e-4)


def agree_where_scored(found, boxes, scores, classes):
    """As `agree`, but what scores nothing may be anything that is upright."""
    count = np.count_nonzero(scores)
    agree({name: values[:, :count] for name, values in found.items()}, boxes[:count], scores[:count], classes[:count])
    assert not found["scores"][0, count:].any()
    assert (found["boxes"][0, :, :2] <= found["boxes"][0, :, 2:]).all()


def best_per_anchor(boxes, scores):
    """Every anchor with its best class: what Ultralytics, YOLOv5 and YOLOX hand to suppression."""
    return best_first(corners(boxes), scores.max(axis=1), scores.argmax(axis=1))
