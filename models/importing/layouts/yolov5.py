"""The original YOLOv5 repository (and v7, which writes the same): (1, anchors, 5 + classes) with objectness.

https://github.com/ultralytics/yolov5, export.py and utils/general.py of release 7.0: score = objectness * class,
boxes as centre and size in pixels of the input, letterbox at 114, IoU 0.45 class by class.
"""

from __future__ import annotations

from app.detect.suppress import Suppression
from models.importing.behind import write_best_per_anchor
from models.importing.layout import Candidate, Layout, Wishes, is_wished
from models.importing.layouts.metadata import names_of
from models.importing.layouts.ultralytics import STRIDES
from models.importing.nodes import NodeWriter
from models.importing.tensors import PictureInput, Source, cells

SUPPRESSION = Suppression(iou=0.45, max_detections=1000)

_ANCHORS_PER_CELL = 3
_MASKS = 32
_INNER_RANK, _MASK_RANK = 5, 4
_MASKS_GONE = "The masks are dropped: a segmenter is taken as a detector of its boxes."


def recognise(source: Source, wishes: Wishes) -> Layout | None:
    """Three anchors per cell, each with a box, an objectness and a score per class."""
    first, *others = source.outputs
    if len(first.shape) != 3 or None in first.shape or "task" in source.metadata:  # noqa: PLR2004
        return None
    _, anchors, width = first.shape
    assert anchors is not None
    assert width is not None
    masks = [each for each in others if each.shape[1:2] == (_MASKS,) and len(each.shape) == _MASK_RANK]
    has_masks = bool(masks)
    is_alone = all(each in masks or len(each.shape) == _INNER_RANK for each in others)
    count = width - 5 - (_MASKS if has_masks else 0)
    counts = {_ANCHORS_PER_CELL * cells(source, strides) for strides in STRIDES}
    if not is_alone or count < 1 or not (anchors in counts or is_wished(wishes, "yolov5")):
        return None

    def write(writer: NodeWriter, _picture: PictureInput) -> None:
        rows = writer.as_float(first.inner, first.kind)
        objectness, classes = writer.cut(rows, 4, 5, 2), writer.cut(rows, 5, 5 + count, 2)
        scores = writer.add("Mul", [classes, objectness])
        write_best_per_anchor(writer, writer.cut(rows, 0, 4, 2), scores, (anchors, count))

    names = names_of(source.metadata)
    return Layout(
        name="yolov5",
        seen=f"{first}, three anchors per cell with objectness" + (", and metadata of YOLOv5" if names else ""),
        kind="detection",
        write=write,
        count=count,
        names=names,
        fit="letterbox",
        suppression=SUPPRESSION,
        notes=(_MASKS_GONE,) if has_masks else (),
    )


CANDIDATES = (Candidate("yolov5", "(1, 3 per cell, 5 + classes) with objectness", recognise),)
