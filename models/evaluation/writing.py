"""What an evaluation leaves behind: the card, and pictures of the worst misses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2

from app.errors import DataError, UsageError
from app.types import Image
from models.evaluation.card import TERMS, card_text
from models.evaluation.card_file import check_place, picture_of, read_sections, write_card
from models.evaluation.drawing import draw, sheet_of
from models.evaluation.judging import Presentation, show
from models.evaluation.report import Miss, Report
from models.evaluation.truth import Source, Truth, load_truth


@dataclass(frozen=True, slots=True)
class Writing:
    """What is to be written of a report.

    Attributes:
        package: The package's folder.
        source: The split that is reported.
        presentation: How its pictures were shown.
        card: The card's file; `None`: no card.
        terms: Markdown with origin and terms of the data.
        about: Markdown with the maker's own sections.
        pictures: Folder for the worst misses, drawn on their pictures.
        may_ship: The card may show the pictures themselves.
    """

    package: Path
    source: Source
    presentation: Presentation
    card: Path | None = None
    terms: Path | None = None
    about: Path | None = None
    pictures: Path | None = None
    may_ship: bool = False

    def check(self) -> Words:
        """Reads and checks everything that can be before the long part begins.

        Raises:
            UsageError: A card without terms, or options of a card without one.
            DataError: A file cannot be read, or a place cannot be written to.
        """
        if self.card is None:
            if self.terms or self.about or self.may_ship:
                raise UsageError("--terms, --about and --may-ship-pictures are of a card", "name it with --card FILE")
        elif self.terms is None:
            raise UsageError(
                "a card has to say where its data is from and under what terms", "write that down and give --terms FILE"
            )
        else:
            check_place(self.card)
        if self.pictures and not self.may_ship and self.pictures.resolve().is_relative_to(self.package.resolve()):
            raise UsageError(
                f"{self.pictures} lies in the package, and would travel with it",
                "name a folder elsewhere, or say --may-ship-pictures where the terms allow it",
            )
        if self.card is None or self.terms is None:
            return Words()
        return Words(_terms(self.terms), read_sections(self.about) if self.about else {})

    def write(self, report: Report, words: Words) -> list[str]:
        """Writes card and pictures.

        Returns:
            The files.

        Raises:
            DataError: A file cannot be read or written.
        """
        written: list[str] = []
        row = report.first
        if row is None or row.evaluation is None:
            return written
        threshold = row.evaluation.threshold
        shown: list[list[Image]] = []
        if report.misses and (self.pictures or self.may_ship):
            truth = load_truth(self.source, report.kind, report.classes, report.good_classes)
            shown = [shown_of(each, truth, self.presentation) for each in report.misses]
        if self.pictures:
            written += _write_pictures(self.pictures, report.misses, shown, threshold)
        if self.card:
            sheet = None
            if report.misses:
                sheet = sheet_of(report.misses, threshold, shown if self.may_ship else None)
            text = card_text(report, words.terms, words.sections, picture_of(self.card).name if report.misses else "")
            write_card(self.card, text, sheet)
            written += [str(self.card), *([str(picture_of(self.card))] if report.misses else [])]
        return written


@dataclass(frozen=True, slots=True)
class Words:
    """What the maker says of the package.

    Attributes:
        terms: Origin and terms of the data, in Markdown.
        sections: Other sections by heading.
    """

    terms: str = ""
    sections: Mapping[str, str] = field(default_factory=dict)


def shown_of(miss: Miss, truth: Truth, presentation: Presentation) -> list[Image]:
    """The pictures of a miss, made again: the part, and its golden sample where it has one."""
    picture = truth.pictures[miss.item.picture]
    for exhibit in show(miss.item.picture, picture, truth.classes, 3, presentation):
        if exhibit.item == miss.item:
            return [exhibit.image, *([] if exhibit.golden is None else [exhibit.golden])]
    raise DataError(f"{miss.picture} changed while it was evaluated", "evaluate it again")


def _terms(path: Path) -> str:
    sections = read_sections(path)
    text = sections.get(TERMS) or "\n\n".join(
        body if not name else f"### {name}\n\n{body}" for name, body in sections.items()
    )
    if not text.strip():
        raise DataError(f"{path} is empty", "say where the data is from and under what terms")
    return text


def _write_pictures(folder: Path, misses: tuple[Miss, ...], shown: list[list[Image]], threshold: float) -> list[str]:
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, (miss, pictures) in enumerate(zip(misses, shown, strict=True), 1):
            mistake = "escape" if miss.is_escape else "overkill"
            path = folder / f"{number:02}-{mistake}-{Path(miss.picture).stem}.png"
            path.write_bytes(cv2.imencode(".png", draw(miss, threshold, pictures))[1].tobytes())
            written.append(str(path))
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror}", "check the folder and the disk") from error
    return written
