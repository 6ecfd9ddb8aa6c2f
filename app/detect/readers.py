"""What each kind of model says, read out of the buffers that its runtime fills."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from app.detect.decode import Placement, check_table, decode_peaks, decode_probabilities, decode_rows, score_as_told
from app.detect.detector import InputSpec
from app.detect.manifest import Kind
from app.detect.package import Package
from app.detect.ports import Outputs
from app.detect.regions import Regions
from app.detect.suppress import Suppressor
from app.errors import DetectorError
from app.types import Detection

_ROUNDING = 1e-6
"""Cells: so little of one over the picture's edge is none."""


class Reading(NamedTuple):
    """What a `Result` tells of the outputs; its attributes are described there."""

    detections: tuple[Detection, ...]
    anomaly_map: NDArray[np.float32] | None = None
    picture_score: float | None = None


class Reader(Protocol):
    """Reads the outputs of one kind of model."""

    def read(self, placement: Placement, size_px: tuple[int, int]) -> Reading:
        """Reads what the runtime has just written.

        Args:
            placement: From the model's input to the picture.
            size_px: Width and height of the picture.

        Raises:
            DetectorError: The numbers mean nothing.
        """
        ...


class PeaksReader:
    """Boxes that are final."""

    def __init__(self, package: Package, outputs: Outputs) -> None:
        self._labels = package.classes
        self._boxes, self._scores, self._classes = _table(outputs)

    def read(self, placement: Placement, size_px: tuple[int, int]) -> Reading:  # noqa: ARG002 - the seam
        """Reads the table."""
        return Reading(decode_peaks(self._boxes, self._scores, self._classes, self._labels, placement))


class CandidatesReader:
    """Boxes of which those that overlap better ones still have to go."""

    def __init__(self, package: Package, outputs: Outputs) -> None:
        assert package.suppression is not None
        self._labels = package.classes
        self._boxes, self._scores, self._classes = _table(outputs)
        self._suppressor = Suppressor(self._scores.shape[1], package.suppression)

    def read(self, placement: Placement, size_px: tuple[int, int]) -> Reading:  # noqa: ARG002 - the seam
        """Reads the table and suppresses."""
        table = self._boxes, self._scores, self._classes
        check_table(*table)
        chosen = [(row, score_as_told(float(self._scores[0, row]))) for row in self._suppressor.keep(*table)]
        return Reading(decode_rows(self._boxes, self._classes, self._labels, placement, chosen))


class ProbabilitiesReader:
    """One probability for each class."""

    def __init__(self, package: Package, outputs: Outputs) -> None:
        self._labels = package.classes
        self._good = frozenset(package.good_classes)
        self._probabilities = outputs.by_name()["probabilities"]

    def read(self, placement: Placement, size_px: tuple[int, int]) -> Reading:  # noqa: ARG002 - the seam
        """Reads them; each class that is not good is a detection of the whole picture."""
        found, score = decode_probabilities(self._probabilities, self._labels, self._good, size_px)
        return Reading(found, picture_score=score)


class MapReader:
    """How unusual each place of the picture is, and the picture as a whole."""

    def __init__(self, package: Package, outputs: Outputs) -> None:
        self._spec: InputSpec = package.spec
        self._score, self._map = outputs.by_name()["score"], outputs.by_name()["map"][0]
        height, width = self._map.shape
        self._regions = Regions(height, width, package.classes[0], package.score_threshold)

    def read(self, placement: Placement, size_px: tuple[int, int]) -> Reading:
        """Reads the map, but for what lies over a border around the picture."""
        rows, down, top_px = _seen(
            self._map.shape[0], self._spec.height_px, placement.scale_y, placement.offset_y_px, size_px[1]
        )
        columns, across, left_px = _seen(
            self._map.shape[1], self._spec.width_px, placement.scale_x, placement.offset_x_px, size_px[0]
        )
        heat = self._map[rows, columns]
        found, score = self._regions.read(self._score, heat, Placement(across, down, left_px, top_px), size_px)
        heat.flags.writeable = False
        return Reading(found, heat, score)


_READERS: Mapping[Kind, Callable[[Package, Outputs], Reader]] = MappingProxyType(
    {"detection": PeaksReader, "classification": ProbabilitiesReader, "anomaly": MapReader}
)


def reader_for(package: Package, outputs: Outputs) -> Reader:
    """The reader of a package's kind, bound to the buffers of its outputs."""
    return (CandidatesReader if package.suppression else _READERS[package.kind])(package, outputs)


def read_embedding(outputs: Outputs) -> NDArray[np.float32] | None:
    """The embedding as a read-only view, float32 (n,); `None` of a model without one.

    Raises:
        DetectorError: A number of it is not finite.
    """
    tensor = outputs.by_name().get("embedding")
    if tensor is None:
        return None
    if not (math.isfinite(tensor.min()) and math.isfinite(tensor.max())):
        raise DetectorError(
            "the model gave an embedding with numbers that are not finite",
            "prove the package on this runtime, or use another one",
        )
    embedding: NDArray[np.float32] = tensor[0]
    embedding.flags.writeable = False
    return embedding


def _table(outputs: Outputs) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[Any]]:
    tensors = outputs.by_name()
    return tensors["boxes"], tensors["scores"], tensors["classes"]


def _seen(cells: int, input_px: int, scale: float, offset_px: float, size_px: int) -> tuple[slice, float, float]:
    """Along one axis: the cells of the map that lie over the picture, their size in it, and where they begin."""
    cell_px = input_px / cells
    first = max(0, math.floor(-offset_px / scale / cell_px + _ROUNDING))
    end = min(cells, math.ceil((size_px - offset_px) / scale / cell_px - _ROUNDING))
    return slice(first, max(end, first + 1)), cell_px * scale, first * cell_px * scale + offset_px
