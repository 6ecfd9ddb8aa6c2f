"""Inspection: crop, golden sample, registration and detection in one."""

import tracemalloc

import numpy as np
import pytest

from app.capture.pictures import read_picture
from app.clock import VirtualClock
from app.detect.golden import GoldenSamples, OneGolden
from app.detect.inspection import Inspector
from app.detect.package import load_package
from app.detect.runtimes import open_detector
from app.errors import DataError, DetectorError
from app.recipe import Recipe
from app.types import Detection
from tests.groups import ROOT
from tests.unit.detect.boards import board, noisy, periodic, view
from tests.unit.detect.scripted_detector import ScriptedDetector
from tests.unit.detect.tiny_model import tiny_package

PACKAGE = ROOT / "models" / "zoo" / "pcb-nano"
SPOT = Detection("left", 0.8, (8.0, 16.0, 4.0, 5.0))


def samples(picture, tmp_path, name="golden.png"):
    """Golden samples that hold `picture`, whatever is asked for."""
    (tmp_path / name).write_bytes(b"x")
    return GoldenSamples(tmp_path / name, lambda _: picture.copy())


def recipe(**keys):
    return Recipe.model_validate(keys)


REGION = {"x_px": 30, "y_px": 20, "width_px": 100, "height_px": 80}


def test_whole_picture_is_judged_without_a_region():
    detector = ScriptedDetector(SPOT)
    picture = view(board())
    assert Inspector(detector, recipe()).inspect(picture).detections == (SPOT,)
    ((seen, golden),) = detector.seen
    assert np.array_equal(seen, picture)
    assert golden is None


def test_only_the_region_is_judged():
    detector = ScriptedDetector(SPOT)
    picture = view(board())
    Inspector(detector, recipe(roi=REGION)).inspect(picture)
    assert np.array_equal(detector.seen[0][0], picture[20:100, 30:130])


def test_boxes_are_in_pixels_of_the_whole_picture():
    result = Inspector(ScriptedDetector(SPOT), recipe(roi=REGION)).inspect(view(board()))
    assert result.detections == (Detection("left", 0.8, (38.0, 36.0, 4.0, 5.0)),)


def test_region_may_end_where_the_picture_does():
    region = {"x_px": 220, "y_px": 240, "width_px": 100, "height_px": 80}
    assert Inspector(ScriptedDetector(SPOT), recipe(roi=region)).inspect(view(board())).detections


@pytest.mark.parametrize("place", [{"x_px": 221}, {"y_px": 241}])
def test_region_outside_the_picture_is_an_error(place):
    with pytest.raises(DataError, match=r"roi ends at x=.* y=.*, outside the picture of 320 x 320 px"):
        Inspector(ScriptedDetector(SPOT), recipe(roi={**REGION, **place})).inspect(view(board()))


def test_golden_sample_is_laid_over_the_part(tmp_path):
    whole = board()
    detector = ScriptedDetector(is_golden=True)
    part = view(whole, 6, -4)
    Inspector(detector, recipe(roi=REGION), samples(view(whole), tmp_path)).inspect(part)
    ((seen, golden),) = detector.seen
    assert np.array_equal(seen, golden)


def test_part_too_far_from_its_golden_sample_is_an_error(tmp_path):
    whole = board()
    inspector = Inspector(ScriptedDetector(is_golden=True), recipe(registration_px=5), samples(view(whole), tmp_path))
    with pytest.raises(DetectorError, match="not found within 5 px"):
        inspector.inspect(view(whole, 6, 0))


def test_each_part_gets_the_golden_sample_of_its_name(tmp_path):
    goldens = {name: view(board(seed)) for seed, name in enumerate(("a.png", "b.png"))}
    for name in goldens:
        (tmp_path / name).write_bytes(b"x")
    detector = ScriptedDetector(is_golden=True)
    inspector = Inspector(detector, recipe(), GoldenSamples(tmp_path, lambda path: goldens[path.name]))
    for name in ("a", "b", "a"):
        inspector.inspect(goldens[f"{name}.png"].copy(), f"{name}.jpg")
    assert all(np.array_equal(seen, golden) for seen, golden in detector.seen)


def test_part_without_golden_sample_is_an_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")
    inspector = Inspector(ScriptedDetector(is_golden=True), recipe(), GoldenSamples(tmp_path, read_picture))
    with pytest.raises(DataError, match=r"no golden sample of 'b\.jpg'"):
        inspector.inspect(view(board()), "b.jpg")


