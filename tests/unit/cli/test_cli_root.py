import os
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from app import __version__
from app.cli import app
from app.cli.group import CRASHED, INTERRUPTED, TaktGroup
from app.errors import ConfigError, DataError, DetectorError, LineError, MissingDriverError, PackageError, TaktError
from tests.groups import ROOT
from tests.unit.cli.conftest import only_sentence

MEND = "mend it so"


def failing(error):
    """A command line with one command that raises."""
    root = typer.Typer(cls=TaktGroup)

    @root.callback()
    def options(*, debug: bool = typer.Option(False, "--debug")):
        pass

    @root.command()
    def fail():
        raise error

    return root


def run_failing(error, *words):
    return CliRunner(env={"NO_COLOR": "1"}).invoke(failing(error), [*words, "fail"])


def test_version_is_that_of_the_package(takt):
    assert takt.run("--version").stdout == f"takt {__version__}\n"


def test_named_alone_it_shows_its_help(takt):
    result = takt.run()

    assert result.exit_code == 0
    for command in ("demo", "inspect", "doctor", "line", "models"):
        assert command in result.stdout


def test_a_group_named_alone_shows_its_help(takt):
    result = takt.run("models")

    assert result.exit_code == 0
    for command in ("list", "show", "compare", "activate", "rollback", "dataset", "train", "evaluate", "import"):
        assert command in result.stdout


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["inspct"], "inspct"),
        (["inspect"], "IMAGES"),
        (["inspect", "--thresold", "1", "a.png"], "--threshold"),
        (["inspect", "--threshold", "two", "a.png"], "--threshold"),
        (["models", "explode"], "explode"),
    ],
)
def test_a_wrong_command_line_is_one_sentence_and_exit_code_2(takt, words, hint):
    result = takt.run(*words)

    assert result.exit_code == 2
    assert hint in only_sentence(result.stderr)
    assert "--help" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    "error", [TaktError, ConfigError, DataError, PackageError, DetectorError, LineError], ids=lambda each: each.__name__
)
def test_an_error_is_one_sentence_and_its_exit_code(error):
    result = run_failing(error("it is\nbroken", MEND))

    assert result.exit_code == error.exit_code
    assert only_sentence(result.stderr) == f"takt: it is broken; {MEND}"


def test_a_missing_driver_names_the_install_line():
    result = run_failing(MissingDriverError("the camera", "aravis", "gige"))

    assert result.exit_code == 6
    assert 'pip install "takt-inspect[gige]"' in only_sentence(result.stderr)


def test_a_defect_of_its_own_says_where_to_report_and_shows_no_traceback():
    result = run_failing(ZeroDivisionError("division by zero"))

    assert result.exit_code == CRASHED
    assert "report" in only_sentence(result.stderr)


def test_debug_shows_the_traceback():
    result = run_failing(ZeroDivisionError("division by zero"), "--debug")

    assert result.exit_code == CRASHED
    assert "Traceback" in result.stderr


def test_an_interrupt_ends_with_130():
    result = run_failing(KeyboardInterrupt())

    assert result.exit_code == INTERRUPTED


def test_a_terminal_cannot_be_written_to_by_a_file_name(takt, tmp_path):
    nasty = tmp_path / "\x1b[31mred\n.png"

    result = takt.run("inspect", nasty, "--model", "plain")

    assert result.exit_code == 4
    assert "\x1b" not in result.stdout + result.stderr
    assert "\\x1b[31mred" in only_sentence(result.stderr)


def test_colour_is_shown_to_a_terminal_and_no_color_takes_it_away(takt):
    takt.run("models", "activate", "plain")
    takt.env |= {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    grey = takt.run("models", "list").stdout
    takt.env |= {"NO_COLOR": None}
    coloured = takt.run("models", "list").stdout

    assert "\x1b[32m" in coloured
    assert "\x1b[32m" not in grey


def test_the_module_runs_as_a_process(takt):
    done = takt.process("--version")

    assert (done.returncode, done.stdout) == (0, f"takt {__version__}\n")


def test_a_process_that_fails_says_one_sentence_and_nothing_on_stdout(takt):
    done = takt.process("line", "check", "absent.toml")

    assert (done.returncode, done.stdout) == (3, "")
    assert "absent.toml" in only_sentence(done.stderr)


def test_a_reader_that_goes_away_is_no_error(takt):
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-m", "app.cli", "models", "list", "--json"]
    env = {**os.environ, **takt.env, "PYTHONPATH": str(ROOT)}

    done = subprocess.run(command, env=env, stdout=write_end, stderr=subprocess.PIPE, timeout=120, check=False)
    os.close(write_end)

    assert done.stderr == b""
    assert done.returncode == 1


def test_help_loads_no_camera_and_no_runtime(takt):
    code = "import sys, app.cli; print({'cv2', 'onnxruntime', 'openvino', 'torch'} & set(sys.modules))"

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "set()\n"


def test_completion_knows_the_commands(takt):
    env = {**takt.env, "_TAKT_COMPLETE": "complete_bash", "COMP_WORDS": "takt ", "COMP_CWORD": "1"}

    result = CliRunner(env=env).invoke(app, [], prog_name="takt")

    assert "inspect" in result.stdout.split()
