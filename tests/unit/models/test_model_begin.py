# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
"""A training begins with the weights of another, or with those of a package whose checkpoint is gone."""

import dataclasses

import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason='training needs: pip install "takt-inspect[train]"')
pytest.importorskip("onnx", reason='reading a package needs: pip install "takt-inspect[train]"')

from app.cli import app
from app.detect.package import load_package
from app.errors import DataError, PackageError
from models.nets.regain import regain_net
from models.packaging.export import export_package
from models.packaging.graph import build_graph
from models.recipe import recipe_from_dict
from models.training.begin import begun, load_trained
from models.training.boards import load_training_boards
from models.training.feed import make_batch
from models.training.step import net_input
from models.training.train import Start, new_state, resume_state, save_state, train, train_step

pytestmark = [pytest.mark.train, pytest.mark.usefixtures("one_thread")]

NETS = {
    "branched": {},
    "deep": {"deep": [8, 16]},
    "fine grid": {"head_stride_px": 4},
    "small stem": {"stem_stride_px": 2, "head_stride_px": 4, "deep": [8]},
    "grey levels": {},
    "suppressed": {"suppress_iou": 0.5},
}


TINY = """
schema = 1
name = "tiny"
version = "0.0.2"
classes = ["hole", "blob"]

[input]
width_px = 96
height_px = 96
golden = true
black_level = 127
white_level = 128
two_level = true

[net]
stem = 8
fine = [8]
coarse = [8, 8, 8]
head = [8]

[train]
steps = 2
batch = 2
crop_px = 64
warmup_steps = 1
evaluate_every_steps = 2
"""


def _changed(recipe, section, **values):
    return recipe_from_dict(recipe.to_dict() | {section: recipe.to_dict()[section] | values}, "the test")


def _trained(recipe, data_dir, path, steps=6):
    boards = load_training_boards(data_dir, "train", recipe)
    state = new_state(recipe)
    for step in range(steps):
        train_step(state, make_batch(boards, recipe, step), recipe)
    save_state(state, recipe, path)
    return state.average, net_input(make_batch(boards, recipe, steps), recipe)


@pytest.mark.parametrize("kind", NETS)
def test_regained_net_writes_the_very_graph_that_it_was_read_from(recipe, data_dir, tmp_path, kind):
    recipe = _changed(recipe, "net", **NETS[kind])
    if kind == "grey levels":
        recipe = _changed(recipe, "input", black_level=0, white_level=255, two_level=False, golden=False)
    _trained(recipe, data_dir, tmp_path / "last.pt")
    export_package(tmp_path / "last.pt", tmp_path / "package", 0.4)
    package = load_package(tmp_path / "package", is_draft=True)
    net, told = regain_net(package)
    assert build_graph(net, told).SerializeToString() == package.read_onnx()
    assert told.classes == recipe.classes
    assert told.suppression == recipe.suppression
    assert dataclasses.replace(told.input, two_level=recipe.input.two_level) == recipe.input


@pytest.mark.parametrize("is_branched", [True, False])
def test_begun_net_gives_what_the_trained_one_gives(recipe, data_dir, tmp_path, is_branched):
    trained, x = _trained(recipe, data_dir, tmp_path / "last.pt")
    other = _changed(recipe, "net", is_branched=is_branched)
    remarks = []
    net = begun(other, trained, remarks.append, lambda: x)
    for mine, theirs in zip(net.eval()(x), trained(x), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-4, rtol=1e-3)
    # In training it normalises by its batch: the one that it was settled on gives the same.
    for mine, theirs in zip(net.train()(x), trained(x), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-2, rtol=1e-2)
    assert not remarks


def test_layers_of_another_shape_begin_by_chance_and_are_named(recipe, data_dir, tmp_path):
    trained, x = _trained(recipe, data_dir, tmp_path / "last.pt")
    wider = _changed(recipe, "net", coarse=[8, 12])
    remarks = []
    net = begun(wider, trained, remarks.append, lambda: x)
    assert len(remarks) == 1
    assert "coarse1" in remarks[0]
    assert "lateral0" in remarks[0]
    assert "coarse0" not in remarks[0]
    folded, source = net.folded(), trained.folded()
    assert torch.allclose(folded.stem.conv.weight, source.stem.conv.weight, atol=1e-6)


def test_training_from_a_package_goes_on_where_it_stood(recipe, data_dir, tmp_path):
    train(recipe, data_dir, tmp_path / "first")
    export_package(tmp_path / "first" / "last.pt", tmp_path / "package", 0.4)
    short = dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, steps=1, evaluate_every_steps=1))
    losses = {}
    for name, source in (("chance", ""), ("package", tmp_path / "package"), ("file", tmp_path / "first/last.pt")):
        state = train(short, data_dir, tmp_path / name, Start(source=str(source)))
        losses[name] = float(state.losses.sum())
    assert losses["package"] < 0.9 * losses["chance"]
    assert losses["package"] == pytest.approx(losses["file"], rel=0.02)


def test_resumed_training_does_not_begin_again(recipe, data_dir, tmp_path):
    train(recipe, data_dir, tmp_path / "run")
    before = resume_state(recipe, tmp_path / "run" / "last.pt").average.state_dict()
    state = train(recipe, data_dir, tmp_path / "run", Start(resume=True, source=str(tmp_path / "absent.pt")))
    assert all(torch.equal(each, before[name]) for name, each in state.average.state_dict().items())


@pytest.mark.parametrize("name", ["pcb:accelerator-int8", "pcb-nano"], ids=["8 bits", "another writer's graph"])
def test_model_whose_net_cannot_be_regained_is_refused(name):
    with pytest.raises(DataError, match=r"is no detector in fp32 that this version of Takt trained"):
        load_trained(name)


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [("no-such", PackageError, "'no-such' is not in the zoo"), ("./absent.pt", DataError, "absent.pt")],
)
def test_what_is_not_there_is_said_before_pictures_are_read(source, error, words):
    with pytest.raises(error, match=words):
        load_trained(source)


def test_model_of_the_zoo_goes_by_its_name():
    net, recipe = load_trained("pcb-golden:standby-fp32")
    assert recipe.input.golden
    assert not net.training


def test_command_begins_with_a_package(recipe, data_dir, tmp_path):
    _trained(recipe, data_dir, tmp_path / "last.pt")
    export_package(tmp_path / "last.pt", tmp_path / "package", 0.4)
    (tmp_path / "tiny.toml").write_text(TINY)
    place = ["--data", str(data_dir), "--out", str(tmp_path / "run"), "--from", str(tmp_path / "package")]
    ran = CliRunner().invoke(app, ["models", "train", str(tmp_path / "tiny.toml"), *place, "--json"])
    assert ran.exit_code == 0, ran.output
    assert "coarse2" in ran.output
    assert (tmp_path / "run" / "best.pt").is_file()
