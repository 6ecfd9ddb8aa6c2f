# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
"""Files that are not what they should be: each is refused with one sentence, and nothing in it is run."""

import pickle
import zipfile

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason='importing needs: pip install "takt-inspect[train]"')
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper

from app.errors import DataError, PackageError
from models.importing import reading
from models.importing.sizes import open_source
from tests.unit.models.import_graphs import ULTRALYTICS, brightness, exported, finished, raw_table

SHAPE = (1, 3, 64, 96)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


@pytest.fixture
def table():
    return raw_table(np.random.default_rng(1), 3)


def _info(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def _with_node(node, domains=(), opset=17):
    return finished([node], [_info("images", SHAPE)], [_info("y", SHAPE)], domains=domains, opset=opset)


class _Trap:
    def __reduce__(self):
        return (print, ("loaded",))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickle_is_never_loaded(path, capsys, protocol):
    path.write_bytes(pickle.dumps(_Trap(), protocol))
    with pytest.raises(DataError, match=r"is a pickle.* not loaded; export it to ONNX"):
        open_source(path)
    assert capsys.readouterr().out == ""


def test_zip_is_never_opened(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 10_000_000)
    with pytest.raises(DataError, match=r"is a zip archive, as torch.save writes a \.pt file; it is not opened"):
        open_source(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\x1f\x8b\x08 packed", "gzip"),
        (b"<?xml version", "OpenVINO"),
        (b"ftrt....", "TensorRT engine"),
        (b"....TFL3....", "TensorFlow Lite"),
        (b'\x10\0\0\0\0\0\0\0{"weight":', "safetensors"),
        (b"\x89HDF\r\n", "HDF5"),
        (b"just some text, no model", "is no ONNX model"),
        (b"\x08\x07", "no ONNX model with nodes"),
    ],
)
def test_other_files_are_named(path, content, said):
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        open_source(path)


def test_folder_and_missing_file_are_refused(path, tmp_path):
    for each in (path, tmp_path):
        with pytest.raises(DataError, match="is no file"):
            open_source(each)


def test_file_over_the_limit_is_not_read(path, table, monkeypatch):
    onnx.save(exported({"output0": table}), path)
    monkeypatch.setattr(reading, "MAX_ONNX_BYTES", 100)
    with pytest.raises(DataError, match="where 100 are the limit"):
        open_source(path)


def test_custom_operator_is_named_with_its_domain(path):
    onnx.save(_with_node(helper.make_node("TRTBatchedNMS", ["images"], ["y"], domain="mmdeploy"), ["mmdeploy"]), path)
    with pytest.raises(PackageError, match="needs the operator TRTBatchedNMS of mmdeploy"):
        open_source(path)


def test_custom_operator_inside_a_branch_is_named_too(path):
    inner = [helper.make_node("Gelu", ["images"], ["inner"], domain="com.microsoft")]
    branch = helper.make_graph(inner, "branch", [], [_info("inner", SHAPE)])
    constant = helper.make_node("Constant", [], ["is_so"], value=numpy_helper.from_array(np.array(True)))
    choice = helper.make_node("If", ["is_so"], ["y"], then_branch=branch, else_branch=branch)
    onnx.save(finished([constant, choice], [_info("images", SHAPE)], [_info("y", SHAPE)]), path)
    with pytest.raises(PackageError, match=r"Gelu of com\.microsoft"):
        open_source(path)


def test_operator_that_onnx_does_not_know_is_named(path):
    onnx.save(_with_node(helper.make_node("EfficientNMS_TRT", ["images"], ["y"])), path)
    with pytest.raises(PackageError, match=r"needs the operator EfficientNMS_TRT, which ONNX .* does not know"):
        open_source(path)


