"""Which recipe a starting station goes on with, and what makes a judge out of a recipe's text."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from app.clock import SystemClock
from app.detect.zoo import find_package, zoo_folder
from app.entries.adopting import Bench, going_on, prepare, put_to_work
from app.errors import ConfigError, DataError, RecordError
from app.record import DOCUMENTS
from app.record.adopted import Adopted, adopted, note, path_of
from app.record.documents import hash_of, keep
from app.setup import load_setup, twin_line
from tests.unit.detect.test_inspection import ScriptedDetector

CHOSEN = 'name = "chosen"\n[default]\nthreshold = 0.5\n'


@pytest.fixture
def setup(tmp_path):
    folder = tmp_path / "line"
    folder.mkdir()
    source = load_setup(twin_line())
    for name in (source.file, source.line.recipe):
        (folder / name).write_text((source.folder / name).read_text())
    return load_setup(folder / source.file)


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


def choose(setup, state, text=CHOSEN):
    own = (setup.folder / setup.line.recipe).read_text()
    note(state, 1, Adopted(keep(state / DOCUMENTS, text), hash_of(own), "chosen"))


def test_recipe_that_was_chosen_holds_after_a_restart(setup, state) -> None:
    own = (setup.folder / setup.line.recipe).read_text()
    assert going_on(setup, state) == (setup, own)
    choose(setup, state)
    again, text = going_on(setup, state)

    assert (again.recipe.name, text) == ("chosen", CHOSEN)


def test_file_that_was_changed_since_holds_instead(setup, state) -> None:
    choose(setup, state)
    path = setup.folder / setup.line.recipe
    path.write_text(path.read_text() + "\n# by hand\n")

    assert going_on(setup, state)[1].endswith("# by hand\n")


def test_station_does_not_start_with_another_recipe_than_people_think(setup, state) -> None:
    choose(setup, state)
    sha256 = hash_of(CHOSEN)
    (state / DOCUMENTS / sha256[:2] / sha256).unlink()
    with pytest.raises(ConfigError, match="not kept any more"):
        going_on(setup, state)
    choose(setup, state, 'name = "chosen"\n[default]\ndestination = "nowhere"\n')
    with pytest.raises(ConfigError, match="no gate serves"):
        going_on(setup, state)
    path_of(state, 1).write_text("{")
    with pytest.raises(RecordError, match="delete it"):
        going_on(setup, state)


def test_what_is_noted_reads_back_and_leaves_no_draft(state) -> None:
    assert adopted(state, 3) is None
    note(state, 3, Adopted("a", "b", "board"))
    note(state, 3, Adopted("c", "d", "board"))

    assert adopted(state, 3) == Adopted("c", "d", "board")
    assert [each.name for each in path_of(state, 3).parent.iterdir()] == ["lane3.json"]


def made(setup, **changes):
    package = find_package("pcb-nano", zoo_folder())
    detector = ScriptedDetector(is_golden=True)
    bench = Bench(setup.line, setup.folder, setup.file, replace(package, **changes), detector.spec)

    def make(text, seen):
        return put_to_work(*prepare(bench, text, seen), text, detector, SystemClock())

    return make


def test_judge_of_a_recipe_has_the_models_threshold_where_it_names_none(setup) -> None:
    at_work = made(setup, score_threshold=0.42)('name = "plain"', None)

    assert at_work.recipe.default.threshold == 0.42
    assert at_work.sha256 == hash_of('name = "plain"')


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[classes.dent]\nthreshold = 0.4\n", "which the model does not know.*use its classes"),
        ('package = "metal"\n', "is for the model package 'metal'.*takt models activate metal"),
        ('[default]\ndestination = "b"\n', "no gate serves that"),
        ("[roi]\nx_px = 900\nwidth_px = 900\nheight_px = 9\n", "outside"),
        ('golden_sample = "../../etc/golden.png"\n', "lies outside"),
        ("threshhold = 1\n", "unknown key"),
        ("name = ", "not valid TOML"),
    ],
)
def test_recipe_that_cannot_work_here_says_why_and_what_to_do(setup, text, why) -> None:
    with pytest.raises(ConfigError, match=why):
        made(setup)(text, None)


def test_golden_sample_of_another_size_than_the_pictures_is_refused(setup) -> None:
    cv2.imwrite(str(setup.folder / "good.png"), np.zeros((32, 32), np.uint8))
    with pytest.raises(DataError, match="32 x 32 px"):
        made(setup)('golden_sample = "good.png"', (640, 640))
    with pytest.raises(DataError, match=r"gone\.png"):
        made(setup)('golden_sample = "gone.png"', (640, 640))
