# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
import dataclasses

import pytest

torch = pytest.importorskip("torch", reason='training needs: pip install "takt-inspect[train]"')

from app.errors import DataError
from models.training.boards import load_training_boards
from models.training.feed import make_batch
from models.training.muon import orthogonal
from models.training.train import new_state, resume_state, save_state, train_step

pytestmark = pytest.mark.train


@pytest.fixture
def turning(recipe):
    return dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, optimiser="muon"))


@pytest.fixture
def boards(data_dir, turning):
    return load_training_boards(data_dir, "train", turning)


@pytest.mark.parametrize("shape", [(8, 72), (16, 16), (72, 8)], ids=["wide", "square", "tall"])
def test_singular_values_become_about_one(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonal(1e-3 * matrix))
    assert values.max() < 1.3
    assert values.median() > 0.6


def test_singular_vectors_stay_what_they_are():
    left, _, right = torch.linalg.svd(
        torch.randn(4, 9, generator=torch.Generator().manual_seed(1)), full_matrices=False
    )
    turned = orthogonal(left @ torch.diag(torch.tensor([4.0, 3.0, 2.0, 1.0])) @ right)
    between = left.T @ turned @ right.T
    assert torch.allclose(between, torch.diag(between.diagonal()), atol=1e-4)
    assert (between.diagonal() > 0.6).all()


def test_gradient_of_nothing_turns_nothing():
    assert torch.equal(orthogonal(torch.zeros(3, 5)), torch.zeros(3, 5))


def test_kernels_turn_and_everything_else_learns_by_adamw(turning, boards):
    state = new_state(turning)
    train_step(state, make_batch(boards, turning, 0), turning)
    known = state.optimiser.state
    for name, parameter in state.net.named_parameters():
        is_kernel = parameter.ndim == 4 and parameter.shape[-1] == 3
        assert ("mean" in known[parameter]) == is_kernel, name
        assert ("exp_avg" in known[parameter]) == (not is_kernel), name


def test_step_of_a_kernel_is_as_large_as_one_of_adamw(turning, boards):
    calm = dataclasses.replace(turning, train=dataclasses.replace(turning.train, weight_decay=0.0, warmup_steps=0))
    state = new_state(calm)
    kernel = state.net.stages[0][0].conv.weight
    before = kernel.detach().clone()
    train_step(state, make_batch(boards, calm, 0), calm)
    size = (kernel.detach() - before).square().mean().sqrt().item() / calm.train.learning_rate
    assert 0.1 < size < 0.3


def test_resumed_training_goes_on_as_if_it_had_not_been_stopped(turning, boards, tmp_path, one_thread):
    whole = new_state(turning)
    for step in range(4):
        train_step(whole, make_batch(boards, turning, step), turning)
        if step == 1:
            save_state(whole, turning, tmp_path / "last.pt")
    resumed = resume_state(turning, tmp_path / "last.pt")
    for step in range(2, 4):
        train_step(resumed, make_batch(boards, turning, step), turning)
    for one, other in zip(whole.net.parameters(), resumed.net.parameters(), strict=True):
        assert torch.equal(one, other)


def test_resumed_training_must_not_change_its_optimiser(turning, recipe, tmp_path):
    save_state(new_state(turning), turning, tmp_path / "last.pt")
    with pytest.raises(DataError, match=r"train\.optimiser was muon and is now adamw"):
        resume_state(recipe, tmp_path / "last.pt")


def test_training_learns(turning, boards, one_thread):
    quick = dataclasses.replace(turning, train=dataclasses.replace(turning.train, learning_rate=1e-2))
    state = new_state(quick)
    losses = [train_step(state, make_batch(boards, quick, step), quick) for step in range(quick.train.steps)]
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])


def test_unknown_optimiser_is_refused(recipe):
    from models.recipe import recipe_from_dict

    values = recipe.to_dict()
    values["train"]["optimiser"] = "sgd"
    with pytest.raises(DataError, match=r"train\.optimiser must be one of adamw, muon"):
        recipe_from_dict(values, "the test")
