"""Ultralytics YOLO v5u, v8, 9, 10, 11, 26 and RT-DETR, told by the metadata that its exporter writes.

Without metadata a file of these shapes is taken for one where nothing else has them. Behaviour as of version 8.4:
https://docs.ultralytics.com/modes/export and /modes/predict.
"""

from __future__ import annotations

from collections.abc import Callable

from app.detect.suppress import Suppression
from app.errors import UsageError
from models.importing.behind import write_best_per_anchor, write_rows
from models.importing.layout import DEFAULT_THRESHOLD, Candidate, Layout, Wishes, is_wished
from models.importing.layouts.metadata import arguments_of, is_ultralytics, names_of
from models.importing.layouts.suppressed import are_corners, find_candidates, written_iou
from models.importing.nodes import NodeWriter
from models.importing.tensors import PictureInput, Source, Tensor, cells

STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32))
SUPPRESSION = Suppression(iou=0.7)
"""What `predict` does unless told otherwise: IoU 0.7, class by class, 300 boxes."""

_Writer = Callable[[NodeWriter, PictureInput], None]

_ROW = 6
_MOST_ROWS = 1000
_MASKS = 32
_BOXES = ("detect", "segment", "pose")
_MASKS_GONE = "The masks are dropped: a segmenter is taken as a detector of its boxes."
_POINTS_GONE = "The key points are dropped: a pose model is taken as a detector of its boxes."
_PADDED = (
    "It was exported for any size and is fixed to one here: Ultralytics pads a picture that is not of the input's shape"
    " less, so its scores may differ a little there."
)
_OPENED = "The suppression inside its graph is left out; the same is done behind the graph."
_CROPPED = "As in Ultralytics, the middle of a picture is judged, as wide as high: what lies beyond is not seen."


def recognise_raw(source: Source, wishes: Wishes) -> Layout | None:
    """A score per anchor and class, (1, 4 + classes + extras, anchors), suppression still due."""
    output = _first(source, 3)
    if output is None or not _may_be(source, wishes, "ultralytics-raw", _BOXES):
        return None
    _, channels, anchors = output.shape
    if channels is None or anchors is None or not _is_raw(source, output):
        return None
    names = names_of(source.metadata)
    count = _classes_of(source, names or wishes.classes, channels - 4)
    if count is None:
        return None
    return Layout(
        name="ultralytics-raw",
        seen=_seen(source, output),
        kind="detection",
        write=_raw_writer(output, count, channels),
        count=count,
        names=names,
        fit="letterbox",
        suppression=_suppression(source),
        notes=_notes(source),
    )


def recognise_final(source: Source, wishes: Wishes) -> Layout | None:
    """Finished rows of x1, y1, x2, y2, score, class and extras: end-to-end heads, or suppression inside."""
    output = _first(source, 3)
    if output is None or not _may_be(source, wishes, "ultralytics-final", _BOXES):
        return None
    _, rows, width = output.shape
    if rows is None or width is None or width < _ROW:
        return None
    is_known = is_ultralytics(source) or is_wished(wishes, "ultralytics-final")
    if _is_raw(source, output) or not (is_known or (width == _ROW and rows <= _MOST_ROWS)):
        return None
    opened = _without_suppression(source, output)
    if opened is not None:
        return opened
    return Layout(
        name="ultralytics-final",
        seen=_seen(source, output),
        kind="detection",
        write=_rows_writer(output, rows, is_shares=False),
        count=None,
        names=names_of(source.metadata),
        fit="letterbox",
        notes=_notes(source),
    )


