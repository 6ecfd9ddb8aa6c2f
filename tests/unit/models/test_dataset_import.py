import errno
import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from app.errors import DataError, UsageError
from models.data import load_split, read_pair
from models.datasets.build import Plan, build, check
from models.datasets.command import dataset_app
from models.datasets.manifest import MANIFEST, read_manifest
from models.datasets.records import ReadOptions
from models.datasets.splits import parse_shares
from tests.unit.models.dataset_sources import (
    CLASSES,
    coco_values,
    many,
    review_line,
    texture,
    write_coco,
    write_mask,
    write_pictures,
)

PLAN = Plan(shares=parse_shares("60,20,20"), is_similar_sought=False)


def _build(source, out, plan=PLAN, golden=None, **options):
    return build(source, out, plan, ReadOptions(**options), lambda *_: None, golden=golden)


def _check(folder):
    return check(folder, ReadOptions(), lambda *_: None)


def _run(*arguments):
    return CliRunner().invoke(dataset_app, [str(argument) for argument in arguments])


@pytest.fixture
def source(tmp_path):
    return write_coco(tmp_path / "source", many(20))


@pytest.fixture
def imported(source, tmp_path):
    _build(source, tmp_path / "set")
    return tmp_path / "set"


# Import


def test_training_reads_what_was_imported(imported):
    loaded = [load_split(imported, split, CLASSES, golden=False) for split in ("train", "val", "test")]
    assert sum(len(each.pictures) for each in loaded) == 20
    first = next(each for each in loaded[0].pictures if len(each.boxes) == 2)
    assert sorted(map(tuple, first.boxes.tolist())) == [(10, 10, 22, 18), (30, 20, 39, 29)]


def test_pictures_are_copied_as_they_are(source, imported):
    originals = {path.name: path.read_bytes() for path in (source / "images").iterdir()}
    copies = {path.name: path.read_bytes() for path in (imported / "images").rglob("*.png")}
    assert copies == originals


def test_golden_samples_are_kept_beside_their_pictures(source, tmp_path):
    write_pictures(tmp_path / "golden", many(20), 100)
    _build(source, tmp_path / "set", golden=tmp_path / "golden")
    picture = load_split(tmp_path / "set", "train", CLASSES, golden=True).pictures[0]
    assert np.array_equal(read_pair(picture)[1], cv2.imread(str(tmp_path / "golden" / picture.image.name), 0))


def test_one_golden_sample_serves_all(source, tmp_path):
    write_pictures(tmp_path, ["board.png"], 100)
    _build(source, tmp_path / "set", golden=tmp_path / "board.png")
    assert len(load_split(tmp_path / "set", "test", CLASSES, golden=True).pictures) > 0


def test_imported_set_is_imported_again_with_the_same_result(imported, tmp_path):
    plan = Plan(shares=None, is_similar_sought=False)
    _build(imported, tmp_path / "again", plan)
    files = [read_manifest(folder).files for folder in (imported, tmp_path / "again")]
    pictures = [[(file.path, file.sha256, file.boxes, file.split) for file in each if file.source] for each in files]
    assert pictures[0] == pictures[1]


def test_pictures_of_one_name_in_two_folders_both_keep_a_name(tmp_path):
    write_pictures(tmp_path / "mvtec", ["test/good/000.png", "test/crack/000.png", "test/dent/001.png"])
    plan = Plan(shares={"train": 1.0, "val": 0.0, "test": 0.0}, is_similar_sought=False)
    _build(tmp_path / "mvtec", tmp_path / "set", plan)
    names = sorted(path.name for path in (tmp_path / "set" / "images" / "train").iterdir())
    assert names == ["001.png", "test_crack_000.png", "test_good_000.png"]
    rows = json.loads((tmp_path / "set" / "annotations" / "train.json").read_text())["images"]
    assert sorted((row["label"], row.get("defect")) for row in rows) == [
        ("defective", "crack"),
        ("defective", "dent"),
        ("ok", None),
    ]


def test_masks_come_along(tmp_path):
    write_pictures(tmp_path / "source" / "images", ["a.png"])
    write_mask(tmp_path / "source" / "masks" / "a.png", [(255, 5, 6, 7, 8)])
    plan = Plan(shares={"train": 1.0, "val": 0.0, "test": 0.0})
    _build(tmp_path / "source", tmp_path / "set", plan)
    assert (tmp_path / "set" / "masks" / "train" / "a.png").is_file()


def test_exposures_of_one_reviewed_part_stay_in_one_split(tmp_path):
    names = [f"{part}-{view}.png" for part in range(12) for view in "ab"]
    write_pictures(tmp_path / "review", names)
    lines = [review_line(name.split("-")[0], name, "good") for name in names]
    (tmp_path / "review" / "review.jsonl").write_text("\n".join(lines))
    _build(tmp_path / "review", tmp_path / "set")
    for split in ("train", "val", "test"):
        parts = [path.stem.split("-")[0] for path in (tmp_path / "set" / "images" / split).iterdir()]
        assert all(parts.count(part) == 2 for part in parts)


