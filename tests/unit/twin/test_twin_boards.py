import cv2
import numpy as np
import pytest

from app.twin.boards import CLASSES, Design

GROUND, COPPER = 255, 0
SEEDS = range(12)


@pytest.fixture(scope="module")
def design():
    return Design()


def parts_of(image, value):
    """How many pieces of one value the picture has."""
    return cv2.connectedComponents((image == value).astype(np.uint8), connectivity=8)[0] - 1


def clean(image):
    """The picture without specks at its rough edges."""
    return cv2.medianBlur(image, 5)


def changes(design, seed, label):
    """What a defect changed in the picture, compared with the same board without it."""
    spoilt = design.board(seed, (label,))
    golden = cv2.warpAffine(
        design.golden,
        np.float32([[1, 0, spoilt.shift_px[0]], [0, 1, spoilt.shift_px[1]]]),
        (640, 640),
        borderMode=cv2.BORDER_REPLICATE,
    )
    # Edges of the two differ by their roughness: only what is wider than that is the defect.
    differ = (np.abs(spoilt.image.astype(int) - golden) > 127).astype(np.uint8)
    return spoilt, cv2.morphologyEx(differ, cv2.MORPH_OPEN, np.ones((4, 4), np.uint8))


def test_picture_is_black_copper_on_white_ground(design):
    for image in (design.golden, design.board(1).image):
        assert image.shape == (640, 640)
        assert image.dtype == np.uint8
        assert set(np.unique(image)) == {COPPER, GROUND}
        assert 0.5 < (image == GROUND).mean() < 0.95


def test_board_is_the_same_for_the_same_seed_and_another_for_another():
    first, second = Design(3), Design(3)
    assert np.array_equal(first.golden, second.golden)
    assert np.array_equal(first.board(5, ("spur",)).image, second.board(5, ("spur",)).image)
    assert first.board(5, ("spur",)).boxes == second.board(5, ("spur",)).boxes
    assert not np.array_equal(first.board(5).image, first.board(6).image)
    assert not np.array_equal(first.golden, Design(4).golden)


def test_rendering_boards_leaves_the_design_as_it_was(design):
    before = design.golden.copy()
    design.board(1, CLASSES)
    fresh = Design()
    assert np.array_equal(fresh.golden, before)
    assert np.array_equal(design.board(2).image, fresh.board(2).image)


def test_good_board_differs_from_the_golden_one_only_near_edges(design):
    for seed in SEEDS:
        board = design.board(seed)
        assert board.boxes == ()
        assert max(map(abs, board.shift_px)) <= 2
        edges = cv2.morphologyEx(design.golden, cv2.MORPH_GRADIENT, np.ones((9, 9), np.uint8))
        assert not np.any((board.image != design.golden) & (edges == 0))


@pytest.mark.parametrize("label", CLASSES)
def test_box_covers_what_the_defect_changed(design, label):
    for seed in SEEDS:
        board, differ = changes(design, seed, label)
        (name, (x, y, width, height)) = board.boxes[0]
        assert name == label
        assert x >= 0
        assert y >= 0
        assert x + width <= 640
        assert y + height <= 640
        assert 12 <= width <= 80
        assert 12 <= height <= 80
        inside = differ[y : y + height, x : x + width]
        assert inside.any(), f"seed {seed}: nothing has changed in the box"
        assert inside.sum() == differ.sum(), f"seed {seed}: something has changed outside the box"


def test_open_cuts_copper_in_two_where_that_is_the_only_way_through(design):
    before = parts_of(clean(design.golden), COPPER)
    after = [parts_of(clean(design.board(seed, ("open",)).image), COPPER) for seed in SEEDS]
    # Copper that runs in a ring stays one piece when it is cut once.
    assert all(count >= before for count in after)
    assert any(count > before for count in after)


def test_short_joins_two_pieces_of_copper(design):
    before = parts_of(clean(design.golden), COPPER)
    for seed in SEEDS:
        assert parts_of(clean(design.board(seed, ("short",)).image), COPPER) < before


def test_spurious_copper_is_one_more_piece_of_copper(design):
    before = parts_of(clean(design.golden), COPPER)
    for seed in SEEDS:
        assert parts_of(clean(design.board(seed, ("copper",)).image), COPPER) == before + 1


def test_pin_hole_is_one_more_piece_of_ground(design):
    before = parts_of(clean(design.golden), GROUND)
    for seed in SEEDS:
        assert parts_of(clean(design.board(seed, ("pin-hole",)).image), GROUND) == before + 1


@pytest.mark.parametrize("label", ["mousebite", "spur"])
def test_bite_and_spur_join_and_cut_nothing(design, label):
    before = parts_of(clean(design.golden), COPPER)
    for seed in SEEDS:
        assert parts_of(clean(design.board(seed, (label,)).image), COPPER) == before


def test_several_defects_have_a_box_each(design):
    board = design.board(4, CLASSES)
    assert [label for label, _ in board.boxes] == list(CLASSES)


def test_unknown_defect_is_refused(design):
    with pytest.raises(ValueError, match="scratch"):
        design.board(1, ("scratch",))


def test_design_without_room_for_a_defect_says_so():
    with pytest.raises(ValueError, match="no room"):
        Design(92).board(1, CLASSES)


@pytest.mark.parametrize("seed", range(20))
def test_usual_design_has_room_for_every_defect(seed):
    design = Design(seed)
    assert len(design.board(1, CLASSES).boxes) == len(CLASSES)
