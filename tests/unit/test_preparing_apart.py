"""Recipes prepared in a process of their own: what comes back judges as if it had been made here, or says why not."""

from __future__ import annotations

import contextlib
import pickle
import signal
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.clock import NS_PER_S, SystemClock, VirtualClock
from app.detect.registration import Registrar
from app.detect.zoo import find_package, zoo_folder
from app.entries.preparing import LIMIT_NS, PreparingApart
from app.errors import CommandRefusedError, ConfigError, DataError, TaktError
from app.setup import load_setup, twin_line
from tests.unit.detect.scripted_detector import ScriptedDetector

RECIPE = 'name = "other"\ngolden_sample = "good.png"\n[roi]\nx_px = 16\ny_px = 8\nwidth_px = 160\nheight_px = 120\n'
SIZE = (160, 200)
PATIENCE_S = 60


def textured(seed=3):
    """A picture that fits nowhere but in its place."""
    noise = np.random.default_rng(seed).integers(0, 256, SIZE, np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


@pytest.fixture(scope="module")
def setup(tmp_path_factory):
    folder = tmp_path_factory.mktemp("line")
    source = load_setup(twin_line())
    for name in (source.file, source.line.recipe):
        (folder / name).write_text((source.folder / name).read_text())
    cv2.imwrite(str(folder / "good.png"), textured())
    cv2.imwrite(str(folder / "small.png"), textured()[:32, :32])
    return load_setup(folder / source.file)


def started(setup, clock):
    one = PreparingApart(setup, clock)
    one.judge_with(ScriptedDetector(is_golden=True), find_package("pcb-nano", zoo_folder()))
    return one


@pytest.fixture(scope="module")
def apart(setup):
    """One process for all tests that leave it whole."""
    with contextlib.closing(started(setup, SystemClock())) as one:
        yield one


@pytest.fixture
def mortal(setup):
    """One that a test may kill; it has loaded nothing."""
    with contextlib.closing(started(setup, VirtualClock())) as one:
        yield one


def settled(apart, text, seen=SIZE):
    apart.begin(text, seen)
    end_s, calls = time.monotonic() + PATIENCE_S, 0
    while (found := apart.result()) is None:
        assert time.monotonic() < end_s, "nothing comes back"
        calls += 1
        time.sleep(0.001)
    return found, calls


def test_recipe_comes_back_with_its_golden_sample_laid_out_and_finds_parts_where_they_lie(apart):
    found, calls = settled(apart, RECIPE)
    assert (found.recipe.name, found.recipe.default.threshold) == ("other", pytest.approx(0.35, abs=0.3))
    assert calls > 3, "its arrays are mapped one at a time"
    golden = found.judge.laid_out.golden
    assert np.array_equal(golden, textured())
    assert not found.judge.laid_out.registrar.register(golden[8:128, 16:176]).shift_px[0]
    moved = np.roll(golden, (3, -5), (0, 1))[8:128, 16:176]
    assert found.judge.laid_out.registrar.register(moved).shift_px == (-5, 3)


def test_what_was_prepared_is_not_prepared_again_by_the_first_part(apart, monkeypatch):
    found, _ = settled(apart, RECIPE)
    monkeypatch.setattr(Registrar, "__init__", lambda *_: pytest.fail("laid out while a part waits"))
    assert found.judge.inspect(textured(), "").detections == ()


@pytest.mark.parametrize(
    ("text", "kind", "why"),
    [
        ("threshhold = 1\n", ConfigError, "unknown key"),
        ("name = ", ConfigError, "not valid TOML"),
        ('golden_sample = "gone.png"\n', DataError, r"gone\.png"),
        ('golden_sample = "small.png"\n', DataError, "32 x 32 px"),
        ("[classes.dent]\nthreshold = 0.4\n", ConfigError, "which the model does not know"),
    ],
)
def test_recipe_that_cannot_work_comes_back_as_its_error(apart, text, kind, why):
    found, _ = settled(apart, text)
    assert type(found) is kind
    with pytest.raises(TaktError, match=why):
        raise found


def test_one_recipe_after_another_each_with_its_own(apart):
    names = [settled(apart, RECIPE.replace("other", name))[0].recipe.name for name in ("a", "b")]
    assert names == ["a", "b"]


def test_answer_that_nobody_waits_for_any_more_is_no_answer_to_the_next(apart):
    apart.begin(RECIPE.replace("other", "first"), SIZE)
    assert settled(apart, RECIPE.replace("other", "second"))[0].recipe.name == "second"


def test_process_that_has_died_refuses_and_the_old_recipe_stays(mortal):
    mortal._child.kill()
    mortal._child.wait()
    with pytest.raises(CommandRefusedError, match="has ended; start the station anew"):
        mortal.begin(RECIPE, SIZE)


def test_process_that_dies_while_it_prepares_is_told_in_words(mortal):
    mortal._child.send_signal(signal.SIGSTOP)
    mortal.begin(RECIPE, SIZE)
    assert mortal.result() is None
    mortal._child.kill()
    mortal._child.wait()
    assert "has ended" in str(mortal.result())


def test_process_that_hangs_holds_up_no_second_change(mortal):
    mortal._child.send_signal(signal.SIGSTOP)
    mortal.begin(RECIPE, SIZE)
    assert mortal.result() is None
    mortal._clock.advance_to(mortal._clock.now_ns() + LIMIT_NS + NS_PER_S)
    assert "not prepared in time" in str(mortal.result())


def test_process_ends_with_the_station_and_leaves_no_descriptor(setup):
    before = sorted(Path("/proc/self/fd").iterdir())
    apart = PreparingApart(setup, SystemClock())
    apart.close()
    apart.close()
    assert apart._child.returncode is not None
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_registrar_that_was_handed_over_sees_each_part_anew():
    golden = textured()
    ours = Registrar(golden, 8.0)
    theirs = pickle.loads(pickle.dumps(ours, protocol=5))
    for dx, dy in ((2, 0), (-3, 4), (0, -6), (7, 7)):
        moved = np.roll(golden, (dy, dx), (0, 1))
        assert theirs.register(moved).shift_px == ours.register(moved).shift_px == (dx, dy)


def test_line_of_the_station_counts_and_not_its_file_of_today(apart, setup):
    setup.path.write_text("nonsense")
    assert settled(apart, RECIPE)[0].recipe.name == "other"
