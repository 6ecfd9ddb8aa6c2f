"""`takt models opinion`: another model judges the line's parts once, from kept pictures, and what is said if not."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import cv2
import pytest

from app.bench.loads import Busy
from app.cli.models import opinion as command
from app.cli.models.second import SecondOpinion, alone
from app.clock import SystemClock
from app.detect.package import load_package
from app.record import LEDGER
from app.record.ledger import Ledger
from app.record.pictured import Wanted
from app.record.pictures import PictureKind
from app.record.register import Drop, Kept, Register
from app.setup import twin_line
from app.web.review.opinions import Opinions
from app.web.store.database import FOLDER, Store
from tests.unit.cli.conftest import only_sentence
from tests.unit.cli.replay_record import FAINT, GOOD, SPOT, Site
from tests.unit.detect.tiny_model import tiny_onnx, write_package

LINE = twin_line().read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def stepped_back(monkeypatch):
    """What steps back stays back: the tests after it would too."""
    calls = []
    monkeypatch.setattr(command, "step_back", lambda: calls.append(True))
    return calls


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def site(zoo, state):
    # Other bytes, and so another hash; and it takes a spot of 77/255 for a defect.
    write_package(zoo / "keen", tiny_onnx(golden=False), golden=False, score_threshold="0.25")
    rewritten(zoo / "keen")
    return Site(zoo, state, line_text=LINE)


def rewritten(folder):
    """Gives the package's model another hash: a different producer name changes no score."""
    import hashlib

    import onnx

    model = onnx.load(folder / "model.onnx")
    model.producer_name = folder.name
    content = model.SerializeToString()
    before = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    (folder / "model.onnx").write_bytes(content)
    manifest = (folder / "manifest.toml").read_text()
    (folder / "manifest.toml").write_text(manifest.replace(before, hashlib.sha256(content).hexdigest()))


def opinions_of(state, number):
    with closing(Store(state / FOLDER)) as store:
        return Opinions(store).of((1, 1, number))


def ask(takt, *words):
    return takt.json("models", "opinion", "keen", "--runtime", "onnx", *words)


def test_a_part_that_the_other_model_would_reject_is_kept_with_its_boxes(takt, site, state, stepped_back):
    site.part(FAINT)
    site.part(SPOT)
    site.write()
    said, result = ask(takt)

    assert result.exit_code == 0, result.stderr
    assert (said["judged"], said["different"], said["skipped"]) == (2, 1, [])
    assert stepped_back
    ((model, faint),) = opinions_of(state, 1)
    assert (model.package, model.runtime, model.parts) == ("keen", "onnx", 2)
    assert (faint.said, faint.would, faint.label, faint.is_different) == ("pass", "reject", "left", True)
    assert faint.score == pytest.approx(77 / 255, abs=1e-4)
    (box, *_) = faint.boxes
    assert (box.camera, box.exposure, box.box_px, box.kind) == ("top", 0, (0.0, 0.0, 8.0, 8.0), "DEFECT")
    ((_, spot),) = opinions_of(state, 2)
    assert (spot.said, spot.would, spot.is_different) == ("reject", "reject", False)


def test_what_was_judged_is_not_judged_again(takt, site):
    for _ in range(3):
        site.part(SPOT)
    site.write()
    first, _ = ask(takt, "--most", "2")
    second, _ = ask(takt)
    third, result = ask(takt)

    assert (first["judged"], first["left"]) == (2, 1)
    assert (second["judged"], second["known"]) == (1, 2)
    assert (third["judged"], third["known"], result.exit_code) == (0, 3, 0)


def test_the_model_that_judged_on_the_line_is_not_asked_about_its_own_parts(takt, site):
    site.part(SPOT)
    site.write()
    said, result = takt.json("models", "opinion", "plain", "--runtime", "onnx")

    assert result.exit_code == 0
    assert (said["judged"], said["own"]) == (0, 1)


def test_only_parts_of_the_lane_lot_and_time_are_judged(takt, site):
    site.part(SPOT)
    site.write()

    assert ask(takt, "--lane", "2")[0]["judged"] == 0
    assert ask(takt, "--lot", "lot-9")[0]["judged"] == 0
    assert ask(takt, "--until", "2020-01-01")[0]["judged"] == 0
    assert ask(takt, "--lane", "1", "--lot", "lot-1", "--since", "2020-01-01")[0]["judged"] == 1


def test_each_part_is_told_as_a_line_and_the_account_last(takt, site):
    site.part(SPOT)
    site.part(FAINT)
    site.write()
    result = takt.run("models", "opinion", "keen", "--runtime", "onnx", "--lines")
    lines = [json.loads(each) for each in result.stdout.splitlines()]

    assert lines[0] == {"parts": 2}
    assert {(each["part"], each["said"], each["would"]) for each in lines[1:3]} == {
        ("1/1/1", "reject", "reject"),
        ("1/1/2", "pass", "reject"),
    }
    assert (lines[3]["judged"], lines[3]["different"]) == (2, 1)


def test_a_part_without_all_its_pictures_is_not_half_judged(takt, site, state):
    site.part(SPOT, GOOD, keeps={1})
    site.part(SPOT, GOOD)
    site.write()
    said, result = ask(takt)

    assert result.exit_code == 0
    assert (said["judged"], said["skipped"]) == (1, [{"why": "not all of its pictures are kept", "parts": 1}])
    assert opinions_of(state, 1) == []
    assert {each.exposure for each in opinions_of(state, 2)[0][1].boxes} <= {0, 1}


