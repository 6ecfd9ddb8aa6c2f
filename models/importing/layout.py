"""What a layout is: whose outputs a file has, and what has to be done to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from app.detect.detector import Fit
from app.detect.manifest import Kind
from app.detect.suppress import Suppression
from app.errors import UsageError
from models.importing.nodes import NodeWriter
from models.importing.tensors import PictureInput, Source, Tensor

Pixels = Literal["unit", "imagenet", "byte", "signed"]
"""What a model wants of a grey level v of 0 .. 255.

- `unit`: v / 255.
- `imagenet`: (v / 255 - mean) / standard deviation of ImageNet, per channel.
- `byte`: v.
- `signed`: v / 127.5 - 1.
"""

DEFAULT_THRESHOLD = 0.25


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user says of a file beyond what it tells itself.

    Attributes:
        classes: Class names by index; empty to take those of the file.
        layout: The layout's name; empty to recognise it.
        fit: How pictures of another size are laid into the input; empty for the way of the layout's library.
        pixels: What grey levels become; empty for the way of the layout's library.
        threshold: The package's default score threshold; `None` for that of the layout's library.
        good: Classes of a classifier that mean nothing is wrong.
    """

    classes: tuple[str, ...] = ()
    layout: str = ""
    fit: Fit | Literal[""] = ""
    pixels: Pixels | Literal[""] = ""
    threshold: float | None = None
    good: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """A recognised file.

    Attributes:
        name: The layout's name, as `--layout` takes it.
        seen: What it was recognised by, in words.
        kind: What the outputs mean.
        write: Adds the nodes that turn the outputs into those of a package.
        count: How many classes the outputs tell apart; `None` where they do not show it.
        names: Class names that the file brings; empty where it brings none.
        fit: How its library lays a picture into the input.
        pixels: What its library makes of grey levels.
        is_bgr: It takes blue first, as the camera gives it, and not red.
        suppression: What is still to be done to its boxes; `None` where they are final.
        threshold: Its library's default score threshold.
        notes: What the user should know, each a sentence.
    """

    name: str
    seen: str
    kind: Kind
    write: Callable[[NodeWriter, PictureInput], None]
    count: int | None
    names: tuple[str, ...] = ()
    fit: Fit = "stretch"
    pixels: Pixels = "unit"
    is_bgr: bool = False
    suppression: Suppression | None = None
    threshold: float = DEFAULT_THRESHOLD
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """One layout that a file may have.

    Attributes:
        name: Its name.
        what: What it is, for the list in messages.
        recognise: Tells whether a file has it; `None` if not.
        is_certain: A match rests on metadata or names and needs no second opinion.
    """

    name: str
    what: str
    recognise: Callable[[Source, Wishes], Layout | None]
    is_certain: bool = False


def recognise(source: Source, wishes: Wishes, candidates: tuple[Candidate, ...]) -> Layout:
    """Finds the one layout that a file has.

    Args:
        source: The file.
        wishes: Names the layout, or leaves it open.
        candidates: Every layout, certain ones first.

    Raises:
        UsageError: The layout named does not exist or does not fit, none fits, or several do.
    """
    if wishes.layout:
        return _wished(source, wishes, candidates)
    found: list[Layout] = []
    for candidate in candidates:
        layout = candidate.recognise(source, wishes)
        if layout is not None and candidate.is_certain:
            return layout
        if layout is not None:
            found.append(layout)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(each.name for each in found)
        raise UsageError(
            f"{source.path} with {source.outputs_in_words} may have the layout {names}", "say which with --layout"
        )
    raise UsageError(
        f"{source.path} has {len(source.outputs)} outputs that fit no layout: {source.outputs_in_words}",
        f"export it in another way, or say with --layout which of {_listed(candidates)} it has",
    )


def _wished(source: Source, wishes: Wishes, candidates: tuple[Candidate, ...]) -> Layout:
    chosen = next((each for each in candidates if each.name == wishes.layout), None)
    if chosen is None:
        raise UsageError(f"there is no layout {wishes.layout!r}", f"use one of {_listed(candidates)}")
    layout = chosen.recognise(source, wishes)
    if layout is None:
        raise UsageError(
            f"{source.path} does not have the layout {chosen.name} ({chosen.what}): {source.outputs_in_words}",
            f"leave --layout out, or use another one of {_listed(candidates)}",
        )
    return layout


def _listed(candidates: tuple[Candidate, ...]) -> str:
    return ", ".join(each.name for each in candidates)


def is_wished(wishes: Wishes, name: str) -> bool:
    """Whether the user named this layout."""
    return wishes.layout == name


def of_rank(source: Source, rank: int) -> tuple[Tensor, ...]:
    """The outputs with so many axes."""
    return tuple(each for each in source.outputs if len(each.shape) == rank)
