import dataclasses

import cv2
import numpy as np
import pytest

from app.detect.detector import InputSpec
from app.errors import DataError, UsageError
from app.types import Detection
from models.evaluation.card import card_text
from models.evaluation.card_file import MARK, check_place, picture_of, read_sections, write_card
from models.evaluation.drawing import draw, sheet_of
from models.evaluation.evaluate import Evaluation, PartFigures
from models.evaluation.judging import Presentation
from models.evaluation.matching import Confusion
from models.evaluation.parity import Parity
from models.evaluation.parts import Item
from models.evaluation.report import Choice, Miss, Report, Row
from models.evaluation.truth import Source
from models.evaluation.writing import Writing
from models.measures.precision import Precision
from models.measures.statistics import rate

PARTS = PartFigures(rate(2, 400), rate(3, 100), rate(4, 400), 1)
SCORES = Precision(0.981, 0.731, {"open": 0.99, "short": 0.7}, {"open": 0.8, "short": 0.6})


def evaluation(**changes):
    figures = Evaluation(
        pictures=100,
        threshold=0.4,
        precision=SCORES,
        findings=None,
        as_they_are=PARTS,
        every_defect_once=PARTS,
        one_per_board=PARTS,
        escapes_by_class={"open": rate(2, 390), "short": rate(0, 10)},
        best_threshold=0.41,
        auroc=None,
        confusion=Confusion(("open", "short"), ((380, 7, 3), (0, 10, 0), (1, 0, 0)), 0.4),
        calibration=None,
    )
    return dataclasses.replace(figures, **changes)


def row(**changes):
    choice = Choice("escapes <= 0.10%", 0.3, False, PARTS, PARTS, PARTS)
    spec = InputSpec(640, 640, 1, is_golden=True)
    whole = Row(
        "accelerator-fp16", "accelerator", "fp16", "onnx", spec, 400_000, 0.44, "", evaluation(), (choice,), None
    )
    return dataclasses.replace(whole, **changes)


def miss(*, defect=0, score=0.2, found=(), picture="17.png"):
    truth = () if defect is None else (Detection("open", 1.0, (300.0, 300.0, 20.0, 30.0)),)
    item = Item(3, True, defect, defect is not None, "open" if truth else "", False)
    return Miss(picture, item, 640, 480, score, True, truth, tuple(found))


def report(**changes):
    parity = Parity("accelerator-fp16 on openvino", "accelerator-fp16 on onnx", 500, 499, 900, 0, 1.4, 0.002, True)
    whole = Report(
        package="pcb",
        version="2.0.0",
        kind="detection",
        classes=("open", "short"),
        good_classes=(),
        compares=True,
        split="test",
        pictures=100,
        chosen_on="val",
        register_px=12,
        takes_unregistered=False,
        seed=0,
        mended_unregistered=0,
        rows=(row(),),
        parity=(parity,),
        misses=(miss(),),
        threads=1,
        libraries={"onnxruntime": "1.20.0"},
        processor="a processor, 2 cores",
    )
    return dataclasses.replace(whole, **changes)


def test_card_holds_what_a_buyer_asks_for():
    text = card_text(report(), "From nowhere; may not be sold.", {}, "card-misses.png")
    for words in (
        "# pcb",
        "## Intended use",
        "## Data and its terms\n\nFrom nowhere; may not be sold.",
        "| open | 0.990 | 0.800 | 2/390 = 0.5% [0.1%, 1.9%] |",
        "0.981 / 0.731",
        "escapes <= 0.10% (not reached)",
        "| open | 380 | 7 | 3 |",
        "| 499/500 = 99.80% | 1.4 | 0.002 | 0 | NOT KEPT |",
        "![Boxes of the worst misses](card-misses.png)",
        "| 17.png | escape | open | 0.200 | 300, 300, 20, 30 |",
    ):
        assert words in text


def test_card_says_what_speaks_against_the_model():
    limits = card_text(report(), "Terms.", {}).split("## Limits")[1].split("## Worst")[0]
    for words in (
        "Fewer than 30 parts of `test` show short",
        "below 0.8 for short",
        "most often taken for another is open, for short: 7 times",
        "accelerator-fp16 on openvino does not keep to the limits of parity",
        "reaches escapes <= 0.10% at no threshold",
        "1 parts are rejected because their golden sample cannot be registered",
    ):
        assert words in limits


def test_threshold_chosen_in_hindsight_is_called_so():
    assert "chosen on `test` itself" in card_text(report(chosen_on="test"), "Terms.", {})


def test_model_that_could_not_be_run_stands_in_the_table_with_its_reason():
    broken = row(variant="standby-int8", problem="it has no such operator", evaluation=None, choices=())
    text = card_text(report(rows=(row(), broken)), "Terms.", {})
    assert "standby-int8 on onnx was not measured: it has no such operator." in text


def test_sections_of_the_maker_go_to_their_places(tmp_path):
    (tmp_path / "about.md").write_text(
        "A detector.\n\n## Intended use\nBoards of ours.\n\n## Limits\n- Not in sunlight."
        "\n\n## How it was made\nSlowly."
        "\n\n## Thanks\nTo all.\n"
    )
    text = card_text(report(), "Terms.", read_sections(tmp_path / "about.md"))
    places = [
        text.index(words) for words in ("A detector.", "Boards of ours.", "- Not in sunlight.", "Slowly.", "To all.")
    ]
    assert places == sorted(places)
    assert "It was not tested" not in text


