"""Class names of an imported model: the file's own, or those that its user gives."""

from __future__ import annotations

from pathlib import Path

from app.errors import DataError, UsageError
from models.importing.layout import Layout, Wishes
from models.importing.layouts.torchvision import BACKGROUND
from models.importing.tensors import Source

MOST_CLASSES = 1000

_MAX_BYTES = 1_000_000
_GOOD_IS_ASKED = "No class is known to be good, so every class is a finding; name the good ones with --good."


def read_classes(text: str) -> tuple[str, ...]:
    """Reads `--classes`: a file with one name per line, or names between commas.

    Raises:
        DataError: The file cannot be read.
        UsageError: There is no name in it, or an empty or repeated one.
    """
    path = Path(text)
    try:
        is_file = path.is_file()
    except OSError:  # such a text is no path
        is_file = False
    names = _lines(path) if is_file else [each.strip() for each in text.split(",")]
    if not names or not all(names):
        raise UsageError(f"--classes {text} has an empty name", "give a file with one name per line, or a,b,c")
    twice = sorted({each for each in names if names.count(each) > 1})
    if twice:
        raise UsageError(f"--classes names {twice[0]!r} twice", "give every class a name of its own")
    return tuple(names)


def choose_classes(source: Source, layout: Layout, wishes: Wishes) -> tuple[str, ...]:
    """The class names by index.

    Raises:
        UsageError: Nobody names them, or they are not as many as the outputs tell apart.
    """
    named = layout.names if layout.kind == "anomaly" and not wishes.classes else wishes.classes or layout.names
    names = tuple(each for each in named if each != BACKGROUND) if layout.name == "torchvision" else named
    if not names:
        many = f", {layout.count} names" if layout.count else ""
        raise UsageError(f"{source.path} does not name its classes", f"give them in order with --classes a,b,c{many}")
    counts = [count for count in (layout.count, len(layout.names) or None) if count is not None]
    if any(count != len(names) for count in counts):
        found = next(count for count in counts if count != len(names))
        said = "--classes gives" if wishes.classes else "its metadata name"
        raise UsageError(
            f"{source.path} has outputs for {found} classes and {said} {len(names)}",
            f"give {found} names with --classes",
        )
    if len(names) > MOST_CLASSES:
        raise UsageError(
            f"{source.path} has {len(names)} classes where {MOST_CLASSES} are the limit", "train for fewer"
        )
    return names


def choose_good(layout: Layout, classes: tuple[str, ...], wishes: Wishes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Good classes of a classifier, and what is to be told of them.

    Raises:
        UsageError: One is no class, or the model is no classifier.
    """
    if layout.kind != "classification":
        if wishes.good:
            raise UsageError(f"--good is for classifiers, and {layout.name} is for {layout.kind}", "leave it out")
        return (), ()
    unknown = [each for each in wishes.good if each not in classes]
    if unknown:
        raise UsageError(f"--good names {unknown[0]!r}, which is no class", f"name some of {', '.join(classes[:20])}")
    return wishes.good, () if wishes.good else (_GOOD_IS_ASKED,)


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DataError(f"{path} is larger than {_MAX_BYTES} bytes", "give a list of class names")
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as UTF-8 text", "give one class name per line") from error
