"""`takt camera list | probe | snap` with a camera in memory, a folder, a video and the twin's."""

import re

import pytest

from app.capture.camera import Found
from app.capture.pictures import read_picture
from app.cli.camera.choice import Wish, chosen
from app.cli.camera.size import with_own_size
from app.config import CameraSettings
from app.errors import MissingDriverError
from app.toml import read_toml
from tests.unit.capture.recordings import make_folder, make_video
from tests.unit.cli.camera.fake_camera import ADDRESS, HEIGHT, WIDTH
from tests.unit.cli.conftest import only_sentence

LOOSE = ("--driver", "gige", "--source", ADDRESS)
USB = Found("opencv", "/dev/video0", "Webcam")


# list


def test_cameras_of_all_drivers_are_listed_with_what_to_write(cli, searches, device):
    searches.update(gige=(device.found,), opencv=(USB,))

    document, result = cli.json("camera", "list")

    assert result.exit_code == 0
    assert [(each["driver"], each["source"]) for each in document["cameras"]] == [
        ("gige", ADDRESS),
        ("opencv", "/dev/video0"),
    ]
    assert [each["driver"] for each in document["searched"]] == ["gige", "opencv", "csi"]


def test_the_one_camera_there_is_comes_with_a_table_for_the_line_toml(cli, searches, device, tmp_path):
    searches["gige"] = (device.found,)

    shown = cli.run("camera", "list").stdout
    printed = cli.run("camera", "list", "--toml").stdout

    (tmp_path / "camera.toml").write_text(printed)
    (values,) = read_toml(tmp_path / "camera.toml")["camera"]
    assert CameraSettings.model_validate(values).source == ADDRESS
    assert printed.strip() in shown
    assert "Maker Model 12" in shown


def test_a_model_name_cannot_break_out_of_the_table(cli, searches, tmp_path):
    searches["gige"] = (Found("gige", 'a"b\\c', 'Evil"\nsource = "x"', "1\x1b[2J"),)

    printed = cli.run("camera", "list", "--toml").stdout

    (tmp_path / "camera.toml").write_text(printed)
    (values,) = read_toml(tmp_path / "camera.toml")["camera"]
    assert values["source"] == 'a"b\\c'
    assert "\x1b" not in printed


def test_nothing_found_says_what_to_check(cli, searches):
    result = cli.run("camera", "list")

    assert result.exit_code == 0
    for words in ("No camera was found", "PoE", "subnet", "group video"):
        assert words in result.stdout


def test_a_driver_without_its_library_says_how_to_install_it_and_the_others_search(cli, searches):
    searches.update(gige=MissingDriverError("GigE Vision", "PyGObject", "gige"), opencv=(USB,))

    result = cli.run("camera", "list")

    assert result.exit_code == 0
    assert 'pip install "takt-inspect[gige]"' in result.stdout
    assert "/dev/video0" in result.stdout


def test_a_driver_that_was_asked_for_and_cannot_search_is_an_error(cli, searches):
    searches["gige"] = MissingDriverError("GigE Vision", "PyGObject", "gige")

    result = cli.run("camera", "list", "--driver", "gige")

    assert result.exit_code == 6
    assert "takt-inspect[gige]" in only_sentence(result.stderr)


def test_a_camera_that_cannot_be_used_says_why_and_is_not_proposed(cli, searches):
    searches["gige"] = (Found("gige", ADDRESS, trouble="in use by 192.168.1.9"),)

    shown = cli.run("camera", "list").stdout

    assert "in use by 192.168.1.9" in shown
    assert "[[camera]]" not in shown


def test_a_driver_without_a_search_is_refused(cli):
    result = cli.run("camera", "list", "--driver", "folder")

    assert result.exit_code == 2
    assert "gige, opencv, csi" in only_sentence(result.stderr)


# probe


def test_a_probe_tells_what_it_is_what_it_can_and_how_fast_it_sends(cli, device, line):
    document, result = cli.json("camera", "probe", "side", "--line", line())

    assert result.exit_code == 0
    assert document["about"]["serial"] == "S-77"
    assert {each["name"] for each in document["knobs"]} == set(device.knobs)
    assert document["rate_hz"] == 50.0
    assert not device.is_open


