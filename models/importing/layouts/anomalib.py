"""anomalib: a score and a map of how unlike good parts a picture is.

Version 2 names its outputs `pred_score`, `anomaly_map`, `pred_label` and `pred_mask`; its pre-processing and its
scaling to 0 .. 1, where 0.5 is its threshold, are inside the graph, which takes RGB of 0 .. 1. Versions 0 and 1 give
the bare map and write what scales it to `metadata.json` beside the file.
https://anomalib.readthedocs.io, anomalib/post_processing/post_processor.py of version 2.7 and
anomalib/deploy/inferencers of versions 0.7 and 1.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from app.errors import UsageError
from models.importing.layout import Candidate, Layout, Wishes, is_wished
from models.importing.nodes import NodeWriter
from models.importing.tensors import PictureInput, Source, Tensor

THRESHOLD = 0.5
CLASS = "anomaly"

_PLANE = 2
_UNSCALED = "Its scores are taken as they are: no metadata.json beside the file says how to scale them to 0 .. 1."
_NO_MAP = "It gives no map: a finding is the whole picture."

_Scale = tuple[float, float]  # threshold, and highest less lowest


def recognise_named(source: Source, _wishes: Wishes) -> Layout | None:
    """Version 2: named outputs, scaled."""
    score, plane = source.output("pred_score"), source.output("anomaly_map")
    if score is None and plane is None:
        return None
    seen = " and ".join(str(each) for each in (score, plane) if each is not None)

    def write(writer: NodeWriter, _picture: PictureInput) -> None:
        single = writer.reshape(writer.as_float(score.inner, score.kind), [1, 1]) if score is not None else ""
        values = _flat_map(writer, plane) if plane is not None else single
        single = single or writer.highest(values, 1)
        _write(writer, single, values, _plane_of(plane))

    return Layout(
        name="anomalib",
        seen=f"{seen}, as anomalib 2 names its outputs",
        kind="anomaly",
        write=write,
        count=1,
        names=(CLASS,),
        threshold=THRESHOLD,
        notes=() if plane is not None else (_NO_MAP,),
    )


def recognise_map(source: Source, wishes: Wishes) -> Layout | None:
    """Versions 0 and 1: one map, the highest value of which is the score."""
    plane = source.outputs[0]
    is_map = len(plane.shape) == 4 and plane.shape[1] == 1 and None not in plane.shape  # noqa: PLR2004
    if len(source.outputs) != 1 or not is_map or 1 in plane.shape[-_PLANE:]:
        return None
    single_scale = _scale(source.sidecar, "image_threshold", "pred_scores")
    map_scale = _scale(source.sidecar, "pixel_threshold", "anomaly_maps")
    if (single_scale is None) != (map_scale is None):
        raise UsageError(
            f"{source.path.with_name('metadata.json')} says how to scale the score or the map, but not both",
            "export it again, or remove that file if it is of another model",
        )
    has_transform = "transform" in source.sidecar

    def write(writer: NodeWriter, _picture: PictureInput) -> None:
        values = _flat_map(writer, plane)
        single = writer.highest(values, 1)
        if single_scale and map_scale:
            single, values = _scaled(writer, single, single_scale), _scaled(writer, values, map_scale)
        _write(writer, single, values, _plane_of(plane))

    beside = ", with metadata.json beside it" if map_scale else ""
    is_certain = bool(map_scale) or is_wished(wishes, "anomaly-map")
    return Layout(
        name="anomaly-map",
        seen=f"{plane}, one map{beside}",
        kind="anomaly",
        write=write,
        count=1,
        names=(CLASS,),
        pixels="imagenet" if has_transform else "unit",
        threshold=THRESHOLD,
        notes=() if is_certain and map_scale else (_UNSCALED,),
    )


def _flat_map(writer: NodeWriter, plane: Tensor) -> str:
    height, width = _plane_of(plane)
    return writer.reshape(writer.as_float(plane.inner, plane.kind), [1, height * width])


def _plane_of(plane: Tensor | None) -> tuple[int, int]:
    if plane is None:
        return (1, 1)
    height, width = plane.shape[-_PLANE:]
    assert height is not None
    assert width is not None
    return (height, width)


def _write(writer: NodeWriter, single: str, values: str, plane: tuple[int, int]) -> None:
    writer.name_as(single, "score", [1, 1])
    writer.name_as(values, "map", [1, *plane])


def _scale(sidecar: Mapping[str, Any], threshold: str, what: str) -> _Scale | None:
    """The numbers of version 1, else those of version 0."""
    low, high = (sidecar.get(f"{what}.{end}", sidecar.get(end)) for end in ("min", "max"))
    middle = sidecar.get(threshold)
    numbers = (low, high, middle)
    if not all(isinstance(each, (int, float)) and np.isfinite(each) for each in numbers):
        return None
    assert isinstance(low, (int, float))
    assert isinstance(high, (int, float))
    assert isinstance(middle, (int, float))
    return (float(middle), float(high) - float(low)) if high > low else None


def _scaled(writer: NodeWriter, values: str, scale: _Scale) -> str:
    """(value - threshold) / range + 0.5, within 0 .. 1."""
    threshold, extent = scale
    shifted = writer.add("Sub", [values, writer.constant(threshold)])
    middle = writer.add("Add", [writer.add("Div", [shifted, writer.constant(extent)]), writer.constant(0.5)])
    return writer.add("Min", [writer.add("Max", [middle, writer.constant(0.0)]), writer.constant(1.0)])


CANDIDATES: tuple[Candidate, ...] = (
    Candidate("anomalib", "pred_score and anomaly_map", recognise_named, is_certain=True),
    Candidate("anomaly-map", "one map (1, 1, H, W)", recognise_map),
)
