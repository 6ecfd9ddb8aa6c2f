"""`takt units`, and the units that lie in the repository."""

import json

import pytest

from tests.groups import ROOT
from tests.unit.cli.conftest import only_sentence

SAMPLES = ROOT / "deploy" / "systemd"
AS_ON_A_BOX = ("--installed", "/etc/takt", "--program", "/opt/takt/bin/takt", "--cores", "4", "--systemd", "249")


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.suffix in (".service", ".target")}


def test_the_units_in_the_repository_are_what_the_command_writes(takt, tmp_path):
    result = takt.run("units", "--write", tmp_path / "units", *AS_ON_A_BOX)

    assert result.exit_code == 0
    is_up_to_date = contents(tmp_path / "units") == contents(SAMPLES)
    assert is_up_to_date, f"run: takt units --write deploy/systemd {' '.join(AS_ON_A_BOX)}"


def test_the_readme_says_how_they_were_written():
    assert f"takt units --write deploy/systemd {' '.join(AS_ON_A_BOX)}" in (ROOT / "deploy" / "README.md").read_text()


def test_units_of_this_box_name_its_files(takt, tmp_path):
    takt.run("units", "--write", tmp_path)

    text = (tmp_path / "takt-station.service").read_text()
    assert f"--line {ROOT}/app/twin/line/line.toml" in text


def test_what_is_of_no_process_any_more_is_named_and_left(takt, tmp_path):
    (tmp_path / "takt-capture-side.service").write_text("old")

    document, result = takt.json("units", "--write", tmp_path)

    assert document["left"] == ["takt-capture-side.service"]
    assert "takt.target" in document["written"]
    assert result.exit_code == 0
    assert "takt-capture-side.service" in only_sentence(takt.run("units", "--write", tmp_path).stderr)
    assert (tmp_path / "takt-capture-side.service").read_text() == "old"


@pytest.mark.parametrize("words", [("--line", "nowhere.toml"), ("--write", "/proc/units")])
def test_what_cannot_be_read_or_written_is_one_sentence(takt, tmp_path, words):
    result = takt.run("units", "--write", tmp_path, *words)

    assert result.exit_code in (2, 3)
    assert only_sentence(result.stderr)


def test_json_is_one_document(takt, tmp_path):
    result = takt.run("units", "--write", tmp_path, "--json")

    assert json.loads(result.stdout)["folder"] == str(tmp_path)