def test_near_duplicates_stay_in_one_split(tmp_path):
    strip = texture(5, 96, 12 * 96)
    names = [f"{index:02}.png" for index in range(20)]
    write_pictures(tmp_path / "source" / "images", names)
    for index, name in enumerate(names):
        left = (index // 2) * 110 + 30 * (index % 2)
        cv2.imwrite(str(tmp_path / "source" / "images" / name), strip[:, left : left + 96])
    values = coco_values({name: [] for name in names}, width=96, height=96)
    (tmp_path / "source" / "labels.json").write_text(json.dumps(values))
    built = _build(tmp_path / "source", tmp_path / "set", Plan(shares=parse_shares("60,20,20")))
    assert built.groups == (10, 2)
    assert built.leaks[0].count > 0
    assert built.leaks[1].count == 0


def test_kept_split_that_leaks_is_mended_by_leaving_out(tmp_path):
    strip, names = texture(5, 96, 900), ["train/a.png", "train/b.png", "train/c.png", "val/d.png", "test/e.png"]
    write_pictures(tmp_path / "source" / "images", names)
    for name, left in zip(names, (0, 200, 700, 230, 500), strict=True):
        cv2.imwrite(str(tmp_path / "source" / "images" / name), strip[:, left : left + 96])
    labels = tmp_path / "source" / "annotations"
    labels.mkdir()
    for split in ("train", "val", "test"):
        own = {name: [("hole", 10, 10, 20, 20)] for name in names if name.startswith(split)}
        (labels / f"{split}.json").write_text(json.dumps(coco_values(own, width=96, height=96)))
    told = []
    plan = Plan(shares=None, is_leak_dropped=True)
    built = build(tmp_path / "source", tmp_path / "set", plan, ReadOptions(), lambda *_: None, on_problems=told.extend)
    assert built.pictures == {"train": 2, "val": 1, "test": 1}
    assert built.leaks[1].count == 0
    assert [problem.file for problem in told if problem.code == "leak-left-out"] == ["images/train/b.png"]
    assert "leak-left-out" in {problem.code for problem in built.problems}


def test_links_share_the_pictures_bytes(source, tmp_path):
    _build(source, tmp_path / "set", Plan(shares=PLAN.shares, is_similar_sought=False, is_linked=True))
    picture = next((tmp_path / "set" / "images" / "train").iterdir())
    assert picture.samefile(source / "images" / picture.name)


def test_source_without_splits_cannot_keep_them(source, tmp_path):
    with pytest.raises(DataError, match=r"has no split for .*--split 70,15,15"):
        _build(source, tmp_path / "set", Plan(shares=None))


# Bad input


def _spoil(source):
    values = json.loads((source / "labels.json").read_text())
    values["annotations"][0]["bbox"] = [1, 1, 0, 5]
    (source / "labels.json").write_text(json.dumps(values))


def test_label_that_cannot_be_right_stops_before_anything_is_written(source, tmp_path):
    _spoil(source)
    with pytest.raises(DataError, match="has no area"):
        _build(source, tmp_path / "set")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_label_that_cannot_be_right_is_dropped_on_demand_and_told(source, tmp_path):
    _spoil(source)
    built = _build(source, tmp_path / "set", Plan(PLAN.shares, is_similar_sought=False, is_bad_dropped=True))
    assert [problem.code for problem in built.problems if problem.is_error] == ["empty-box"]
    assert sum(built.boxes.values()) == sum(map(len, many(20).values())) - 1


def test_folder_that_is_taken_is_left_alone(source, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="is not empty"):
        _build(source, tmp_path / "set")
    assert (tmp_path / "set" / "mine.txt").read_text() == "mine"


def test_full_disk_leaves_nothing_behind(source, tmp_path, monkeypatch):
    copied = []

    def copy(origin, target):
        if len(copied) == 7:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        copied.append(target)
        target.write_bytes(origin.read_bytes())

    monkeypatch.setattr("models.datasets.write.shutil.copyfile", copy)
    with pytest.raises(DataError, match=r"No space left on device.*free some space"):
        _build(source, tmp_path / "set")
    assert (len(copied), [path.name for path in tmp_path.iterdir()]) == (7, ["source"])


def test_empty_source_is_refused(tmp_path):
    (tmp_path / "source" / "images").mkdir(parents=True)
    (tmp_path / "source" / "labels.json").write_text(json.dumps(coco_values({})))
    with pytest.raises(DataError, match="source holds no picture"):
        _build(tmp_path / "source", tmp_path / "set")


def test_class_missing_from_a_split_is_told(tmp_path):
    boxes = many(20) | {"p01.png": [("blob", 30, 20, 9, 9)]}
    for name in boxes:
        boxes[name] = [box for box in boxes[name] if box[0] != "blob" or name == "p01.png"]
    built = _build(write_coco(tmp_path / "source", boxes), tmp_path / "set")
    told = [problem.why for problem in built.problems]
    assert "class blob has no picture in test" in told or "class blob has no picture in val" in told


# Manifest and check


def test_manifest_lists_every_file_with_its_hash(imported):
    manifest = read_manifest(imported)
    on_disk = {path.relative_to(imported).as_posix() for path in imported.rglob("*") if path.is_file()}
    assert {file.path for file in manifest.files} == on_disk - {MANIFEST}
    assert _check(imported).differences == ()


def test_same_source_and_seed_give_the_same_hash(source, imported, tmp_path):
    again = _build(source, tmp_path / "again").manifest
    other = _build(source, tmp_path / "other", Plan(PLAN.shares, seed=9, is_similar_sought=False)).manifest
    assert again.set_sha256 == read_manifest(imported).set_sha256
    assert other.set_sha256 != again.set_sha256


def test_changed_missing_and_extra_files_are_found(imported):
    train = sorted((imported / "images" / "train").iterdir())
    content = bytearray(train[0].read_bytes())
    train[1].unlink()
    write_pictures(imported / "images" / "train", ["new.png"], 77)
    content[-20] ^= 1
    train[0].write_bytes(content)
    found = {(each.kind, each.path.rpartition("/")[2]) for each in _check(imported).differences}
    assert found == {("changed", train[0].name), ("missing", train[1].name), ("extra", "new.png")}


def test_manifest_that_was_edited_is_found(imported):
    values = json.loads((imported / MANIFEST).read_text())
    values["files"] = values["files"][1:]
    (imported / MANIFEST).write_text(json.dumps(values))
    assert {each.kind for each in _check(imported).differences} == {"extra", "changed"}


@pytest.mark.parametrize("text", ["{", '{"schema": 1}', '{"schema": 9, "files": []}', "[]"])
def test_manifest_that_cannot_be_read_is_refused(imported, text):
    (imported / MANIFEST).write_text(text)
    with pytest.raises(DataError, match="manifest"):
        _check(imported)


# Commands


def test_import_check_stats_and_split_answer_in_json(source, tmp_path):
    (tmp_path / "terms.txt").write_text("For tests only.\n")
    out = tmp_path / "set"
    done = _run("import", source, "--out", out, "--split", "60,20,20", "--terms", tmp_path / "terms.txt", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["pictures"]["train"] == 12
    assert read_manifest(out).terms == "For tests only."
    checked = json.loads(_run("check", out, "--json").stdout)
    assert (checked["pictures"], checked["has_manifest"], checked["differences"]) == (20, True, [])
    measured = json.loads(_run("stats", out, "--sheet", tmp_path / "sheet.png", "--json").stdout)
    assert sum(measured["boxes"].values()) == 17
    assert cv2.imread(str(tmp_path / "sheet.png")) is not None
    shown = json.loads(_run("split", out, "--json").stdout)
    assert (shown["pictures"], shown["pairs"], shown["groups"]) == (20, [], 20)


def test_commands_answer_in_words(source, tmp_path):
    out = tmp_path / "set"
    assert "a data set from coco" in _run("import", source, "--out", out).stdout
    assert "every file is as it was imported" in _run("check", out).stdout
    assert "hole" in _run("stats", out).stdout
    assert "near-duplicate" in _run("split", out).stdout


def test_check_lists_what_is_wrong_and_fails(source):
    _spoil(source)
    result = _run("check", source, "--list")
    assert isinstance(result.exception, DataError)
    assert "wrong: images/p00.png, hole box (1, 1, 1, 6)" in result.stdout


def test_import_that_stops_lists_all_that_is_wrong(source, tmp_path):
    _spoil(source)
    (source / "images" / "p07.png").unlink()
    result = _run("import", source, "--out", tmp_path / "set", "--list")
    assert isinstance(result.exception, DataError)
    assert "(1 of 2)" in str(result.exception)
    assert result.stdout.count("wrong: ") == 2


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("--split", "1,2,3"), UsageError),
        (("--unlabelled", "maybe"), UsageError),
        (("--classes", "a,a"), UsageError),
        (("--terms", "/nowhere/terms.txt"), DataError),
        (("--golden", "/nowhere"), DataError),
        (("--group-by", "("), UsageError),
    ],
)
def test_option_that_cannot_be_used_writes_nothing(source, tmp_path, arguments, kind):
    result = _run("import", source, "--out", tmp_path / "set", *arguments)
    assert isinstance(result.exception, kind)
    assert not (tmp_path / "set").exists()


def test_commands_load_without_opencv_and_rich(repository):
    code = (
        "import sys\nfor n in ('cv2', 'rich.progress', 'yaml'): sys.modules[n] = None\nimport models.datasets.command"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=repository, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
