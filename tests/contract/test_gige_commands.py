"""`takt camera` with a real GigE Vision camera: Aravis' simulator on the loopback interface."""

import pytest

from app.capture.pictures import read_picture
from app.config import load_line
from tests.contract.fake_gige import ADDRESS, FakeGige
from tests.unit.cli.camera.camera_bench import camera_line, terminal
from tests.unit.cli.conftest import only_sentence

pytestmark = pytest.mark.gige

SIZE = ("--size", "320x240")
LOOSE = ("--driver", "gige", "--source", ADDRESS)


@pytest.fixture(scope="module")
def camera():
    with FakeGige("H8TAKT") as camera:
        yield camera


@pytest.fixture
def cli(tmp_path):
    return terminal(tmp_path)


@pytest.fixture
def line(tmp_path, camera):
    text = f'source = "{ADDRESS}"\nwidth_px = 320\nheight_px = 240\nexposure_ms = 2'
    return lambda more="": camera_line(tmp_path / "site", f"{text}\n{more}".strip())


def test_it_is_found_with_what_to_write(cli, camera):
    document, result = cli.json("camera", "list", "--driver", "gige")

    assert result.exit_code == 0
    assert (ADDRESS, "H8TAKT") in [(each["source"], each["serial"]) for each in document["cameras"]]


def test_it_is_probed(cli, line):
    document, result = cli.json("camera", "probe", "side", "--line", line())

    knobs = {each["name"]: each for each in document["knobs"]}
    asked = {each["key"]: each["is_taken"] for each in document["asked"]}
    assert result.exit_code == 0
    assert document["about"]["serial"] == "H8TAKT"
    assert document["rate_hz"] > 1
    assert (knobs["Width"]["value"], knobs["Width"]["high"]) == (320, 2048)
    assert "Mono8" in knobs["PixelFormat"]["choices"]
    assert asked == {"width_px, height_px, channels": True, "exposure_ms": True}


def test_what_it_refuses_is_named_and_its_knobs_are_told(cli, line):
    document, result = cli.json("camera", "probe", "--line", line("controls = { BinningHorizontl = 2 }"))

    refused = [each for each in document["asked"] if each["is_taken"] is False]
    assert result.exit_code == 7
    assert [each["key"] for each in refused] == ["controls.BinningHorizontl"]
    assert "BinningHorizontal" in refused[0]["why"]
    assert len(document["knobs"]) > 10


def test_its_pictures_are_written_and_counted(cli, line, tmp_path):
    document, result = cli.json("camera", "snap", "--line", line(), "--count", 3, "--out", tmp_path / "pictures")

    counters = [each["counter"] for each in document["pictures"]]
    assert result.exit_code == 0
    assert counters == sorted(set(counters))
    assert [read_picture(path).shape for path in (tmp_path / "pictures").iterdir()] == [(240, 320)] * 3


def test_a_longer_exposure_is_seen_and_saved(cli, line, tmp_path):
    path = line()
    words = ("exposure_ms=8", "--line", path, "--snap", "--out", tmp_path / "pictures", "--save")

    document, result = cli.json("camera", "set", "side", *words)

    before, after = document["pictures"]
    assert result.exit_code == 0
    assert after["mean"] > before["mean"]
    assert load_line(path).cameras[0].exposure_ms == 8


def test_a_knob_it_does_not_have_names_the_nearest(cli, line):
    result = cli.run("camera", "set", "OffsetXX=2", "--line", line())

    assert result.exit_code == 7
    assert "OffsetX" in only_sentence(result.stderr)


def test_a_camera_is_in_use_until_the_command_that_has_it_is_interrupted(cli, camera, tmp_path):
    words = ("camera", "snap", *LOOSE, *SIZE, "--count", "10000", "--out", tmp_path / "pictures")
    mine = ("camera", "snap", *LOOSE, *SIZE, "--out", tmp_path / "mine")

    with cli.started(*words) as other:
        other.wait_for(tmp_path / "pictures")
        refused = cli.run(*mine)
        code = other.interrupt()
    taken = cli.run(*mine)

    assert refused.exit_code == 7
    assert "in use" in only_sentence(refused.stderr)
    assert code == 130
    assert {read_picture(path).shape for path in (tmp_path / "pictures").iterdir()} == {(240, 320)}
    assert taken.exit_code == 0


def test_a_camera_that_is_gone_is_one_sentence(cli, camera, tmp_path):
    camera.kill()
    try:
        result = cli.run("camera", "snap", *LOOSE, *SIZE, "--out", tmp_path / "mine")
    finally:
        camera.start()

    assert result.exit_code == 7
    assert ADDRESS in only_sentence(result.stderr)
