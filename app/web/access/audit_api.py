"""The API of the audit trail: rows by filter, the whole of it as a file, and whether its chain holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any

from flask import Blueprint, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.record.walltime import micros
from app.web.access.audit import AuditFilter, Leaf
from app.web.access.audit_forms import csv_lines, json_lines, plain
from app.web.context import Context
from app.web.openapi import asked, documented, told

PAGE_ROWS = 100


def _day(said: object) -> object:
    """An empty field of a form names no day."""
    return said or None


Day = Annotated[datetime | None, BeforeValidator(_day)]
Words = Annotated[str, Field(max_length=80)]


class AuditQuery(BaseModel):
    """Which rows."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    who: Words = Field("", description="by exactly this one")
    what: Words = Field("", description="of this kind; of a family of kinds where it ends in a dot, as `people.`")
    words: Words = Field("", description="these letters anywhere in who, what, about or reason")
    since: Day = Field(None, alias="from", description="not before this day or time; UTC where it names no zone")
    until: Day = Field(None, alias="to", description="up to this day, all of it, or to this time")
    before_row: int = Field(0, ge=0, lt=2**63, description="only rows before this one, for the next page")
    limit: int = Field(PAGE_ROWS, ge=1, le=1000, description="how many rows at most")

    @property
    def chosen(self) -> AuditFilter:
        """The filter that it describes."""
        return AuditFilter(self.who, self.what, self.words, _micros(self.since), _micros(self.until, is_end=True))


class AuditRowAnswer(BaseModel):
    """One change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    row: int
    at_us: int = Field(description="when, in microseconds since 1970 UTC")
    who: str
    what: str
    about: str
    before: Any = Field(description="what it was")
    after: Any = Field(description="what it was from then on")
    reason: str
    hash: str = Field(description="covers all of the above and the row before; hexadecimal")


class AuditAnswer(BaseModel):
    """A page of the trail."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: list[AuditRowAnswer] = Field(description="the newest first")
    next_before_row: int = Field(description="asks for the next page; 0: there is none")


class AuditReportAnswer(BaseModel):
    """Whether the chain holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    is_sound: bool
    rows: int
    problems: list[str]


def add_audit_views(access: Blueprint, context: Context) -> None:
    """The views of the trail."""

    @access.get("/api/v1/audit")
    @documented(answer=AuditAnswer, query=AuditQuery)
    def audit() -> Response:
        """The rows that a filter chooses, the newest first."""
        query = asked(AuditQuery)
        rows = context.audit.rows(query.chosen, query.limit + 1, query.before_row)
        more = rows[query.limit - 1].row if len(rows) > query.limit else 0
        rows = rows[: query.limit]
        return told(AuditAnswer(rows=[AuditRowAnswer(**plain(each)) for each in rows], next_before_row=more))

    @access.app_template_global("trail_leaf")
    def trail_leaf(top_row: int) -> Leaf:
        """Where the page of rows that begins with this one lies among all that its filter chooses."""
        return context.audit.leaf(asked(AuditQuery).chosen, PAGE_ROWS, top_row)

    @access.get("/api/v1/audit/verify")
    @documented(answer=AuditReportAnswer)
    def verify_audit() -> Response:
        """Checks every row of the trail against its hash."""
        found = context.audit.verify()
        return told(AuditReportAnswer(is_sound=found.is_sound, rows=found.rows, problems=list(found.problems[:100])))

    @access.get("/api/v1/audit.csv")
    @documented(query=AuditQuery, media="text/csv")
    def audit_csv() -> Response:
        """The chosen rows as a file for a spreadsheet, the oldest first."""
        return _file(csv_lines(context.audit.stream(asked(AuditQuery).chosen)), "csv", "text/csv")

    @access.get("/api/v1/audit.jsonl")
    @documented(query=AuditQuery, media="application/x-ndjson")
    def audit_jsonl() -> Response:
        """The chosen rows, one JSON object a line, the oldest first."""
        lines = json_lines(context.audit.stream(asked(AuditQuery).chosen))
        return _file(lines, "jsonl", "application/x-ndjson")


def _file(lines: Iterator[str], suffix: str, kind: str) -> Response:
    return Response(
        lines, mimetype=kind, headers={"Content-Disposition": f'attachment; filename="takt-audit.{suffix}"'}
    )


def _micros(said: datetime | None, *, is_end: bool = False) -> int:
    if said is None:
        return 0
    said = said if said.tzinfo else said.replace(tzinfo=timezone.utc)
    is_day = (said.hour, said.minute, said.second, said.microsecond) == (0, 0, 0, 0)
    try:
        return max(0, micros(said + timedelta(days=1) if is_end and is_day else said))
    except OverflowError:
        return 0
