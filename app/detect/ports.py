"""The contract between a model's file and a runtime: which tensors go in and come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.detect.decode import Indices
from app.detect.package import Package
from app.errors import PackageError

MAX_DETECTIONS = 1000
_INDEX_TYPES = {"int32": np.int32, "int64": np.int64}


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
        boxes: float32 (1, K, 4), x1, y1, x2, y2 in pixels of the model's input.
        scores: float32 (1, K), descending.
        classes: int32 or int64 (1, K).
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: Indices

    def by_name(self) -> dict[str, NDArray[np.float32] | Indices]:
        """The buffers by the name of their tensor."""
        return {"boxes": self.boxes, "scores": self.scores, "classes": self.classes}


def check_ports(package: Package, inputs: Sequence[Port], outputs: Sequence[Port]) -> Outputs:
    """Compares a model's inputs and outputs with its manifest and makes the output buffers.

    Args:
        package: The package, for its input and for messages.
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
    found = {port.name: port for port in outputs}
    scores = found.get("scores")
    count = scores.shape[-1] if scores and scores.shape else None
    if count is None or not 0 < count <= MAX_DETECTIONS or set(found) != {"boxes", "scores", "classes"}:
        raise _mismatch(package, "outputs", outputs, _wanted_outputs("K", f" with a fixed K of 1 to {MAX_DETECTIONS}"))
    is_right = (
        found["boxes"] == Port("boxes", "float32", (1, count, 4))
        and found["scores"] == Port("scores", "float32", (1, count))
        and found["classes"] in [Port("classes", kind, (1, count)) for kind in _INDEX_TYPES]
    )
    if not is_right:
        raise _mismatch(package, "outputs", outputs, _wanted_outputs(str(count), ""))
    return Outputs(
        np.zeros((1, count, 4), np.float32),
        np.zeros((1, count), np.float32),
        np.zeros((1, count), _INDEX_TYPES[found["classes"].kind]),
    )


def _wanted_outputs(count: str, condition: str) -> str:
    return f"boxes float32 (1, {count}, 4), scores float32 (1, {count}), classes int32 (1, {count}){condition}"


def _mismatch(package: Package, what: str, found: Sequence[Port], wanted: str) -> PackageError:
    return PackageError(
        f"{package.onnx} has the {what} {_listed(found)} where {package.layout} wants {wanted}",
        "export the model again, or correct [input] in its manifest",
    )


def _listed(ports: Sequence[Port]) -> str:
    return ", ".join(str(port) for port in ports) or "none"
