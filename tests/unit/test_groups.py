"""A test that is left out belongs to a group whose reason the run prints."""

import os
import subprocess
import sys

import pytest

from tests.groups import GROUPS, LONG, ROOT, group_of_skip


@pytest.mark.parametrize("group", [*GROUPS, LONG], ids=lambda group: group.name)
def test_skip_by_marker_belongs_to_its_group(group):
    assert group_of_skip(f"Skipped: {group.reason}") == (group.name, group.why)


def test_skip_that_names_a_missing_extra_belongs_to_that_extra():
    name, why = group_of_skip('Skipped: it needs: pip install "takt-inspect[evaluate]"')

    assert name == "evaluate"
    assert ".[evaluate]" in why


def test_skip_that_names_the_extra_of_a_group_belongs_to_that_group():
    train = next(group for group in GROUPS if group.name == "train")

    assert group_of_skip('Skipped: export needs: pip install "takt-inspect[train]"') == (train.name, train.why)


def test_skip_for_absent_pictures_belongs_to_the_data():
    assert group_of_skip("Skipped: no real pictures in /somewhere: set TAKT_DATA to the folder")[0] == "data"


def test_skip_for_any_other_reason_belongs_to_no_group():
    assert group_of_skip("Skipped: flaky on Tuesdays") is None


def run_suite(folder, test, conftest=""):
    (folder / "conftest.py").write_text(f"from tests.conftest import *\n{conftest}")
    (folder / "test_it.py").write_text(f"import pytest\n\n{test}\n")
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(folder), "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*command, str(folder)], capture_output=True, text=True, env=environment, cwd=folder, check=False
    )


def test_run_fails_where_a_test_is_left_out_for_no_registered_reason(tmp_path):
    run = run_suite(tmp_path, "def test_it():\n    pytest.skip('flaky on Tuesdays')")

    assert run.returncode == 1
    assert "left out for no registered reason" in run.stdout


def test_run_names_the_group_that_was_left_out(tmp_path):
    run = run_suite(tmp_path, "@pytest.mark.long\ndef test_it():\n    pass")

    assert run.returncode == 0
    assert "long (1): " in run.stdout


FAILS_ONCE = """from pathlib import Path
def test_it():
    second = Path(__file__).with_name("second")
    is_second = second.exists()
    second.touch()
    assert is_second
"""
ALL_IN_REAL_TIME = "import tests.conftest\ntests.conftest.REAL_TIME = ('/',)\n"


def test_real_processes_are_run_again_and_the_run_names_them(tmp_path):
    run = run_suite(tmp_path, FAILS_ONCE, ALL_IN_REAL_TIME)

    assert run.returncode == 0
    assert "test_it.py::test_it (1 of 2 times)" in run.stdout


def test_a_fault_of_ours_fails_however_often_it_is_run(tmp_path):
    run = run_suite(tmp_path, "def test_it():\n    assert False", ALL_IN_REAL_TIME)

    assert run.returncode == 1
    assert "test_it.py::test_it (2 of 2 times)" in run.stdout


def test_computation_is_never_run_again(tmp_path):
    run = run_suite(tmp_path, "def test_it():\n    assert False")

    assert run.returncode == 1
    assert "of 2 times" not in run.stdout
