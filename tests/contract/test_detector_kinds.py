"""What every runtime does with every kind of model: candidates, classifiers, anomaly maps, embeddings, borders."""

import tracemalloc

import cv2
import numpy as np
import pytest

from app.detect.proof import prove
from app.errors import DetectorError, PackageError
from tests.contract.detector_openers import OPENERS, opening
from tests.unit.detect.tiny_kinds import (
    CANDIDATES,
    CELL,
    GRAPHS,
    anomaly_onnx,
    candidates_onnx,
    classifier_onnx,
    kind_package,
)
from tests.unit.detect.tiny_model import HEIGHT, WIDTH, blank, read, tiny_package, with_spot

KINDS = tuple(GRAPHS)
WHITE = with_spot(20, 10)
LETTERBOX = 'fit = "letterbox"\npad_level = 255'


@pytest.fixture(params=OPENERS)
def opened(request):
    """Opens a package on the runtime under test and closes it at the end."""
    with opening(request.param) as opener:
        yield opener


def told(result):
    return [(each.label, each.score, each.box_px) for each in result.detections]


@pytest.mark.parametrize("kind", KINDS)
def test_golden_frames_prove_a_package_of_every_kind(opened, tmp_path, kind):
    package = kind_package(tmp_path / "kind", kind)
    report = prove(package, opened(package), read)
    assert (report.frames, report.worst_px) == (2, 0)
    assert report.worst_score < 1e-6


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        ("classification", classifier_onnx(weights=(-0.9, 0.65, 0.25))),
        ("anomaly", anomaly_onnx(score_gain=0.9)),
        ("anomaly", anomaly_onnx(map_gain=0.9)),
        ("detection", candidates_onnx(gain=0.9)),
        ("detection", candidates_onnx(rows=CANDIDATES[1:])),
    ],
)
def test_model_that_says_something_else_is_refused_by_its_golden_frames(opened, tmp_path, kind, other):
    package = kind_package(tmp_path / "kind", kind, other)
    with pytest.raises(PackageError, match=r"fails its proof on .*spot\.png"):
        prove(package, opened(package), read)


def test_candidates_are_suppressed_within_their_class(opened, tmp_path):
    detector = opened(kind_package(tmp_path / "kind", "detection"))
    assert told(detector.detect(WHITE)) == [
        ("left", 0.9, (4, 4, 8, 8)),
        ("right", 0.7, (4, 5, 8, 8)),
        ("right", 0.6, (20, 10, 8, 8)),
    ]


def test_candidates_are_suppressed_across_classes_where_the_package_says_so(opened, tmp_path):
    head = 'kind = "detection"\nclasses = ["left", "right"]\n[output]\nsuppress_iou = 0.5\n'
    detector = opened(kind_package(tmp_path / "kind", "detection", head=f"{head}suppress_across_classes = true"))
    assert [label for label, _, _ in told(detector.detect(WHITE))] == ["left", "right"]
    assert told(detector.detect(WHITE))[1][2] == (20, 10, 8, 8)


def test_candidates_are_final_boxes_where_the_package_says_nothing(opened, tmp_path):
    head = 'kind = "detection"\nclasses = ["left", "right"]'
    detector = opened(kind_package(tmp_path / "kind", "detection", head=head))
    assert len(told(detector.detect(WHITE))) == 4


def test_classifier_finds_its_classes_on_the_whole_picture(opened, tmp_path):
    detector = opened(kind_package(tmp_path / "kind", "classification"))
    picture = cv2.resize(with_spot(20, 10, 102), (WIDTH * 3, HEIGHT * 2), interpolation=cv2.INTER_NEAREST)
    result = detector.detect(picture)
    whole = (0, 0, WIDTH * 3, HEIGHT * 2)
    assert told(result) == [("scratch", 0.3, whole), ("dent", 0.1, whole)]
    assert result.picture_score == pytest.approx(0.4, abs=1e-6)


def test_classifier_finds_nothing_on_a_good_picture(opened, tmp_path):
    result = opened(kind_package(tmp_path / "kind", "classification")).detect(blank())
    assert (result.detections, result.picture_score) == ((), 0.0)


