"""What each layer costs in 8 bits, and the choice that follows."""

import json

import pytest
import typer
from typer.testing import CliRunner

from models.smaller import commands as smaller_commands
from models.smaller.qdq import FloatNet
from models.smaller.quantize import measure_package
from models.smaller.sensitivity import Judge, Loss, measure_sensitivity
from tests.unit.models.conftest import write_set
from tests.unit.models.small_float_net import float_model, write_package

INNER = ("fine0", "coarse0", "lateral0", "head0")
COSTS = {"fine0": 0.001, "coarse0": 0.02, "lateral0": 0.003, "head0": 0.0}


class ScriptedJudge:
    """Every layer in 8 bits costs what the script says."""

    pictures, map50 = 7, 0.95

    def loss(self, model):
        rounded = {node.name.removesuffix(".kernel.rounded") for node in model.graph.node if ".kernel." in node.name}
        cost = sum(COSTS[name] for name in rounded)
        return Loss(cost, cost)


@pytest.fixture(scope="module")
def net():
    return FloatNet(float_model())


@pytest.fixture
def steps(net):
    return dict.fromkeys(net.rounded(INNER), 0.1)


def _measure(net, steps, **options):
    return measure_sensitivity(net, INNER, steps, ScriptedJudge(), **options)


def test_most_sensitive_layer_comes_first(net, steps):
    table = _measure(net, steps)
    assert [row.layer for row in table.layers] == ["coarse0", "lateral0", "fine0", "head0"]


def test_layer_is_judged_alone_and_spared(net, steps):
    row = _measure(net, steps).layers[0]
    assert (row.layer, row.weights) == ("coarse0", 16 * 12 * 9)
    assert row.alone.value == pytest.approx(0.02)
    assert row.spared.value == pytest.approx(0.004)


def test_layers_go_back_to_float_until_the_loss_is_small_enough(net, steps):
    table = _measure(net, steps, max_loss=0.005)
    assert table.every.value == pytest.approx(0.024)
    assert table.kept == ("coarse0",)
    assert table.chosen.value == pytest.approx(0.004)


def test_none_goes_back_where_the_loss_is_small_enough(net, steps):
    table = _measure(net, steps, max_loss=0.03)
    assert (table.kept, table.chosen) == ((), table.every)


def test_one_layer_stays_in_8_bits_whatever_is_wanted(net, steps):
    assert _measure(net, steps, max_loss=-1.0).kept == ("coarse0", "lateral0", "fine0")


def test_loss_of_other_than_detectors_is_that_of_their_scores():
    assert Loss(None, 0.25).value == 0.25


def test_progress_counts_every_model_that_is_judged(net, steps):
    told = []
    _measure(net, steps, max_loss=0.005, on_step=lambda *step: told.append(step))
    assert [done for _, done, _ in told] == list(range(1, 11))
    assert told[-1] == ("judging layers", 10, 10)


@pytest.fixture
def package(tmp_path):
    return write_package(tmp_path / "small")


@pytest.fixture
def boards(tmp_path):
    write_set(tmp_path / "boards", "train", 3)
    write_set(tmp_path / "boards", "val", 2)
    return tmp_path / "boards"


def test_float_model_loses_nothing_against_itself(package, boards):
    from app.detect.package import load_package
    from models.packaged import read_model
    from models.smaller.quantize import pictures_of

    loaded = load_package(package, is_draft=True)
    judge = Judge(loaded, pictures_of(loaded, boards, "val", 2))
    assert judge.loss(read_model(loaded)) == Loss(0.0, 0.0)


def test_pictures_of_val_judge_the_layers(package, boards):
    table = measure_package(package, boards)
    assert table.pictures == 2
    assert {row.layer for row in table.layers} == set(INNER)
    assert max(row.alone.score for row in table.layers) > 0


def test_command_prints_the_table(package, boards):
    app = typer.Typer()
    app.command()(smaller_commands.sensitivity)
    words = [str(package), "--data", str(boards)]
    document = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    shown = CliRunner().invoke(app, words).stdout

    assert {row["layer"] for row in document["layers"]} == set(INNER)
    assert document["max_loss"] == 0.005
    assert all(name in shown for name in INNER)
