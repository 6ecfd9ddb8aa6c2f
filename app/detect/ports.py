"""The contract between a model's file and a runtime: which tensors go in and come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.detect.package import Package
from app.errors import PackageError

MAX_DETECTIONS = 1000
MAX_SIDE = 4096
MAX_EMBEDDING = 8192
_INDEX_TYPES = ("int32", "int64")


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output as the runtime reports it.

    Attributes:
        name: Its name.
        kind: Its element type as numpy spells it, such as `uint8`.
        shape: Its sizes; `None` for one that is not fixed.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        sizes = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.name} {self.kind} ({sizes})"


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """Buffers that the runtime writes its outputs into.

    Attributes:
        tensors: The buffers by the name of their tensor. Of a detection model: `boxes` float32 (1, K, 4), x1, y1, x2,
            y2 in pixels of the model's input, `scores` float32 (1, K), descending, `classes` int32 or int64 (1, K). Of
            a classifier: `probabilities` float32 (1, C). Of an anomaly model: `score` float32 (1, 1) and `map` float32
            (1, H, W), both 0 .. 1. Of any, if it has one: `embedding` float32 (1, n).
    """

    tensors: Mapping[str, NDArray[Any]]

    def by_name(self) -> Mapping[str, NDArray[Any]]:
        """The buffers by the name of their tensor."""
        return self.tensors


def check_ports(package: Package, inputs: Sequence[Port], outputs: Sequence[Port]) -> Outputs:
    """Compares a model's inputs and outputs with its manifest and makes the output buffers.

    Args:
        package: The package, for its kind, its input and for messages.
        inputs: What the runtime found.
        outputs: What the runtime found.

    Raises:
        PackageError: Other names, types or shapes; says what was found and what is wanted.
    """
    spec = package.spec
    picture = (1, spec.height_px, spec.width_px, spec.channels)
    names = ("image", "golden") if spec.is_golden else ("image",)
    wanted = [Port(name, "uint8", picture) for name in names]
    if sorted(inputs, key=str) != sorted(wanted, key=str):
        raise _mismatch(package, "inputs", inputs, _listed(wanted))
    check_outputs(package, outputs)
    return Outputs({port.name: np.zeros(_sizes(port), port.kind) for port in outputs})


def check_outputs(package: Package, outputs: Sequence[Port]) -> None:
    """Compares a model's outputs with its manifest.

    Args:
        package: The package, for its kind and for messages.
        outputs: What the runtime found.

    Raises:
        PackageError: Other names, types or shapes; says what was found and what is wanted.
    """
    found = {port.name: port for port in outputs}
    embedding = found.pop("embedding", None)
    if not (_CHECKS[package.kind](package, found) and (embedding is None or _is_embedding(embedding))):
        raise _mismatch(package, "outputs", outputs, _wanted_outputs(package))


def _is_detection(package: Package, found: Mapping[str, Port]) -> bool:  # noqa: ARG001 - as every check is called
    scores = found.get("scores")
    count = scores.shape[-1] if scores and scores.shape else None
    if count is None or not 0 < count <= MAX_DETECTIONS or set(found) != {"boxes", "scores", "classes"}:
        return False
    return (
        found["boxes"] == Port("boxes", "float32", (1, count, 4))
        and found["scores"] == Port("scores", "float32", (1, count))
        and found["classes"] in [Port("classes", kind, (1, count)) for kind in _INDEX_TYPES]
    )


def _is_classification(package: Package, found: Mapping[str, Port]) -> bool:
    return found == {"probabilities": Port("probabilities", "float32", (1, len(package.classes)))}


def _is_anomaly(package: Package, found: Mapping[str, Port]) -> bool:  # noqa: ARG001 - as every check is called
    if set(found) != {"score", "map"} or found["score"] != Port("score", "float32", (1, 1)):
        return False
    shape = found["map"].shape
    is_map = found["map"].kind == "float32" and len(shape) == 3 and shape[0] == 1  # noqa: PLR2004 - (1, H, W)
    return is_map and all(size is not None and 0 < size <= MAX_SIDE for size in shape[1:])


def _is_embedding(port: Port) -> bool:
    size = port.shape[-1] if port.shape else None
    return size is not None and 0 < size <= MAX_EMBEDDING and port == Port("embedding", "float32", (1, size))


_CHECKS = {"detection": _is_detection, "classification": _is_classification, "anomaly": _is_anomaly}


def _wanted_outputs(package: Package) -> str:
    wanted = {
        "detection": (
            f"boxes float32 (1, K, 4), scores float32 (1, K), classes int32 (1, K) with a fixed K of 1 to"
            f" {MAX_DETECTIONS}"
        ),
        "classification": f"probabilities float32 (1, {len(package.classes)}), one for each of its classes",
        "anomaly": f"score float32 (1, 1), map float32 (1, H, W) with fixed sides of 1 to {MAX_SIDE}",
    }[package.kind]
    return f"{wanted}, and at most embedding float32 (1, n) beside that"


def _sizes(port: Port) -> tuple[int, ...]:
    return tuple(size for size in port.shape if size is not None)


def _mismatch(package: Package, what: str, found: Sequence[Port], wanted: str) -> PackageError:
    return PackageError(
        f"{package.onnx} has the {what} {_listed(found)} where kind {package.kind!r} wants {wanted}",
        "export the model again, or correct the kind or [model.input] in its manifest",
    )


def _listed(ports: Sequence[Port]) -> str:
    return ", ".join(str(port) for port in ports) or "none"
