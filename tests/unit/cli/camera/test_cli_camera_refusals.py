"""`takt camera` where the camera is absent, asked for in a way that cannot be, or had by a running line."""

import os
import subprocess
import sys

import pytest

from app.bus.place import Place
from app.bus.slots import SlotWriter
from app.capture.camera import Found
from app.capture.pictures import read_picture
from tests.groups import ROOT
from tests.unit.capture.recordings import make_folder
from tests.unit.cli.camera.camera_bench import camera_line, unplugged
from tests.unit.cli.camera.fake_camera import ADDRESS, HEIGHT, WIDTH
from tests.unit.cli.conftest import only_sentence

CHILD = """
import sys
from pathlib import Path
from app.bus.place import Place
from app.bus.slots import SlotWriter
slots = SlotWriter(Place(Path(sys.argv[1])).frames(1, "side"), 2, 48, 64, 1)
print("ready", flush=True)
sys.stdin.read()
"""
"""What the bus sees of a capture process: its command line, and the lock of its frames."""

LOOSE = ("--driver", "gige", "--source", ADDRESS)


# Bad input


@pytest.mark.parametrize("command", ["probe", "snap"])
def test_a_camera_that_is_not_in_the_file_names_those_that_are(cli, line, command):
    result = cli.run("camera", command, "bottom", "--line", line())

    assert result.exit_code == 7
    assert "'side'" in only_sentence(result.stderr)


@pytest.mark.parametrize("command", ["probe", "snap"])
def test_a_camera_that_is_absent_is_one_sentence(cli, monkeypatch, line, command):
    unplugged(monkeypatch)

    result = cli.run("camera", command, "--line", line(), "--timeout", "1")

    assert result.exit_code == 7
    assert ADDRESS in only_sentence(result.stderr)


def test_a_frame_that_does_not_come_is_one_sentence_and_no_file(cli, device, line, tmp_path):
    device.is_silent = True

    result = cli.run("camera", "snap", "--line", line(), "--out", tmp_path / "pictures", "--timeout", "0.1")

    assert result.exit_code == 7
    assert "no frame in time" in only_sentence(result.stderr)
    assert not (tmp_path / "pictures").exists()


def test_frames_that_the_driver_refuses_are_explained_by_the_driver(cli, device, line, tmp_path):
    device.is_silent, device.refusal = True, "it sends 640 x 480 px"

    result = cli.run("camera", "snap", "--line", line(), "--out", tmp_path / "pictures", "--timeout", "0.1")

    assert result.exit_code == 7
    assert "it sends 640 x 480 px" in only_sentence(result.stderr)


def test_frames_that_are_all_refused_are_not_waited_for(cli, device, line, tmp_path):
    def refuse():
        device.is_silent, device.refusal = True, "it sends 640 x 480 px"
        device.torn += 1

    device.on_grab = refuse
    result = cli.run("camera", "snap", "--line", line(), "--out", tmp_path / "pictures", "--timeout", "600")

    assert result.exit_code == 7
    assert len(device.triggers) < 10


def test_a_frame_that_came_torn_is_taken_again(cli, device, line, tmp_path):
    def tear_the_first():
        device.is_silent = len(device.triggers) == 1
        device.torn = 1

    device.on_grab = tear_the_first
    result = cli.run("camera", "snap", "--line", line(), "--out", tmp_path / "a.png")

    assert result.exit_code == 0
    assert len(device.triggers) == 2


def test_an_interrupted_snap_keeps_whole_pictures_only(cli, device, line, tmp_path):
    def interrupt_the_third():
        if len(device.triggers) == 3:
            raise KeyboardInterrupt

    device.on_grab = interrupt_the_third
    result = cli.run("camera", "snap", "--line", line(), "--count", 5, "--out", tmp_path / "pictures")

    assert result.exit_code == 130
    assert [read_picture(path).shape for path in (tmp_path / "pictures").iterdir()] == [(HEIGHT, WIDTH)] * 2
    assert not device.is_open


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("--driver", "gig", "--source", "x"), "gige"),
        (("--source", "x"), "--driver"),
        (("--driver", "gige"), "takt camera list"),
        (("side", *LOOSE), "name one of them"),
        ((*LOOSE, "--size", "640"), "1280x1024"),
        ((*LOOSE, "--timeout", "0"), "--timeout"),
    ],
)
def test_a_command_line_that_names_no_camera_is_refused(cli, device, words, hint):
    result = cli.run("camera", "probe", *words)

    assert result.exit_code == 2
    assert hint in only_sentence(result.stderr)


