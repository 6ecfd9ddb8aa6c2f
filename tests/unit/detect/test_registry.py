"""The registry of a station: what is proven becomes active, and what was active can become so again."""

import re
import shutil
from datetime import timedelta, timezone

import pytest

from app.detect.installed import PACKAGES, folder_of, installed_folders
from app.detect.pointer import POINTER, read_pointer
from app.detect.proof import prove
from app.detect.registry import Errand, _held, find_by_hash, package_of
from app.detect.zoo import chosen_package, find_package, list_installed
from app.errors import DetectorError, PackageError
from tests.unit.detect.conftest import FRIDAY, RIGHT, is_right, label
from tests.unit.detect.scripted_detector import ScriptedDetector
from tests.unit.detect.tiny_model import read, tiny_onnx, write_expected, write_package


def test_nothing_is_active_at_first(station):
    assert station.active is None
    assert list_installed(station.state) == ()


def test_a_proven_package_of_the_zoo_becomes_active_where_it_lies(station):
    change = station.activate("first")

    assert station.active == label("first")
    assert change.package.folder == station.zoo / "first"
    assert sorted(each.name for each in station.state.iterdir()) == [POINTER]


def test_the_pointer_says_when_by_whom_and_why(station):
    odd = 'the "new" lens\\\n\x7f é \udcff'

    station.activate("first", errand=Errand(FRIDAY.astimezone(timezone(timedelta(hours=2))), "ann", odd))

    active = read_pointer(station.state).active
    assert (active.at, active.by) == (FRIDAY, "ann")
    assert active.reason == odd.replace("\udcff", "?")


def test_a_package_that_fails_its_proof_changes_nothing(station):
    station.activate("first")
    write_expected(station.brought("odd"), [{"image": "spot.png", "golden": "good.png", "detections": []}])

    with pytest.raises(PackageError, match="is extra"):
        station.activate(station.elsewhere / "odd-1.0.0")

    assert station.active == label("first")
    assert list((station.state / PACKAGES).iterdir()) == []


def test_golden_frames_on_which_nothing_must_be_found_are_no_proof(station):
    folder = station.brought("deaf")
    manifest = folder / "manifest.toml"
    text = manifest.read_text()
    manifest.write_text(re.sub(r"score_threshold = [0-9.]+", "score_threshold = 0.99", text))
    write_expected(folder, [{"image": "spot.png", "golden": "good.png", "detections": []}])

    with pytest.raises(PackageError, match="nothing that its model must find"):
        station.activate(folder)

    assert station.active is None
    assert list((station.state / PACKAGES).iterdir()) == []


def test_a_runtime_that_fails_changes_nothing(station):
    def lost(package):
        raise DetectorError("the runtime is lost", "restart it")

    with pytest.raises(DetectorError):
        station.activate(station.brought("new"), lost)

    assert station.active is None
    assert station.copies == []


def test_the_proof_of_another_package_activates_nothing(station):
    other = find_package("second", station.zoo)

    with pytest.raises(PackageError, match="prove this very package"):
        station.activate("first", lambda _: is_right(other))

    assert station.active is None


def test_rollback_goes_to_the_package_before_and_a_second_one_undoes_it(station):
    station.activate("first")
    station.activate(station.brought("new"))

    assert station.rollback().active.name == "first"
    assert station.active == label("first")
    assert station.rollback().active.name == "new"
    assert station.history == [label("first")]


def test_rollback_goes_to_the_one_that_is_named(station):
    for version in "123":
        station.activate(station.brought("new", version))

    station.rollback("new@1")

    assert station.active == label("new", "1")
    assert station.history == [label("new", "3"), label("new", "2")]


@pytest.mark.parametrize("to", ["new@4", "newer", "new@2:standby-int8", "@2"])
def test_rollback_to_what_was_never_active_is_refused(station, to):
    for version in "12":
        station.activate(station.brought("new", version))

    with pytest.raises(PackageError, match="none of the packages that were active before: new@1"):
        station.rollback(to)

    assert station.active == label("new", "2")


def test_rollback_passes_over_what_is_no_longer_whole(station):
    station.activate("first")
    folder = station.activate(station.brought("new")).package.folder
    station.activate("second")
    (folder / "card.md").write_text("another card")

    change = station.rollback()

    assert change.active.name == "first"
    assert "was changed since" in change.passed_over[0]
    assert station.history == [label("second"), label("new")]


def test_rollback_passes_over_what_is_no_longer_proven(station):
    for named in ("first", station.brought("new"), "second"):
        station.activate(named)

    def moody(package):
        return prove(package, ScriptedDetector(*[RIGHT] * (package.name != "new")), read)

    change = station.rollback(prover=moody)

    assert change.active.name == "first"
    assert "is missing" in change.passed_over[0]


