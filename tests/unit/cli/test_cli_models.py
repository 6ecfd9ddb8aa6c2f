import json
import shutil
from pathlib import Path

import pytest

from app.detect.pointer import read_pointer
from tests.unit.cli.conftest import only_sentence
from tests.unit.detect.tiny_model import write_expected, write_package


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


def active_of(state):
    pointer = read_pointer(state)
    return pointer.active.name if pointer else None


def packages(takt, *words):
    document, result = takt.json("models", "list", *words)
    return {each["name"]: each for each in document["packages"]}, result


def drift(folder):
    """Golden frames that the model does not give."""
    write_expected(folder, [{"image": "spot.png", "golden": "good.png", "detections": []}])


def test_the_list_tells_what_each_package_takes_and_finds(takt):
    found, result = packages(takt)

    assert result.exit_code == 0
    assert found["tiny"]["classes"] == ["left", "right"]
    assert found["tiny"]["input"] == {"width_px": 32, "height_px": 24, "channels": 1, "golden": True, "fit": "stretch"}
    assert found["plain"]["input"]["golden"] is False
    assert not any(each["active"] for each in found.values())


def test_nothing_is_called_proven_that_was_not_tried(takt):
    found, _ = packages(takt)

    assert {each["proven"] for each in found.values()} == {None}


def test_prove_tries_every_package_here_and_now(takt, zoo):
    drift(write_package(zoo / "drifted"))

    found, _ = packages(takt, "--prove")

    assert found["tiny"]["proven"] is True
    assert found["drifted"]["proven"] is False
    assert "fails its proof" in found["drifted"]["problem"]


def test_a_broken_package_is_listed_with_its_reason(takt, zoo):
    (write_package(zoo / "torn") / "model.onnx").unlink()

    result = takt.run("models", "list")

    assert result.exit_code == 0
    assert "torn" in result.stdout
    assert "is missing" in result.stdout


def test_an_empty_zoo_is_no_error(takt, tmp_path):
    (tmp_path / "empty").mkdir()
    takt.env["TAKT_ZOO"] = str(tmp_path / "empty")

    result = takt.run("models", "list")

    assert result.exit_code == 0
    assert "holds no packages" in result.stdout


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_a_package_that_reproduces_its_golden_frames_becomes_active(takt, state, runtime):
    if runtime == "openvino":
        pytest.importorskip("openvino", reason='pip install "takt-inspect[openvino]"')

    document, result = takt.json("models", "activate", "tiny", "--runtime", runtime)

    assert result.exit_code == 0
    assert (document["active"], document["runtime"], document["golden_frames"]) == ("tiny", runtime, 1)
    assert active_of(state) == "tiny"
    assert packages(takt)[0]["tiny"]["active"] is True


def test_a_package_that_does_not_is_refused_and_the_active_one_stays(takt, zoo, state):
    takt.run("models", "activate", "plain")
    drift(write_package(zoo / "drifted"))

    result = takt.run("models", "activate", "drifted")

    assert result.exit_code == 5
    assert "fails its proof" in only_sentence(result.stderr)
    assert active_of(state) == "plain"


def test_a_package_that_is_not_there_is_refused_with_the_names_that_are(takt):
    result = takt.run("models", "activate", "absent")

    assert result.exit_code == 5
    assert "plain, tiny" in only_sentence(result.stderr)


def test_a_package_outside_the_zoo_is_copied_to_the_station(takt, tmp_path, state):
    outside = write_package(tmp_path / "elsewhere" / "stranger", golden=False)

    document, result = takt.json("models", "activate", outside, "--by", "ann", "--reason", "tried\non Friday")

    assert result.exit_code == 0
    assert (document["active"], document["installed"]) == ("stranger", True)
    assert (document["by"], document["reason"]) == ("ann", "tried on Friday")
    assert Path(document["folder"]).is_relative_to(state / "packages" / "stranger")
    found = packages(takt)[0]["stranger"]
    assert (found["active"], found["installed"], found["left_over"]) == (True, True, False)