def recognise_rtdetr(source: Source, wishes: Wishes) -> Layout | None:
    """Rows of centre, size, score and class, boxes as shares of the picture, which is stretched."""
    output = _first(source, 3)
    if output is None or not (_is_rtdetr(source) or is_wished(wishes, "ultralytics-rtdetr")):
        return None
    _, rows, width = output.shape
    names = names_of(source.metadata)
    if rows is None or width is None or width < _ROW - 1:
        return None
    # Versions before 8.4, which write no "head", give every query a probability per class.
    is_scored_per_class = width != _ROW or ("head" not in source.metadata and len(names) == width - 4)
    if is_scored_per_class and names and width != 4 + len(names):
        return None
    writer = (
        _query_writer(output, rows, width - 4) if is_scored_per_class else _rows_writer(output, rows, is_shares=True)
    )
    return Layout(
        name="ultralytics-rtdetr",
        seen=_seen(source, output),
        kind="detection",
        write=writer,
        count=width - 4 if is_scored_per_class else None,
        names=names,
    )


def recognise_classifier(source: Source, wishes: Wishes) -> Layout | None:
    """Probabilities (1, classes), the middle of the picture judged."""
    output = _first(source, 2)
    if output is None or output.shape[1] is None or not _may_be(source, wishes, "ultralytics-classify", ("classify",)):
        return None
    if not (is_ultralytics(source) or is_wished(wishes, "ultralytics-classify")):
        return None
    classes = output.shape[1]

    def write(writer: NodeWriter, _picture: PictureInput) -> None:
        values = writer.as_float(output.inner, output.kind)
        if source.ends[output.name] != "Softmax":
            values = writer.add("Softmax", [values], axis=1)
        writer.name_as(values, "probabilities", [1, classes])

    return Layout(
        name="ultralytics-classify",
        seen=_seen(source, output),
        kind="classification",
        write=write,
        count=classes,
        names=names_of(source.metadata),
        fit="crop" if source.picture.width_px == source.picture.height_px else "stretch",
        threshold=0.5,
        notes=(_CROPPED,) if source.picture.width_px == source.picture.height_px else (),
    )


def _without_suppression(source: Source, output: Tensor) -> Layout | None:
    """The layout of a graph that suppresses inside, cut off before that; `None` where the place is not found."""
    names, iou = names_of(source.metadata), written_iou(source)
    channels = 4 + len(names) + (output.shape[2] or 0) - _ROW
    counts = {cells(source, strides) for strides in STRIDES}
    candidates = find_candidates(source, channels, counts) if names and iou is not None else None
    if candidates is None or iou is None or candidates.shape[2] is None:
        return None
    is_read_as_corners = are_corners(source, candidates, output)
    if is_read_as_corners is None:
        return None
    said = arguments_of(source)
    threshold = said.get("conf")
    return Layout(
        name="ultralytics-final",
        seen=f"{_seen(source, output)} and suppression inside",
        kind="detection",
        write=_raw_writer(candidates, len(names), channels, are_corners=is_read_as_corners),
        count=len(names),
        names=names,
        fit="letterbox",
        suppression=Suppression(iou=iou, is_across_classes=said.get("agnostic_nms") is True),
        threshold=threshold if isinstance(threshold, float) and 0 < threshold < 1 else DEFAULT_THRESHOLD,
        notes=(*_notes(source), _OPENED),
    )


def _may_be(source: Source, wishes: Wishes, name: str, tasks: tuple[str, ...]) -> bool:
    if is_wished(wishes, name):
        return True
    if not is_ultralytics(source):
        return "names" not in source.metadata and name != "ultralytics-classify"
    task = source.metadata["task"]
    if task not in ("detect", "segment", "pose", "classify"):
        raise UsageError(
            f"{source.path} is an Ultralytics model for {task}, whose findings are no upright boxes",
            "train and export one for detect, segment or classify",
        )
    return task in tasks


def _first(source: Source, rank: int) -> Tensor | None:
    """The first output, where it has this rank and all others are prototypes of masks."""
    first, *others = source.outputs
    is_alone = all(len(each.shape) == 4 and each.shape[1] == _MASKS for each in others)  # noqa: PLR2004
    return first if len(first.shape) == rank and is_alone else None