def test_functions_of_the_model_are_unfolded(path, table):
    function = helper.make_function(
        "torch", "plain", ["a"], ["b"], [helper.make_node("Identity", ["a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    model = exported({"raw": table})
    model.graph.node.append(helper.make_node("plain", ["raw"], ["output0"], domain="torch"))
    del model.graph.output[:]
    model.graph.output.append(_info("output0", table.shape))
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("torch", 1))
    onnx.save(model, path)
    assert "plain" not in open_source(path).operators


def _save_with_weights_beside(model, path):
    onnx.save(model, path, save_as_external_data=True, location="model.onnx.data", size_threshold=0)


def test_weights_beside_the_file_are_taken_in(path, table):
    _save_with_weights_beside(exported({"output0": table}, metadata=ULTRALYTICS), path)
    source = open_source(path)
    stored = {each.name: numpy_helper.to_array(each) for each in source.model.graph.initializer}
    assert (stored["output0.values"] == table).all()


def test_missing_weights_are_named(path, table):
    _save_with_weights_beside(exported({"output0": table}), path)
    (path.parent / "model.onnx.data").unlink()
    with pytest.raises(PackageError, match=r"^[^;]*which is missing; put that file beside it$"):
        open_source(path)


@pytest.mark.parametrize("location", ["a\0b", "n" * 5000])
def test_weights_of_a_name_that_no_file_can_have_are_refused(path, table, location):
    model = exported({"output0": table})
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.external_data.add(key="location", value=location)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    path.write_bytes(model.SerializeToString())
    with pytest.raises(PackageError, match=r"has weights in .*; (export it again|put that file beside it)$"):
        open_source(path)


def test_weights_that_end_early_are_refused(path, table):
    _save_with_weights_beside(exported({"output0": table}), path)
    beside = path.parent / "model.onnx.data"
    beside.write_bytes(beside.read_bytes()[:100])
    with pytest.raises(PackageError, match="ends before the weights"):
        open_source(path)


@pytest.mark.parametrize("location", ["/etc/passwd", "../secret.bin", "link/secret.bin"])
def test_weights_outside_the_folder_are_not_read(path, table, tmp_path, location):
    model = exported({"output0": table})
    tensor = next(each for each in model.graph.initializer if each.name == "output0.values")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(table.tobytes())
    (folder / "link").symlink_to(tmp_path)
    inner = folder / "model.onnx"
    inner.write_bytes(model.SerializeToString())
    with pytest.raises(PackageError, match=f"weights in '{location}', outside its folder"):
        open_source(inner)


def test_two_inputs_are_listed(path, table):
    onnx.save(exported({"output0": table}, more={"prompt": (TensorProto.INT64, (1, 16))}), path)
    with pytest.raises(PackageError, match=r"inputs images \(1, 3, 64, 96\) float32, prompt \(1, 16\) int64 where one"):
        open_source(path)


def test_batch_of_four_is_refused(path, table):
    onnx.save(exported({"output0": table}, shape=(4, 3, 64, 96)), path)
    with pytest.raises(PackageError, match="takes 4 pictures at once; export it again with batch 1"):
        open_source(path)


def test_four_channels_are_refused(path, table):
    onnx.save(exported({"output0": table}, shape=(1, 4, 64, 96)), path)
    with pytest.raises(PackageError, match="of 4 channels"):
        open_source(path)


def test_open_size_is_asked_for(path, table):
    onnx.save(exported({"output0": table}, shape=("b", 3, "h", "w"), declared={"output0": ("b", 7, "n")}), path)
    with pytest.raises(PackageError, match=r"pictures of any size.*--size, such as 640x640"):
        open_source(path)
    picture = open_source(path, (96, 64)).picture
    assert (picture.width_px, picture.height_px, picture.channels) == (96, 64, 3)


def test_size_that_contradicts_the_file_is_refused(path, table):
    onnx.save(exported({"output0": table}), path)
    with pytest.raises(PackageError, match="takes 96x64 px only; leave out --size"):
        open_source(path, (640, 640))


def test_size_that_no_picture_has_is_refused(path, table):
    onnx.save(exported({"output0": table}, shape=(1, 3, 4, 4)), path)
    with pytest.raises(PackageError, match="pictures of 4x4 px"):
        open_source(path)


def test_graph_that_does_not_run_is_refused_with_the_reason(path):
    node = helper.make_node("Conv", ["images", "weight"], ["y"])
    weight = numpy_helper.from_array(np.zeros((1, 5, 3, 3), np.float32), "weight")
    onnx.save(finished([node], [_info("images", SHAPE)], [_info("y", (1, 1, 62, 94))], [weight]), path)
    with pytest.raises(PackageError, match="does not run on ONNX Runtime"):
        open_source(path)


def test_opset_that_is_too_new_says_which_to_use(path):
    newest = onnx.defs.onnx_opset_version()
    onnx.save(_with_node(helper.make_node("Relu", ["images"], ["y"]), opset=newest + 3), path)
    with pytest.raises(PackageError, match=r"(?i)opset"):
        open_source(path)


def test_old_opset_is_converted(path):
    model = brightness()
    model.opset_import[0].version = 9
    onnx.save(model, path)
    source = open_source(path)
    assert source.opset >= reading.OLDEST_OPSET
    assert source.ends["output"] == "Softmax"


def test_nodes_out_of_order_are_sorted(path, table):
    """The converter of ONNX Runtime to float16 puts its casts last."""
    model = exported({"output0": table})
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))
    path.write_bytes(model.SerializeToString())
    assert open_source(path).outputs[0].shape == table.shape


def test_ring_of_nodes_is_refused(path):
    nodes = [helper.make_node("Add", ["images", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    model = finished(nodes, [_info("images", SHAPE)], [_info("b", SHAPE)])
    path.write_bytes(model.SerializeToString())
    with pytest.raises(PackageError, match="no valid ONNX model"):
        open_source(path)


def test_hundred_outputs_are_refused(path):
    model = exported({f"out{index}": np.zeros((1, 2), np.float32) for index in range(100)})
    onnx.save(model, path)
    with pytest.raises(PackageError, match="has 100 outputs"):
        open_source(path)


def test_weights_listed_as_inputs_are_no_inputs(path, table):
    """Old exporters list every weight among the inputs."""
    model = exported({"output0": table})
    model.graph.input.append(_info("output0.values", table.shape))
    onnx.save(model, path)
    assert open_source(path).picture.name == "images"


@pytest.mark.parametrize("seed", range(20))
def test_damaged_file_is_refused_in_a_sentence(path, table, seed):
    random = np.random.default_rng(seed)
    content = bytearray(exported({"output0": table}, metadata=ULTRALYTICS).SerializeToString())
    for place in random.integers(0, len(content), 12):
        content[place] = int(random.integers(0, 256))
    path.write_bytes(bytes(content[: random.integers(1, len(content))]))
    with pytest.raises((DataError, PackageError)):
        open_source(path)
