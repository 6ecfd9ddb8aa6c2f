"""Recipes prepared in a process of their own: what comes back judges as if it had been made here, or says why not."""

from __future__ import annotations

import contextlib
import os
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
from app.entries.toolroom import wait_s
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


def eventually(look):
    end_s = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < end_s, "it does not come to pass"
        time.sleep(0.001)
    return found


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


def whoever_prepares(apart):
    """The process that prepares, which the one that the station has started keeps at work."""
    children = Path(f"/proc/{apart._child.pid}/task/{apart._child.pid}/children")
    return int(eventually(lambda: children.read_text().split())[0])


def has_ended(pid):
    """Also where nobody has asked for how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def successor_of(pid, apart):
    return eventually(lambda: (now := whoever_prepares(apart)) != pid and now)


@pytest.fixture
def endless(setup):
    """A golden sample that nobody comes to the end of; called, it waits until somebody reads it."""
    path = setup.folder / "endless.png"
    os.mkfifo(path)
    opened = []

    def is_read():
        with contextlib.suppress(OSError):  # nobody reads it yet
            opened.append(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        return bool(opened)

    yield lambda: eventually(is_read)
    for each in opened:
        os.close(each)
    path.unlink()


ENDLESS = 'golden_sample = "endless.png"\n'


def test_process_that_dies_over_a_recipe_refuses_it_and_prepares_the_next(mortal, endless):
    mortal.begin(ENDLESS, SIZE)
    endless()
    assert mortal.result() is None
    dead = whoever_prepares(mortal)
    os.kill(dead, signal.SIGKILL)
    refusal = eventually(mortal.result)
    assert type(refusal) is CommandRefusedError
    assert "has ended over this one (Killed); it is started again by itself: try again" in str(refusal)
    assert settled(mortal, RECIPE)[0].recipe.name == "other"
    assert whoever_prepares(mortal) != dead


def test_process_that_has_died_while_nobody_asked_is_not_missed(mortal):
    os.kill(whoever_prepares(mortal), signal.SIGKILL)
    assert settled(mortal, RECIPE)[0].recipe.name == "other"


def test_recipe_that_nobody_had_begun_is_prepared_by_the_successor(mortal):
    first = whoever_prepares(mortal)
    os.kill(first, signal.SIGSTOP)
    mortal.begin(RECIPE, SIZE)
    assert mortal.result() is None
    os.kill(first, signal.SIGKILL)
    assert eventually(mortal.result).recipe.name == "other"


def test_process_that_hangs_over_a_recipe_is_ended_and_prepares_the_next(mortal, endless):
    mortal.begin(ENDLESS, SIZE)
    endless()
    hung = whoever_prepares(mortal)
    assert mortal.result() is None
    mortal._clock.advance_to(mortal._clock.now_ns() + LIMIT_NS + NS_PER_S)
    assert "not prepared in time; try again" in str(mortal.result())
    successor_of(hung, mortal)
    assert settled(mortal, RECIPE)[0].recipe.name == "other"


def test_process_that_dies_soon_each_time_is_started_less_and_less_often():
    waits = [wait_s(ends) for ends in range(1, 40)]
    assert waits[:4] == [0.25, 0.5, 1.0, 2.0]
    assert waits == sorted(waits)
    assert waits[-1] == 10.0


def test_process_goes_before_the_station_when_memory_runs_out(mortal):
    score = Path(f"/proc/{whoever_prepares(mortal)}/oom_score_adj")
    assert eventually(lambda: int(score.read_text()) == 500)


def test_nobody_left_to_start_it_refuses_and_the_old_recipe_stays(mortal):
    prepares = whoever_prepares(mortal)
    mortal._child.kill()
    mortal._child.wait()
    eventually(lambda: has_ended(prepares))
    with pytest.raises(CommandRefusedError, match="has ended; start the station anew"):
        mortal.begin(RECIPE, SIZE)


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
