"""The zoo, and the pointer to the active package."""

import sys

import pytest

from app.detect.proof import prove
from app.detect.zoo import (
    POINTER,
    ZOO_VARIABLE,
    activate,
    active_package,
    find_package,
    list_packages,
    rollback,
    zoo_folder,
)
from app.errors import PackageError
from app.types import Detection
from tests.unit.detect.scripted_detector import ScriptedDetector
from tests.unit.detect.tiny_model import read, tiny_package, write_expected, write_package

RIGHT = Detection("right", 0.8, (16, 8, 8, 8))


def proof_of(package):
    return prove(package, ScriptedDetector(RIGHT), read)


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    folder = tmp_path / "zoo"
    write_package(folder / "first")
    write_package(folder / "second")
    monkeypatch.setenv(ZOO_VARIABLE, str(folder))
    return folder


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


def test_zoo_is_where_the_variable_says(zoo):
    assert zoo_folder() == zoo


def test_zoo_variable_that_names_no_folder_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv(ZOO_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(PackageError, match="which is no folder"):
        zoo_folder()


def test_zoo_comes_with_the_distribution_and_runs_none_of_its_code(monkeypatch):
    monkeypatch.delenv(ZOO_VARIABLE, raising=False)
    for name in [each for each in sys.modules if each.split(".")[0] == "models"]:
        monkeypatch.delitem(sys.modules, name)
    assert (zoo_folder() / "pcb-nano" / "manifest.toml").is_file()
    assert "models" not in sys.modules


def test_package_is_found_by_name(zoo):
    assert find_package("first", zoo).name == "first"


def test_package_is_found_by_folder(zoo, tmp_path):
    assert find_package(str(zoo / "second"), tmp_path).name == "second"


@pytest.mark.parametrize("name", ["third", "", ".."])
def test_unknown_name_is_refused(zoo, name):
    with pytest.raises(PackageError):
        find_package(name, zoo)


def test_unknown_name_is_answered_with_what_there_is(zoo):
    with pytest.raises(PackageError, match="which holds first, second"):
        find_package("third", zoo)


def test_list_names_every_package_and_what_is_wrong_with_it(zoo):
    (zoo / "second" / "model.onnx").write_bytes(b"")
    write_expected(write_package(zoo / "third"), [])
    (zoo / "notes").mkdir()
    first, second, third = list_packages(zoo)
    assert (first.package.name, first.problem) == ("first", "")
    assert second.package is None
    assert "is not the file" in second.problem
    assert third.package.name == "third"
    assert "no golden frames" in third.problem


def test_nothing_is_active_at_first(state):
    assert active_package(state) is None


def test_proven_package_becomes_active(zoo, state):
    package = find_package("first", zoo)
    activate(state, package, proof_of(package))
    assert active_package(state) == ("first", package.onnx_sha256)


def test_proof_of_another_package_activates_nothing(zoo, state):
    first, second = find_package("first", zoo), find_package("second", zoo)
    with pytest.raises(PackageError, match="prove this very package"):
        activate(state, first, proof_of(second))
    assert active_package(state) is None


def test_proof_of_an_older_model_of_that_name_activates_nothing(zoo, state, tmp_path):
    older = tiny_package(tmp_path / "first", golden=False)
    with pytest.raises(PackageError, match="prove this very package"):
        activate(state, find_package("first", zoo), proof_of(older))


def test_rollback_goes_to_the_package_before_and_back(zoo, state):
    for name in ("first", "second"):
        package = find_package(name, zoo)
        activate(state, package, proof_of(package))
    assert rollback(state) == "first"
    assert active_package(state)[0] == "first"
    assert rollback(state) == "second"


def test_activating_the_active_package_keeps_the_one_before(zoo, state):
    for name in ("first", "second", "second"):
        package = find_package(name, zoo)
        activate(state, package, proof_of(package))
    assert rollback(state) == "first"


def test_rollback_without_a_package_before_is_refused(zoo, state):
    package = find_package("first", zoo)
    activate(state, package, proof_of(package))
    with pytest.raises(PackageError, match="knows no package before"):
        rollback(state)


def test_pointer_is_replaced_as_a_whole(zoo, state):
    package = find_package("first", zoo)
    activate(state, package, proof_of(package))
    assert [path.name for path in state.iterdir()] == [POINTER]


def test_damaged_pointer_is_an_error(state):
    state.mkdir()
    (state / POINTER).write_text("[active")
    with pytest.raises(PackageError, match=r"remove .* and activate a package again"):
        active_package(state)


def test_state_folder_that_cannot_be_written_is_an_error(zoo, tmp_path):
    (tmp_path / "file").write_text("")
    package = find_package("first", zoo)
    with pytest.raises(PackageError, match="cannot be written"):
        activate(tmp_path / "file" / "state", package, proof_of(package))
