"""Plain classifiers: one vector of logits or probabilities.

What a grey level becomes cannot be seen in such a file. ImageNet's mean and deviation are taken, as the pre-trained
nets of torchvision and timm want them; `--pixels` overrules.
"""

from __future__ import annotations

from collections.abc import Callable

from app.errors import UsageError
from models.importing.layout import Candidate, Layout, Wishes
from models.importing.layouts.metadata import is_ultralytics
from models.importing.nodes import NodeWriter
from models.importing.tensors import PictureInput, Source, Tensor

THRESHOLD = 0.5

_TOO_MANY = 100_000
_GUESSED = "Grey levels are scaled by ImageNet's mean and deviation; if it was trained otherwise, say so with --pixels."
_MADE = "Its outputs are logits: a softmax is added."


def recognise(source: Source, _wishes: Wishes) -> Layout | None:
    """One output (1, classes), or (1, classes, 1, 1)."""
    first = source.outputs[0]
    sizes = first.shape[1:] if first.shape[:1] == (1,) else ()
    count = sizes[0] if sizes and all(each == 1 for each in sizes[1:]) else None
    if len(source.outputs) != 1 or not count or count > _TOO_MANY or is_ultralytics(source):
        return None
    if not first.kind.startswith("float"):
        return None
    is_scaled_inside = source.picture.kind == "uint8"
    end = source.ends[first.name]
    notes = () if is_scaled_inside else (_GUESSED,)
    return Layout(
        name="classifier",
        seen=f"{first}, one vector that ends in {end}",
        kind="classification",
        write=_writer(source, first, count, end),
        count=max(count, 2),
        pixels="imagenet" if source.picture.kind != "uint8" else "byte",
        threshold=THRESHOLD,
        notes=notes if end in ("Softmax", "Sigmoid") else (*notes, _MADE),
    )


def _writer(source: Source, first: Tensor, count: int, end: str) -> Callable[[NodeWriter, PictureInput], None]:
    if end == "Sigmoid" and count > 1:
        raise UsageError(
            f"{source.path} gives each of its {count} classes a probability of its own; such a model cannot tell which"
            " one a part is",
            "train a classifier with a softmax",
        )

    def write(writer: NodeWriter, _picture: PictureInput) -> None:
        values = writer.reshape(writer.as_float(first.inner, first.kind), [1, count])
        if count == 1:
            second = values if end == "Sigmoid" else writer.add("Sigmoid", [values])
            rest = writer.add("Sub", [writer.constant([[1.0]]), second])
            values = writer.add("Concat", [rest, second], axis=1)
        elif end == "LogSoftmax":
            values = writer.add("Exp", [values])
        elif end != "Softmax":
            values = writer.add("Softmax", [values], axis=1)
        writer.name_as(values, "probabilities", [1, max(count, 2)])

    return write


CANDIDATES = (Candidate("classifier", "one vector (1, classes)", recognise),)
