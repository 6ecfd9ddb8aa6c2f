"""What every runtime does, whatever it is: the contract of the seam `Detector`."""

import hashlib
import tracemalloc

import cv2
import numpy as np
import pytest
from onnx import TensorProto

from app.clock import VirtualClock
from app.detect.proof import prove
from app.detect.runtimes import open_detector
from app.errors import DetectorError, PackageError
from tests.contract.detector_openers import OPENERS, opening
from tests.unit.detect.tiny_model import (
    HEIGHT,
    WIDTH,
    blank,
    read,
    tiny_onnx,
    tiny_package,
    with_spot,
)


@pytest.fixture(params=OPENERS)
def opened(request):
    """Opens a package on the runtime under test and closes it at the end."""
    with opening(request.param) as opener:
        yield opener


def boxes(result):
    return [(each.label, each.score, each.box_px) for each in result.detections]


def test_spot_is_found_where_it_is(opened, tmp_path):
    detector = opened(tiny_package(tmp_path / "tiny"))
    assert boxes(detector.detect(with_spot(9, 20, 204), blank())) == [("left", 0.8, (8, 16, 8, 8))]


def test_findings_come_best_first(opened, tmp_path):
    detector = opened(tiny_package(tmp_path / "tiny"))
    picture = with_spot(1, 1, 102)
    picture[20, 30] = 255
    picture[1, 30] = 153
    assert [each.score for each in detector.detect(picture, blank()).detections] == [1.0, 0.6, 0.4]


def test_what_the_golden_sample_shows_too_is_no_finding(opened, tmp_path):
    detector = opened(tiny_package(tmp_path / "tiny"))
    spot = with_spot(9, 20)
    assert detector.detect(spot, spot).detections == ()


def test_model_without_golden_sample_ignores_one(opened, tmp_path):
    detector = opened(tiny_package(tmp_path / "tiny", golden=False))
    spot = with_spot(9, 20)
    assert boxes(detector.detect(spot, spot)) == boxes(detector.detect(spot)) == [("left", 1.0, (8, 16, 8, 8))]


def test_same_picture_gets_the_same_answer_after_another_one(opened, tmp_path):
    detector = opened(tiny_package(tmp_path / "tiny"))
    picture = np.random.default_rng(7).integers(0, 255, (HEIGHT, WIDTH)).astype(np.uint8)
    first = detector.detect(picture, blank())
    detector.detect(blank(value=255), blank())
    assert boxes(detector.detect(picture, blank())) == boxes(first)


def test_result_stays_when_the_next_picture_is_judged(opened, tmp_path):
    detector = opened(tiny_package(tmp_path / "tiny"))
    first = detector.detect(with_spot(9, 20), blank())
    before = boxes(first)
    detector.detect(with_spot(30, 1, 100), blank())
    assert boxes(first) == before


def test_boxes_are_in_pixels_of_the_picture_whatever_its_size(opened, tmp_path):
    detector = opened(tiny_package(tmp_path / "tiny"))
    picture = cv2.resize(with_spot(9, 20, 204), (WIDTH * 4, HEIGHT * 2), interpolation=cv2.INTER_NEAREST)
    result = detector.detect(picture, np.zeros_like(picture))
    assert boxes(result) == [("left", 0.8, (32, 32, 32, 16))]


