"""Lot reports and certificates on paper: A4, drawn by reportlab."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Image, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from app.web.reports.account import LotAccount

INK, QUIET, LINE, WELL = HexColor("#1f2328"), HexColor("#57606a"), HexColor("#c9ced6"), HexColor("#f2f3f5")
WIDTH = A4[0] - 40 * mm - 12
"""What a frame leaves between the margins: it has 6 points of its own on each side."""
_PICTURE_W = (WIDTH - 6 * mm) / 2

Say = Callable[..., str]
"""A text by its key, with its values: `app.web.texts.Texts`."""

_BODY = ParagraphStyle("body", fontName="Helvetica", fontSize=9.5, leading=13, textColor=INK)
_SMALL = ParagraphStyle("small", _BODY, fontSize=8, leading=10.5, textColor=QUIET)
_MONO = ParagraphStyle("mono", _BODY, fontName="Courier", fontSize=7.5, leading=10)
_HEAD = ParagraphStyle(
    "head", _BODY, fontName="Helvetica-Bold", fontSize=11.5, leading=15, spaceBefore=10, spaceAfter=3
)
_TITLE = ParagraphStyle("title", _BODY, fontName="Helvetica-Bold", fontSize=20, leading=25)
_FIGURE = ParagraphStyle("figure", _BODY, fontName="Helvetica-Bold", fontSize=13, leading=17)


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture of a rejected part.

    Attributes:
        name: The part.
        words: Why it was rejected.
        jpeg: The picture with its boxes, small.
        width: In pixels.
        height: In pixels.
    """

    name: str
    words: str
    jpeg: bytes
    width: int
    height: int


def draw_report(account: LotAccount, say: Say, causes: Mapping[str, str], pictures: Sequence[Shown]) -> bytes:
    """The report of a lot.

    Args:
        account: The lot.
        say: The texts of a language.
        causes: Causes in words.
        pictures: The worst rejects.
    """
    story = [*_facts(account, say, "reports.report"), *_causes(account, say, causes), *_judged(account, say)]
    story += [*_challenges(account, say), *_pictures(pictures, say)]
    return _document(story, say("reports.report"), account, say)


def draw_certificate(account: LotAccount, say: Say, causes: Mapping[str, str], fingerprint: str, by: str) -> bytes:
    """The certificate of a lot, before it is signed.

    Args:
        account: The lot.
        say: The texts of a language.
        causes: Causes in words.
        fingerprint: Of the key that will sign it.
        by: Who asked for it.
    """
    story = [*_facts(account, say, "reports.certificate"), *_causes(account, say, causes), *_judged(account, say)]
    story += _challenges(account, say)
    row, digest = account.chain
    rows = [
        (say("reports.by"), _text(by)),
        (say("reports.key"), _mono(fingerprint)),
        (say("reports.chain", row=row), _mono(digest.hex())),
    ]
    story.append(
        KeepTogether([_head(say("reports.signature")), _pairs(rows), _text(say("reports.signature.words"), _SMALL)])
    )
    return _document(story, say("reports.certificate"), account, say)


def _facts(account: LotAccount, say: Say, title: str) -> list[Flowable]:
    lot, tally = account.lot, account.lot.tally
    settled = tally.passed + tally.rejected + tally.lost
    share = f"{100 * tally.passed / settled:.2f} %" if settled else "-"
    equation = (
        f"{tally.triggers:,} = {tally.passed:,} + {tally.rejected:,} + {tally.lost:,} + {tally.in_flight:,}".replace(
            ",", " "
        )
    )
    rows = [
        (say("reports.line"), _text(f"{account.line}, {say('lane', number=lot.lane)}")),
        (say("reports.opened"), _text(_moment(lot.opened))),
        (say("reports.closed"), _text(_moment(lot.closed) if lot.closed else say("reports.open"))),
        (say("reports.yield"), _text(share)),
    ]
    return [
        _text(say(title), _SMALL),
        _text(say("reports.lot", lot=lot.lot or say("figures.nolot")), _TITLE),
        Spacer(1, 3 * mm),
        _pairs(rows),
        _head(say("reports.account")),
        _text(equation, _FIGURE),
        _text(say("reports.account.words"), _SMALL),
        _text(say("reports.balanced" if tally.is_balanced else "reports.unbalanced")),
    ]


def _causes(account: LotAccount, say: Say, words: Mapping[str, str]) -> list[Flowable]:
    if not account.causes:
        return []
    total = sum(account.causes.values())
    rows = [
        [_text(words.get(cause, cause)), str(parts), f"{100 * parts / total:.1f} %"]
        for cause, parts in account.causes.items()
    ]
    heads = [say("figures.cause"), say("figures.parts"), say("figures.share")]
    return [_head(say("figures.causes")), _table(heads, rows, (WIDTH - 60 * mm, 30 * mm, 30 * mm))]