def _is_raw(source: Source, output: Tensor) -> bool:
    """Whether its last axis counts the cells of the grids."""
    _, channels, anchors = output.shape
    if anchors in {cells(source, strides) for strides in STRIDES}:
        return True
    return is_ultralytics(source) and (anchors or 0) > (channels or 0)


def _is_rtdetr(source: Source) -> bool:
    said = source.metadata.get("head", "") + source.metadata.get("description", "")
    return "RTDETR" in said.upper().replace("-", "")


def _classes_of(source: Source, names: tuple[str, ...], channels: int) -> int | None:
    """How many of the channels behind the box are classes; the others are mask coefficients or key points."""
    if len(source.outputs) > 1 and not names:
        return channels - _MASKS if channels > _MASKS else None
    if is_ultralytics(source) and channels >= len(names) > 0:
        has_extras = source.metadata["task"] != "detect" or channels == len(names)
        if has_extras:
            return len(names)
        raise UsageError(
            f"{source.path} names {len(names)} classes in its metadata and has outputs for {channels}",
            "export it again",
        )
    return channels if channels > 0 else None


def _raw_writer(output: Tensor, count: int, channels: int, *, are_corners: bool = False) -> _Writer:
    anchors = output.shape[2]
    assert anchors is not None

    def write(writer: NodeWriter, _picture: PictureInput) -> None:
        rows = writer.as_float(output.inner, output.kind)
        if channels != 4 + count:
            rows = writer.cut(rows, 0, 4 + count, 1)
        rows = writer.add("Transpose", [rows], perm=[0, 2, 1])
        boxes, scores = writer.cut(rows, 0, 4, 2), writer.cut(rows, 4, 4 + count, 2)
        write_best_per_anchor(writer, boxes, scores, (anchors, count), are_corners=are_corners)

    return write


def _rows_writer(output: Tensor, rows: int, *, is_shares: bool) -> _Writer:
    def write(writer: NodeWriter, picture: PictureInput) -> None:
        values = writer.as_float(output.inner, output.kind)
        sides = (picture.width_px, picture.height_px) if is_shares else None
        write_rows(writer, values, rows, is_centred=is_shares, sides_px=sides)

    return write


def _query_writer(output: Tensor, rows: int, count: int) -> _Writer:
    """Older exports: a probability per query and class; the best class of each query counts."""

    def write(writer: NodeWriter, picture: PictureInput) -> None:
        values = writer.as_float(output.inner, output.kind)
        sides = [picture.width_px, picture.height_px] * 2
        boxes = writer.add("Mul", [writer.cut(values, 0, 4, 2), writer.constant(sides)])
        write_best_per_anchor(writer, boxes, writer.cut(values, 4, 4 + count, 2), (rows, count))

    return write


def _suppression(source: Source) -> Suppression:
    return Suppression(iou=SUPPRESSION.iou, is_across_classes=arguments_of(source).get("agnostic_nms") is True)


def _notes(source: Source) -> tuple[str, ...]:
    notes = (_PADDED,) if arguments_of(source).get("dynamic") is True else ()
    if len(source.outputs) > 1:
        return (*notes, _MASKS_GONE)
    return (*notes, _POINTS_GONE) if source.metadata.get("task") == "pose" else notes


def _seen(source: Source, output: Tensor) -> str:
    if not is_ultralytics(source):
        return f"{output}, without metadata"
    version = source.metadata.get("version", "of unknown version")
    return f"{output} with metadata of Ultralytics {version} {source.metadata['task']}"


CANDIDATES = (
    Candidate("ultralytics-rtdetr", "rows of centre, size, score, class in shares", recognise_rtdetr, is_certain=True),
    Candidate("ultralytics-classify", "probabilities (1, classes)", recognise_classifier, is_certain=True),
    Candidate("ultralytics-raw", "(1, 4 + classes, anchors)", recognise_raw),
    Candidate("ultralytics-final", "(1, rows, 6): x1, y1, x2, y2, score, class", recognise_final),
)
