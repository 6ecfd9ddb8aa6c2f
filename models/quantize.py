"""From a package with a float model to one with 8-bit convolutions, for CPUs.

What the rounded tensors reach is measured on pictures of the training split: those of `val` and `test` judge the
result, so they take no part in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # it ships no types
from onnx import TensorProto, helper

from app.detect.package import Package, load_package
from app.errors import DataError
from app.types import Image
from models.data import LabelledPicture, load_split, read_pair
from models.export import (
    EXPECTED_FILE,
    GOLDEN_DIR,
    MANIFEST_FILE,
    MODEL_FILE,
    manifest_text,
    read_golden_frames,
    write_golden_frames,
)
from models.extras import require
from models.graph_int8 import SIGNED, build_quantized_graph, layout_of

CALIBRATION_PICTURES = 100
_SPLIT = "train"
_SUFFIX = "-int8"
_SAMPLES = 60_000
_TRIED = 60
_LEAST_SHARE = 0.3
_SEED = 0

OnStep = Callable[[int, int], None]


def quantize_package(
    source: Path, data_dir: Path, package_dir: Path, *, on_step: OnStep = lambda _done, _all: None
) -> Path:
    """Writes the 8-bit package of a float one: model, manifest, and golden frames recorded on the new model.

    The same package, data and versions of the libraries give the same bytes.

    Args:
        source: The float package; its golden frames and threshold are taken over, and its name with `-int8`.
        data_dir: The data set; some 100 pictures spread over its split `train` are used, golden samples as they lie.
        package_dir: The new package's folder, another than `source`; made if it does not exist.
        on_step: Told pictures done and to do.

    Returns:
        The ONNX file.

    Raises:
        DataError: The model is no float one as `models.export` writes it, mono and with a golden sample, the pictures
            cannot be used, or the new package would replace the float one.
        PackageError: The float package is broken.
        MissingDriverError: ONNX Runtime is not installed.
    """
    package = load_package(source, is_draft=True)
    if package_dir.resolve() == source.resolve():
        raise DataError(f"{source} would be replaced by its own 8-bit package", "give --out another folder")
    model = _read_model(package)
    names = layout_of(model).rounded
    pictures = _chosen(load_split(data_dir, _SPLIT, package.classes, golden=True).pictures)
    scales = measure_scales(model, names, _pairs(pictures, package, on_step))
    blob = build_quantized_graph(model, scales).SerializeToString()
    package_dir.mkdir(parents=True, exist_ok=True)
    (package_dir / GOLDEN_DIR / EXPECTED_FILE).unlink(missing_ok=True)
    (package_dir / MODEL_FILE).write_bytes(blob)
    manifest = manifest_text(
        f"{package.name}{_SUFFIX}",
        package.version,
        package.classes,
        package.spec,
        onnx_sha256=hashlib.sha256(blob).hexdigest(),
        score_threshold=package.score_threshold,
    )
    (package_dir / MANIFEST_FILE).write_text(manifest, encoding="utf-8")
    frames = read_golden_frames(source)
    if frames:
        write_golden_frames(package_dir, frames)
    return package_dir / MODEL_FILE


def quantize(model: onnx.ModelProto, pairs: Iterable[tuple[Image, Image]]) -> onnx.ModelProto:
    """Writes the 8-bit graph of a float model.

    Args:
        model: As `models.graph.build_graph` writes it, mono and with a golden sample.
        pairs: Pictures and golden samples, uint8 (H, W) of the model's size, to measure ranges on.

    Raises:
        DataError: The model is not such a one, or there is no pair.
        MissingDriverError: ONNX Runtime is not installed.
    """
    return build_quantized_graph(model, measure_scales(model, layout_of(model).rounded, pairs))


def measure_scales(
    model: onnx.ModelProto, names: Sequence[str], pairs: Iterable[tuple[Image, Image]]
) -> dict[str, float]:
    """For each tensor the step of least squared rounding error over all pairs.

    Args:
        model: The float model.
        names: Tensors of it.
        pairs: As for `quantize`.

    Raises:
        DataError: There is no pair.
        MissingDriverError: ONNX Runtime is not installed.
    """
    session = _open_told(model, names)
    random = np.random.default_rng(_SEED)
    seen: dict[str, list[npt.NDArray[np.float32]]] = {name: [] for name in names}
    for image, golden in pairs:
        inputs = {"image": image[None, :, :, None], "golden": golden[None, :, :, None]}
        for name, values in zip(names, session.run(list(names), inputs), strict=True):
            flat = np.abs(values).ravel()
            seen[name].append(np.append(flat[random.integers(0, flat.size, _SAMPLES)], flat.max()))
    if not all(seen.values()):
        raise DataError("there are no pictures to measure ranges on", "give the training split")
    return {name: _best_step(np.concatenate(values), _levels(name)) for name, values in seen.items()}


def _read_model(package: Package) -> onnx.ModelProto:
    try:
        return onnx.load_from_string(package.read_onnx())
    except DecodeError as error:
        raise DataError(f"{package.onnx} is no ONNX model", "export it again") from error


def _chosen(pictures: Sequence[LabelledPicture]) -> Sequence[LabelledPicture]:
    """So many by name, evenly spread: neighbours are often of one board group."""
    ordered = sorted(pictures, key=lambda each: each.image.name)
    return ordered[:: max(1, len(ordered) // CALIBRATION_PICTURES)][:CALIBRATION_PICTURES]


def _pairs(pictures: Sequence[LabelledPicture], package: Package, on_step: OnStep) -> Iterator[tuple[Image, Image]]:
    size = (package.spec.height_px, package.spec.width_px)
    for number, picture in enumerate(pictures):
        image, golden = read_pair(picture)
        assert golden is not None
        if image.shape != size:
            raise DataError(
                f"{picture.image} is {image.shape[1]}x{image.shape[0]} px, but {package.name} takes"
                f" {size[1]}x{size[0]}",
                "give pictures of the model's size",
            )
        yield image, golden
        on_step(number + 1, len(pictures))


def _open_told(model: onnx.ModelProto, names: Sequence[str]) -> Any:
    """A session that tells these tensors too, in one thread: more would add up sums in another order."""
    onnxruntime = require("onnxruntime", "quantizing", "")
    told = onnx.ModelProto()
    told.CopyFrom(model)
    told.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(told.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _best_step(values: npt.NDArray[np.float32], levels: int) -> float:
    highest = float(values.max())
    if highest == 0:
        return 1.0
    steps = np.linspace(_LEAST_SHARE * highest, highest, _TRIED) / levels
    errors = [np.mean((values - np.clip(np.rint(values / step), 0, levels) * step) ** 2) for step in steps]
    return float(steps[int(np.argmin(errors))])


def _levels(name: str) -> int:
    return int(np.iinfo(np.int8 if name == SIGNED else np.uint8).max)
