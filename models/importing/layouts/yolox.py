"""YOLOX: (1, cells, 5 + classes) with objectness, boxes decoded or as the head gives them.

https://github.com/Megvii-BaseDetection/YOLOX, tools/export_onnx.py and yolox/utils/boxes.py of release 0.3: grey
levels 0 .. 255 in BGR, picture in the upper left corner, the rest at 114, score = objectness * class, IoU 0.45.
"""

from __future__ import annotations

from app.detect.suppress import Suppression
from models.importing.behind import grid, write_best_per_anchor
from models.importing.layout import Candidate, Layout, Wishes
from models.importing.nodes import NodeWriter
from models.importing.tensors import PictureInput, Source, cells

SUPPRESSION = Suppression(iou=0.45)

_STRIDES = ((8, 16, 32), (8, 16, 32, 64))
_FAR, _MOST_SIDES = 4, 16
_UNDECODED = "Its boxes are decoded in the package's graph."


def recognise_raw(source: Source, wishes: Wishes) -> Layout | None:
    """Boxes as the head gives them: offsets in cells and logarithms of sizes."""
    return None if "Exp" in source.operators and not wishes.layout else _recognise(source, is_decoded=False)


def recognise_decoded(source: Source, wishes: Wishes) -> Layout | None:
    """Exported with --decode_in_inference: boxes in pixels."""
    return None if "Exp" not in source.operators and not wishes.layout else _recognise(source, is_decoded=True)


def _recognise(source: Source, *, is_decoded: bool) -> Layout | None:
    first = source.outputs[0]
    if len(source.outputs) != 1 or len(first.shape) != 3 or source.metadata.get("names"):  # noqa: PLR2004
        return None
    _, anchors, width = first.shape
    strides = next((each for each in _STRIDES if cells(source, each) == anchors), None)
    if strides is None or anchors is None or width is None or width <= 5:  # noqa: PLR2004
        return None
    count = width - 5

    def write(writer: NodeWriter, picture: PictureInput) -> None:
        rows = writer.as_float(first.inner, first.kind)
        boxes = writer.cut(rows, 0, 4, 2)
        if not is_decoded:
            boxes = _decoded(writer, boxes, picture, strides)
        scores = writer.add("Mul", [writer.cut(rows, 5, 5 + count, 2), writer.cut(rows, 4, 5, 2)])
        write_best_per_anchor(writer, boxes, scores, (anchors, count))

    return Layout(
        name="yolox-decoded" if is_decoded else "yolox",
        seen=f"{first}, one anchor per cell with objectness, boxes {'' if is_decoded else 'not yet '}decoded",
        kind="detection",
        write=write,
        count=count,
        fit="corner",
        pixels="byte",
        is_bgr=True,
        suppression=SUPPRESSION,
        notes=() if is_decoded else (_UNDECODED,),
    )


def _decoded(writer: NodeWriter, boxes: str, picture: PictureInput, strides: tuple[int, ...]) -> str:
    """Centres and sizes in pixels.

    Both are bounded, far beyond the input: where a head sees nothing its exponentials can be of any size.
    """
    places, widths = grid(picture.width_px, picture.height_px, strides)
    width = writer.constant(widths[None])
    side = max(picture.width_px, picture.height_px)
    centres = writer.add("Mul", [writer.add("Add", [writer.cut(boxes, 0, 2, 2), writer.constant(places[None])]), width])
    near = writer.add(
        "Min", [writer.add("Max", [centres, writer.constant(-_FAR * side)]), writer.constant(_FAR * side)]
    )
    sizes = writer.add("Mul", [writer.add("Exp", [writer.cut(boxes, 2, 4, 2)]), width])
    small = writer.add("Min", [sizes, writer.constant(_MOST_SIDES * side)])
    return writer.add("Concat", [near, small], axis=2)


CANDIDATES = (
    Candidate("yolox", "(1, cells, 5 + classes), boxes not yet decoded", recognise_raw),
    Candidate("yolox-decoded", "(1, cells, 5 + classes), boxes in pixels", recognise_decoded),
)