def test_heading_that_comes_twice_is_refused(tmp_path):
    (tmp_path / "about.md").write_text("## Limits\na\n## Limits\nb\n")
    with pytest.raises(DataError, match="'Limits' twice"):
        read_sections(tmp_path / "about.md")


def test_bars_in_names_do_not_break_tables():
    named = evaluation(
        escapes_by_class={"a|b": rate(0, 50)}, precision=Precision(1.0, 1.0, {"a|b": 1.0}, {"a|b": 1.0}), confusion=None
    )
    assert "| a\\|b | 1.000 |" in card_text(report(rows=(row(evaluation=named),)), "Terms.", {})


def test_card_that_a_person_wrote_is_left_alone(tmp_path):
    card = tmp_path / "card.md"
    card.write_text("# mine\n")
    with pytest.raises(DataError, match="would be lost"):
        write_card(card, "new", None)
    assert card.read_text() == "# mine\n"


def test_card_of_this_command_is_written_over_with_its_picture(tmp_path):
    card = tmp_path / "card.md"
    write_card(card, f"{MARK} old", np.zeros((4, 4, 3), np.uint8))
    write_card(card, f"{MARK} new", None)
    assert card.read_text().endswith("new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["card.md"]


def test_card_on_a_full_disk_leaves_the_old_one(tmp_path, monkeypatch):
    card = tmp_path / "card.md"
    write_card(card, f"{MARK} old", None)

    def full(_file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.durable.os.fsync", full)
    with pytest.raises(DataError, match="No space left"):
        write_card(card, f"{MARK} new", None)
    assert card.read_text().endswith("old")
    assert [path.name for path in tmp_path.iterdir()] == ["card.md"]


def test_folder_of_the_card_has_to_be_there(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        check_place(tmp_path / "nowhere" / "card.md")


def test_picture_of_the_misses_lies_beside_the_card(tmp_path):
    assert picture_of(tmp_path / "card.md") == tmp_path / "card-misses.png"


# Drawings


def test_drawing_without_pictures_shows_truth_and_findings():
    found = Detection("short", 0.21, (310.0, 310.0, 20.0, 20.0))
    bare, drawn = draw(miss(), 0.4), draw(miss(found=[found]), 0.4)
    assert bare.shape == drawn.shape
    assert not np.array_equal(bare, drawn)


def test_drawing_on_pictures_shows_the_part_and_its_golden_sample_beside():
    part, golden = np.full((480, 640), 90, np.uint8), np.full((480, 640, 3), 200, np.uint8)
    bare, shown = draw(miss(), 0.4), draw(miss(), 0.4, [part, golden])
    assert shown.shape[0] == bare.shape[0]
    assert shown.shape[1] > bare.shape[1]


@pytest.mark.parametrize("field", [(8, 8), (4000, 30), (30, 4000)])
def test_drawing_takes_pictures_of_any_shape(field):
    width, height = field
    box = Detection("open", 1.0, (float(width - 4), float(height - 4), 4.0, 4.0))
    odd = dataclasses.replace(miss(), width_px=width, height_px=height, truth=(box,))
    assert draw(odd, 0.4, [np.zeros((height, width), np.uint8)]).ndim == 3


def test_sheet_has_room_for_every_miss():
    one, three = sheet_of([miss()], 0.4), sheet_of([miss(), miss(defect=None, score=0.6), miss(defect=None)], 0.4)
    assert three.shape[0] > one.shape[0]
    assert three.shape[1] > one.shape[1]


# What is written, and what is refused before the long part begins


def writing(folder, **options):
    source = Source("test", folder, folder / "test.json", None)
    return Writing(folder / "package", source, Presentation(), **options)


def test_card_wants_the_terms_of_its_data(tmp_path):
    with pytest.raises(UsageError, match="--terms"):
        writing(tmp_path, card=tmp_path / "card.md").check()


def test_empty_terms_are_none(tmp_path):
    (tmp_path / "terms.md").write_text("\n")
    with pytest.raises(DataError, match="is empty"):
        writing(tmp_path, card=tmp_path / "card.md", terms=tmp_path / "terms.md").check()


def test_options_of_a_card_want_a_card(tmp_path):
    with pytest.raises(UsageError, match="--card"):
        writing(tmp_path, terms=tmp_path / "terms.md").check()


def test_pictures_stay_out_of_the_package(tmp_path):
    with pytest.raises(UsageError, match="would travel with it"):
        writing(tmp_path, pictures=tmp_path / "package" / "misses").check()


def test_card_has_no_pixel_of_the_pictures_unless_they_may_be_shipped(tmp_path):
    (tmp_path / "terms.md").write_text("Not to be passed on.")
    card, drawn = tmp_path / "card.md", miss()
    words = writing(tmp_path, card=card, terms=tmp_path / "terms.md").check()
    # There are no pictures to read: what is written cannot hold any.
    written = writing(tmp_path, card=card, terms=tmp_path / "terms.md").write(report(misses=(drawn,)), words)
    assert written == [str(card), str(picture_of(card))]
    assert np.array_equal(cv2.imread(str(picture_of(card))), sheet_of([drawn], 0.4))
    assert "Not to be passed on." in card.read_text()


def test_report_without_a_miss_has_no_picture(tmp_path):
    (tmp_path / "terms.md").write_text("Free.")
    it = writing(tmp_path, card=tmp_path / "card.md", terms=tmp_path / "terms.md")
    assert it.write(report(misses=()), it.check()) == [str(tmp_path / "card.md")]
    assert "None of `test` at this threshold." in (tmp_path / "card.md").read_text()
