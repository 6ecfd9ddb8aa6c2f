"""`takt camera set`: all knobs or none, what the camera took of them, and the line.toml with every comment it had."""

from pathlib import Path

import pytest

from app.cli.camera.save import as_toml, save
from app.config import load_line
from app.errors import ConfigError
from app.toml import read_toml
from tests.unit.cli.camera.fake_camera import ADDRESS
from tests.unit.cli.conftest import only_sentence

LOOSE = ("--driver", "gige", "--source", ADDRESS)


def values_of(device, *names):
    return [device.knobs[name].value for name in names]


# Knobs


def test_a_knob_is_set_and_told_before_and_after(cli, device, line):
    document, result = cli.json("camera", "set", "side", "BlackLevel=33", "--line", line())

    assert result.exit_code == 0
    assert document["changes"] == [
        {"name": "BlackLevel", "unit": "", "before": 8, "asked": 33, "after": 32, "is_taken": True}
    ]
    assert document["saved"] is None
    assert not device.is_open


def test_values_take_the_kind_of_their_knob(cli, device, line):
    words = ("ExposureTime=2000", "GammaEnable=on", "TestPattern=Ramp", "BlackLevel=0x10")

    result = cli.run("camera", "set", *words, "--line", line())

    assert result.exit_code == 0
    assert values_of(device, "ExposureTime", "GammaEnable", "TestPattern", "BlackLevel") == [2000, True, "Ramp", 16]


def test_what_the_camera_made_something_else_of_is_pointed_out(cli, device, line):
    rounded = cli.run("camera", "set", "Gain=6.2", "--line", line()).stdout
    capped = cli.run("camera", "set", "FrameRate=60", "--line", line()).stdout

    assert "✓ taken" in rounded
    assert "6 dB" in rounded
    assert "it took another" in capped
    assert "30 Hz" in capped


def test_a_camera_of_no_line_is_set_too(cli, device):
    result = cli.run("camera", "set", "Gain=6", *LOOSE)

    assert result.exit_code == 0
    assert values_of(device, "Gain") == [6]


def test_an_unknown_knob_names_the_nearest(cli, device, line):
    result = cli.run("camera", "set", "ExposureTim=2000", "--line", line())

    assert result.exit_code == 7
    assert "ExposureTime" in only_sentence(result.stderr)


def test_where_one_knob_is_refused_none_is_set(cli, device, line):
    result = cli.run("camera", "set", "BlackLevel=16", "GammaEnable=true", "TestPattern=Rump", "--line", line())

    assert result.exit_code == 7
    assert "Off, Ramp, Checker" in only_sentence(result.stderr)
    assert values_of(device, "BlackLevel", "GammaEnable", "TestPattern") == [8, False, "Off"]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("side",), "takt camera probe"),
        (("side", "Gain"), "KNOB=VALUE"),
        (("Gain=1", "Gain=2"), "twice"),
        (("=1",), "KNOB=VALUE"),
        (("GammaEnable=perhaps",), "true nor false"),
        (("BlackLevel=much",), "0 to 64, by 4"),
        (("ExposureTime=nan",), "10 to 100000"),
        (("exposure_ms=long",), "no number"),
        (("Gain=1", "--sheet", "a.png"), "--snap"),
    ],
)
def test_words_that_set_nothing_are_refused(cli, device, line, words, hint):
    result = cli.run("camera", "set", *words, "--line", line())

    assert result.exit_code == 2
    assert hint in only_sentence(result.stderr)
    assert values_of(device, "Gain", "BlackLevel") == [0, 8]


def test_a_key_of_the_line_is_set_whatever_the_camera_calls_it(cli, device, line):
    document, result = cli.json("camera", "set", "exposure_ms=2.5", "gain_db=6", "--line", line())

    assert result.exit_code == 0
    assert values_of(device, "ExposureTime", "Gain") == [2500, 6]
    first = document["changes"][0]
    assert (first["name"], first["before"], first["after"], first["is_taken"]) == ("exposure_ms", 0.5, 2.5, True)


def test_a_key_out_of_bounds_is_refused_before_the_camera_hears_of_it(cli, device, line):
    result = cli.run("camera", "set", "exposure_ms=99999", "--line", line())

    assert result.exit_code == 2
    assert "exposure_ms" in only_sentence(result.stderr)
    assert values_of(device, "ExposureTime") == [500]


def test_a_camera_without_knobs_cannot_be_set(cli):
    result = cli.run("camera", "set", "Gain=1")

    assert result.exit_code == 7
    assert "no settings of its own" in only_sentence(result.stderr)


# Pictures


