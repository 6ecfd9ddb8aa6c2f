"""What `takt models quantize` does with a package or a checkpoint, with or without training on."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from app.detect.manifest import MANIFEST, Role
from app.errors import UsageError
from models.packaged import read_model
from models.packaging.export import export_package
from models.packaging.manifest import manifest_entries
from models.smaller.qdq import FloatNet
from models.smaller.quantize import (
    Quantized,
    Rounding,
    choose_layers,
    float_package,
    measure_package,
    quantize_package,
)
from models.smaller.sensitivity import OnStep, SensitivityTable

if TYPE_CHECKING:
    from models.smaller.distil import Watch
    from models.smaller.qat import Plan, Tuned

THRESHOLD = 0.35


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be quantized, and how.

    Attributes:
        source: A package's folder, or a checkpoint of a training.
        data_dir: The data set.
        variant: Which model of the package; by default its first.
        role: What a checkpoint's model is for.
        threshold: Its default score threshold; `None`: that of the package it goes into, or else 0.35.
        rounding: How it is written.
    """

    source: Path
    data_dir: Path
    variant: str = ""
    role: Role = "accelerator"
    threshold: float | None = None
    rounding: Rounding = field(default_factory=Rounding)

    @property
    def is_checkpoint(self) -> bool:
        """The source is a file, as checkpoints are."""
        return self.source.is_file()


def run_quantize(job: Job, out: Path | None, on_step: OnStep) -> Quantized:
    """Writes the 8-bit form of a model.

    Args:
        job: What and how.
        out: The package that gets it; by default the source, where that is a package.
        on_step: Told how far it is.

    Raises:
        UsageError: A checkpoint has no folder to go to.
        DataError: The model or the pictures cannot be used.
        PackageError: A package is broken.
        MissingDriverError: A library is not installed.
    """
    with _package_of(job, out) as (package, target):
        return quantize_package(package, job.data_dir, target, job.rounding, variant=job.variant, on_step=on_step)


def run_tuned(job: Job, out: Path | None, plan: Plan, on_step: OnStep, watch: Watch) -> Tuned:
    """Trains the rounded form of a checkpoint's net on, and writes it.

    Args:
        job: What and how; its source is a checkpoint.
        out: The package that gets it.
        plan: How it is trained.
        on_step: Told how far the measuring is.
        watch: Told how far the training is.

    Raises:
        UsageError: There is no folder to go to.
        DataError: The checkpoint or the pictures cannot be used.
        PackageError: The package at `out` is broken.
        MissingDriverError: A library is not installed.
    """
    from models.smaller.qat import Begin, train_rounded  # noqa: PLC0415  (loads torch)

    with _package_of(job, out) as (folder, target):
        package = float_package(folder)
        layers, steps, _table = choose_layers(
            FloatNet(read_model(package)), package, job.data_dir, job.rounding, on_step
        )
        begin = Begin(job.source, layers, steps, job.rounding.weight_bits)
        return train_rounded(begin, package, job.data_dir, target, plan, watch)


def run_sensitivity(job: Job, on_step: OnStep) -> SensitivityTable:
    """Says what each layer of a model costs in 8 bits.

    Raises:
        DataError: The model or the pictures cannot be used.
        PackageError: The package is broken.
        MissingDriverError: A library is not installed.
    """
    with _package_of(job, job.source) as (package, _target):
        return measure_package(package, job.data_dir, job.rounding, variant=job.variant, on_step=on_step)


@contextmanager
def _package_of(job: Job, out: Path | None) -> Iterator[tuple[Path, Path]]:
    """The package to start from, for the time being one of its own where a checkpoint is given, and where to go."""
    if not job.is_checkpoint:
        yield job.source, out or job.source
        return
    if out is None:
        raise UsageError("a checkpoint has no package to put the model into", "give --out DIR")
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "package"
        export_package(job.source, package, _threshold(job, out), role=job.role)
        yield package, out


def _threshold(job: Job, out: Path) -> float:
    if job.threshold is not None:
        return job.threshold
    if not (out / MANIFEST).is_file():
        return THRESHOLD
    found = [each for each in manifest_entries(out).models if each.role == job.role]
    return found[0].score_threshold if found else THRESHOLD


def as_row(values: object) -> dict[str, object]:
    """A result as plain values, for JSON."""
    assert dataclasses.is_dataclass(values)
    assert not isinstance(values, type)
    return {key: _plain(value) for key, value in dataclasses.asdict(values).items()}


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
