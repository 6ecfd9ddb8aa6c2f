"""Detectors with queries: RF-DETR, D-FINE, RT-DETR and DETR.

RF-DETR (https://github.com/roboflow/rf-detr, rfdetr/export of version 1.11): `dets` and `labels`, sigmoid, the last
slot is the background. Transformers (https://github.com/huggingface/transformers, the image processors of RT-DETR,
D-FINE and DETR): `logits` and `pred_boxes`; sigmoid over the classes, or for DETR softmax with "no object" behind them.
The D-FINE and RT-DETR repositories (https://github.com/Peterande/D-FINE, tools/deployment/export_onnx.py): `labels`,
`boxes` and `scores`, scaled by the second input. All judge the picture stretched.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from app.errors import UsageError
from models.importing.behind import MAX_CANDIDATES, Found, corners_of, in_pixels, upright, write_best, write_outputs
from models.importing.layout import Candidate, Layout, Pixels, Wishes, is_wished
from models.importing.nodes import NodeWriter
from models.importing.sizes import SIZE_INPUT
from models.importing.tensors import PictureInput, Source, Tensor

_BACKGROUND = "Its last slot stands for the background and is dropped."
_Writer = Callable[[NodeWriter, PictureInput], None]


def recognise_rfdetr(source: Source, wishes: Wishes) -> Layout | None:
    """`dets` (1, queries, 4) and `labels` (1, queries, slots)."""
    boxes, logits = _pair(source, ("dets",), ("labels",))
    if boxes is None or logits is None:
        return None
    classes = _classes(source, wishes, logits, has_background=True)
    return _layout(
        "rf-detr", boxes, logits, classes, pixels="imagenet", write=_sigmoid_writer(boxes, logits, classes, is_cut=True)
    )


def recognise_sigmoid(source: Source, wishes: Wishes) -> Layout | None:
    """`logits` (1, queries, classes) and `pred_boxes`, each class with a sigmoid of its own."""
    boxes, logits = _pair(source, ("pred_boxes",), ("logits", "pred_logits"))
    if boxes is None or logits is None or len(wishes.classes) == (logits.shape[2] or 0) - 1:
        return None
    classes = _classes(source, wishes, logits, has_background=False)
    return _layout("d-fine", boxes, logits, classes, pixels="unit", write=_sigmoid_writer(boxes, logits, classes))


def recognise_softmax(source: Source, wishes: Wishes) -> Layout | None:
    """The same names, one softmax over the classes and "no object"."""
    boxes, logits = _pair(source, ("pred_boxes",), ("logits", "pred_logits"))
    is_meant = is_wished(wishes, "detr")
    if boxes is None or logits is None or not (is_meant or not wishes.classes or _is_one_less(wishes, logits)):
        return None
    classes = (logits.shape[2] or 0) - 1
    return _layout("detr", boxes, logits, classes, pixels="imagenet", write=_softmax_writer(boxes, logits, classes))


def recognise_final(source: Source, _wishes: Wishes) -> Layout | None:
    """`labels`, `boxes` and `scores`, (1, rows) each, boxes scaled by `orig_target_sizes`."""
    labels, boxes, scores = (source.output(name) for name in ("labels", "boxes", "scores"))
    if labels is None or boxes is None or scores is None or SIZE_INPUT not in {each.name for each in source.others}:
        return None
    if len(boxes.shape) != 3 or boxes.shape[1] is None:  # noqa: PLR2004
        return None
    rows = boxes.shape[1]

    def write(writer: NodeWriter, _picture: PictureInput) -> None:
        values = writer.reshape(writer.as_float(scores.inner, scores.kind), [1, rows])
        places = writer.as_float(boxes.inner, boxes.kind)
        write_best(writer, Found(places, values, writer.reshape(labels.inner, [1, rows]), rows))

    return Layout(
        name="d-fine-final",
        seen=f"{boxes} with labels, scores and the input {SIZE_INPUT}",
        kind="detection",
        write=write,
        count=None,
        threshold=0.5,
    )


def _pair(source: Source, of_boxes: tuple[str, ...], of_logits: tuple[str, ...]) -> tuple[Tensor | None, Tensor | None]:
    boxes = next((each for each in source.outputs if each.name in of_boxes), None)
    logits = next((each for each in source.outputs if each.name in of_logits), None)
    is_pair = (
        boxes is not None
        and logits is not None
        and len(boxes.shape) == len(logits.shape) == 3  # noqa: PLR2004
        and boxes.shape[:2] == logits.shape[:2]
        and boxes.shape[2] == 4  # noqa: PLR2004
        and None not in logits.shape
    )
    return (boxes, logits) if is_pair else (None, None)


def _is_one_less(wishes: Wishes, logits: Tensor) -> bool:
    return len(wishes.classes) == (logits.shape[2] or 0) - 1


def _classes(source: Source, wishes: Wishes, logits: Tensor, *, has_background: bool) -> int:
    """How many of the slots are classes: as many as there are names, the last one may be the background."""
    slots = logits.shape[2] or 0
    given = len(wishes.classes)
    if not given:
        return slots - 1 if has_background else slots
    if given == slots or (has_background and given == slots - 1):
        return given
    wanted = f"{slots - 1} or {slots}" if has_background else str(slots)
    raise UsageError(f"{source.path} has {logits} and {given} classes were given", f"give {wanted} with --classes")


def _layout(name: str, boxes: Tensor, logits: Tensor, classes: int, *, pixels: Pixels, write: _Writer) -> Layout:
    has_background = classes < (logits.shape[2] or 0)
    return Layout(
        name=name,
        seen=f"{boxes} and {logits}",
        kind="detection",
        write=write,
        count=classes,
        pixels=pixels,
        threshold=0.5,
        notes=(_BACKGROUND,) if has_background else (),
    )


def _sigmoid_writer(boxes: Tensor, logits: Tensor, classes: int, *, is_cut: bool = False) -> _Writer:
    """The best of all (query, class) pairs, as many as there are queries; RF-DETR cuts boxes off at the picture."""
    queries = logits.shape[1] or 0

    def write(writer: NodeWriter, picture: PictureInput) -> None:
        values = _class_logits(writer, logits, classes)
        flat = writer.reshape(writer.add("Sigmoid", [values]), [1, queries * classes])
        count = min(queries, MAX_CANDIDATES)
        scores, places = writer.top(flat, count)
        width = writer.constant(classes, np.int64)
        rows = writer.add("Div", [places, width])
        labels = writer.add("Sub", [places, writer.add("Mul", [rows, width])])
        all_boxes = writer.as_float(boxes.inner, boxes.kind)
        chosen = writer.add("Gather", [all_boxes, writer.reshape(rows, [count])], axis=1)
        corners = in_pixels(writer, corners_of(writer, chosen), picture.width_px, picture.height_px)
        if is_cut:
            sides = writer.constant([picture.width_px, picture.height_px] * 2)
            corners = writer.add("Min", [writer.add("Max", [corners, writer.constant(0.0)]), sides])
        write_outputs(writer, Found(upright(writer, corners), scores, labels, count))

    return write


def _softmax_writer(boxes: Tensor, logits: Tensor, classes: int) -> _Writer:
    """The best class of each query, after a softmax over the classes and "no object"."""
    queries = logits.shape[1] or 0

    def write(writer: NodeWriter, picture: PictureInput) -> None:
        values = writer.add("Softmax", [writer.as_float(logits.inner, logits.kind)], axis=2)
        shares = writer.cut(values, 0, classes, 2)
        scores = writer.reshape(writer.highest(shares, 2), [1, queries])
        labels = writer.add("ArgMax", [shares], axis=2, keepdims=0)
        corners = corners_of(writer, writer.as_float(boxes.inner, boxes.kind))
        places = in_pixels(writer, corners, picture.width_px, picture.height_px)
        write_best(writer, Found(places, scores, labels, queries))

    return write


def _class_logits(writer: NodeWriter, logits: Tensor, classes: int) -> str:
    values = writer.as_float(logits.inner, logits.kind)
    return values if classes == logits.shape[2] else writer.cut(values, 0, classes, 2)


CANDIDATES = (
    Candidate(
        "d-fine-final", "labels, boxes and scores, scaled by orig_target_sizes", recognise_final, is_certain=True
    ),
    Candidate("rf-detr", "dets and labels", recognise_rfdetr, is_certain=True),
    Candidate("d-fine", "logits and pred_boxes with sigmoids: D-FINE, RT-DETR", recognise_sigmoid),
    Candidate("detr", 'logits and pred_boxes with a softmax and "no object": DETR', recognise_softmax),
)
