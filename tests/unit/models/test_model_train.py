# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
import dataclasses
import json
import math
import shutil

import pytest

torch = pytest.importorskip("torch", reason='training needs: pip install "takt-inspect[train]"')
pytest.importorskip("pycocotools", reason='training needs: pip install "takt-inspect[train]"')

from app.errors import DataError, UsageError
from models.data import load_split
from models.mending import load_board
from models.nets.net import PeakNet
from models.recipe import InputShape, recipe_from_dict
from models.training.boards import load_training_boards
from models.training.checkpoint import BEST, LAST, load_average, load_net, new_state, resume_state, save_state
from models.training.device import choose_device, feed_processes
from models.training.feed import batches, make_batch
from models.training.journal import CURVES, EXAMPLES, LOG, read_log
from models.training.step import train_step
from models.training.train import FINISHED, PATIENCE, TIME_IS_UP, Start, train

pytestmark = [pytest.mark.train, pytest.mark.usefixtures("one_thread")]


@pytest.fixture
def boards(data_dir, recipe):
    return [load_board(p) for p in load_split(data_dir, "train", recipe.classes, golden=True).pictures]


def planned(recipe, **changes):
    return dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, **changes))


def same_weights(one, two):
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def change_truth(data_dir, split, change):
    path = data_dir / "annotations" / f"{split}.json"
    truth = json.loads(path.read_text())
    change(truth)
    path.write_text(json.dumps(truth))


def test_a_few_steps_lower_the_loss(boards, recipe):
    state = new_state(recipe)
    batch = make_batch(boards, recipe, 0)
    losses = [train_step(state, batch, recipe) for _ in range(30)]
    assert sum(losses[-5:]) < 0.85 * sum(losses[:5])


@pytest.fixture(params=["drawings", "grey", "colour", "grey alone", "colour alone", "outlined in a border"])
def any_recipe(request, recipe):
    """The recipe for each kind of input."""
    if request.param == "drawings":
        return recipe
    if "border" in request.param:
        return dataclasses.replace(
            recipe,
            input=InputShape(160, 96, fit="letterbox"),
            net=dataclasses.replace(recipe.net, suppress_iou=0.5),
            train=dataclasses.replace(recipe.train, targets="regions"),
        )
    colour, alone = "colour" in request.param, "alone" in request.param
    return dataclasses.replace(recipe, input=InputShape(96, 96, channels=3 if colour else 1, golden=not alone))


def test_batch_depends_on_seed_and_step_alone(data_dir, any_recipe):
    boards = load_training_boards(data_dir, "train", any_recipe)
    drawn_ahead, again = next(iter(batches(boards, any_recipe, first=7, workers=2))), make_batch(boards, any_recipe, 7)
    assert (drawn_ahead.step, drawn_ahead.names) == (7, again.names)
    assert torch.equal(drawn_ahead.part, again.part)
    assert torch.equal(drawn_ahead.targets.heat, again.targets.heat)
    assert not torch.equal(drawn_ahead.part, make_batch(boards, any_recipe, 8).part)


def test_every_kind_of_input_is_trained_and_evaluated(data_dir, any_recipe, tmp_path):
    told = []
    train(planned(any_recipe, steps=2), data_dir, tmp_path, on_progress=told.append)
    assert math.isfinite(told[-1].losses["heat_loss"])
    assert load_average(tmp_path / BEST)[0].stem.conv.in_channels == any_recipe.planes


@pytest.mark.parametrize("workers", [1, 2])
def test_every_step_is_drawn_once_and_in_order(boards, recipe, workers):
    assert [batch.step for batch in batches(boards, planned(recipe, steps=9), 0, workers)] == list(range(9))


@pytest.mark.parametrize("is_drawing", [True, False])
def test_the_last_steps_see_pictures_as_they_lie(data_dir, recipe, is_drawing):
    odds = dataclasses.replace(recipe.augment, roughness_probability=0.0, designed_probability=0.0)
    shape = dataclasses.replace(recipe.input, two_level=is_drawing)
    plan = planned(dataclasses.replace(recipe, augment=odds, input=shape), batch=16, steps=10, upright_steps=4)
    boards = load_training_boards(data_dir, "train", plan)
    # The golden sample's stripes stand upright: each row of a crop shows what its first row shows.
    lies = [bool((make_batch(boards, plan, step).golden.diff(dim=2) == 0).all()) for step in range(10)]
    assert lies == [False] * 6 + [True] * 4


