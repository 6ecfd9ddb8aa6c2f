"""What is known of an ONNX file that was exported elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Shape = tuple[int | None, ...]

COLOURS = 3
PREFIX = "source."
"""Before every name of the source in a package's graph, so that none meets a name of the package."""

_MIN_SIDE, _MAX_SIDE = 8, 16_384


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output.

    Attributes:
        name: Its name.
        kind: Its element type as numpy spells it, such as `float16`.
        shape: Its sizes; `None` for one that only running tells.
    """

    name: str
    kind: str
    shape: Shape

    @property
    def inner(self) -> str:
        """Its name in a package's graph."""
        return f"{PREFIX}{self.name}"

    def __str__(self) -> str:
        sizes = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.name} ({sizes})"


@dataclass(frozen=True, slots=True)
class PictureInput:
    """The input that takes the picture.

    Attributes:
        name: Its name.
        kind: `float32`, `float16` or `uint8`.
        width_px: Width.
        height_px: Height.
        channels: 1 or 3.
        is_channels_last: It is (1, H, W, C), as TensorFlow writes it, not (1, C, H, W).
        has_batch: Its first axis is the batch; torchvision's detectors take (C, H, W).
    """

    name: str
    kind: str
    width_px: int
    height_px: int
    channels: int
    is_channels_last: bool = False
    has_batch: bool = True

    @property
    def shape(self) -> tuple[int, ...]:
        """All its sizes."""
        plane = (self.height_px, self.width_px)
        sizes = (*plane, self.channels) if self.is_channels_last else (self.channels, *plane)
        return (1, *sizes) if self.has_batch else sizes


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """An ONNX file that was read, found harmless and given fixed sizes.

    Attributes:
        path: The file.
        sha256: Its hash, in hexadecimal.
        model: The `onnx.ModelProto`, weights inside, sizes fixed.
        metadata: Its metadata properties.
        producer: What wrote it, with the version.
        opset: Its opset of the standard operators.
        picture: The input for the picture.
        others: Its other inputs.
        outputs: Its outputs, in order.
        operators: Every standard operator in it, however deep.
        ends: Per output the operator that made it, casts and reshapes passed over.
        sidecar: What stands beside it in `metadata.json`, as anomalib 0 and 1 write it.
    """

    path: Path
    sha256: str
    model: Any
    metadata: Mapping[str, str]
    producer: str
    opset: int
    picture: PictureInput
    others: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operators: frozenset[str]
    ends: Mapping[str, str]
    sidecar: Mapping[str, Any]

    def output(self, name: str) -> Tensor | None:
        """The output of this name, if there is one."""
        return next((each for each in self.outputs if each.name == name), None)

    @property
    def outputs_in_words(self) -> str:
        """All outputs with their shapes."""
        return ", ".join(map(str, self.outputs)) or "none"


def cells(source: Source, strides: tuple[int, ...]) -> int:
    """How many cells the grids of these strides have on the model's input."""
    picture = source.picture
    return sum((picture.width_px // stride) * (picture.height_px // stride) for stride in strides)


def is_side(size: int | None) -> bool:
    """Whether a size can be the width or height of an input."""
    return size is not None and _MIN_SIDE <= size <= _MAX_SIDE
