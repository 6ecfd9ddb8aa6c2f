"""The zoo, and what is meant by a package's name."""

import sys

import pytest

from app.detect.zoo import DEFAULT, ZOO_VARIABLE, chosen_package, find_package, list_packages, zoo_folder
from app.errors import PackageError
from tests.unit.detect.tiny_model import write_expected, write_package


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


def test_a_model_of_a_package_is_named_after_a_colon(zoo):
    assert find_package("first:accelerator-fp32", zoo).variant == "accelerator-fp32"
    assert find_package(f"{zoo / 'first'}:accelerator-fp32", zoo).name == "first"
    with pytest.raises(PackageError, match="has no model 'standby-int8'"):
        find_package("first:standby-int8", zoo)


def test_a_folder_with_a_colon_in_its_name_is_a_folder(tmp_path):
    folder = write_package(tmp_path / "a:b" / "c:d", name='"odd"')
    assert find_package(str(folder), tmp_path).name == "odd"


def test_what_nobody_activated_is_the_package_that_comes_with_takt(zoo, state):
    assert chosen_package("active", state) == DEFAULT
    assert chosen_package("active:standby-int8", state) == f"{DEFAULT}:standby-int8"


def test_a_name_that_is_not_on_the_station_stays_a_name(zoo, state):
    assert chosen_package("first", state) == "first"
    assert chosen_package("first:standby-int8", state) == "first:standby-int8"
    assert chosen_package("/a/folder:odd", state) == "/a/folder:odd"