def test_two_runs_with_one_seed_give_the_same_weights(data_dir, recipe, tmp_path):
    one, two = (train(recipe, data_dir, tmp_path / name) for name in ("one", "two"))
    assert same_weights(one.net, two.net)
    assert same_weights(one.average, two.average)


def test_another_seed_gives_other_weights(data_dir, recipe, tmp_path):
    short = planned(recipe, steps=2)
    one, two = (train(planned(short, seed=seed), data_dir, tmp_path / str(seed)) for seed in (1, 2))
    assert not same_weights(one.net, two.net)


def test_training_leaves_checkpoints_log_and_pictures(data_dir, recipe, tmp_path):
    told = []
    state = train(recipe, data_dir, tmp_path / "out", on_progress=told.append)
    rows = read_log(tmp_path / "out" / LOG)
    assert (state.step, state.ended, len(told)) == (30, FINISHED, 30)
    assert [row["step"] for row in rows if "map50" in row] == [15, 30]
    files = {path.name for path in (tmp_path / "out").iterdir() if path.is_file()}
    assert files == {BEST, LAST, LOG, CURVES, EXAMPLES}


def test_stopped_and_resumed_training_ends_where_an_uninterrupted_one_ends(data_dir, recipe, tmp_path):
    whole = train(recipe, data_dir, tmp_path / "whole")
    steps = iter(range(1, 99))
    half = train(recipe, data_dir, tmp_path / "half", why_stop=lambda: "enough" if next(steps) == 11 else "")
    assert (half.step, half.ended) == (11, "enough")
    resumed = train(recipe, data_dir, tmp_path / "half", Start(resume=True))
    assert same_weights(whole.net, resumed.net)
    assert same_weights(whole.average, resumed.average)
    assert resumed.best_score == whole.best_score
    logs = [
        [{**row, "seconds": 0} for row in read_log(tmp_path / name / LOG) if "map50" in row]
        for name in ("whole", "half")
    ]
    assert logs[0] == logs[1]


def test_log_forgets_what_a_crash_undid(data_dir, recipe, tmp_path):
    steps = iter(range(1, 99))
    train(recipe, data_dir, tmp_path, why_stop=lambda: "enough" if next(steps) == 11 else "")
    with (tmp_path / LOG).open("a") as stream:
        stream.write('{"step": 20, "steps": 30, "map50": 1.0}\n{"step": 25, "st')
    train(recipe, data_dir, tmp_path, Start(resume=True))
    assert [row["step"] for row in read_log(tmp_path / LOG)] == [11, 15, 30]


def test_training_of_a_kept_folder_is_not_overwritten(data_dir, recipe, tmp_path):
    (tmp_path / LAST).write_bytes(b"hours of work")
    with pytest.raises(DataError, match="holds a training already; continue it with --resume"):
        train(recipe, data_dir, tmp_path)
    assert (tmp_path / LAST).read_bytes() == b"hours of work"


def test_time_that_is_up_leaves_a_best_checkpoint(data_dir, recipe, tmp_path):
    state = train(recipe, data_dir, tmp_path, why_stop=lambda: TIME_IS_UP)
    assert (state.step, state.ended) == (1, TIME_IS_UP)
    assert load_average(tmp_path / BEST)[2] == 1


def test_training_ends_when_it_no_longer_gets_better(data_dir, recipe, tmp_path):
    lazy = planned(recipe, steps=200, evaluate_every_steps=2, patience_evaluations=2, learning_rate=1e-9)
    state = train(lazy, data_dir, tmp_path)
    assert (state.ended, state.evaluations_without_gain) == (PATIENCE, 2)
    assert state.step < 200
    assert train(lazy, data_dir, tmp_path, Start(resume=True)).step == state.step


def test_half_precision_learns_too(boards, recipe):
    half = planned(recipe, precision="bf16")
    state = new_state(half)
    batch = make_batch(boards, half, 0)
    losses = [train_step(state, batch, half) for _ in range(30)]
    assert sum(losses[-5:]) < 0.85 * sum(losses[:5])
    assert {p.dtype for p in state.net.parameters()} == {torch.float32}


def test_fp16_without_a_gpu_is_refused(recipe):
    with pytest.raises(UsageError, match="fp16 needs a GPU; use fp32 or bf16"):
        choose_device("cpu", planned(recipe, precision="fp16"))