def test_rollback_with_nothing_that_can_be_used_says_why_of_each(station):
    folder = station.activate(station.brought("new")).package.folder
    station.activate("first")
    shutil.rmtree(folder)

    with pytest.raises(PackageError, match=r"no package that was active before can be used now: new@1\.0\.0"):
        station.rollback()

    assert station.active == label("first")


def test_rollback_without_a_package_before_is_refused(station):
    with pytest.raises(PackageError, match="knows no package before"):
        station.rollback()
    station.activate("first")
    with pytest.raises(PackageError, match="knows no package before"):
        station.rollback()


def test_a_package_of_the_zoo_that_was_changed_since_is_told(station):
    station.activate("first")
    write_package(station.zoo / "first", golden=False)

    with pytest.raises(PackageError, match=r"was changed since first@1\.0\.0"):
        package_of(read_pointer(station.state).active, station.state, station.zoo)


def test_active_means_the_copy_and_its_model(station):
    station.activate(station.brought("new"))

    found = find_package(chosen_package("active", station.state), station.zoo)

    assert found.folder == installed_folders(station.state)[0].absolute()
    assert chosen_package("active", station.state).endswith(":accelerator-fp32")


def test_a_name_means_the_active_copy_then_the_zoo_then_what_was_active_before(station):
    station.activate(station.brought("first", "2"))
    station.activate(station.brought("own"))
    station.activate(station.brought("own", "2"))

    def version_of(name):
        return find_package(chosen_package(name, station.state), station.zoo).version

    assert (version_of("own"), version_of("first")) == ("2", "1.0.0")
    station.rollback("first@2")
    assert (version_of("own"), version_of("first")) == ("2", "2")


def test_activating_a_name_takes_the_newer_package_of_the_zoo(station):
    station.activate(station.brought("first", "0.9"))

    assert station.activate("first").active.version == "1.0.0"
    assert not read_pointer(station.state).active.is_installed


def test_the_package_that_judged_is_found_by_its_hash(station):
    old = station.activate(station.brought("first", content=tiny_onnx(index_type=7))).active
    station.activate("second")

    found = find_by_hash("first", old.onnx_sha256, station.state, station.zoo)

    assert found.folder == folder_of(station.state, old)
    assert find_by_hash("first", "0" * 64, station.state, station.zoo).folder == station.zoo / "first"
    with pytest.raises(PackageError, match="is not in the zoo"):
        find_by_hash("third", old.onnx_sha256, station.state, station.zoo)


def test_two_at_once_are_refused_and_the_second_may_come_later(station):
    station.activate("first")

    with _held(station.state), pytest.raises(PackageError, match="another takt models activate or rollback"):
        station.activate("second")
    with _held(station.state), pytest.raises(PackageError, match="another takt models activate or rollback"):
        station.rollback()

    assert station.activate("second").active.name == "second"


def test_a_pointer_of_an_older_takt_is_read(station):
    first, second = (find_package(name, station.zoo) for name in ("first", "second"))
    station.state.mkdir()
    (station.state / POINTER).write_text(
        f'[active]\nname = "second"\nonnx_sha256 = "{second.onnx_sha256}"\n'
        f'[previous]\nname = "first"\nonnx_sha256 = "{first.onnx_sha256}"\n'
    )

    assert (station.active, station.history) == ("second", ["first"])
    assert chosen_package("active", station.state) == "second"
    station.activate("second")
    assert station.history == ["first"]
    station.rollback()
    assert (station.active, station.history) == (label("first"), [label("second")])


@pytest.mark.parametrize(
    "text",
    [
        "[active",
        "",
        'schema = 3\n[active]\nname = "first"\n',
        '[active]\nname = "../first"\nonnx_sha256 = "{sha}"\n',
        '[active]\nname = "first"\nversion = "../.."\nonnx_sha256 = "{sha}"\ncontent_sha256 = "{sha}"\n',
        '[active]\nname = "first"\nonnx_sha256 = "{sha}"\nat = 2026-11-20T14:30:00\n',
    ],
)
def test_a_damaged_pointer_is_an_error_and_stays(station, text):
    station.state.mkdir()
    text = text.format(sha="0" * 64)
    (station.state / POINTER).write_text(text)

    with pytest.raises(PackageError, match=r"remove .* and activate a package again"):
        station.activate("first")
    with pytest.raises(PackageError, match=r"remove .* and activate a package again"):
        chosen_package("active", station.state)

    assert (station.state / POINTER).read_text() == text


def test_a_state_folder_that_cannot_be_used_is_an_error(station, tmp_path):
    (tmp_path / "file").write_text("")
    station.state = tmp_path / "file" / "state"
    with pytest.raises(PackageError, match="cannot be used"):
        station.activate("first")