def test_a_probe_without_json_shows_the_same(cli, device, line):
    text = cli.run("camera", "probe", "side", "--line", line()).stdout

    for words in ("Maker Model 12", "50.0 frames/s", "ExposureTime", "10 to 100000", "Off, Ramp, Checker", "read only"):
        assert words in text


def test_what_was_asked_for_is_held_against_the_camera(cli, device, line):
    path = line('exposure_ms = 2\ngain_db = 6.2\ncontrols = { BlackLevel = 32, TestPattern = "Ramp" }')

    document, result = cli.json("camera", "probe", "--line", path)

    asked = {each["key"]: (each["wanted"], each["got"], each["is_taken"]) for each in document["asked"]}
    assert result.exit_code == 0
    assert asked["exposure_ms"] == (2.0, 2.0, True)
    assert asked["gain_db"] == (6.2, 6.0, True)
    assert asked["controls.BlackLevel"] == (32, 32, True)
    assert asked["controls.TestPattern"] == ("Ramp", "Ramp", True)
    assert asked["width_px, height_px, channels"] == ("64 x 48 mono", "64 x 48 mono", True)


def test_a_camera_that_refuses_a_control_is_still_probed(cli, device, line):
    path = line("controls = { BlackLevl = 32, BlackLevel = 16 }")

    document, result = cli.json("camera", "probe", "side", "--line", path)

    asked = {each["key"]: each for each in document["asked"]}
    assert result.exit_code == 7
    assert asked["controls.BlackLevl"]["is_taken"] is False
    assert "did you mean BlackLevel?" in asked["controls.BlackLevl"]["why"]
    assert asked["controls.BlackLevel"]["is_taken"] is True
    assert document["knobs"]


def test_a_camera_that_sends_nothing_is_probed_and_says_so(cli, device, line):
    device.is_silent = True

    result = cli.run("camera", "probe", "--line", line(), "--timeout", "0.1")

    assert result.exit_code == 7
    assert "sent no frame in time" in result.stdout
    assert "ExposureTime" in result.stdout


def test_knobs_are_filtered_by_name(cli, device):
    document, _ = cli.json("camera", "probe", *LOOSE, "--filter", "exposure")

    assert [each["name"] for each in document["knobs"]] == ["ExposureTime"]


def test_a_filter_that_finds_nothing_names_what_is_near(cli, device):
    assert "ExposureTime" in cli.run("camera", "probe", *LOOSE, "--filter", "ExposreTime").stdout


def test_a_bound_that_json_has_no_word_for_is_left_out(cli, device):
    document, _ = cli.json("camera", "probe", *LOOSE, "--filter", "Throughput")

    assert document["knobs"][0]["high"] is None


def test_a_camera_without_knobs_says_so(cli, tmp_path):
    result = cli.run("camera", "probe", "--driver", "folder", "--source", make_folder(tmp_path / "pictures"))

    assert result.exit_code == 0
    assert "no settings of its own" in result.stdout
    assert "32 x 24 mono" in result.stdout


# snap


def test_a_picture_is_written_as_the_camera_gave_it(cli, device, line, tmp_path):
    document, result = cli.json("camera", "snap", "side", "--line", line(), "--out", tmp_path / "a.png")

    (picture,) = document["pictures"]
    written = read_picture(tmp_path / "a.png")
    assert result.exit_code == 0
    assert written.shape == (HEIGHT, WIDTH)
    assert (written.min(), written.max()) == (50, 100)
    assert (picture["low"], picture["high"], picture["mean"]) == (50, 100, 75.0)
    assert (picture["counter"], picture["memory_ms"]) == (1, 7.0)
    assert picture["remarks"] == []


def test_pictures_in_a_folder_get_names_of_their_own(cli, device, line, tmp_path):
    cli.run("camera", "snap", "--line", line(), "--count", 12, "--out", tmp_path / "new")

    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert len(names) == 12
    assert all(re.fullmatch(r"side-\d{8}-\d{6}-\d{3}-\d\d\.png", name) for name in names)


def test_a_file_that_is_there_is_replaced_only_when_told(cli, device, line, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"mine")

    refused = cli.run("camera", "snap", "--line", line(), "--out", path)
    kept = path.read_bytes()
    forced = cli.run("camera", "snap", "--line", line(), "--out", path, "--force")

    assert refused.exit_code == 2
    assert "--force" in only_sentence(refused.stderr)
    assert kept == b"mine"
    assert forced.exit_code == 0
    assert read_picture(path).shape == (HEIGHT, WIDTH)