@pytest.mark.parametrize("knob", ["ExposureTime=4000", "exposure_ms=4"])
def test_a_picture_before_and_one_after(cli, device, line, tmp_path, knob):
    exposures = []
    device.on_grab = lambda: exposures.append(device.knobs["ExposureTime"].value)
    words = ("--snap", "--out", tmp_path / "pictures", "--sheet", tmp_path / "sheet.png")

    document, result = cli.json("camera", "set", knob, "--line", line(), *words)

    assert result.exit_code == 0
    assert exposures == [500, 4000]
    assert [each["file"].rpartition("-")[2] for each in document["pictures"]] == ["before.png", "after.png"]
    assert len(list((tmp_path / "pictures").iterdir())) == 2
    assert (tmp_path / "sheet.png").stat().st_size > 0


# The line.toml


def test_saved_knobs_stand_in_the_line_toml_and_its_comments_stay(cli, device, line):
    path = line()
    before = path.read_text()

    result = cli.run("camera", "set", "side", "BlackLevel=33", "TestPattern=Ramp", "--line", path, "--save")

    after = path.read_text()
    assert result.exit_code == 0
    assert load_line(path).cameras[0].controls == {"BlackLevel": 32, "TestPattern": "Ramp"}
    assert [row for row in before.splitlines() if row not in after.splitlines()] == []
    assert path.with_name("line.toml.bak").read_text() == before


def test_how_to_undo_it_is_said_and_works(cli, device, line):
    path = line()
    before = path.read_text()

    said = cli.run("camera", "set", "Gain=6", "exposure_ms=2", "--line", path).stdout
    saved = cli.run("camera", "set", "exposure_ms=2", "--line", path, "--save").stdout
    _, source, target = saved.partition("to undo it: ")[2].split()
    Path(source).replace(target)

    assert "--save does that" in said
    assert path.read_text() == before


def test_a_key_of_the_line_is_saved_as_that_key(cli, device, line):
    path = line()

    cli.run("camera", "set", "side", "exposure_ms=2.5", "--line", path, "--save")

    assert "exposure_ms = 2.5  # why exposure_ms" in path.read_text()
    assert load_line(path).cameras[0].controls == {}


@pytest.mark.parametrize(("knob", "key"), [("ExposureTime=2000", "exposure_ms"), ("Gain=6", "gain_db")])
def test_what_has_a_key_of_its_own_is_not_saved_as_a_control(cli, device, line, knob, key):
    path = line()
    before = path.read_bytes()

    result = cli.run("camera", "set", knob, "--line", path, "--save")

    assert result.exit_code == 2
    assert f"{key}=" in only_sentence(result.stderr)
    assert path.read_bytes() == before
    assert values_of(device, "ExposureTime", "Gain") == [500, 0]


def test_controls_that_are_there_are_kept_or_replaced(cli, device, line):
    path = line("controls = { BlackLevel = 16, GammaEnable = true }")

    cli.run("camera", "set", "BlackLevel=32", "TestPattern=Ramp", "--line", path, "--save")

    row = 'controls = { BlackLevel = 32, GammaEnable = true, TestPattern = "Ramp" }  # why controls'
    assert row in path.read_text()
    assert load_line(path).cameras[0].controls == {"BlackLevel": 32, "GammaEnable": True, "TestPattern": "Ramp"}


def test_what_is_refused_leaves_the_file_alone(cli, device, line):
    path = line()
    before = path.read_bytes()

    cli.run("camera", "set", "BlackLevel=999", "--line", path, "--save")

    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["line.toml"]


def test_a_camera_of_no_line_cannot_be_saved(cli, device):
    result = cli.run("camera", "set", "BlackLevel=16", *LOOSE, "--save")

    assert result.exit_code == 2
    assert "--line" in only_sentence(result.stderr)


TWO = '[[camera]]\nname = "top"\ndriver = "folder"\nsource = "x"\nposition_mm = 200\n\n[camera.controls]\na = 1\n\n'


@pytest.mark.parametrize("place", ["before", "after"])
def test_the_other_camera_of_the_file_is_left_as_it_is(line, place):
    path = line()
    text = path.read_text()
    mark = "[[camera]]" if place == "before" else "[model]"
    path.write_text(text.replace(mark, f"{TWO}{mark}", 1))
    others = [each for each in load_line(path).cameras if each.name == "top"]

    save(path, "side", {"gain_db": 3.0}, {"New": 5})

    cameras = {each.name: each for each in load_line(path).cameras}
    assert cameras["side"].controls == {"New": 5}
    assert cameras["side"].gain_db == 3.0
    assert cameras["top"] == others[0]


