"""TensorRT's own parser and builder take the 8-bit file; no GPU is needed for that."""

import pytest

from models.smaller.qdq import FloatNet, insert_qdq
from models.smaller.quantize import chosen_layers
from models.smaller.ranges import measure_steps
from tests.unit.models.small_float_net import float_model, pictures

pytestmark = pytest.mark.tensorrt


@pytest.fixture
def trt():
    return pytest.importorskip("tensorrt_rtx", reason="tensorrt: run: pip install tensorrt-rtx-cu13")


def _complaints(trt):
    class Complaints(trt.ILogger):
        def __init__(self):
            super().__init__()
            self.sentences = []

        def log(self, severity, message):
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR, trt.ILogger.WARNING):
                self.sentences.append(message)

    return Complaints()


def _parsed(trt, model, complaints):
    builder = trt.Builder(complaints)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, complaints)
    is_parsed = parser.parse(model.SerializeToString())
    return builder, network, parser, is_parsed


@pytest.mark.parametrize("golden", [False, True])
def test_tensorrt_builds_a_plan_for_a_gpu_that_is_not_here(trt, golden):
    net = FloatNet(float_model(golden=golden))
    layers = chosen_layers(net, ("edges",))
    steps = measure_steps(net.model, net.rounded(layers), pictures(2, golden=golden))
    complaints = _complaints(trt)
    builder, network, _parser, is_parsed = _parsed(trt, insert_qdq(net, layers, steps), complaints)
    assert is_parsed, complaints.sentences
    config = builder.create_builder_config()
    config.num_compute_capabilities = 1
    config.set_compute_capability(trt.ComputeCapability.SM86, 0)

    # A uint8 zero point would be read as int8, with a warning and wrong results.
    assert not [each for each in complaints.sentences if "UINT8" in each]
    assert builder.build_serialized_network(network, config) is not None
