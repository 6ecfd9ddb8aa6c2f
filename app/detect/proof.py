"""Proof of a package: on this machine and runtime its golden frames give what they gave when it was made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.detect.detector import Detector, Result
from app.detect.package import GoldenFrame, Package
from app.errors import PackageError
from app.types import Detection, Image

ReadPicture = Callable[[Path], Image]
"""How golden frames come off the disk: `app.capture.pictures.read_picture`, given by whoever may import both rooms."""


@dataclass(frozen=True, slots=True)
class ProofReport:
    """A passed proof.

    Attributes:
        package: The package's name.
        onnx_sha256: The hash of what was proven.
        runtime: The runtime it was proven on.
        frames: How many golden frames were judged.
        detections: How many golden detections were found again.
        worst_px: How far an edge moved at most.
        worst_score: How far a score moved at most, of a detection or of a whole picture.
    """

    package: str
    onnx_sha256: str
    runtime: str
    frames: int
    detections: int
    worst_px: float
    worst_score: float


@dataclass(frozen=True, slots=True)
class Pair:
    """A golden detection and what was found in its place; `distance_px` is how far an edge moved at most."""

    distance_px: float
    expected: Detection
    found: Detection


def prove(package: Package, detector: Detector, read: ReadPicture) -> ProofReport:
    """Judges every golden frame and compares with what the package expects.

    A detection whose score lies within `tolerance_score` of the package's threshold may be there or not. A classifier's
    detections are the whole picture, so what is compared of them is the score; where a golden frame records the score
    of the picture as a whole, that is compared as well, so that a good picture proves something too.

    Args:
        package: The package.
        detector: Its model on the runtime that is to be proven.
        read: Reads a picture.

    Raises:
        PackageError: A detection is missing, extra, moved or rescored beyond the tolerance, a picture is, or there is
            no frame.
        DataError: A golden frame cannot be read.
        DetectorError: The runtime failed.
    """
    if not package.frames:
        raise PackageError(
            f"package {_called(package)} has no golden frames", "record at least one before activating it"
        )
    pairs: list[Pair] = []
    changes = [0.0]
    for frame in package.frames:
        golden = read(frame.golden) if frame.golden else None
        result = detector.detect(read(frame.image), golden)
        found, change = compare_frame(package, detector.runtime, frame, result)
        pairs += found
        changes.append(change)
    return ProofReport(
        package=package.name,
        onnx_sha256=package.onnx_sha256,
        runtime=detector.runtime,
        frames=len(package.frames),
        detections=len(pairs),
        worst_px=max((pair.distance_px for pair in pairs), default=0.0),
        worst_score=max(*changes, *(abs(pair.expected.score - pair.found.score) for pair in pairs)),
    )


def compare_frame(package: Package, runtime: str, frame: GoldenFrame, result: Result) -> tuple[list[Pair], float]:
    """Compares what was found on one golden frame with what the package expects.

    Returns:
        The pairs of expected and found, and how far the score of the whole picture moved.

    Raises:
        PackageError: As for `prove`.
    """
    pairs = _compare(package, runtime, frame, result.detections)
    return pairs, _compare_picture(package, runtime, frame, result.picture_score)


def check_proves_something(package: Package) -> None:
    """Refuses golden frames that a model which finds nothing at all would pass too.

    Raises:
        PackageError: Nothing is recorded that the model must find.
    """
    sure = package.score_threshold + package.tolerance_score
    is_sound = any(
        frame.picture_score is not None or any(each.score >= sure for each in frame.detections)
        for frame in package.frames
    )
    if package.frames and not is_sound:
        raise PackageError(
            f"the golden frames of {_called(package)} hold nothing that its model must find, so they prove nothing",
            "record them with pictures on which it finds something well above its threshold",
        )


def _compare_picture(package: Package, runtime: str, frame: GoldenFrame, found: float | None) -> float:
    """How far the score of the whole picture moved; nothing where the frame records none."""
    if frame.picture_score is None:
        return 0.0
    if found is None:
        raise _failure(package, runtime, frame, f"the picture got no score where {frame.picture_score:.3f} is recorded")
    change = abs(frame.picture_score - found)
    if change > package.tolerance_score:
        raise _failure(
            package,
            runtime,
            frame,
            f"the picture scored {found:.3f} where {frame.picture_score:.3f} is recorded, off by {change:.3f} where"
            f" {package.tolerance_score:g} is allowed",
        )
    return change


def _compare(package: Package, runtime: str, frame: GoldenFrame, found: Sequence[Detection]) -> list[Pair]:
    # Below the threshold only what may stand for an expected detection counts.
    floor = package.score_threshold - package.tolerance_score
    near = [each for each in found if each.score >= floor]
    pairs = _matched(frame.detections, near, package.tolerance_px)
    problems = [text for pair in pairs for text in _differences(package, pair)]
    sure = package.score_threshold + package.tolerance_score
    matched_expected = {id(pair.expected) for pair in pairs}
    matched_found = {id(pair.found) for pair in pairs}
    missing = [each for each in frame.detections if id(each) not in matched_expected]
    problems += [f"{_name(each)} is missing" for each in missing if each.score >= sure]
    problems += [f"{_name(each)} is extra" for each in near if id(each) not in matched_found and each.score >= sure]
    if problems:
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise _failure(package, runtime, frame, f"{problems[0]}{more}")
    return pairs


def _failure(package: Package, runtime: str, frame: GoldenFrame, problem: str) -> PackageError:
    return PackageError(
        f"package {_called(package)} fails its proof on {runtime}: golden frame {frame.image.name}: {problem}",
        "do not use it with this runtime; try another one",
    )


def _called(package: Package) -> str:
    """The name as a command line takes it, with the model where the package has several."""
    return f"{package.name}:{package.variant}" if len(package.variants) > 1 else package.name


def _matched(expected: Sequence[Detection], found: Sequence[Detection], near_px: float) -> list[Pair]:
    """Pairs of one class that overlap or lie within `near_px`, nearest first, each detection once."""
    alike = [(one, other) for one in expected for other in found if one.label == other.label]
    candidates = sorted(
        (Pair(_distance_px(one, other), one, other) for one, other in alike), key=lambda pair: pair.distance_px
    )
    taken: set[int] = set()
    pairs = []
    for pair in candidates:
        if (
            id(pair.expected) not in taken
            and id(pair.found) not in taken
            and (pair.distance_px <= near_px or _overlap(pair))
        ):
            taken |= {id(pair.expected), id(pair.found)}
            pairs.append(pair)
    return pairs


def _overlap(pair: Pair) -> bool:
    """Boxes that do not even touch are a missing detection and an extra one, not one that moved."""
    (x, y, width, height), (other_x, other_y, other_width, other_height) = pair.expected.box_px, pair.found.box_px
    return x <= other_x + other_width and other_x <= x + width and y <= other_y + other_height and other_y <= y + height


def _differences(package: Package, pair: Pair) -> list[str]:
    problems = []
    if pair.distance_px > package.tolerance_px:
        problems.append(
            f"{_name(pair.expected)} moved by {pair.distance_px:.2f} px, {package.tolerance_px:g} are allowed"
        )
    change = abs(pair.expected.score - pair.found.score)
    if change > package.tolerance_score:
        problems.append(
            f"{_name(pair.expected)} scored {pair.found.score:.3f}, off by {change:.3f} where"
            f" {package.tolerance_score:g} is allowed"
        )
    return problems


def _distance_px(one: Detection, other: Detection) -> float:
    """The farthest that any edge of the box moved."""
    x, y, width, height = one.box_px
    other_x, other_y, other_width, other_height = other.box_px
    return max(
        abs(x - other_x),
        abs(y - other_y),
        abs(x + width - other_x - other_width),
        abs(y + height - other_y - other_height),
    )


def _name(each: Detection) -> str:
    return f"{each.label} {each.score:.2f} at x={each.box_px[0]:.0f} y={each.box_px[1]:.0f}"