def test_a_table_of_controls_is_added_to(line):
    path = line()
    path.write_text(path.read_text().replace("[model]", "[camera.controls]  # set at noon\nA = 1  # one\n\n[model]", 1))

    save(path, "side", {}, {"B": 2.5, "A": 3, "C D": True})

    assert load_line(path).cameras[0].controls == {"A": 3, "B": 2.5, "C D": True}
    assert "[camera.controls]  # set at noon\nA = 3  # one\n" in path.read_text()


LAYOUT = """
[[camera]]
name = "side"
source = "10.0.0.4"
driver = "gige"  # by Aravis

# how the network is
[camera.gige]
buffers = 4  # enough

# the model,
# which judges
"""
CHANGED = """
[[camera]]
name = "side"
source = "10.0.0.4"
driver = "gige"  # by Aravis
gain_db = 3.0
controls = { A = 1, "B C" = "x" }

# how the network is
[camera.gige]
buffers = 4  # enough

# the model,
# which judges
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_is_new_stands_below_the_keys_of_its_table_and_no_comment_moves(line, end):
    path = line()
    head, _, rest = path.read_text().partition("[[camera]]")
    rest = rest[rest.index("[model]") :]
    path.write_bytes(f"{head}{LAYOUT}{rest}".replace("\n", end).encode())

    save(path, "side", {"gain_db": 3.0}, {"A": 1, "B C": "x"})

    assert path.read_bytes() == f"{head}{CHANGED}{rest}".replace("\n", end).encode()


def test_a_new_control_stands_below_the_others(line):
    path = line()
    table = "[camera.controls]\n  A = 1  # one\n\n# the model\n"
    path.write_text(path.read_text().replace("[model]", f"{table}[model]", 1))

    save(path, "side", {}, {"B": 2})

    assert "[camera.controls]\n  A = 1  # one\n  B = 2\n\n# the model\n[model]" in path.read_text()


def test_a_file_that_ends_without_a_line_end_is_added_to(line):
    path = line()
    text = path.read_text()
    camera = text[text.index("[[camera]]") : text.index("[model]")].rstrip().rpartition("  #")[0]
    path.write_text(text.replace(text[text.index("[[camera]]") : text.index("[model]")], "") + "\n" + camera)

    save(path, "side", {"gain_db": 3.0}, {})

    assert load_line(path).cameras[0].gain_db == 3.0


def test_dotted_controls_are_added_to(line):
    path = line("controls.A = 1")

    save(path, "side", {}, {"B": 2})

    assert load_line(path).cameras[0].controls == {"A": 1, "B": 2}


def test_cameras_in_one_row_are_changed_too(line):
    path = line()
    head, _, rest = path.read_text().partition("[[camera]]")
    row = f'camera = [{{ name = "side", driver = "gige", source = "{ADDRESS}" }}]\n'
    path.write_text(row + head + "[model]" + rest.partition("[model]")[2])

    save(path, "side", {"exposure_ms": 1.5}, {"A": 1})

    camera = load_line(path).cameras[0]
    assert (camera.exposure_ms, camera.controls) == (1.5, {"A": 1})


def test_line_ends_and_rights_stay(line):
    path = line()
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    path.chmod(0o640)

    save(path, "side", {"exposure_ms": 1.5}, {})

    assert b"\n" not in path.read_bytes().replace(b"\r\n", b"")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_to_a_line_toml_stays_a_link(line, tmp_path):
    path = line()
    link = tmp_path / "link.toml"
    link.symlink_to(path)

    save(link, "side", {"exposure_ms": 1.5}, {})

    assert link.is_symlink()
    assert load_line(path).cameras[0].exposure_ms == 1.5


def test_a_line_that_could_not_work_is_not_written(line):
    path = line()
    before = path.read_bytes()

    with pytest.raises(ConfigError, match="exposure_ms"):
        save(path, "side", {"exposure_ms": -1}, {})

    assert path.read_bytes() == before


def test_a_file_without_the_camera_is_to_be_written_by_hand(line):
    path = line()
    before = path.read_bytes()

    with pytest.raises(ConfigError, match=r"write it by hand: .*A = 1"):
        save(path, "nobody", {}, {"A": 1})

    assert path.read_bytes() == before


def test_the_piece_to_write_by_hand_is_toml(tmp_path):
    (tmp_path / "piece.toml").write_text(as_toml({"exposure_ms": 2.5}, {"A b": 'x"y', "C": True}))

    assert read_toml(tmp_path / "piece.toml") == {"exposure_ms": 2.5, "camera": {"controls": {"A b": 'x"y', "C": True}}}
