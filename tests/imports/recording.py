"""What an export's folder holds: `model.onnx`, the pictures, and what the library itself says of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import numpy as np

MODEL = "model.onnx"
REFERENCE = "reference.json"


@dataclass(frozen=True)
class Found:
    """One box of the library.

    Attributes:
        index: The class, as the library counts.
        score: 0 .. 1.
        box_px: x1, y1, x2, y2 in pixels of the picture.
    """

    index: int
    score: float
    box_px: tuple[float, float, float, float]


@dataclass(frozen=True)
class Said:
    """What a library says of one picture; which field counts depends on the kind.

    Attributes:
        picture: File name of the picture.
        detections: Boxes at or above the threshold.
        probabilities: One per class.
        score: Anomaly score of the picture.
        map: File name of the anomaly map, float32 `.npy`, empty where there is none.
    """

    picture: str
    detections: tuple[Found, ...] = ()
    probabilities: tuple[float, ...] = ()
    score: float = 0.0
    map: str = ""


@dataclass(frozen=True)
class Reference:
    """What `reference.json` holds.

    Attributes:
        library: Name and version of the exporting library.
        kind: detection, classification or anomaly.
        classes: Class names in the library's order.
        threshold: The score from which the library reports boxes.
        arguments: Words that `takt models import` needs beside the file, because the file cannot tell.
        said: The pictures and what was said of them.
    """

    library: str
    kind: str
    classes: tuple[str, ...]
    threshold: float
    arguments: tuple[str, ...] = ()
    said: tuple[Said, ...] = field(default=())


def write_pictures(folder: Path, pictures: Iterable[np.ndarray]) -> tuple[str, ...]:
    """Writes the pictures without loss, and returns their names."""
    names = []
    for index, picture in enumerate(pictures):
        names.append(f"picture{index}.png")
        cv2.imwrite(str(folder / names[-1]), picture)
    return tuple(names)


def write_reference(folder: Path, reference: Reference) -> None:
    """Writes what the library said; last of all, as its presence means that the folder is whole."""
    (folder / REFERENCE).write_text(json.dumps(asdict(reference), indent=1) + "\n", encoding="utf-8")


def read_reference(folder: Path) -> Reference:
    """Reads what the library said."""
    content = json.loads((folder / REFERENCE).read_text(encoding="utf-8"))
    said = tuple(
        Said(
            each["picture"],
            tuple(Found(found["index"], found["score"], tuple(found["box_px"])) for found in each["detections"]),
            tuple(each["probabilities"]),
            each["score"],
            each["map"],
        )
        for each in content.pop("said")
    )
    content["classes"], content["arguments"] = tuple(content["classes"]), tuple(content["arguments"])
    return Reference(**content, said=said)