def test_smaller_picture_is_enlarged(opened, tmp_path):
    detector = opened(tiny_package(tmp_path / "tiny", golden=False))
    picture = np.zeros((HEIGHT // 2, WIDTH // 2), np.uint8)
    picture[:, WIDTH // 4 :] = 255
    found = detector.detect(picture).detections
    assert {each.label for each in found if each.score == 1.0} == {"right"}
    assert max(each.box_px[0] + each.box_px[2] for each in found) == WIDTH / 2


def test_colour_picture_goes_into_a_mono_model(opened, tmp_path):
    detector = opened(tiny_package(tmp_path / "tiny"))
    result = detector.detect(with_spot(9, 20, 204, channels=3), blank(channels=3))
    assert boxes(result) == [("left", 0.8, (8, 16, 8, 8))]


@pytest.mark.parametrize("size", [1, 2])
def test_grey_picture_goes_into_a_colour_model(opened, tmp_path, size):
    detector = opened(tiny_package(tmp_path / "tiny", channels=3))
    picture = cv2.resize(with_spot(9, 20, 204), None, fx=size, fy=size, interpolation=cv2.INTER_NEAREST)
    result = detector.detect(picture, np.zeros_like(picture))
    assert boxes(result) == [("left", 0.8, (8 * size, 16 * size, 8 * size, 8 * size))]


def test_blue_green_and_red_keep_their_places(opened, tmp_path):
    detector = opened(tiny_package(tmp_path / "tiny", channels=3, golden=False))
    picture = blank(channels=3)
    picture[20, 9] = (10, 204, 20)
    assert boxes(detector.detect(picture)) == [("left", 0.8, (8, 16, 8, 8))]


def test_region_of_a_larger_picture_is_taken_as_it_is(opened, tmp_path):
    detector = opened(tiny_package(tmp_path / "tiny", golden=False))
    whole = np.full((HEIGHT + 10, WIDTH + 10), 255, np.uint8)
    whole[5 : 5 + HEIGHT, 5 : 5 + WIDTH] = with_spot(9, 20, 204)
    assert boxes(detector.detect(whole[5 : 5 + HEIGHT, 5 : 5 + WIDTH])) == [("left", 0.8, (8, 16, 8, 8))]


def test_class_indices_may_be_64_bits_wide(opened, tmp_path):
    detector = opened(tiny_package(tmp_path / "tiny", tiny_onnx(index_type=TensorProto.INT64)))
    assert detector.detect(with_spot(30, 1), blank()).detections[0].label == "right"


def test_missing_golden_sample_is_an_error(opened, tmp_path):
    detector = opened(tiny_package(tmp_path / "tiny"))
    with pytest.raises(DetectorError, match="wants a golden sample and got none"):
        detector.detect(blank())


def test_golden_sample_of_another_size_is_an_error(opened, tmp_path):
    detector = opened(tiny_package(tmp_path / "tiny"))
    with pytest.raises(DetectorError, match="golden sample has 31 x 24 px and the picture 32 x 24"):
        detector.detect(blank(), blank()[:, 1:])


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((HEIGHT, WIDTH), np.uint16),
        np.zeros((HEIGHT, WIDTH), np.float32),
        np.zeros((HEIGHT, WIDTH, 4), np.uint8),
        np.zeros((0, WIDTH), np.uint8),
        np.zeros(WIDTH, np.uint8),
    ],
)
def test_what_is_no_picture_is_an_error(opened, tmp_path, picture):
    detector = opened(tiny_package(tmp_path / "tiny", golden=False))
    with pytest.raises(DetectorError, match="has shape"):
        detector.detect(picture)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("nan", "not finite"),
        ("score", "scores from 0 to 2.55"),
        ("class", "class indices from 5 to 5 where there are 2"),
        ("inside_out", "right or lower edge"),
    ],
)
def test_outputs_that_mean_nothing_are_an_error(opened, tmp_path, fault, words):
    detector = opened(tiny_package(tmp_path / "tiny", tiny_onnx(golden=False, fault=fault), golden=False))
    with pytest.raises(DetectorError, match=words):
        detector.detect(with_spot(9, 20))


def test_golden_frames_prove_the_package(opened, tmp_path):
    package = tiny_package(tmp_path / "tiny")
    report = prove(package, opened(package), read)
    assert (report.frames, report.detections, report.worst_px) == (1, 1, 0)
    assert report.worst_score < 1e-6


def test_stages_are_timed_by_the_injected_clock(opened, tmp_path):
    detector = opened(tiny_package(tmp_path / "tiny"), VirtualClock(5))
    result = detector.detect(blank(), blank())
    assert (result.pre_ns, result.infer_ns, result.decode_ns) == (0, 0, 0)


def test_closing_twice_is_allowed_and_a_closed_detector_says_so(opened, tmp_path):
    detector = opened(tiny_package(tmp_path / "tiny"))
    detector.close()
    detector.close()
    with pytest.raises(DetectorError, match="closed"):
        detector.detect(blank(), blank())


def test_no_buffer_over_4_kib_is_made_per_frame(opened, tmp_path):
    detector = opened(tiny_package(tmp_path / "tiny"))
    picture, golden = with_spot(9, 20), blank()
    large = np.zeros((480, 640), np.uint8)
    for _ in range(3):
        detector.detect(large, large)
        detector.detect(picture, golden)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    detector.detect(large, large)
    detector.detect(picture, golden)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - before < 4096 + 2048  # one small buffer, and the Python objects of a result


@pytest.mark.parametrize("content", [b"this is no model", b"\x08\x08" * 40])
def test_file_that_is_no_model_is_refused(opened, tmp_path, content):
    package = tiny_package(tmp_path / "tiny", content)
    with pytest.raises(PackageError, match=r"model\.onnx is no model that"):
        opened(package)


def test_model_with_other_inputs_is_refused(opened, tmp_path):
    package = tiny_package(tmp_path / "tiny", tiny_onnx(golden=False), golden=True)
    wanted = r"inputs image uint8 \(1, 24, 32, 1\) where kind 'detection' wants image .*, golden uint8 \(1, 24, 32, 1\)"
    with pytest.raises(PackageError, match=wanted):
        opened(package)


def test_model_exchanged_after_loading_is_refused(opened, tmp_path):
    package = tiny_package(tmp_path / "tiny")
    other = tiny_onnx(golden=False)
    package.onnx.write_bytes(other)
    with pytest.raises(PackageError, match=hashlib.sha256(other).hexdigest()[:12]):
        opened(package)


def test_runtimes_agree(tmp_path):
    package = tiny_package(tmp_path / "tiny")
    picture = np.random.default_rng(3).integers(0, 255, (100, 120, 3)).astype(np.uint8)
    first, second = (open_detector(package, runtime, 1) for runtime in ("onnx", "openvino"))
    golden = np.full_like(picture, 90)
    assert boxes(first.detect(picture, golden)) == boxes(second.detect(picture, golden))
    first.close()
    second.close()
