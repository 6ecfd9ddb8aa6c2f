# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
"""A small net learns from a large one."""

import dataclasses
import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason='training needs: pip install "takt-inspect[train]"')
pytest.importorskip("pycocotools", reason='training needs: pip install "takt-inspect[train]"')

from app.errors import DataError
from models.nets.peaks import decode_peaks
from models.smaller import commands as smaller_commands
from models.smaller.distil import enlarged, load_student, shrunk, taught_by
from models.smaller.teaching import Guidance, Lesson, Teacher, lesson_loss, soft_focal_loss
from models.training.boards import load_training_boards
from models.training.feed import Batch, make_batch
from models.training.loss import make_targets
from models.training.step import batch_loss, net_input, train_step
from models.training.train import load_average, new_state, save_state

pytestmark = [pytest.mark.train, pytest.mark.usefixtures("one_thread")]


@pytest.fixture
def student(recipe):
    """It sees half the size, on a grid of as many of its own pixels."""
    half = dataclasses.replace(recipe.input, width_px=48, height_px=48)
    return dataclasses.replace(recipe, input=half, train=dataclasses.replace(recipe.train, crop_px=32))


@pytest.fixture
def grey(recipe):
    shape = dataclasses.replace(recipe.input, black_level=0, white_level=255, two_level=False)
    return dataclasses.replace(recipe, input=shape)


@pytest.fixture
def teacher(recipe, tmp_path):
    """A checkpoint of a net that was not trained."""
    save_state(new_state(recipe), recipe, tmp_path / "teacher.pt")
    return tmp_path / "teacher.pt"


