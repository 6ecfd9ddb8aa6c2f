"""torchvision's detectors: boxes, labels and scores of findings whose number depends on the picture.

Faster R-CNN, RetinaNet, FCOS and SSD scale, normalise and suppress inside their graph; labels begin at 1, behind the
background. https://docs.pytorch.org/vision/stable/models.html, as of version 0.28.
"""

from __future__ import annotations

import numpy as np

from models.importing.behind import Found, write_best
from models.importing.layout import Candidate, Layout, Wishes
from models.importing.nodes import NodeWriter
from models.importing.tensors import PictureInput, Source, Tensor

BACKGROUND = "__background__"
MOST_FINDINGS = 300

_NOTE = (
    "The number of its findings depends on the picture; the best 300 are kept. Not every runtime takes such a graph."
)


def recognise(source: Source, wishes: Wishes) -> Layout | None:
    """One output (n, 4), one (n,) of whole numbers and one (n,) of scores, in any order; masks besides are dropped."""
    boxes = _only([each for each in source.outputs if len(each.shape) == 2 and each.shape[1] == 4])  # noqa: PLR2004
    flat = [each for each in source.outputs if len(each.shape) == 1]
    labels = _only([each for each in flat if each.kind.startswith("int")])
    scores = _only([each for each in flat if each.kind.startswith("float")])
    if boxes is None or labels is None or scores is None:
        return None
    first = 0 if wishes.classes[:1] == (BACKGROUND,) else 1

    def write(writer: NodeWriter, _picture: PictureInput) -> None:
        places = _padded(writer, writer.as_float(boxes.inner, boxes.kind), (MOST_FINDINGS, 4), np.float32)
        values = _padded(writer, writer.as_float(scores.inner, scores.kind), (MOST_FINDINGS,), np.float32)
        numbers = _padded(writer, labels.inner, (MOST_FINDINGS,), np.dtype(labels.kind).type, first)
        counted = writer.add("Sub", [numbers, writer.constant(first, np.dtype(labels.kind).type)])
        found = Found(
            writer.reshape(places, [1, MOST_FINDINGS, 4]),
            writer.reshape(values, [1, MOST_FINDINGS]),
            writer.reshape(counted, [1, MOST_FINDINGS]),
            MOST_FINDINGS,
        )
        write_best(writer, found)

    return Layout(
        name="torchvision",
        seen=f"{boxes}, {labels} and {scores}",
        kind="detection",
        write=write,
        count=None,
        threshold=0.5,
        notes=(_NOTE,),
    )


def _only(found: list[Tensor]) -> Tensor | None:
    return found[0] if len(found) == 1 else None


def _padded(writer: NodeWriter, source: str, shape: tuple[int, ...], kind: type[np.generic], value: int = 0) -> str:
    """As many rows as there may be, then cut to that number: so the size no longer depends on the picture."""
    padding = writer.constant(np.full(shape, value), kind)
    return writer.cut(writer.add("Concat", [source, padding], axis=0), 0, shape[0], 0)


CANDIDATES = (Candidate("torchvision", "boxes (n, 4), labels (n) and scores (n)", recognise),)
