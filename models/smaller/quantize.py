"""From a package with a float model to one with 8-bit convolutions.

What the rounded tensors reach is measured on pictures of the training split. Which layers are left in float is judged
on `val`: `test` takes no part in it.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from app.detect.package import Package, load_package
from app.errors import DataError
from models.data import LabelledPicture
from models.evaluation.truth import Source, load_truth
from models.packaged import read_model
from models.packaging.export import add_model, read_golden_frames, write_golden_frames
from models.packaging.manifest import TOLERANCE_SCORE_8_BIT, manifest_entries
from models.smaller.qdq import WEIGHT_BITS, FloatNet, insert_qdq
from models.smaller.ranges import feeds_of, measure_steps, spread
from models.smaller.sensitivity import MAX_LOSS, Judge, OnStep, SensitivityTable, measure_sensitivity

CALIBRATION_PICTURES, JUDGED_PICTURES = 100, 100
EDGES, AUTO, NONE = "edges", "auto", "none"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Rounding:
    """How a model is written in 8 bits.

    Attributes:
        keep: What stays in float: names of layers, `edges` for the first and last ones, `auto` for those that the
            sensitivity table chooses beside these, or `none`.
        weight_bits: Bits of the kernels: 7, or 8 where every CPU has VNNI and for GPUs.
        max_loss: For `auto`: the mean average precision that may be lost.
        pictures: For `auto`: pictures of `val` to judge by.
    """

    keep: tuple[str, ...] = (EDGES,)
    weight_bits: int = WEIGHT_BITS
    max_loss: float = MAX_LOSS
    pictures: int = JUDGED_PICTURES


@dataclass(frozen=True, slots=True)
class Quantized:
    """A model that was written in 8 bits.

    Attributes:
        onnx: Its file.
        variant: What the package calls it.
        layers: The convolutions in 8 bits.
        kept: Those that stayed in float.
        table: What each layer costs, where that was asked.
    """

    onnx: Path
    variant: str
    layers: tuple[str, ...]
    kept: tuple[str, ...]
    table: SensitivityTable | None


def quantize_package(
    source: Path,
    data_dir: Path,
    package_dir: Path,
    rounding: Rounding | None = None,
    *,
    variant: str = "",
    on_step: OnStep = lambda _what, _done, _all: None,
) -> Quantized:
    """Puts the 8-bit form of a float model into a package; its golden frames are recorded on the new model.

    The same package, data and versions of the libraries give the same bytes.

    Args:
        source: The package of the float model.
        data_dir: The data set, golden samples as they lie.
        package_dir: The package that gets the new model: `source` itself or another; made if it does not exist, with
            the golden frames and the threshold of `source`.
        rounding: How it is written.
        variant: Which model of `source`; by default its first.
        on_step: Told how far it is.

    Raises:
        DataError: The model is no float one or has no such layers, or the pictures cannot be used.
        PackageError: The package is broken.
        MissingDriverError: ONNX Runtime or, for `auto`, pycocotools is not installed.
    """
    rounding = rounding or Rounding()
    package = float_package(source, variant)
    net = FloatNet(read_model(package))
    layers, steps, table = choose_layers(net, package, data_dir, rounding, on_step)
    return write_quantized(package, package_dir, net, layers, steps, rounding.weight_bits, table)


def measure_package(
    source: Path,
    data_dir: Path,
    rounding: Rounding | None = None,
    *,
    variant: str = "",
    on_step: OnStep = lambda _what, _done, _all: None,
) -> SensitivityTable:
    """Says what each layer of a package's model costs in 8 bits.

    Args:
        source: The package of the float model.
        data_dir: The data set; ranges come from `train`, the judgement from `val`.
        rounding: Which layers are judged, and by how much they may cost together.
        variant: Which model of `source`; by default its first.
        on_step: Told how far it is.

    Raises:
        DataError: As for `quantize_package`.
        PackageError: The package is broken.
        MissingDriverError: ONNX Runtime or pycocotools is not installed.
    """
    rounding = rounding or Rounding()
    package = float_package(source, variant)
    net = FloatNet(read_model(package))
    layers = chosen_layers(net, rounding.keep)
    steps = measured_steps(net, layers, package, data_dir, on_step)
    return _sensitivity(net, layers, steps, package, data_dir, rounding, on_step)


def write_quantized(
    package: Package,
    package_dir: Path,
    net: FloatNet,
    layers: Sequence[str],
    steps: Mapping[str, float],
    weight_bits: int = WEIGHT_BITS,
    table: SensitivityTable | None = None,
) -> Quantized:
    """Writes the 8-bit form of a float net into a package.

    Args:
        package: The float model's package: what the manifest says, and the golden frames, are taken from it.
        package_dir: The package that gets the new model.
        net: The float net; that of `package`, or one that was trained on.
        layers: The convolutions that are in 8 bits.
        steps: The step of each tensor of `net.rounded(layers)`.
        weight_bits: As for `insert_qdq`.
        table: What chose the layers.

    Raises:
        DataError: The package at `package_dir` is of other classes, or cannot be written.
        PackageError: It is broken.
    """
    blob = insert_qdq(net, layers, steps, weight_bits).SerializeToString()
    entries = manifest_entries(package.folder)
    before = next(each for each in entries.models if each.variant == package.variant)
    entry = dataclasses.replace(
        before,
        precision="int8",
        onnx=f"{before.role}-int8.onnx",
        onnx_sha256=hashlib.sha256(blob).hexdigest(),
        expected="",
        tolerance_score=TOLERANCE_SCORE_8_BIT,
    )
    frames = read_golden_frames(package.folder)
    path = add_model(package_dir, dataclasses.replace(entries, models=(entry,)), blob)
    if frames and not read_golden_frames(package_dir):
        write_golden_frames(package_dir, frames)
    kept = tuple(each for each in net.convolutions if each not in layers)
    return Quantized(path, entry.variant, tuple(layers), kept, table)


def chosen_layers(net: FloatNet, keep: Sequence[str]) -> tuple[str, ...]:
    """The convolutions that may be in 8 bits.

    Args:
        net: The float model.
        keep: As in `Rounding`.

    Raises:
        DataError: A layer is not there, or none is left.
    """
    words = {EDGES, AUTO, NONE}
    unknown = sorted(set(keep) - words - set(net.convolutions))
    if unknown:
        raise DataError(f"there is no layer {unknown[0]!r}", f"name edges, auto, none or {', '.join(net.convolutions)}")
    kept = set(keep) - words
    if EDGES in keep or AUTO in keep:
        kept |= net.edges()
    layers = tuple(each for each in net.convolutions if each not in kept)
    if not layers:
        raise DataError("every layer would stay in float", "keep fewer of them")
    return layers


def pictures_of(package: Package, data_dir: Path, split: str, count: int) -> tuple[LabelledPicture, ...]:
    """So many pictures of a split, evenly spread.

    Raises:
        DataError: The split cannot be read, does not fit the package, or has no golden samples and the model wants
            them.
    """
    source = Source.of_split(data_dir, split)
    truth = load_truth(source, package.kind, package.classes, package.good_classes)
    if package.spec.is_golden and not truth.has_golden:
        raise DataError(
            f"{package.name} compares with a golden sample, and {source.images} has none beside it",
            f"add them in {split}_template",
        )
    return spread([each.labelled for each in truth.pictures], count)


def float_package(source: Path, variant: str = "") -> Package:
    """Reads the package of a float model; it may lack golden frames.

    Raises:
        DataError: The model is in another precision.
        PackageError: The package is broken.
    """
    package = load_package(source, variant=variant, is_draft=True)
    if package.precision != "fp32":
        raise DataError(
            f"the model {package.variant} of {source} is in {package.precision}", "name a model in fp32 by --variant"
        )
    return package


def measured_steps(
    net: FloatNet, layers: Sequence[str], package: Package, data_dir: Path, on_step: OnStep
) -> dict[str, float]:
    """The step of each tensor that is rounded for these layers, measured on pictures of the training split.

    Raises:
        DataError: The pictures cannot be used.
        MissingDriverError: ONNX Runtime is not installed.
    """
    pictures = pictures_of(package, data_dir, "train", CALIBRATION_PICTURES)
    feeds = _told(feeds_of(pictures, package.spec), len(pictures), lambda n, all_: on_step("measuring ranges", n, all_))
    return measure_steps(net.model, net.rounded(layers), feeds)


def choose_layers(
    net: FloatNet, package: Package, data_dir: Path, rounding: Rounding, on_step: OnStep
) -> tuple[tuple[str, ...], dict[str, float], SensitivityTable | None]:
    """Chooses the layers that are in 8 bits.

    Returns:
        The layers, the steps of the tensors that are rounded for them, and, for `auto`, what each layer costs.

    Raises:
        DataError: There are no such layers, or the pictures cannot be used.
        MissingDriverError: ONNX Runtime or, for `auto`, pycocotools is not installed.
    """
    layers = chosen_layers(net, rounding.keep)
    steps = measured_steps(net, layers, package, data_dir, on_step)
    table = None
    if AUTO in rounding.keep:
        table = _sensitivity(net, layers, steps, package, data_dir, rounding, on_step)
        layers = tuple(each for each in layers if each not in table.kept)
    rounded = net.rounded(layers)
    return layers, {name: step for name, step in steps.items() if name in rounded}, table


def _sensitivity(
    net: FloatNet,
    layers: Sequence[str],
    steps: Mapping[str, float],
    package: Package,
    data_dir: Path,
    rounding: Rounding,
    on_step: OnStep,
) -> SensitivityTable:
    judge = Judge(package, pictures_of(package, data_dir, "val", rounding.pictures))
    return measure_sensitivity(
        net, layers, steps, judge, max_loss=rounding.max_loss, weight_bits=rounding.weight_bits, on_step=on_step
    )


def _told(items: Iterator[_T], total: int, on_item: Callable[[int, int], None]) -> Iterator[_T]:
    for number, item in enumerate(items):
        yield item
        on_item(number + 1, total)