def test_an_opinion_goes_with_the_picture(takt, site, state):
    site.part(SPOT)
    site.part(SPOT)
    site.write()
    ask(takt)
    ledger = Ledger.open(state / LEDGER, segment_h=1)
    register = Register(ledger, state / "pictures")
    first = min(register.oldest([PictureKind.FLAGGED], 9), key=lambda each: each.number)
    drop = Drop(Kept(first.number, first.kind, first.file, first.size, first.taken_us), "too old")
    register.remove([drop], 1)
    ledger.close()
    said, _ = ask(takt)

    assert said["forgotten"] == 1
    assert opinions_of(state, 1) == []
    assert len(opinions_of(state, 2)) == 1


def test_a_picture_that_was_changed_hides_no_other(takt, site):
    site.part(SPOT)
    site.part(SPOT)
    picture, _ = site.write()
    cv2.imwrite(str(picture), GOOD)
    said, result = ask(takt)

    assert result.exit_code == 0
    assert said["judged"] == 1
    (skipped,) = said["skipped"]
    assert "is not the picture that was kept" in skipped["why"]


def test_no_part_that_can_be_judged_is_one_clear_sentence(takt, site):
    site.part(SPOT)
    (picture,) = site.write()
    picture.unlink()
    result = takt.run("models", "opinion", "keen", "--runtime", "onnx")

    assert result.exit_code == 4
    assert "none of the 1 parts could be judged" in only_sentence(result.stderr)
    assert "cannot be read" in result.stderr


def test_a_package_whose_golden_frames_do_not_reproduce_writes_nothing(takt, site, zoo, state):
    site.part(SPOT)
    site.write()
    expected = zoo / "keen" / "golden" / "expected.json"
    expected.write_text(expected.read_text().replace("0.8", "0.5"))
    result = takt.run("models", "opinion", "keen", "--runtime", "onnx")

    assert result.exit_code == 5
    assert "keen" in only_sentence(result.stderr)
    assert opinions_of(state, 1) == []


def test_pictures_of_another_size_than_the_golden_sample_are_told(takt, site):
    """The twin's golden sample is what a model that wants one gets here, and the tiny pictures do not fit it."""
    site.part(SPOT)
    site.write()
    result = takt.run("models", "opinion", "tiny", "--runtime", "onnx")

    assert result.exit_code == 4
    assert "golden sample" in only_sentence(result.stderr)


def test_a_box_without_a_record_says_so(takt, tmp_path, site):
    result = takt.run("models", "opinion", "keen", "--state", tmp_path / "nowhere")

    assert result.exit_code == 4
    assert "has no record of parts" in only_sentence(result.stderr)
    assert not (tmp_path / "nowhere").exists()


def test_only_one_asks_at_a_time(takt, site, state):
    site.part(SPOT)
    site.write()
    (state / FOLDER).mkdir(mode=0o700)
    with alone(state / FOLDER):
        result = takt.run("models", "opinion", "keen", "--runtime", "onnx")

    assert result.exit_code == 12
    assert "another model is being asked" in only_sentence(result.stderr)


def test_who_ends_it_keeps_what_was_judged_and_goes_on_later(zoo, site, state):
    for _ in range(3):
        site.part(SPOT)
    site.write()
    with closing(Store(state / FOLDER)) as store, ThreadPoolExecutor(1) as writer:
        second = SecondOpinion(state, store, load_package(zoo / "keen"), {}, SystemClock(), writer)
        plan = second.plan(Wanted(), 10, "onnx")
        judged = []
        account = second.judge(plan, "onnx", lambda name, _: judged.append(name), lambda: not judged)

        assert (account.judged, account.left, account.is_stopped) == (1, 2, True)
        assert len(second.plan(Wanted(), 10, "onnx").parts) == 2


def test_two_files_of_one_lane_are_refused(takt, site):
    site.part(SPOT)
    site.write()
    result = takt.run("models", "opinion", "keen", "--line", twin_line(), "--line", twin_line())

    assert result.exit_code == 2
    assert "are both of lane 1" in only_sentence(result.stderr)


def test_the_load_of_a_bench_asks_one_model_after_another_and_counts_what_they_judged(site, state, zoo, monkeypatch):
    write_package(zoo / "third", tiny_onnx(golden=False), golden=False)
    rewritten(zoo / "third")
    site.part(SPOT)
    site.part(GOOD)
    site.write()
    monkeypatch.setenv("TAKT_ZOO", str(zoo))
    load = Busy("opinion", [["opinion", str(state), str(twin_line()), "keen", "third"]])
    with closing(Store(state / FOLDER)) as store:
        opinions = Opinions(store)
        opinions.of((1, 1, 1))  # makes the file, before others want to
        load.start()
        end_s = time.monotonic() + 120
        while len(opinions.of((1, 1, 1))) < 2:
            assert time.monotonic() < end_s
            time.sleep(0.05)
        load.stop()

    assert 2 <= load.done()["parts"] <= 4, "the first has told of both parts before the second is asked"
