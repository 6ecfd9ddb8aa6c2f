"""Model packages: a folder with `manifest.toml`, ONNX files, golden frames and a card."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from app.detect.detector import InputSpec
from app.detect.golden_frames import GoldenFrame, inside, read_frames
from app.detect.manifest import MANIFEST, Kind, Manifest, ModelTable, Precision, Role, read_manifest
from app.detect.suppress import Suppression
from app.errors import PackageError

CARD = "card.md"
MAX_ONNX_BYTES = 2_000_000_000

__all__ = ["CARD", "MANIFEST", "MAX_ONNX_BYTES", "GoldenFrame", "Package", "load_package"]


@dataclass(frozen=True, slots=True)
class Package:
    """One model of a package whose manifest, hash and golden frames were read and fit together.

    Attributes:
        folder: Where it lies.
        name: Its name.
        version: Its version.
        kind: What its outputs mean: `detection`, `classification` or `anomaly`.
        role: What the model is for: `accelerator`, or `standby` on the CPU.
        precision: What it computes in: `fp32`, `fp16` or `int8`.
        variant: What the model is called: role and precision, such as `standby-int8`.
        variants: Every model of the folder, in order; the first is used where nobody says which.
        onnx: The model's ONNX file.
        onnx_sha256: SHA-256 of that file, in hexadecimal.
        classes: Class names by index.
        good_classes: Those of them that mean nothing is wrong; only of a classifier.
        suppression: What is still to be done to the boxes of the graph; `None` where they are final.
        score_threshold: The threshold its golden frames were recorded at; recipes have their own.
        gmac: Multiplications of one picture, in 10^9, where the manifest says so.
        spec: What it takes.
        frames: Its golden frames; empty only in a draft.
        tolerance_px: How far an edge of a golden detection may move on another runtime.
        tolerance_score: How far its score may.
    """

    folder: Path
    name: str
    version: str
    kind: Kind
    role: Role
    precision: Precision
    variant: str
    variants: tuple[str, ...]
    onnx: Path
    onnx_sha256: str
    classes: tuple[str, ...]
    good_classes: tuple[str, ...]
    suppression: Suppression | None
    score_threshold: float
    gmac: float | None
    spec: InputSpec
    frames: tuple[GoldenFrame, ...]
    tolerance_px: float
    tolerance_score: float

    @property
    def card(self) -> Path:
        """The model card."""
        return self.folder / CARD

    def read_onnx(self) -> bytes:
        """The bytes of the ONNX file, which are those that the manifest names.

        Raises:
            PackageError: The file is absent, too large, or another one.
        """
        try:
            if self.onnx.stat().st_size > MAX_ONNX_BYTES:
                raise PackageError(f"{self.onnx} is larger than {MAX_ONNX_BYTES} bytes", "export a smaller model")
            content = self.onnx.read_bytes()
        except OSError as error:
            raise PackageError(f"{self.onnx} cannot be read: {error.strerror}", "restore the whole package") from error
        found = hashlib.sha256(content).hexdigest()
        if found != self.onnx_sha256:
            raise PackageError(
                f"{self.onnx} is not the file that {MANIFEST} names (its SHA-256 begins {found[:12]}, not"
                f" {self.onnx_sha256[:12]})",
                "restore the whole package, or export it again",
            )
        return content


def load_package(folder: Path, *, variant: str = "", is_draft: bool = False) -> Package:
    """Reads one model of a package and checks everything that can be checked without running it.

    Args:
        folder: The package's folder.
        variant: Which model, such as `standby-int8`; by default the first of the manifest.
        is_draft: Accept a package whose golden frames are still to be recorded; it cannot be proven.

    Raises:
        PackageError: A file is absent, unreadable or outside the folder, a key or value cannot be, there is no such
            variant, the ONNX file has another hash, or there is no golden frame.
    """
    manifest = read_manifest(folder)
    model = _chosen(folder, manifest, variant)
    package = Package(
        folder=folder,
        name=manifest.name,
        version=manifest.version,
        kind=manifest.kind,
        role=model.role,
        precision=model.precision,
        variant=model.variant,
        variants=manifest.variants,
        onnx=inside(folder, folder, model.onnx),
        onnx_sha256=model.onnx_sha256,
        classes=manifest.classes,
        good_classes=manifest.good_classes,
        suppression=manifest.output.suppression(),
        score_threshold=model.score_threshold,
        gmac=model.gmac,
        spec=model.input.spec(),
        frames=read_frames(folder, manifest, model, is_draft=is_draft),
        tolerance_px=model.golden_frames.tolerance_px,
        tolerance_score=model.golden_frames.tolerance_score,
    )
    package.read_onnx()
    return package


def _chosen(folder: Path, manifest: Manifest, variant: str) -> ModelTable:
    if not variant:
        return manifest.model[0]
    for model in manifest.model:
        if model.variant == variant:
            return model
    raise PackageError(
        f"package {manifest.name} in {folder} has no model {variant!r}", f"name one of {', '.join(manifest.variants)}"
    )