def test_model_that_wants_golden_samples_is_refused_without(tmp_path):
    with pytest.raises(DataError, match="there is none; name one in the recipe"):
        Inspector(ScriptedDetector(is_golden=True), recipe())


def test_model_that_wants_none_is_not_held_up_by_a_sample_of_another_size(tmp_path):
    inspector = Inspector(ScriptedDetector(SPOT), recipe(), samples(np.zeros((5, 5), np.uint8), tmp_path))
    assert inspector.inspect(view(board())).detections == (SPOT,)


def test_golden_sample_of_another_size_is_an_error(tmp_path):
    inspector = Inspector(ScriptedDetector(is_golden=True), recipe(), samples(view(board())[1:], tmp_path))
    with pytest.raises(DataError, match="golden sample has 320 x 319 px and the picture 320 x 320"):
        inspector.inspect(view(board()))


@pytest.mark.parametrize("is_part_colour", [True, False])
def test_golden_sample_may_be_grey_and_the_part_in_colour_or_the_reverse(tmp_path, is_part_colour):
    grey = view(board())
    colour = np.dstack([grey] * 3)
    part, golden = (colour, grey) if is_part_colour else (grey, colour)
    detector = ScriptedDetector(is_golden=True)
    Inspector(detector, recipe(), samples(golden, tmp_path)).inspect(part)
    assert np.array_equal(*detector.seen[0])


def test_grey_picture_stored_in_colour_is_judged_as_the_grey_one(tmp_path):
    whole = board()
    detector = ScriptedDetector(is_golden=True)
    inspector = Inspector(detector, recipe(roi=REGION), samples(view(whole), tmp_path))
    part = noisy(view(whole, 3, 4), 20)
    for picture in (part, np.dstack([part] * 3)):
        inspector.inspect(picture)
        detector.seen[-1] = tuple(each.copy() for each in detector.seen[-1])
    first, second = detector.seen
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def most_allocated(inspector, parts):
    """Bytes that Python and NumPy hold at most while a picture is judged, over those held before."""
    for part in parts * 2:
        inspector.inspect(part)
    tracemalloc.start()
    largest = 0
    for part in parts:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        inspector.inspect(part)
        largest = max(largest, tracemalloc.get_traced_memory()[1] - before)
    tracemalloc.stop()
    return largest


def test_no_buffer_of_a_picture_is_made_per_frame(tmp_path):
    whole = board()
    inspector = Inspector(ScriptedDetector(SPOT, is_golden=True), recipe(roi=REGION), samples(view(whole), tmp_path))
    parts = [view(whole, 3, 4), np.dstack([view(whole, -2, 1)] * 3)]
    assert most_allocated(inspector, parts) < 4096  # the region has 8,000 pixels


def test_no_buffer_is_made_where_a_part_has_to_be_searched_for(tmp_path):
    whole = periodic(40, 720)
    inspector = Inspector(ScriptedDetector(SPOT, is_golden=True), recipe(), samples(view(whole), tmp_path))
    assert most_allocated(inspector, [view(whole, 3, -4), view(whole, -6, 5)]) < 4096


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_no_buffer_over_4_kib_is_made_per_frame_of_the_shipped_model(runtime):
    whole = board(1, 640, 640)
    detector = open_detector(load_package(PACKAGE), runtime, 1)
    inspector = Inspector(detector, recipe(), OneGolden(view(whole)))
    parts = [view(whole, *shift) for shift in ((0, 0), (3, -4), (-6, 5))]
    parts[1][100:120, 300:340] = 20
    largest = most_allocated(inspector, parts)
    detector.close()
    assert largest < 4096


def test_registration_counts_as_preparation(tmp_path):
    class Ticking(VirtualClock):
        def now_ns(self):
            self.advance_to(super().now_ns() + 100)
            return super().now_ns()

    inspector = Inspector(ScriptedDetector(is_golden=True), recipe(), samples(view(board()), tmp_path), Ticking())
    result = inspector.inspect(view(board()))
    assert (result.pre_ns, result.infer_ns, result.decode_ns) == (101, 2, 3)


def test_same_picture_gets_the_same_answer_from_another_inspector(tmp_path):
    package = tiny_package(tmp_path / "tiny")
    whole = board()
    part = view(whole, 3, 2)
    part[60:70, 200:210] = 255
    answers = []
    for runtime in ("onnx", "openvino"):
        detector = open_detector(package, runtime, 1)
        inspector = Inspector(detector, recipe(), samples(view(whole), tmp_path))
        inspector.inspect(view(whole))
        answers.append(inspector.inspect(part).detections)
        detector.close()
    assert answers[0]
    assert answers[0] == answers[1]
