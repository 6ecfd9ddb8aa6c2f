import cv2
import numpy as np
import pytest

from app.cli.lettering import CARD, Letters, Mark, badge, plain
from app.cli.pictures import Exhibit, annotate, boxed, mark_of, mark_of_finding, reason_in_short
from app.cli.sheet import TILE_PX, contact_sheet
from app.decide import decide, reject
from app.recipe import Recipe
from app.types import PASS, Detection, Reason, Verdict

RULES = Recipe.model_validate({"schema": 1})
REJECT_COLOUR, FLAG_COLOUR = Mark.REJECT.colour, Mark.FLAG.colour


def judged(*detections, part_id=7):
    return decide(part_id, detections, RULES, 0)


def spot(score=0.9, box=(100, 120, 40, 20), label="spur"):
    return Detection(label, score, box)


def grey(height=480, width=640):
    return np.full((height, width), 128, np.uint8)


def count(image, colour):
    return int(np.all(image == colour, axis=2).sum())


def contrast(one, other):
    """WCAG 2 contrast of two colours in BGR."""
    lights = []
    for colour in (one, other):
        parts = [value / 255 for value in reversed(colour)]
        linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in parts]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


@pytest.mark.parametrize("mark", Mark)
def test_words_on_their_colour_can_be_read(mark):
    assert contrast(mark.colour, CARD) >= 4.5


def test_each_verdict_has_a_word_a_colour_and_a_shape_of_its_own():
    drawn = {}
    for mark in Mark:
        plate = np.zeros((40, 160, 3), np.uint8)
        badge(plate, mark, (0, 0), Letters(0.5, is_bold=True))
        drawn[mark] = plate[:, :30]

    assert len({mark.word for mark in Mark}) == 3
    assert len({mark.colour for mark in Mark}) == 3
    shapes = [np.all(plate == CARD, axis=2).tobytes() for plate in drawn.values()]
    assert len(set(shapes)) == 3


def test_marks_follow_the_verdict():
    assert mark_of(judged(spot())) is Mark.REJECT
    assert mark_of(judged(spot(0.3))) is Mark.FLAG
    assert mark_of(judged()) is Mark.PASS


def test_findings_that_only_flag_are_told_apart_from_those_that_reject():
    verdict = judged(spot(0.9), spot(0.3, (10, 10, 20, 20)))

    assert [mark_of_finding(each) for each in verdict.findings] == [Mark.REJECT, Mark.FLAG]


def test_a_reason_in_short_says_what_and_where():
    (finding,) = judged(spot()).findings

    assert reason_in_short(finding) == "spur 0.90 at x=100 y=120"


def test_the_box_surrounds_the_defect_and_leaves_it_visible():
    drawn = boxed(grey(), judged(spot()))

    assert drawn.shape == (480, 640, 3)
    assert (drawn[120:140, 100:140] == 128).all()
    assert count(drawn[110:150, 90:150], REJECT_COLOUR) > 100


def test_a_box_that_only_flags_is_open_at_its_sides():
    drawn = boxed(grey(), judged(spot(0.3)))

    assert count(drawn, FLAG_COLOUR) > 0
    assert (drawn[130, 90:150] == 128).all()


def test_the_picture_given_is_left_as_it_is():
    image = np.dstack([grey()] * 3)
    before = image.copy()

    boxed(image, judged(spot()))
    annotate(image, judged(spot()))

    assert (image == before).all()


def test_an_annotated_picture_keeps_all_of_the_picture_under_its_head():
    drawn = annotate(grey(), judged(), "part.png")

    head = drawn.shape[0] - 480
    assert head > 0
    assert (drawn[head:, :640] == 128).all()
    assert count(drawn[:head], Mark.PASS.colour) > 0


@pytest.mark.parametrize("shape", [(1, 1), (8, 3), (24, 32), (3, 2000), (2000, 3), (1500, 1200)])
@pytest.mark.parametrize("box", [(0, 0, 1, 1), (-50, -50, 5000, 5000), (1e6, 1e6, 2, 2), (0.4, 0.6, 0.0, 0.0)])
def test_any_size_of_picture_and_any_box_can_be_drawn(shape, box):
    verdict = judged(spot(0.9, box), spot(0.3, box), part_id=10**9)
    image = np.zeros(shape, np.uint8)

    assert annotate(image, verdict, "ein sehr langer Name " * 9).dtype == np.uint8
    assert contact_sheet([Exhibit("x" * 300, image, verdict)]).dtype == np.uint8


def test_many_names_beside_boxes_stay_within_the_picture():
    spots = [spot(0.9, (x, y, 30, 30)) for x in range(0, 640, 60) for y in range(0, 480, 60)]

    assert boxed(grey(), judged(*spots)).shape == (480, 640, 3)


def test_an_exhibit_is_no_larger_than_asked_and_its_boxes_shrink_with_it():
    exhibit = Exhibit.of(Exhibit("a", grey(), judged(spot())), 320)

    assert exhibit.image.shape == (240, 320)
    assert exhibit.verdict.findings[0].detection.box_px == (50, 60, 20, 10)
    assert "x=100 y=120" in exhibit.verdict.findings[0].text


def test_a_contact_sheet_grows_by_rows():
    items = [Exhibit(f"{n}.png", grey(), judged(spot(), part_id=n)) for n in range(5)]

    two_rows = contact_sheet(items, columns=4)
    one_row = contact_sheet(items[:4], columns=4)

    assert two_rows.shape[1] == one_row.shape[1]
    assert two_rows.shape[0] > one_row.shape[0] + TILE_PX


def test_a_contact_sheet_without_rejects_says_so():
    sheet = contact_sheet([])

    assert count(sheet, Mark.PASS.colour) > 0
    assert count(sheet, REJECT_COLOUR) == 0


def test_a_part_without_a_picture_has_its_place_on_the_sheet():
    verdict = reject(3, Reason.NO_FRAME, "camera top gave no frame in time", "reject", 0)

    sheet = contact_sheet([Exhibit("", None, verdict)])

    assert count(sheet, REJECT_COLOUR) > 0


def test_letters_outside_ascii_become_their_nearest():
    assert plain("Gehäuse naïve 2 \n 日") == "Gehause naive 2 ? ?"


def test_a_text_is_cut_to_the_room_there_is():
    letters = Letters(0.5)

    cut = letters.fitted("a reason that is much too long for its line", 120)

    assert cut.endswith("...")
    assert letters.width_px(cut) <= 120


def test_a_text_is_wrapped_between_words_in_at_most_so_many_lines():
    letters = Letters(0.5)

    lines = letters.wrapped("camera top gave no frame in time because it was unplugged by someone", 150, 3)

    assert len(lines) == 3
    assert all(letters.width_px(line) <= 150 for line in lines)
    assert lines[0].startswith("camera top")


def test_the_verdict_of_a_part_that_passes_draws_no_box():
    assert count(boxed(grey(), Verdict(1, PASS)), REJECT_COLOUR) == 0


def test_an_encoded_sheet_decodes_to_the_same_picture():
    sheet = contact_sheet([Exhibit("a.png", grey(), judged(spot()))])

    assert (cv2.imdecode(cv2.imencode(".png", sheet)[1], cv2.IMREAD_UNCHANGED) == sheet).all()
