"""Where `takt inspect` writes, settled before any picture is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.cli.files import check_outputs
from app.errors import UsageError

MOST_SHOWN = 60
"""Rejects that a contact sheet or report shows at most."""

REPORT_NAMES = (
    "index.html",
    "takt.css",
    "contact-sheet.png",
    *(f"parts/{n:04d}.png" for n in range(1, MOST_SHOWN + 1)),
)
SHEET_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is to be written, beside the table.

    Attributes:
        coco: COCO results.
        verdicts: The verdicts beside them.
        annotated: Where each picture's annotated copy goes.
        sheet: Contact sheet of the rejects, one picture.
        report: Folder for the contact sheet as a page.
    """

    coco: Path | None
    verdicts: Path | None
    annotated: dict[Path, Path]
    sheet: Path | None
    report: Path | None

    @property
    def shows_rejects(self) -> bool:
        """Rejects have to be kept with their pictures."""
        return self.sheet is not None or self.report is not None

    @property
    def files(self) -> list[Path]:
        """Every file whose name is known before any picture is judged."""
        named = [self.coco, self.verdicts, self.sheet, *self.annotated.values()]
        named += [self.report / name for name in REPORT_NAMES] if self.report else []
        return [path for path in named if path is not None]


def planned(
    paths: Sequence[Path], coco: Path | None, annotate: Path | None, sheet: Path | None, report: Path | None
) -> Outputs:
    """Gives everything that was asked for a name of its own.

    Args:
        paths: The pictures.
        coco: COCO results; the verdicts go beside them.
        annotate: Folder for annotated pictures.
        sheet: Contact sheet.
        report: Folder for a page.

    Raises:
        UsageError: A file has no name, or the contact sheet's ends in no picture format.
    """
    if sheet and sheet.suffix.lower() not in SHEET_SUFFIXES:
        raise UsageError(f"--sheet {sheet} names no picture format", f"end it in one of {', '.join(SHEET_SUFFIXES)}")
    if coco and not coco.name:
        raise UsageError(f"--coco {coco} names no file", "name a file to write, such as found.json")
    verdicts = coco.with_name(f"{coco.stem}.verdicts.json") if coco else None
    return Outputs(coco, verdicts, _annotated_names(paths, annotate) if annotate else {}, sheet, report)


def _annotated_names(paths: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """A name of its own for each picture: its stem, and more of it where two pictures share one."""
    taken: set[str] = set()
    names: dict[Path, Path] = {}
    for path in paths:
        name, number = path.stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{path.stem}-{number}"
        taken.add(name.casefold())
        names[path] = folder / f"{name}.png"
    return names


def check_places(outputs: Outputs, read: Sequence[Path]) -> None:
    """Refuses outputs that would overwrite what is read, or that cannot be written.

    Args:
        outputs: What is to be written.
        read: Files that the command reads, and folders that it reads files of.

    Raises:
        UsageError: One of them would, or cannot.
    """
    drawn = {path.parent.resolve() for path in outputs.annotated.values()}
    inputs: list[Path] = []
    for path in read:
        if path.resolve() in drawn:
            raise UsageError(f"{path} is read from: what is drawn there would be judged next time", "draw elsewhere")
        inputs += path.iterdir() if path.is_dir() else [path]
    check_outputs(outputs.files, inputs)
