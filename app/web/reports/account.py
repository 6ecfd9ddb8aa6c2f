"""The account of a lot: everything that its report and its certificate say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from app.errors import ConfigError
from app.recipe import parse_recipe
from app.record import DOCUMENTS, LEDGER
from app.record.documents import find
from app.record.figures import Figures, Slice, Terms
from app.record.readers import Records
from app.record.told import LotRecord
from app.record.walltime import moment
from app.record.witness import told_between
from app.types import EventKind
from app.web.access.refusals import RefusedError

FORM = "takt-lot-certificate"
VERSION = 1
_MOST_LANE = 999


@dataclass(frozen=True, slots=True)
class JudgedUnder:
    """What judged parts of a lot.

    Attributes:
        terms: Model and recipe with their hashes.
        thresholds: By class; `default` for all others. Empty where the recipe's text is not kept.
    """

    terms: Terms
    thresholds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Challenge:
    """One step of a challenge test while the lot ran.

    Attributes:
        at: When.
        result: STARTED, PASSED or FAILED.
        text: In words.
    """

    at: datetime
    result: str
    text: str


@dataclass(frozen=True, slots=True)
class LotAccount:
    """A lot as the record has it.

    Attributes:
        lot: Its name, times and tally.
        line: What people call the line.
        causes: Rejected parts by cause, the most frequent first.
        judged: What judged its parts, in order.
        challenges: Challenge tests while it ran.
        chain: Row and hash at the end of the lane's chain when this was drawn up.
        at: When that was.
    """

    lot: LotRecord
    line: str
    causes: Mapping[str, int]
    judged: tuple[JudgedUnder, ...]
    challenges: tuple[Challenge, ...]
    chain: tuple[int, bytes]
    at: datetime

    def payload(self, by: str) -> dict[str, Any]:
        """What a certificate signs.

        Args:
            by: Who asked for it.
        """
        tally = self.lot.tally
        return {
            "form": FORM,
            "version": VERSION,
            "at": _text(self.at),
            "by": by,
            "line": self.line,
            "lane": self.lot.lane,
            "lot": self.lot.lot,
            "opened": _text(self.lot.opened),
            "closed": _text(self.lot.closed),
            "tally": {name: getattr(tally, name) for name in ("triggers", "passed", "rejected", "lost", "in_flight")},
            "is_balanced": tally.is_balanced,
            "causes": dict(self.causes),
            "judged": [_judged(each) for each in self.judged],
            "challenges": [
                {"at": _text(each.at), "result": each.result, "text": each.text} for each in self.challenges
            ],
            "chain": {"row": self.chain[0], "hash": self.chain[1].hex()},
        }


def account_of(state: Path, records: Records, figures: Figures, lane: int, lot: str, line: str) -> LotAccount:
    """Draws up the account of a lot.

    Args:
        state: The station's state folder.
        records: The ledger.
        figures: Its counts.
        lane: The lane.
        lot: The lot.
        line: What people call the line.

    Raises:
        RefusedError: The ledger knows no such lot (404).
        RecordError: The ledger cannot be read.
    """
    # More than SQLite can count with is no lane.
    lots = records.lots(lane, most=10**9) if lane <= _MOST_LANE else []
    record = next((each for each in lots if each.lot == lot), None)
    if record is None:
        raise RefusedError(404, f"lane {lane} has had no lot {lot!r}", "choose one of those that are listed")
    now = datetime.now(timezone.utc)
    terms = figures.terms_of_lot(lot, lane)
    first = figures.lot_span(lot, lane)
    since = record.opened or (moment(first) if first is not None else now)
    tests = told_between(state / LEDGER, lane, (EventKind.CHALLENGE,), since, record.closed or now)
    return LotAccount(
        lot=record,
        line=line,
        causes=figures.causes(Slice(lane=lane, lot=lot)),
        judged=tuple(JudgedUnder(each, thresholds_of(state, each)) for each in terms),
        challenges=tuple(
            Challenge(each.at, str(each.data.get("result", "")), str(each.data.get("text", ""))) for each in tests
        ),
        chain=figures.head(lane),
        at=now,
    )


def thresholds_of(state: Path, terms: Terms) -> dict[str, float]:
    """The thresholds of the recipe that terms name; empty where its text is not kept, or is none any more."""
    text = find(state / DOCUMENTS, terms.recipe_sha256) if terms.recipe_sha256 else None
    if text is None:
        return {}
    try:
        recipe = parse_recipe(text, terms.recipe)
    except ConfigError:
        return {}
    named = {label: recipe.rule(label).threshold for label in sorted(recipe.classes)}
    if "threshold" in recipe.default.model_fields_set:
        named["default"] = recipe.default.threshold
    return named


def _judged(each: JudgedUnder) -> dict[str, Any]:
    terms = each.terms
    names = ("row", "package", "package_sha256", "recipe", "recipe_sha256", "runtime")
    said = {name: getattr(terms, name) for name in names}
    return said | {"since": _text(moment(terms.since_us)), "thresholds": dict(each.thresholds)}


def _text(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None
