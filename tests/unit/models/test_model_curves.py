import numpy as np
import pytest

from models.measures.precision import Found
from models.mending import Board
from models.recipe import Schedule
from models.training.curves import COLOURS, Scale, draw_curves
from models.training.examples import Example, chosen, draw_examples
from models.training.journal import read_log
from models.training.schedule import average_decay, has_patience, learning_rate_at


def rows(count=20):
    return [
        {"step": 100 * n, "steps": 2000, "learning_rate": 1e-3 / n, "heat_loss": 9.0 / n, "map50": n / (n + 2)}
        for n in range(1, count + 1)
    ]


def has_colour(picture, colour):
    return bool((np.abs(picture.astype(int) - colour).max(axis=2) < 12).any())


def test_curves_of_a_training_are_drawn():
    picture = draw_curves(rows(), "pcb 1.0.0")
    assert (picture.dtype, picture.shape[1:]) == (np.uint8, (1200, 3))
    assert has_colour(picture, COLOURS[0])


def test_each_loss_has_a_colour_of_its_own():
    two = [{**row, "box_loss": 0.5} for row in rows()]
    assert not has_colour(draw_curves(rows(), "one"), COLOURS[1])
    assert has_colour(draw_curves(two, "two"), COLOURS[1])


@pytest.mark.parametrize(
    "log", [[], rows(1), [{"step": 5, "steps": 9, "heat_loss": float("nan")}], [{"step": 5, "steps": 9, "map50": 0.0}]]
)
def test_hardly_begun_training_can_be_drawn(log):
    assert draw_curves(log, "just begun — ärgerlich").any()


def test_value_beyond_the_scale_is_drawn_on_its_end():
    scale = Scale(0.0, 10.0, 500, 100)
    assert [scale.at(value) for value in (-5, 0, 5, 10, 99)] == [500, 500, 300, 100, 100]


def test_marks_are_round_numbers_on_the_scale():
    assert Scale(0.0, 1.0, 0, 100).marks == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert Scale(0.4, 21.0, 0, 100, is_log=True).marks == pytest.approx([0.5, 1, 2, 5, 10, 20])


@pytest.mark.parametrize("channels", [1, 3])
def test_examples_show_truth_and_findings(channels):
    part = np.full((50, 80, 3) if channels == 3 else (50, 80), 200, np.uint8)
    board = Board(part, part, np.array([[10, 10, 30, 30]], np.float32), np.zeros(1, np.int64), "a.png")
    found = Found(np.array([[12, 9, 33, 30]], np.float32), np.array([0.8], np.float32), np.zeros(1, np.int64))
    none = Found(found.boxes, np.array([0.01], np.float32), found.labels)
    loud, quiet = (draw_examples([Example(board, board.name, each)], ("hole",)) for each in (found, none))
    assert loud.shape == quiet.shape
    assert has_colour(loud, (30, 38, 179))
    assert not has_colour(quiet, (30, 38, 179))
    assert has_colour(quiet, (122, 92, 0))


def test_drawing_of_two_levels_is_shown_black_and_white():
    part = np.tile(np.array([0, 1], np.uint8), (40, 20))
    board = Board(part, part, np.zeros((0, 4), np.float32), np.zeros(0, np.int64), "a.png")
    assert np.ptp(draw_examples([Example(board, "a")], ("hole",))[60:400, 60:400]) > 100


@pytest.mark.parametrize(("count", "shown"), [(1, 1), (5, 5), (12, 12), (500, 12)])
def test_so_many_examples_are_shown_from_first_to_last(count, shown):
    places = chosen(count)
    assert (len(places), places[0], places[-1]) == (shown, 0, count - 1)


def test_line_that_a_power_cut_left_unfinished_is_passed_over(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 1, "steps": 9}\n[1]\n{"step": 2, "st')
    assert read_log(log) == [{"step": 1, "steps": 9}]


def test_learning_rate_warms_up_and_falls():
    plan = Schedule(steps=100, warmup_steps=10)
    rates = [learning_rate_at(plan, step) for step in range(100)]
    assert rates[0] < rates[8] < plan.learning_rate
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.02 * plan.learning_rate


def test_average_follows_faster_at_first():
    plan = Schedule(ema_decay=0.99)
    assert average_decay(plan, 0) < average_decay(plan, 50) < average_decay(plan, 5000) == 0.99


@pytest.mark.parametrize(("patience", "without", "goes_on"), [(0, 99, True), (3, 2, True), (3, 3, False)])
def test_patience_ends_after_so_many_evaluations_without_gain(patience, without, goes_on):
    assert has_patience(Schedule(patience_evaluations=patience), without) is goes_on