def test_anomaly_model_gives_regions_and_its_map(opened, tmp_path):
    detector = opened(kind_package(tmp_path / "kind", "anomaly"))
    picture = with_spot(1, 1, 102)
    picture[20, 30] = 204
    result = detector.detect(picture)
    assert told(result) == [("anomaly", 0.8, (28, 20, 4, 4)), ("anomaly", 0.4, (0, 0, 4, 4))]
    assert result.picture_score == pytest.approx(0.8)
    assert result.anomaly_map.shape == (HEIGHT // CELL, WIDTH // CELL)
    assert (result.anomaly_map[5, 7], result.anomaly_map[0, 0]) == (pytest.approx(0.8), pytest.approx(0.4))
    with pytest.raises(ValueError, match="read-only"):
        result.anomaly_map[0, 0] = 0


def test_anomaly_boxes_are_in_pixels_of_the_picture_whatever_its_size(opened, tmp_path):
    detector = opened(kind_package(tmp_path / "kind", "anomaly"))
    picture = cv2.resize(WHITE, (WIDTH * 4, HEIGHT * 2), interpolation=cv2.INTER_NEAREST)
    assert told(detector.detect(picture)) == [("anomaly", 1.0, (80, 16, 16, 8))]


def test_whole_picture_is_found_where_only_its_score_is_high(opened, tmp_path):
    detector = opened(kind_package(tmp_path / "kind", "anomaly", anomaly_onnx(map_gain=0.1)))
    assert told(detector.detect(WHITE)) == [("anomaly", 1.0, (0, 0, WIDTH, HEIGHT))]


def test_map_covers_the_picture_and_not_the_border_around_it(opened, tmp_path):
    detector = opened(kind_package(tmp_path / "kind", "anomaly", fit=LETTERBOX))
    picture = np.zeros((2 * CELL, WIDTH), np.uint8)
    picture[5, 9] = 204
    result = detector.detect(picture)
    assert result.anomaly_map.shape == (2, WIDTH // CELL)
    assert told(result) == [("anomaly", 0.8, (8, 4, 4, 4))]


def test_cell_that_lies_half_over_the_border_belongs_to_the_map(opened, tmp_path):
    detector = opened(kind_package(tmp_path / "kind", "anomaly", fit='fit = "letterbox"\npad_level = 0'))
    picture = np.zeros((12, WIDTH), np.uint8)  # 6 down in the input: within the second cell
    picture[0, 9] = 204
    result = detector.detect(picture)
    assert result.anomaly_map.shape == (4, WIDTH // CELL)
    assert told(result) == [("anomaly", 0.8, (8, 0, 4, 2))]


def test_boxes_of_a_letterbox_lie_where_the_picture_does_and_end_at_its_edges(opened, tmp_path):
    detector = opened(kind_package(tmp_path / "kind", "detection", fit=LETTERBOX))
    result = detector.detect(np.full((24, 64), 255, np.uint8))  # 32 x 12 in the input, 6 down
    assert told(result) == [
        ("left", 0.9, (8, 0, 16, 12)),
        ("right", 0.7, (8, 0, 16, 14)),
        ("right", 0.6, (40, 8, 16, 16)),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_embedding_is_told_of_every_kind_that_gives_one(opened, tmp_path, kind):
    without = opened(kind_package(tmp_path / "without", kind))
    assert without.detect(WHITE).embedding is None
    embedding = opened(kind_package(tmp_path / "with", kind, GRAPHS[kind](embedding=True))).detect(WHITE).embedding
    assert embedding.tolist() == [1.0, 0.0]
    with pytest.raises(ValueError, match="read-only"):
        embedding[0] = 0


def test_model_that_only_boxes_tells_no_score_of_the_picture(opened, tmp_path):
    result = opened(tiny_package(tmp_path / "tiny")).detect(WHITE, blank())
    assert (result.picture_score, result.anomaly_map, result.embedding) == (None, None, None)


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        ("classification", classifier_onnx(weights=(-1.25, 1.0, 0.25)), "probabilities from -0.25 to 1"),
        ("classification", classifier_onnx(weights=(-0.5, 0.3, 0.1)), "0.9 in all, and not 1"),
        ("classification", classifier_onnx(weights=(np.nan, 0.3, 0.1)), "not finite"),
        ("anomaly", anomaly_onnx(score_gain=1.2), "a score from 1.2"),
        ("anomaly", anomaly_onnx(map_gain=2.0), "a map from 0 to 2"),
        ("anomaly", anomaly_onnx(map_gain=-1.0), "a map from -1"),
        ("anomaly", anomaly_onnx(map_gain=np.nan), "a map with numbers that are not finite"),
        ("anomaly", anomaly_onnx(score_gain=np.inf), "a score with numbers that are not finite"),
        ("detection", candidates_onnx(gain=1.5), "scores from 0.06 to 1.35"),
        ("detection", candidates_onnx(gain=np.nan), "not finite"),
        ("detection", candidates_onnx(rows=[(0, 0, 5, 5, 0.5, 2)]), "class indices from 2 to 2"),
    ],
)
def test_outputs_that_mean_nothing_are_an_error(opened, tmp_path, kind, content, words):
    detector = opened(kind_package(tmp_path / "kind", kind, content))
    with pytest.raises(DetectorError, match=words):
        detector.detect(WHITE)


@pytest.mark.parametrize(("kind", "other"), [("classification", "anomaly"), ("anomaly", "detection")])
def test_model_of_another_kind_is_refused(opened, tmp_path, kind, other):
    package = kind_package(tmp_path / "kind", kind, GRAPHS[other]())
    with pytest.raises(PackageError, match=f"has the outputs .* where kind '{kind}' wants"):
        opened(package)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fit", ["stretch", "letterbox", "corner", "crop"])
def test_no_buffer_over_4_kib_is_made_per_frame(opened, tmp_path, kind, fit):
    content = GRAPHS[kind](embedding=True)
    detector = opened(kind_package(tmp_path / "kind", kind, content, fit=f'fit = "{fit}"'))
    small, large = WHITE, np.full((480, 640), 90, np.uint8)
    for _ in range(3):
        detector.detect(large)
        detector.detect(small)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    detector.detect(large)
    detector.detect(small)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - before < 4096 + 4096  # one small buffer, and the Python objects of a result
