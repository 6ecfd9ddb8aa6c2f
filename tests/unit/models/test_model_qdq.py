"""Convolutions in 8 bits, by graphs that are made without torch."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from app.errors import DataError
from models.smaller.qdq import FloatNet, insert_qdq, kernel_steps
from models.smaller.ranges import best_step, measure_steps, open_session
from tests.unit.models.small_float_net import float_model, pictures

INNER = ("fine0", "coarse0", "lateral0", "head0")
ROUNDED = ("stem.relu", "fine0.relu", "coarse0.relu", "lateral0", "merge0.relu")
CLOSE = 0.1
"""How far the 8-bit map may lie from the float one, as a share of what each channel of it varies by."""


@pytest.fixture(scope="module")
def net():
    return FloatNet(float_model())


@pytest.fixture(scope="module")
def steps(net):
    return measure_steps(net.model, ROUNDED, pictures(4))


def _makers(model):
    return {name: node for node in model.graph.node for name in node.output}


def _constants(model):
    return {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}


def _map(model):
    (feeds,) = pictures(1, seed=8)
    return open_session(model, ["out"]).run(["out"], feeds)[0]


def test_convolutions_are_found_in_order(net):
    assert net.convolutions == ("stem0", "stem1", "fine0", "coarse0", "lateral0", "head0", "out")


def test_first_and_last_convolutions_are_edges(net):
    assert net.edges() == {"stem0", "stem1", "out"}


def test_what_chosen_layers_read_is_rounded_and_what_is_enlarged_for_a_sum(net):
    assert net.rounded(INNER) == ROUNDED


def test_fewer_layers_round_fewer_tensors(net):
    assert net.rounded(["coarse0"]) == ("fine0.relu",)
    assert net.rounded(["lateral0"]) == ("coarse0.relu", "lateral0")


def test_chosen_layers_read_rounded_tensors_and_kernels(net, steps):
    model = insert_qdq(net, INNER, steps)
    makers = _makers(model)
    for node in model.graph.node:
        if node.op_type == "Conv":
            kinds = {makers[name].op_type for name in node.input[:2] if name in makers} & {"DequantizeLinear"}
            assert bool(kinds) == (node.name in INNER)


def test_sum_reads_the_rounded_map_as_the_next_layer_does(net, steps):
    model = insert_qdq(net, INNER, steps)
    readers = [node.name for node in model.graph.node if "fine0.relu.rounded" in node.input]
    assert readers == ["coarse0", "merge0"]


def test_8_bit_net_answers_as_the_float_one(net, steps):
    wanted, found = _map(net.model), _map(insert_qdq(net, INNER, steps))
    error, spread = np.sqrt(np.mean((found - wanted) ** 2, axis=(0, 2, 3))), wanted.std(axis=(0, 2, 3))

    assert error.max() > 0
    assert (error <= CLOSE * spread).all()


def test_openvino_answers_as_onnx_runtime(net, steps):
    openvino = pytest.importorskip("openvino", reason='needs: pip install "takt-inspect[openvino]"')
    model = insert_qdq(net, INNER, steps)
    wanted = _map(model)
    model.graph.output.append(helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, [1, 2, 12, 12]))
    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(model.SerializeToString(), b""), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    (feeds,) = pictures(1, seed=8)
    found = np.array(compiled(feeds)["out"])

    # The two add up in another order, so that here and there a value is rounded to the next step.
    assert np.abs(found - wanted).mean() < 0.01 * wanted.std()


def test_picture_alone_is_enough():
    net = FloatNet(float_model(golden=False))
    steps = measure_steps(net.model, ROUNDED, pictures(2, golden=False))
    assert [each.name for each in insert_qdq(net, INNER, steps).graph.input] == ["image"]


def test_inputs_and_outputs_stay_those_of_the_float_net(net, steps):
    model = insert_qdq(net, INNER, steps)
    assert list(model.graph.input) == list(net.model.graph.input)
    assert list(model.graph.output) == list(net.model.graph.output)


def test_zeros_are_at_0_and_whole_numbers_have_a_sign(net, steps):
    constants = _constants(insert_qdq(net, INNER, steps))
    zeros = [each for name, each in constants.items() if name.endswith(".zero")]

    assert len(zeros) == len(ROUNDED) + len(INNER)
    assert all(each.dtype == np.int8 and not each.any() for each in zeros)


def test_biases_stay_float(net, steps):
    model = insert_qdq(net, INNER, steps)
    constants = _constants(model)
    biases = [node.input[2] for node in model.graph.node if node.op_type == "Conv"]
    assert all(constants[name].dtype == np.float32 for name in biases)


@pytest.mark.parametrize(("bits", "top"), [(7, 63), (8, 127)])
def test_largest_weight_of_each_channel_is_the_largest_whole_number(net, steps, bits, top):
    whole = _constants(insert_qdq(net, INNER, steps, bits))["fine0.kernel.whole"]
    assert (np.abs(whole.astype(int)).max(axis=(1, 2, 3)) == top).all()


def test_sum_of_two_products_of_7_bits_fits_into_16():
    assert 2 * 63 * np.iinfo(np.uint8).max <= np.iinfo(np.int16).max


def test_kernels_in_float_are_left_out_of_the_8_bit_file(net, steps):
    names = set(_constants(insert_qdq(net, INNER, steps)))
    assert "fine0.weight" not in names
    assert "out.weight" in names


def test_channel_without_weights_stays_silent():
    kernel = np.zeros((2, 3, 3, 3), np.float32)
    kernel[0, 0, 0, 0] = 6.3
    assert kernel_steps(kernel).tolist() == pytest.approx([0.1, 1.0])


def test_layer_that_is_not_there_is_named(net, steps):
    with pytest.raises(DataError, match="no convolution 'neck'"):
        insert_qdq(net, ["neck"], steps)


def test_8_bit_model_is_not_rounded_again(net, steps):
    with pytest.raises(DataError, match="in 8 bits already"):
        FloatNet(insert_qdq(net, INNER, steps))


def test_model_without_convolutions_is_refused():
    graph = helper.make_graph([], "flat", [], [], [])
    with pytest.raises(DataError, match="no convolutions"):
        FloatNet(helper.make_model(graph))


def test_opset_without_steps_per_channel_is_refused():
    model = float_model()
    model.opset_import[0].version = 12
    with pytest.raises(DataError, match="opset 12"):
        FloatNet(model)


def test_kernels_held_by_constant_nodes_count_too():
    model = float_model()
    held = [each for each in model.graph.initializer if each.name == "fine0.weight"]
    model.graph.initializer.remove(held[0])
    model.graph.node.insert(0, helper.make_node("Constant", [], ["fine0.weight"], value=held[0]))
    assert "fine0" in FloatNet(model).convolutions


def test_step_of_least_error_cuts_off_a_lonely_peak():
    values = np.append(np.linspace(0, 1, 200_000), 3).astype(np.float32)
    assert best_step(values) < 2 / 127


def test_step_of_even_values_reaches_the_largest():
    assert best_step(np.linspace(0, 1, 10_000).astype(np.float32)) == pytest.approx(1 / 127, rel=0.02)


def test_tensor_that_is_always_0_has_a_step():
    assert best_step(np.zeros(10, np.float32)) == 1.0


def test_no_picture_at_all_is_refused(net):
    with pytest.raises(DataError, match="no pictures to measure ranges on"):
        measure_steps(net.model, ROUNDED, [])
