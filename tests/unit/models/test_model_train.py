# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
import dataclasses
import json

import pytest

torch = pytest.importorskip("torch", reason='training needs: pip install "takt-inspect[train]"')
pytest.importorskip("pycocotools", reason='training needs: pip install "takt-inspect[train]"')

from app.errors import DataError
from models.augment import load_board
from models.data import load_split
from models.feed import batches, make_batch
from models.train import (
    BEST,
    LAST,
    LOG,
    learning_rate,
    load_average,
    new_state,
    resume_state,
    save_state,
    train,
    train_step,
)

pytestmark = pytest.mark.train


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def boards(data_dir, recipe):
    return [load_board(p) for p in load_split(data_dir, "train", recipe.classes, golden=True).pictures]


def test_a_few_steps_lower_the_loss(boards, recipe):
    state = new_state(recipe)
    batch = make_batch(boards, recipe, 0)
    losses = [train_step(state, batch, recipe) for _ in range(30)]
    assert sum(losses[-5:]) < 0.85 * sum(losses[:5])


def test_batch_depends_on_seed_and_step_alone(boards, recipe):
    drawn_ahead = next(iter(batches(boards, recipe, first=7)))
    assert drawn_ahead.step == 7
    assert torch.equal(drawn_ahead.part, make_batch(boards, recipe, 7).part)


def test_every_step_is_drawn_once(boards, recipe):
    short = dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, steps=6))
    assert [batch.step for batch in batches(boards, short, 0)] == list(range(6))


def test_learning_rate_warms_up_and_falls(recipe):
    rates = [learning_rate(recipe, step) for step in range(recipe.train.steps)]
    assert rates[0] < rates[4]
    assert rates[-1] < 0.1 * max(rates)


def test_training_leaves_checkpoints_and_a_log(data_dir, recipe, tmp_path):
    told = []
    state = train(recipe, data_dir, tmp_path / "out", on_progress=told.append)
    rows = [json.loads(line) for line in (tmp_path / "out" / LOG).read_text().splitlines()]
    assert (state.step, len(told)) == (30, 30)
    assert [row["step"] for row in rows if row["map50"] is not None] == [15, 30]
    assert (tmp_path / "out" / BEST).is_file()


def test_resumed_training_ends_where_an_uninterrupted_one_ends(data_dir, recipe, boards, tmp_path):
    whole = new_state(recipe)
    for step in range(6):
        train_step(whole, make_batch(boards, recipe, step), recipe)
    half = new_state(recipe)
    for step in range(3):
        train_step(half, make_batch(boards, recipe, step), recipe)
    save_state(half, recipe, tmp_path / LAST)
    resumed = resume_state(recipe, tmp_path / LAST)
    for step in range(3, 6):
        train_step(resumed, make_batch(boards, recipe, step), recipe)
    for expected, value in zip(whole.average.parameters(), resumed.average.parameters(), strict=True):
        assert torch.allclose(expected, value, atol=1e-6)


def test_checkpoint_remembers_its_recipe(recipe, tmp_path):
    save_state(new_state(recipe), recipe, tmp_path / LAST)
    assert load_average(tmp_path / LAST)[1] == recipe


def test_resuming_without_a_checkpoint_says_so(recipe, tmp_path):
    with pytest.raises(DataError, match="does not exist; train first"):
        resume_state(recipe, tmp_path / LAST)


def test_checkpoint_of_another_net_is_refused(recipe, tmp_path):
    save_state(new_state(recipe), recipe, tmp_path / LAST)
    other = dataclasses.replace(recipe, net=dataclasses.replace(recipe.net, stem=12))
    with pytest.raises(DataError, match="does not fit"):
        resume_state(other, tmp_path / LAST)


def test_loss_that_is_not_finite_stops_the_training(boards, recipe):
    state = new_state(recipe)
    with torch.no_grad():
        state.net.out.bias.fill_(float("nan"))
    with pytest.raises(DataError, match="not finite at step 0"):
        train_step(state, make_batch(boards, recipe, 0), recipe)