def test_a_file_that_loses_something_is_refused(cli, device, line, tmp_path):
    result = cli.run("camera", "snap", "--line", line(), "--out", tmp_path / "a.jpg")

    assert result.exit_code == 2
    assert ".png" in only_sentence(result.stderr)
    assert device.triggers == []


@pytest.mark.parametrize(("level", "word"), [(0, "dark"), (20, "dim"), (255, "saturated")])
def test_light_that_is_wrong_is_said_in_words(cli, device, line, tmp_path, level, word):
    device.level = level

    text = cli.run("camera", "snap", "--line", line(), "--out", tmp_path / "a.png").stdout

    assert f"a.png: {word}:" in text


def test_a_sheet_shows_each_picture_with_its_figures(cli, device, line, tmp_path):
    words = ("--count", 4, "--out", tmp_path / "pictures", "--sheet", tmp_path / "sheet.png")

    result = cli.run("camera", "snap", "--line", line(), *words)

    sheet = read_picture(tmp_path / "sheet.png")
    assert result.exit_code == 0
    assert sheet.shape[1] > 3 * 300
    assert sheet.shape[0] > 2 * 400


def test_a_sheet_that_would_be_a_picture_is_refused(cli, device, line, tmp_path):
    words = ("--out", tmp_path / "a.png", "--sheet", tmp_path / "a.png")

    result = cli.run("camera", "snap", "--line", line(), *words)

    assert result.exit_code == 2
    assert "twice" in only_sentence(result.stderr)


def test_a_camera_on_a_wire_is_triggered_by_command_unless_told(cli, device, line, tmp_path):
    path = line('trigger = "wire"')

    cli.run("camera", "snap", "--line", path, "--out", tmp_path / "a.png")
    cli.run("camera", "snap", "--line", path, "--out", tmp_path / "b.png", "--wire")

    assert device.triggers == ["command", "wire"]


def test_exposure_and_gain_may_be_others_for_once(cli, device, line, tmp_path):
    cli.run("camera", "snap", "--line", line(), "--out", tmp_path, "--exposure-ms", 3, "--gain-db", 12)

    assert device.knobs["ExposureTime"].value == 3000.0
    assert device.knobs["Gain"].value == 12.0


def test_a_camera_of_no_line_gives_its_whole_picture(cli, device, tmp_path):
    document, result = cli.json("camera", "snap", *LOOSE, "--out", tmp_path)

    assert result.exit_code == 0
    assert (document["pictures"][0]["width_px"], document["pictures"][0]["height_px"]) == (WIDTH, HEIGHT)


def test_a_size_that_is_named_is_asked_for(cli, device, tmp_path):
    document, _ = cli.json("camera", "snap", *LOOSE, "--out", tmp_path, "--size", "32x16", "--colour")

    picture = document["pictures"][0]
    assert (picture["width_px"], picture["height_px"], picture["channels"]) == (32, 16, 3)


def test_what_nobody_named_stays_unnamed(line, tmp_path):
    """Drivers leave a camera's own exposure alone where no exposure_ms is set."""
    source = make_folder(tmp_path / "pictures")

    loose = with_own_size(chosen(Wish(driver="folder", source=str(source), gain_db=3))).settings
    named = chosen(Wish(line=line(), size="64x48")).settings

    assert loose.model_fields_set == {"name", "driver", "source", "width_px", "height_px", "gain_db"}
    assert "exposure_ms" in named.model_fields_set
    assert "gain_db" not in named.model_fields_set


def test_a_video_is_looked_through_in_its_own_size(cli, tmp_path):
    video = make_video(tmp_path / "a.avi", (48, 64))

    document, result = cli.json("camera", "snap", "--driver", "opencv", "--source", video, "--out", tmp_path)

    assert result.exit_code == 0
    assert (document["pictures"][0]["width_px"], document["pictures"][0]["height_px"]) == (64, 48)


def test_the_twins_camera_shows_boards_without_a_line(cli, tmp_path):
    result = cli.run("camera", "snap", "--count", 2, "--out", tmp_path / "pictures")

    first, second = (read_picture(path) for path in sorted((tmp_path / "pictures").iterdir()))
    assert result.exit_code == 0
    assert first.shape == (640, 640)
    assert (first != second).any()
