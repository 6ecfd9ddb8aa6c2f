# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
"""Training on in 8 bits: the net in torch rounds as its file does."""

import json

import numpy as np
import onnxruntime
import pytest
import typer
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason='training needs: pip install "takt-inspect[train]"')
onnx = pytest.importorskip("onnx", reason='training needs: pip install "takt-inspect[train]"')

from app.detect.package import load_package
from app.errors import DataError
from models.nets.net import PeakNet, stack_inputs
from models.packaging.graph import build_graph
from models.recipe import recipe_from_dict
from models.smaller import commands as smaller_commands
from models.smaller.qat import Plan, tuning_recipe
from models.smaller.qdq import FloatNet, insert_qdq, kernel_steps
from models.smaller.quantize import chosen_layers
from models.smaller.ranges import measure_steps
from models.smaller.rounded_net import RoundedConvolution, RoundedNet, RoundedTensor
from models.training.train import new_state, save_state

pytestmark = [pytest.mark.train, pytest.mark.usefixtures("one_thread")]

SHAPES = {
    "stride 8": {"fine": [8, 16], "coarse": [16, 24], "head": [8]},
    "stride 4": {"fine": [8, 16], "coarse": [16, 24], "head": [8, 8], "head_stride_px": 4},
    "stride 32": {"fine": [8], "coarse": [16], "deep": [16, 16], "head": [8], "head_stride_px": 4},
}
LEVELS = {"width_px": 96, "height_px": 64}


def _recipe(shape, *, golden):
    values = {"name": "t", "version": "1", "classes": ["a", "b"], "train": {"crop_px": 64}}
    return recipe_from_dict(values | {"input": LEVELS | {"golden": golden}, "net": {"stem": 8} | shape}, "the test")


def _loud_net(recipe, seed=0):
    torch.manual_seed(seed)
    net = PeakNet(recipe.net, len(recipe.classes), recipe.planes)
    with torch.no_grad():
        net.out.weight.normal_(std=0.5)
        net.out.bias[:2] = 0.0
    for _ in range(3):
        net(torch.rand(4, recipe.planes, 64, 64))
    return net.eval()


def _feeds(*, golden):
    random = np.random.default_rng(1)
    names = ["image", "golden"] if golden else ["image"]
    return {name: random.integers(0, 256, (1, 64, 96, 1), dtype=np.uint8) for name in names}


def _rounded(recipe, net, feeds):
    float_net = FloatNet(build_graph(net, recipe))
    layers = chosen_layers(float_net, ("edges",))
    return RoundedNet(net, layers, measure_steps(float_net.model, float_net.rounded(layers), [feeds]))


def _map(model, feeds):
    """What ONNX Runtime says where it adds up as the file does: fused, it rounds some values to the next step."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    model.graph.output.append(onnx.helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, None))
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(["out"], feeds)[0]


@pytest.mark.parametrize("golden", [False, True])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_torch_rounds_as_the_exported_file_does(shape, golden):
    recipe, feeds = _recipe(shape, golden=golden), _feeds(golden=golden)
    net = _loud_net(recipe)
    rounded = _rounded(recipe, net, feeds)
    with torch.no_grad():
        for each in rounded.roundings:
            each.log_step += 0.1  # as if it had been learnt
    file = insert_qdq(FloatNet(build_graph(rounded.plain(), recipe)), rounded.layers, rounded.steps)
    found = _map(file, feeds)
    planes = [torch.from_numpy(feeds[name].transpose(0, 3, 1, 2).copy()) for name in feeds]
    x = stack_inputs(planes[0], planes[1] if golden else None, recipe.input)
    with torch.no_grad():
        wanted, unrounded = rounded.net.raw(x).numpy(), net.raw(x).numpy()

    assert np.abs(found - wanted).mean() < 1e-3 * np.abs(found - unrounded).mean()


def test_kernel_is_rounded_by_the_steps_of_the_file():
    layer = RoundedConvolution(torch.nn.Conv2d(3, 5, 3))
    weight = layer.layer.weight.detach().numpy()
    steps = kernel_steps(weight).reshape(-1, 1, 1, 1)
    assert np.allclose(layer.kernel().detach().numpy(), np.rint(weight / steps) * steps, atol=1e-7)


def test_gradient_passes_the_rounding_of_a_kernel():
    layer = RoundedConvolution(torch.nn.Conv2d(1, 1, 1, bias=False))
    layer(torch.full((1, 1, 2, 2), 3.0)).sum().backward()
    assert layer.layer.weight.grad.item() == pytest.approx(12.0)


def test_gradient_stops_where_a_tensor_is_cut_off():
    x = torch.tensor([0.5, 1000.0], requires_grad=True)
    RoundedTensor(0.1)(x).sum().backward()
    assert x.grad.tolist() == [1.0, 0.0]


def test_step_grows_where_much_is_cut_off():
    rounding = RoundedTensor(0.1)
    loss = ((rounding(torch.full((8,), 100.0)) - 100.0) ** 2).mean()
    loss.backward()
    assert rounding.log_step.grad < 0


def test_unrounded_net_of_a_rounded_one_is_the_float_net():
    recipe = _recipe(SHAPES["stride 8"], golden=True)
    net = _loud_net(recipe)
    plain = _rounded(recipe, net, _feeds(golden=True)).plain()
    x = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        assert torch.allclose(plain.raw(x), net.raw(x), atol=1e-5)


def test_stem_is_not_trained_in_8_bits():
    recipe = _recipe(SHAPES["stride 8"], golden=True)
    with pytest.raises(DataError, match="'stem0' cannot be trained"):
        RoundedNet(_loud_net(recipe), ["stem0"], {})


def test_tuning_is_slow_and_short(recipe):
    plan = tuning_recipe(recipe, Plan(steps=50, learning_rate=2e-4))
    assert (plan.train.steps, plan.train.learning_rate, plan.train.evaluate_every_steps) == (50, 2e-4, 10)
    assert (plan.input, plan.net, plan.augment) == (recipe.input, recipe.net, recipe.augment)


def _run(*arguments):
    app = typer.Typer()
    app.command()(smaller_commands.quantize)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_command_trains_on_and_writes_no_worse_a_model(recipe, data_dir, tmp_path):
    pytest.importorskip("pycocotools", reason='training needs: pip install "takt-inspect[train]"')
    save_state(new_state(recipe, initial=_loud_net(recipe)), recipe, tmp_path / "best.pt")
    words = ("--data", data_dir, "--out", tmp_path / "small", "--qat-steps", 2, "--threads", 1, "--json")
    result = _run(tmp_path / "best.pt", *words)
    assert result.exit_code == 0, result.output
    *rows, document = [json.loads(line) for line in result.stdout.splitlines()]

    assert document["is_trained"] == (document["after"] >= document["before"])
    assert load_package(tmp_path / "small", is_draft=True).variant == "accelerator-int8"
    assert "map50" in rows[-1]


def test_checkpoint_that_is_none_is_named(data_dir, tmp_path):
    (tmp_path / "best.pt").write_bytes(b"weights")
    result = _run(tmp_path / "best.pt", "--data", data_dir, "--out", tmp_path / "small")
    assert isinstance(result.exception, DataError)
    assert not (tmp_path / "small").exists()
