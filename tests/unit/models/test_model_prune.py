# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
"""Channels are left out, and the smaller net is one of the family."""

import dataclasses
import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason='training needs: pip install "takt-inspect[train]"')
pytest.importorskip("onnx", reason='training needs: pip install "takt-inspect[train]"')

from app.errors import DataError
from models.nets.net import PeakNet, count_macs
from models.packaging.graph import build_graph
from models.recipe import recipe_from_dict
from models.smaller import commands as smaller_commands
from models.smaller.prune import channel_importance, macs_of, prune_net, slice_net
from models.training.train import load_average, new_state, save_state

pytestmark = [pytest.mark.train, pytest.mark.usefixtures("one_thread")]

SHAPES = {
    "stride 8": {"stem": 16, "fine": [16, 24], "coarse": [24, 24], "head": [16]},
    "stride 4": {"stem": 16, "fine": [16], "coarse": [24], "head": [16, 8], "head_stride_px": 4},
    "a stem of stride 2": {
        "stem_stride_px": 2,
        "stem": 16,
        "fine": [16],
        "coarse": [24],
        "head": [8],
        "head_stride_px": 4,
    },
    "stride 32": {"stem": 16, "fine": [16], "coarse": [16], "deep": [32, 16], "head": [8], "head_stride_px": 4},
}


@pytest.fixture(params=SHAPES.values(), ids=SHAPES.keys())
def shaped(request):
    values = {"name": "t", "version": "1", "classes": ["a", "b"], "train": {"crop_px": 64}}
    values |= {"input": {"width_px": 96, "height_px": 64, "golden": True}, "net": request.param}
    return recipe_from_dict(values, "the test")


def _net(recipe):
    torch.manual_seed(2)
    net = PeakNet(recipe.net, len(recipe.classes), recipe.planes)
    for _ in range(3):
        net(torch.rand(2, recipe.planes, 64, 64))
    return net.eval()


def test_multiplications_are_counted_as_the_net_does_them(shaped):
    net = _net(shaped)
    widths = {name: len(values) for name, values in channel_importance(net).items()}
    assert macs_of(shaped, widths) == count_macs(net, shaped.planes, 64, 96)


def test_net_with_every_channel_kept_answers_alike(shaped):
    net = _net(shaped)
    plain = dataclasses.replace(shaped, net=dataclasses.replace(shaped.net, is_branched=False))
    kept = {name: np.arange(len(values)) for name, values in channel_importance(net).items()}
    x = torch.rand(1, shaped.planes, 64, 96)
    with torch.no_grad():
        assert torch.allclose(slice_net(net, plain, kept).eval().raw(x), net.raw(x), atol=1e-5)


def test_channels_without_weight_go_first_and_are_not_missed(shaped):
    net = _net(shaped)
    _silence(net, [1, 3, 4, 7, 8, 9, 12, 14])
    importance = channel_importance(net)["stem"]
    kept = {name: np.arange(len(values)) for name, values in channel_importance(net).items()}
    kept["stem"] = np.flatnonzero(importance > importance.max() / 1e3)
    plain = dataclasses.replace(shaped, net=dataclasses.replace(shaped.net, is_branched=False, stem=8))
    x = torch.rand(1, shaped.planes, 64, 96)

    assert kept["stem"].tolist() == [0, 2, 5, 6, 10, 11, 13, 15]
    with torch.no_grad():
        assert torch.allclose(slice_net(net, plain, kept).eval().raw(x), net.raw(x), atol=1e-5)


@torch.no_grad()
def _silence(net, channels):
    """Takes channels of the stem's map out of everything that makes or reads them."""
    net.stem.norm.weight[channels] = 0
    net.stem.norm.bias[channels] = 0
    first = net.stages[0][0]
    first.conv.weight[:, channels] = 0
    first.point[:, channels] = 0
    if len(first.gains) > 2:
        first.gains[2] = 0
    if net.stride_px == 4:
        net.laterals[-1].weight[channels] = 0
        net.laterals[-1].bias[channels] = 0
        net.head[0].conv.weight[:, channels] = 0
        net.head[0].point[:, channels] = 0
        if len(net.head[0].gains) > 2:
            net.head[0].gains[2] = 0


@pytest.mark.parametrize("share", [0.9, 0.6])
def test_share_of_multiplications_is_reached_by_eights(shaped, share):
    pruned = prune_net(_net(shaped), shaped, share)
    net = pruned.recipe.net
    widths = (net.stem, *net.fine, *net.coarse, *net.deep, *net.head)

    assert pruned.macs <= share * pruned.macs_before
    assert pruned.macs == count_macs(pruned.net, shaped.planes, 64, 96)
    assert all(width % 8 == 0 for width in widths)


def test_pruned_net_is_exported_like_any_other(shaped):
    pruned = prune_net(_net(shaped), shaped, 0.7)
    graph = build_graph(pruned.net, pruned.recipe).graph
    assert [each.name for each in graph.output] == ["boxes", "scores", "classes", "embedding"]


def test_recipe_of_a_pruned_net_makes_that_net(shaped):
    pruned = prune_net(_net(shaped), shaped, 0.7)
    again = recipe_from_dict(pruned.recipe.to_dict(), "the checkpoint")
    PeakNet(again.net, 2, again.planes).load_state_dict(pruned.net.state_dict())


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_share_of_nothing_or_everything_is_refused(shaped, share):
    with pytest.raises(DataError, match="not between 0 and 1"):
        prune_net(_net(shaped), shaped, share)


def test_share_that_half_of_the_channels_exceed_is_refused(shaped):
    with pytest.raises(DataError, match="larger share"):
        prune_net(_net(shaped), shaped, 0.01)


def _run(*arguments):
    app = typer.Typer()
    app.command()(smaller_commands.prune)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_command_prunes_trains_on_and_resumes(recipe, data_dir, tmp_path):
    pytest.importorskip("pycocotools", reason='training needs: pip install "takt-inspect[train]"')
    large = dataclasses.replace(recipe, net=dataclasses.replace(recipe.net, stem=16, fine=(16,), coarse=(16, 16)))
    save_state(new_state(large), large, tmp_path / "best.pt")
    words = (tmp_path / "best.pt", "--data", data_dir, "--out", tmp_path / "out", "--threads", 1, "--json")
    result = _run(*words, "--macs", 0.7, "--steps", 5)
    assert result.exit_code == 0, result.output
    first, last = (json.loads(result.stdout.splitlines()[index]) for index in (0, -1))
    _net_of, small, step = load_average(tmp_path / "out" / "last.pt")

    assert "GMAC are left" in first["remark"]
    assert (last["ended"], last["step"], step) == ("finished", 5, 5)
    assert macs_of(small, _widths(small)) <= 0.7 * macs_of(large, _widths(large))
    resumed = _run(*words, "--macs", 0.7, "--steps", 7, "--resume")
    assert json.loads(resumed.stdout.splitlines()[-1])["step"] == 7


def _widths(recipe):
    return {name: len(values) for name, values in channel_importance(_net(recipe)).items()}
