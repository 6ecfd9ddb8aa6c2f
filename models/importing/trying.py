"""What an imported model says of the sample pictures, and what of it is recorded to prove it by."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.detect.package import Package
from app.detect.proof import prove
from app.detect.runtimes import open_detector
from app.errors import DataError, DetectorError, MissingDriverError, PackageError
from app.types import Detection, Image
from models.data import read_picture
from models.importing.samples import Sample

GOLDEN_FRAMES = 8
REFERENCE, OTHERS = "onnx", ("openvino",)
GOLDEN = "golden"

_CROWD = 60
_FAR_PX = 16_000
_THREADS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """A sample picture and what the model said of it.

    Attributes:
        sample: The picture.
        detections: Findings from the package's floor on.
        anomaly_map: float32 (h, w), 0 .. 1, of a model that gives one.
        picture_score: What it said of the picture as a whole, of a model that does.
    """

    sample: Sample
    detections: tuple[Detection, ...]
    anomaly_map: NDArray[np.float32] | None
    picture_score: float | None


def try_samples(package: Package, samples: Sequence[Sample], on_step: Callable[[], None]) -> list[Tried]:
    """Runs the package's model on every picture.

    Raises:
        DetectorError: It gave numbers that mean nothing; names the picture.
        PackageError: The model does not run, or not on a black picture.
    """
    try:
        detector = open_detector(package, REFERENCE, threads=_THREADS)
    except DetectorError as error:
        raise PackageError(
            f"the model fails on a black picture: {error.what}",
            "export it again: its graph holds only for pictures with findings",
        ) from error
    tried = []
    for sample in samples:
        try:
            result = detector.detect(sample.image)
        except DetectorError as error:
            raise DetectorError(
                f"{error.what} on the sample picture {sample.name}",
                "export the model again, or overrule with --layout or --pixels how it is read",
            ) from error
        plane = None if result.anomaly_map is None else result.anomaly_map.copy()
        tried.append(Tried(sample, result.detections, plane, result.picture_score))
        on_step()
    detector.close()
    return tried


def choose_golden(tried: Sequence[Tried], threshold: float) -> list[Tried]:
    """The pictures that prove most: with findings, but no crowd or splinters of them, and of every shape that there is.

    Raises:
        DetectorError: On no picture are all findings near it, so the outputs are read in a wrong way.
    """

    def worth(each: Tried) -> tuple[bool, bool, int]:
        found = [one for one in each.detections if one.score >= threshold]
        has_splinters = any(min(one.box_px[2:]) < 1 for one in found)
        is_crowd = len(found) > _CROWD
        return (not has_splinters, not is_crowd, -len(found) if is_crowd else len(found))

    near = [each for each in tried if all(_is_near(one) for one in each.detections if one.score >= threshold)]
    if not near:
        raise DetectorError(
            f"the model finds things more than {_FAR_PX} px away on every sample picture",
            "overrule with --layout or --pixels how it is read",
        )
    ordered = sorted(near, key=worth, reverse=True)
    shapes = {each.sample.image.shape: each for each in reversed(ordered)}
    first = list(shapes.values())
    rest = [each for each in ordered if each not in first]
    return sorted([*first, *rest][:GOLDEN_FRAMES], key=lambda each: each.sample.name)


def record_golden(folder: Path, expected: str, tried: Sequence[Tried], threshold: float) -> None:
    """Writes the pictures and what the model says of them from the threshold on.

    Raises:
        DataError: A picture cannot be written.
    """
    (folder / GOLDEN).mkdir()
    rows = []
    for number, each in enumerate(tried):
        name = f"sample-{number:02}.png"
        if not cv2.imwrite(str(folder / GOLDEN / name), each.sample.image, [cv2.IMWRITE_PNG_COMPRESSION, 9]):
            raise DataError(f"picture {folder / GOLDEN / name} cannot be written", "check the folder and the disk")
        row: dict[str, Any] = {"image": name}
        row["detections"] = [_row(found) for found in each.detections if found.score >= threshold]
        if each.picture_score is not None:
            row["picture_score"] = round(each.picture_score, 4)
        rows.append(row)
    (folder / expected).write_text(json.dumps({"frames": rows}, indent=1) + "\n", encoding="utf-8")


def prove_everywhere(package: Package) -> tuple[tuple[str, ...], dict[str, str]]:
    """Proves a package on each runtime that is installed.

    Returns:
        The runtimes on which it holds, and why it does not on the others.

    Raises:
        PackageError: It does not hold on ONNX Runtime, which recorded it.
    """
    prove(package, open_detector(package, REFERENCE, threads=_THREADS), _read(package))
    held, refused = [REFERENCE], {}
    for runtime in OTHERS:
        try:
            prove(package, open_detector(package, runtime, threads=_THREADS), _read(package))
            held.append(runtime)
        except MissingDriverError:
            refused[runtime] = "it is not installed here"
        except (PackageError, DetectorError) as error:
            refused[runtime] = error.what
    return tuple(held), refused


def _is_near(found: Detection) -> bool:
    return all(abs(side) < _FAR_PX for side in found.box_px)


def _read(package: Package) -> Callable[[Path], Image]:
    return lambda path: read_picture(path, package.spec.channels)


def _row(found: Detection) -> dict[str, Any]:
    """Boxes are not rounded: a sliver at the picture's edge would no longer touch itself."""
    return {"class": found.label, "score": round(found.score, 4), "box_px": list(found.box_px)}