def _noise(recipe):
    torch.manual_seed(5)
    part, golden = (torch.randint(0, 256, (2, 1, 64, 64), dtype=torch.uint8) for _ in range(2))
    nothing = (np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    empty = make_targets([nothing] * 2, 2, 64, 64, 8)
    return Batch(0, part, golden if recipe.input.golden else None, empty, torch.tensor([-1, -1]))


def test_teacher_sees_the_very_crop_of_the_student_in_full_size(recipe, student, data_dir):
    wide = enlarged(student, recipe, 2)
    boards = load_training_boards(data_dir, "train", student)
    small, large = make_batch(boards, student, 3), make_batch(boards, wide, 3)

    assert large.part.shape[-1] == 2 * small.part.shape[-1]
    assert (shrunk(large, 2).part.int() - small.part.int()).abs().max() <= 1
    assert (shrunk(large, 2).golden.int() - small.golden.int()).abs().max() <= 1


def test_labels_of_an_enlarged_batch_lie_on_the_students_grid(recipe, student, data_dir):
    boards = load_training_boards(data_dir, "train", student)
    small, large = make_batch(boards, student, 3), make_batch(boards, enlarged(student, recipe, 2), 3)

    assert torch.allclose(shrunk(large, 2).targets.heat, small.targets.heat)
    assert torch.allclose(shrunk(large, 2).targets.boxes, small.targets.boxes)


def test_teachers_maps_come_to_the_students_grid_by_their_highest_cell(recipe, student):
    net = new_state(recipe).average
    with torch.no_grad():
        net.out.weight.normal_(std=0.5)
        net.out.bias[:2] = 0.0
    guide = Teacher(net, recipe, student)
    batch = _noise(recipe)
    said = guide.guide(batch)
    with torch.no_grad():
        logits, distances = net.folded()(net_input(batch, recipe))
    best = decode_peaks(logits, distances, 8, top_k=1)
    inside = said.heat.amax(dim=1).flatten(1).argmax(dim=1)

    assert said.heat.shape[-2:] == (4, 4)
    assert torch.allclose(said.heat.amax(dim=(1, 2, 3)), best.scores[:, 0], atol=1e-5)
    centre = said.boxes.flatten(2)[torch.arange(len(inside)), :, inside]
    assert ((centre[:, 2:] - centre[:, :2]) > 0).all()


def test_loss_is_0_where_the_student_says_what_the_teacher_says():
    logits = torch.tensor([[[[-2.0, 1.0]]]])
    assert soft_focal_loss(logits, torch.sigmoid(logits)).item() == 0


def test_loss_grows_with_the_difference():
    heat = torch.tensor([[[[0.8]]]])
    near, far = (soft_focal_loss(torch.full((1, 1, 1, 1), each), heat) for each in (1.0, -1.0))
    assert 0 < near < far


def test_boxes_count_only_where_the_teacher_is_sure(recipe):
    batch, net = _noise(recipe), new_state(recipe).net
    heat = torch.full((2, 2, 8, 8), 0.01)
    silent = Guidance(heat, torch.rand(2, 4, 8, 8))
    _, parts = lesson_loss(net, batch, recipe, silent, Lesson())
    heat[0, 0, 2, 2] = 0.9
    _, told = lesson_loss(net, batch, recipe, silent, Lesson())

    assert parts[1].item() == 0
    assert told[1].item() > 0


@pytest.mark.parametrize("kind", ["drawings", "grey"])
def test_student_of_half_the_size_learns_from_its_teacher(kind, recipe, student, grey, data_dir, tmp_path):
    if kind == "grey":
        recipe = grey
        student = dataclasses.replace(
            student, input=dataclasses.replace(student.input, two_level=False, black_level=0, white_level=255)
        )
    net = new_state(recipe).net
    with torch.no_grad():
        net.out.weight.normal_(std=0.3)
        net.out.bias[:2] = 0.0
    save_state(new_state(recipe, initial=net), recipe, tmp_path / "loud.pt")
    boards = load_training_boards(data_dir, "train", student)
    alone = Lesson(label_weight=0.0)
    with taught_by(tmp_path / "loud.pt", student, alone, data_dir) as loss_of:
        state = new_state(student)
        losses = [train_step(state, make_batch(boards, student, step), student, loss_of) for step in range(25)]

    assert sum(losses[-5:]) < 0.97 * sum(losses[:5])


def test_labels_alone_give_the_loss_of_a_training(recipe, teacher, data_dir):
    boards = load_training_boards(data_dir, "train", recipe)
    batch, net = make_batch(boards, recipe, 0), new_state(recipe).net.eval()
    with taught_by(str(teacher), recipe, Lesson(1.0, 0.0, 0.0), data_dir) as loss_of:
        assert loss_of(net, batch, recipe)[0].item() == pytest.approx(batch_loss(net, batch, recipe)[0].item())


def test_classes_that_differ_are_named(recipe, teacher, data_dir):
    other = dataclasses.replace(recipe, classes=("hole", "scratch"))
    with pytest.raises(DataError, match="differ in classes"), taught_by(str(teacher), other, Lesson(), data_dir):
        pass


def test_sizes_that_are_no_multiple_are_named(recipe, teacher, data_dir):
    other = dataclasses.replace(recipe, input=dataclasses.replace(recipe.input, width_px=64, height_px=64))
    with (
        pytest.raises(DataError, match="96x96 px and the student 64x64"),
        taught_by(str(teacher), other, Lesson(), data_dir),
    ):
        pass


def test_grid_finer_than_the_teachers_is_refused(recipe, teacher, data_dir):
    finer = dataclasses.replace(recipe, net=dataclasses.replace(recipe.net, head_stride_px=4))
    with pytest.raises(DataError, match="coarser grid"), taught_by(str(teacher), finer, Lesson(), data_dir):
        pass


PLAN = """
name = "tiny"
version = "0.0.1"
classes = ["hole", "blob"]
[input]
width_px = 48
height_px = 48
golden = true
black_level = 127
white_level = 128
two_level = true
[net]
stem = 8
fine = [8]
coarse = [8]
head = [8]
[train]
steps = 4
batch = 2
crop_px = 32
evaluate_every_steps = 2
"""


def test_lesson_is_read_from_the_recipe(tmp_path):
    (tmp_path / "plain.toml").write_text(PLAN)
    (tmp_path / "taught.toml").write_text(PLAN + "[distil]\nheat_weight = 2\n")

    assert load_student(tmp_path / "plain.toml")[1] == Lesson()
    assert load_student(tmp_path / "taught.toml")[1] == Lesson(heat_weight=2.0)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("warmth = 1", "unknown key 'warmth'"),
        ("heat_weight = -1", "not negative"),
        ("heat_weight = true", "must be a number"),
        ("score_floor = 1", "less than 1"),
        ("label_weight = 0\nheat_weight = 0\nbox_weight = 0", "all weights are 0"),
    ],
)
def test_lesson_that_cannot_be_is_named(tmp_path, line, words):
    (tmp_path / "wrong.toml").write_text(f"{PLAN}[distil]\n{line}\n")
    with pytest.raises(DataError, match=words):
        load_student(tmp_path / "wrong.toml")


def test_command_distils_and_its_checkpoint_is_that_of_a_training(teacher, data_dir, tmp_path):
    (tmp_path / "small.toml").write_text(PLAN)
    app = typer.Typer()
    app.command()(smaller_commands.distil)
    words = (tmp_path / "small.toml", "--teacher", teacher, "--data", data_dir, "--out", tmp_path / "out")
    result = CliRunner().invoke(app, [*map(str, words), "--threads", "1", "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout.splitlines()[-1])

    assert (document["ended"], document["step"]) == ("finished", 4)
    assert load_average(tmp_path / "out" / "best.pt")[1].input.width_px == 48