def test_two_cameras_need_a_name(cli, line):
    path = line()
    path.write_text(
        path.read_text() + '\n[[camera]]\nname = "top"\ndriver = "folder"\nsource = "x"\nposition_mm = 200\n'
    )

    result = cli.run("camera", "probe", "--line", path)

    assert result.exit_code == 2
    assert "'side', 'top'" in only_sentence(result.stderr)


def test_a_password_is_never_shown(cli, tmp_path):
    address = "rtsp://user:geheim@127.0.0.1:1/stream"
    long = "rtsp://user:geheim@host/" + "x" * 500

    results = [
        cli.run("camera", "probe", "--driver", "opencv", "--source", source, "--timeout", "1")
        for source in (address, long)
    ]

    assert [result.exit_code for result in results] == [7, 2]
    assert all("geheim" not in result.output for result in results)


def test_a_password_is_not_listed(cli, searches):
    searches["opencv"] = (Found("opencv", "rtsp://user:geheim@10.0.0.4/a"),)

    assert "geheim" not in cli.run("camera", "list").output


# While a line runs


@pytest.fixture
def running(tmp_path):
    """A capture process has the camera `side` of lane 1: here this process, as the lock is what counts."""
    slots = SlotWriter(Place(tmp_path / "bus").frames(1, "side"), 2, HEIGHT, WIDTH, 1)
    yield
    slots.close()


@pytest.mark.parametrize("words", [("probe",), ("snap",), ("set", "side", "Gain=1")])
def test_a_camera_of_a_running_line_is_left_alone(cli, device, line, running, words):
    result = cli.run("camera", *words, "--line", line())

    sentence = only_sentence(result.stderr)
    assert result.exit_code == 7
    assert f"in use by the running line (lane 1, process {os.getpid()})" in sentence
    assert device.triggers == []
    assert device.knobs["Gain"].value == 0.0


def test_another_camera_may_be_used_while_the_line_runs(cli, device, line, running, tmp_path):
    other = line('name = "other"')

    assert cli.run("camera", "snap", "--line", other, "--out", tmp_path / "a.png").exit_code == 0


def test_looking_for_a_running_line_makes_no_bus(cli, device, line, tmp_path):
    cli.run("camera", "probe", "--line", line())

    assert not (tmp_path / "bus").exists()


@pytest.fixture
def capture_process(tmp_path, line):
    """A process that has the camera, as its command line tells."""
    words = [sys.executable, "-c", CHILD, str(tmp_path / "bus"), "--line", str(line()), "--camera", "side"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True) as child:
        assert child.stdout.readline() == "ready\n"
        yield child
        child.stdin.close()


def test_a_camera_of_a_running_line_is_known_by_its_address_too(cli, device, capture_process):
    result = cli.run("camera", "probe", *LOOSE)

    assert result.exit_code == 7
    assert f"camera 'side' is in use by the running line (lane 1, process {capture_process.pid})" in result.stderr


def test_another_camera_of_that_name_is_free(cli, device, capture_process, tmp_path):
    (tmp_path / "pictures").mkdir()
    source = make_folder(tmp_path / "pictures")
    path = camera_line(tmp_path / "other", f'driver = "folder"\nsource = "{source}"\nwidth_px = 32\nheight_px = 24')

    assert cli.run("camera", "probe", "side", "--line", path).exit_code == 0


def test_the_search_names_the_line_that_has_a_camera(cli, device, searches, capture_process):
    searches["gige"] = (device.found,)

    assert "in use by the running line, as camera 'side'" in cli.run("camera", "list").stdout