def test_a_station_judges_with_the_copy(takt, tmp_path, pictures):
    outside = write_package(tmp_path / "elsewhere" / "stranger", golden=False)
    takt.run("models", "activate", outside)
    shutil.rmtree(outside)

    document, _ = takt.json("inspect", pictures)

    assert document["model"]["name"] == "stranger"


def test_a_package_outside_the_zoo_that_is_broken_is_not_activated(takt, tmp_path, state):
    other = write_package(tmp_path / "elsewhere" / "tiny")
    (other / "model.onnx").write_bytes(b"another")

    result = takt.run("models", "activate", other)

    assert result.exit_code == 5
    assert "is not the file" in only_sentence(result.stderr)
    assert not (state / "packages" / "tiny").exists()


def test_what_a_killed_activation_left_is_told(takt, state):
    takt.run("models", "activate", "tiny")
    write_package(state / "packages" / "odd" / "1.0.0-0123456789ab", golden=False, name='"odd"')

    found, _ = packages(takt)

    assert (found["odd"]["left_over"], found["odd"]["active"]) == (True, False)
    assert "the next activation removes it" in takt.run("models", "list").stdout


def test_the_list_has_the_history(takt):
    takt.run("models", "activate", "plain", "--by", "ann", "--reason", "for the new lens")
    takt.run("models", "activate", "tiny", "--by", "bob")

    document, _ = takt.json("models", "list")
    text = takt.run("models", "list").stdout

    assert (document["activation"]["name"], document["activation"]["by"]) == ("tiny", "bob")
    assert [(each["name"], each["reason"]) for each in document["history"]] == [("plain", "for the new lens")]
    assert "before: plain@1.0.0:accelerator-fp32" in text
    assert "by ann: for the new lens" in text


@pytest.mark.parametrize("option", ["--by", "--reason"])
def test_what_is_said_for_the_record_has_an_end(takt, option, state):
    result = takt.run("models", "activate", "tiny", option, "x" * 1001)

    assert result.exit_code == 2
    assert option in only_sentence(result.stderr)
    assert not state.exists()


def test_rollback_goes_back_and_forth(takt, state):
    takt.run("models", "activate", "plain")
    takt.run("models", "activate", "tiny")

    assert takt.json("models", "rollback")[0]["active"] == "plain"
    assert takt.json("models", "rollback")[0]["active"] == "tiny"
    assert active_of(state) == "tiny"


def test_rollback_to_one_by_name(takt, zoo, state):
    write_package(zoo / "third", golden=False)
    for name in ("plain", "tiny", "third"):
        takt.run("models", "activate", name)

    assert takt.run("models", "rollback", "--to", "plain@1.0.0").exit_code == 0
    assert active_of(state) == "plain"


def test_rollback_says_what_it_passes_over(takt, zoo, state):
    for name in ("plain", "tiny"):
        takt.run("models", "activate", name)
    write_package(zoo / "drifting")
    takt.run("models", "activate", "drifting")
    takt.run("models", "activate", "plain")
    drift(zoo / "drifting")

    result = takt.run("models", "rollback")

    assert result.exit_code == 0
    assert "passed over drifting@1.0.0" in only_sentence(result.stderr)
    assert active_of(state) == "tiny"


def test_rollback_without_a_package_before_is_refused(takt):
    result = takt.run("models", "rollback")

    assert result.exit_code == 5
    only_sentence(result.stderr)


def test_an_active_package_that_was_changed_since_is_refused(takt, zoo):
    takt.run("models", "activate", "tiny")
    write_package(zoo / "tiny", golden=False)

    result = takt.run("models", "list")

    assert result.exit_code == 5
    assert "takt models activate tiny" in only_sentence(result.stderr)


def test_the_state_folder_can_be_named(takt, tmp_path):
    takt.run("models", "activate", "tiny", "--state", tmp_path / "named")

    assert active_of(tmp_path / "named") == "tiny"


def test_json_is_all_that_is_on_stdout(takt):
    result = takt.run("models", "activate", "tiny", "--json")

    assert json.loads(result.stdout)["active"] == "tiny"