def _judged(account: LotAccount, say: Say) -> list[Flowable]:
    parts: list[Flowable] = [_head(say("reports.judged"))]
    for each in account.judged:
        terms = each.terms
        thresholds = ", ".join(f"{label} {value:g}" for label, value in each.thresholds.items())
        rows = [
            (say("reports.model"), _stack(terms.package, terms.package_sha256)),
            (say("figures.recipe"), _stack(terms.recipe, terms.recipe_sha256)),
            (say("reports.thresholds"), _text(thresholds or say("reports.unknown"))),
            (say("reports.runtime"), _text(terms.runtime or say("reports.unknown"))),
        ]
        parts += [_pairs(rows), Spacer(1, 2 * mm)]
    return parts


def _challenges(account: LotAccount, say: Say) -> list[Flowable]:
    head = _head(say("reports.challenges"))
    if not account.challenges:
        return [head, _text(say("reports.challenges.none"), _SMALL)]
    rows = [[_moment(each.at), each.result, _text(each.text)] for each in account.challenges]
    heads = [say("figures.time"), say("reports.result"), say("reports.words")]
    return [head, _table(heads, rows, (46 * mm, 26 * mm, WIDTH - 72 * mm))]


def _pictures(pictures: Sequence[Shown], say: Say) -> list[Flowable]:
    if not pictures:
        return []
    cells: list[list[Flowable]] = []
    for each in pictures:
        height = min(_PICTURE_W * each.height / max(1, each.width), 85 * mm)
        image = Image(io.BytesIO(each.jpeg), height * each.width / max(1, each.height), height)
        cells.append([image, _text(each.name), _text(each.words, _SMALL)])
    rows = [cells[start : start + 2] + [[]] * (2 - len(cells[start : start + 2])) for start in range(0, len(cells), 2)]
    table = Table(rows, colWidths=[_PICTURE_W + 3 * mm] * 2)
    table.setStyle(TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)]))
    return [_head(say("reports.worst")), table]


def _document(story: list[Flowable], title: str, account: LotAccount, say: Say) -> bytes:
    target = io.BytesIO()
    name = _plain(f"{title} {account.lot.lot}")
    document = SimpleDocTemplate(
        target,
        pagesize=A4,
        leftMargin=20 * mm,
        rightMargin=20 * mm,
        topMargin=20 * mm,
        bottomMargin=20 * mm,
        title=name,
        author="Takt",
    )
    foot = _plain(f"Takt, {title}, {account.line}, {account.lot.lot}, {_moment(account.at)}")

    def sign(canvas: Any, page: Any) -> None:
        canvas.saveState()
        canvas.setStrokeColor(LINE)
        canvas.line(20 * mm, 15 * mm, A4[0] - 20 * mm, 15 * mm)
        canvas.setFont("Helvetica", 7.5)
        canvas.setFillColor(QUIET)
        canvas.drawString(20 * mm, 11 * mm, foot[:120])
        canvas.drawRightString(A4[0] - 20 * mm, 11 * mm, _plain(say("reports.page", number=page.page)))
        canvas.restoreState()

    document.build(story, onFirstPage=sign, onLaterPages=sign)
    return target.getvalue()


def _pairs(rows: Sequence[tuple[str, Flowable]]) -> Table:
    table = Table([[_text(name, _SMALL), value] for name, value in rows], colWidths=(45 * mm, WIDTH - 45 * mm))
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("TOPPADDING", (0, 0), (-1, -1), 1.5),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
            ]
        )
    )
    return table


def _table(heads: Sequence[str], rows: Sequence[Sequence[Any]], widths: Sequence[float]) -> Table:
    cells = [[_text(each, _SMALL) for each in heads], *(list(row) for row in rows)]
    table = Table(cells, colWidths=list(widths), repeatRows=1)
    table.setStyle(
        TableStyle(
            [
                ("FONT", (0, 1), (-1, -1), "Helvetica", 9.5),
                ("TEXTCOLOR", (0, 1), (-1, -1), INK),
                ("BACKGROUND", (0, 0), (-1, 0), WELL),
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
                ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
            ]
        )
    )
    return table


def _stack(name: str, digest: str) -> Table:
    table = Table([[_text(name or "-")], [_mono(digest or "-")]])
    table.setStyle(
        TableStyle(
            [
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("TOPPADDING", (0, 0), (-1, -1), 0),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 0),
            ]
        )
    )
    return table


def _head(words: str) -> Paragraph:
    return _text(words, _HEAD)


def _mono(words: str) -> Paragraph:
    return _text(words, _MONO)


def _text(words: str, style: ParagraphStyle = _BODY) -> Paragraph:
    # Names of lots and classes are anybody's words: none of them may become markup.
    return Paragraph(escape(_plain(words)), style)


def _plain(words: str) -> str:
    """What the built-in fonts cannot draw is written by its number; the signed payload has it as it is."""
    return words.encode("cp1252", "backslashreplace").decode("cp1252")


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "-"
