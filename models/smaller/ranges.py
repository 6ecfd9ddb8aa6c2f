"""How far the tensors of a model reach, and the step that rounds each with the least error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from app.detect.detector import InputSpec
from app.detect.prepare import Preparation
from app.errors import DataError
from models.data import LabelledPicture, read_pair
from models.extras import require
from models.smaller.qdq import ACTIVATION_TOP

Feeds = Mapping[str, npt.NDArray[np.uint8]]
"""What one picture is to a model: `image` and, where it compares, `golden`, uint8 (1, H, W, C)."""

_SAMPLES = 20_000
_BINS = 4096
_TRIED = 100
_LEAST_SHARE = 0.2
_SEED = 0


def spread(pictures: Sequence[LabelledPicture], count: int) -> tuple[LabelledPicture, ...]:
    """So many pictures by name, evenly spread: neighbours are often of one lot."""
    ordered = sorted(pictures, key=lambda each: each.image.name)
    return tuple(ordered[:: max(1, len(ordered) // count)][:count])


def feeds_of(pictures: Iterable[LabelledPicture], spec: InputSpec) -> Iterator[Feeds]:
    """Yields pictures as a station gives them to a model; golden samples as they lie.

    Raises:
        DataError: A file cannot be read, or a golden sample differs in size from its picture.
        DetectorError: A picture has no golden sample and the model wants one.
    """
    preparation = Preparation(spec)
    for picture in pictures:
        preparation.fill(*read_pair(picture, spec.channels))
        feeds = {"image": preparation.image.copy()}
        if preparation.golden is not None:
            feeds["golden"] = preparation.golden.copy()
        yield feeds


def open_session(model: onnx.ModelProto, extra: Sequence[str] = ()) -> Any:
    """Opens a model in one thread: more would add up sums in another order.

    Args:
        model: The model.
        extra: Tensors of it to tell beside its outputs, float.

    Raises:
        MissingDriverError: ONNX Runtime is not installed.
    """
    onnxruntime = require("onnxruntime", "quantizing", "")
    told = onnx.ModelProto()
    told.CopyFrom(model)
    told.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in extra)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(told.SerializeToString(), options, providers=["CPUExecutionProvider"])


def measure_steps(model: onnx.ModelProto, tensors: Sequence[str], feeds: Iterable[Feeds]) -> dict[str, float]:
    """For each tensor the step of least squared rounding error over all pictures.

    Args:
        model: The float model.
        tensors: Float tensors of it.
        feeds: The pictures.

    Raises:
        DataError: There is no picture.
        MissingDriverError: ONNX Runtime is not installed.
    """
    session = open_session(model, tensors)
    random = np.random.default_rng(_SEED)
    seen: dict[str, list[npt.NDArray[np.float32]]] = {name: [] for name in tensors}
    for each in feeds:
        for name, values in zip(tensors, session.run(list(tensors), dict(each)), strict=True):
            flat = np.abs(values).ravel()
            seen[name].append(np.append(flat[random.integers(0, flat.size, _SAMPLES)], flat.max()))
    if not all(seen.values()):
        raise DataError("there are no pictures to measure ranges on", "give the training split")
    return {name: best_step(np.concatenate(values)) for name, values in seen.items()}


def best_step(magnitudes: npt.NDArray[np.float32]) -> float:
    """The step of least squared rounding error for values of these magnitudes, float (N,)."""
    highest = float(magnitudes.max())
    if not highest > 0:
        return 1.0
    counts, edges = np.histogram(magnitudes, bins=_BINS, range=(0.0, highest))
    centres = (edges[:-1] + edges[1:]) / 2
    steps = np.linspace(_LEAST_SHARE * highest, highest, _TRIED)[:, None] / ACTIVATION_TOP
    errors = (centres - np.clip(np.rint(centres / steps), 0, ACTIVATION_TOP) * steps) ** 2 @ counts
    return float(steps[int(np.argmin(errors)), 0])