def test_gpu_that_is_not_there_is_refused(recipe, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto", recipe).type == "cpu"
    with pytest.raises(UsageError, match="no GPU that torch can use"):
        choose_device("cuda", recipe)
    with pytest.raises(UsageError, match="no device 'tpu'"):
        choose_device("tpu", recipe)


def test_one_process_draws_for_a_cpu():
    assert feed_processes(torch.device("cpu")) == 1


def test_resuming_without_a_checkpoint_says_so(data_dir, recipe, tmp_path):
    with pytest.raises(DataError, match="does not exist; train first"):
        train(recipe, data_dir, tmp_path, Start(resume=True))


@pytest.mark.parametrize(
    ("section", "changes", "words"),
    [
        ("net", {"stem": 12}, r"net\.stem was 8 and is now 12"),
        ("augment", {"noise": 0.5}, r"augment\.noise was 0\.0 and is now 0\.5"),
        ("train", {"seed": 9}, r"train\.seed was 1 and is now 9"),
        ("input", {"width_px": 192}, r"input\.width_px was 96 and is now 192"),
    ],
)
def test_checkpoint_of_another_recipe_is_refused(recipe, tmp_path, section, changes, words):
    save_state(new_state(recipe), recipe, tmp_path / LAST)
    other = dataclasses.replace(recipe, **{section: dataclasses.replace(getattr(recipe, section), **changes)})
    with pytest.raises(DataError, match=words):
        resume_state(other, tmp_path / LAST)


def test_resumed_training_may_be_longer_and_slower(recipe, tmp_path):
    save_state(new_state(recipe), recipe, tmp_path / LAST)
    assert resume_state(planned(recipe, steps=60, learning_rate=1e-4), tmp_path / LAST).step == 0


def test_resuming_with_other_data_is_refused(data_dir, recipe, tmp_path):
    train(recipe, data_dir, tmp_path, why_stop=lambda: "enough")
    change_truth(data_dir, "train", lambda truth: truth["annotations"].pop())
    with pytest.raises(DataError, match="other pictures or labels"):
        train(recipe, data_dir, tmp_path, Start(resume=True))


def test_checkpoint_remembers_its_recipe(recipe, tmp_path):
    save_state(new_state(recipe), recipe, tmp_path / LAST)
    assert load_average(tmp_path / LAST)[1] == recipe


def test_checkpoint_from_before_there_were_other_scores_is_read(recipe, tmp_path):
    save_state(new_state(recipe), recipe, tmp_path / LAST)
    values = torch.load(tmp_path / LAST, weights_only=True)
    for key in ("best_score", "evaluations_without_gain", "scaler", "data"):
        del values[key]
    for key in ("kind", "good_classes"):
        del values["recipe"][key]
    torch.save({**values, "best_map50": 0.7}, tmp_path / LAST)
    assert resume_state(recipe, tmp_path / LAST).best_score == 0.7


class _Evil:
    def __reduce__(self):
        return print, ("code ran",)


@pytest.mark.parametrize("content", ["text", "code", "tensor"])
def test_file_that_is_no_checkpoint_is_refused(tmp_path, content, capsys):
    path = tmp_path / BEST
    if content == "text":
        path.write_text("not a checkpoint")
    else:
        torch.save(_Evil() if content == "code" else torch.zeros(2), path)
    with pytest.raises(DataError, match=r"best\.pt is not a checkpoint"):
        load_net(path)
    assert capsys.readouterr().out == ""


def test_full_disk_leaves_the_earlier_checkpoint_and_nothing_half_written(recipe, tmp_path):
    state = new_state(recipe)
    save_state(state, recipe, tmp_path / LAST)
    before = (tmp_path / LAST).read_bytes()
    (tmp_path / "last.pt.new").symlink_to("/dev/full")
    state.step = 5
    with pytest.raises(DataError, match=r"last\.pt cannot be written \(No space left on device\)"):
        save_state(state, recipe, tmp_path / LAST)
    assert [path.name for path in tmp_path.iterdir()] == [LAST]
    assert (tmp_path / LAST).read_bytes() == before


def test_loss_that_is_not_finite_names_step_and_pictures(boards, recipe):
    state = new_state(recipe)
    with torch.no_grad():
        state.net.out.bias.fill_(math.nan)
    with pytest.raises(DataError, match=r"the loss is not finite at step 0, in the batch of 00\d\.png, 00"):
        train_step(state, make_batch(boards, recipe, 0), recipe)


def test_gradient_that_is_not_finite_does_not_touch_the_weights(boards, recipe):
    state, batch = new_state(recipe), make_batch(boards, recipe, 0)
    before = [p.detach().clone() for p in state.net.parameters()]

    def steep(net, _batch, _recipe):
        loss = sum(torch.sqrt((p - p.detach()).abs()).sum() for p in net.parameters())
        return loss, torch.zeros(2)

    with pytest.raises(DataError, match="the gradient is not finite at step 0"):
        train_step(state, batch, recipe, steep)
    assert all(torch.equal(a, b) for a, b in zip(before, state.net.parameters(), strict=True))


def test_last_good_checkpoint_outlives_a_loss_that_is_not_finite(data_dir, recipe, tmp_path):
    def burst(net, batch, _recipe):
        loss = net.out.bias.sum() * (math.nan if batch.step == 20 else 1.0)
        return loss, torch.zeros(2)

    with pytest.raises(DataError, match="not finite at step 20"):
        train(recipe, data_dir, tmp_path, Start(loss_of=burst))
    assert load_average(tmp_path / LAST)[2] == 15


def test_another_loss_has_its_say_and_its_names(data_dir, recipe, tmp_path):
    def distance(net, _batch, _recipe):
        loss = net.out.bias.square().sum()
        return loss, torch.stack([loss.detach()] * 3)

    told = []
    start = Start(loss_of=distance, loss_names=("a_loss", "b_loss", "c_loss"))
    train(planned(recipe, steps=3), data_dir, tmp_path, start, on_progress=told.append)
    assert set(told[0].losses) == {"a_loss", "b_loss", "c_loss"}


def test_training_may_start_from_given_weights(data_dir, recipe, tmp_path):
    torch.manual_seed(77)
    pruned = PeakNet(recipe.net, len(recipe.classes), recipe.planes)
    frozen = planned(recipe, steps=1, learning_rate=1e-9, weight_decay=0.0)
    state = train(frozen, data_dir, tmp_path, Start(initial=pruned))
    assert torch.allclose(state.net.out.weight, pruned.out.weight, atol=1e-6)


def test_class_without_examples_is_told(data_dir, recipe, tmp_path):
    change_truth(data_dir, "train", lambda truth: truth.update(annotations=truth["annotations"][::2]))
    remarks = []
    train(planned(recipe, steps=1), data_dir, tmp_path, on_remark=remarks.append)
    assert remarks == ["class 'blob' has no example in the split train: it cannot be learnt"]


@pytest.mark.parametrize("layout", ["labels", "golden samples"])
def test_classifier_learns_to_tell_parts_apart(data_dir, tmp_path, layout):
    for split in ("train", "val"):
        change_truth(
            data_dir,
            split,
            lambda truth: [row.update(label="bad" if row["id"] % 2 else "ok") for row in truth["images"]],
        )
        for number in range(0, 6 if split == "train" else 3, 2):
            good = data_dir / "images" / f"{split}_template" / f"{number:03}.png"
            shutil.copy(good, data_dir / "images" / split / good.name)
    recipe = recipe_from_dict(
        {
            "name": "c",
            "version": "1",
            "kind": "classification",
            "classes": ["ok", "bad"],
            "good_classes": ["ok"],
            "input": {"width_px": 96, "height_px": 96, "golden": layout == "golden samples"},
            "net": {"stem": 8, "fine": [8], "coarse": [16], "head": []},
            "train": {"steps": 60, "batch": 6, "warmup_steps": 5, "evaluate_every_steps": 60, "learning_rate": 0.01},
            "augment": {"scale_min": 1.0, "scale_max": 1.0},
        },
        "the test",
    )
    told = []
    state = train(recipe, data_dir, tmp_path / "out", on_progress=told.append)
    assert told[-1].scores["accuracy"] >= 2 / 3
    assert told[-1].losses["class_loss"] < told[0].losses["class_loss"]
    assert load_net(tmp_path / "out" / BEST)[1].kind == "classification"
    assert state.best_score == told[-1].scores["auroc"]


def test_classifier_is_no_detector(recipe, tmp_path):
    plain = dataclasses.replace(recipe.input, two_level=False, black_level=0, white_level=255)
    classifier = dataclasses.replace(recipe, kind="classification", good_classes=("hole",), input=plain)
    save_state(new_state(classifier), classifier, tmp_path / BEST)
    with pytest.raises(DataError, match="is a classifier's"):
        load_average(tmp_path / BEST)
