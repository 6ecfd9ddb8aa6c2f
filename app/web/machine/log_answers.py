"""What the log asks and answers."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.record.walltime import moment
from app.support.log_lines import MOST_LINES
from app.support.logs import LogFilter, LogLine

MOST_SHOWN = 2_000
_US_PER_MIN = 60_000_000


class LogQuery(BaseModel):
    """Which lines."""

    model_config = ConfigDict(frozen=True)

    process: str = Field("", max_length=100, description="said by this process, by its name")
    words: str = Field("", max_length=100, description="with these letters in them, capitals or not")
    level: Literal["error", "warning", "info"] = Field("info", description="at least as bad as this")
    minutes: int = Field(0, ge=0, le=525_600, description="of the last so many minutes; 0: however old")

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, given: Any) -> Any:
        """A form sends also what was not chosen."""
        return {key: value for key, value in given.items() if value != ""} if isinstance(given, dict) else given

    def chosen(self, now_us: int, *, after: int = 0, most: int = MOST_LINES) -> LogFilter:
        """The filter that it describes.

        Args:
            now_us: The present, in microseconds since 1970 UTC.
            after: Only lines whose number is larger.
            most: So many of the newest.
        """
        since_us = max(0, now_us - self.minutes * _US_PER_MIN) if self.minutes else 0
        return LogFilter(self.process, self.words, self.level, since_us, after, most)


class LogLinesQuery(LogQuery):
    """Which lines, and how many."""

    after: int = Field(0, ge=0, lt=2**63, description="only what came after the line with this number")
    most: int = Field(200, ge=1, le=MOST_SHOWN, description="so many of the newest")


class LogLineAnswer(BaseModel):
    """One line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(description="larger than that of every line before it")
    at_us: int = Field(description="when it was heard, in microseconds since 1970 UTC")
    time: str = Field(description="the same in the time zone of the box")
    process: str = Field(description="who said it")
    lane: int | None = Field(description="its lane, where it has one")
    level: Literal["error", "warning", "info"] = Field(description="how bad it is, by its words")
    text: str


class LogAnswer(BaseModel):
    """What was found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lines: list[LogLineAnswer] = Field(description="the newest first")
    processes: list[str] = Field(description="who may have said something")
    is_more: bool = Field(description="there are older ones")
    trouble: str = Field(description="why some may be missing; empty where none are")


def answer_of(line: LogLine) -> LogLineAnswer:
    """A line as the API tells it."""
    return LogLineAnswer(time=time_of(line), **asdict(line))


def time_of(line: LogLine) -> str:
    """When a line was heard, in the time zone of the box, to the thousandth of a second."""
    return local(line.at_us).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def local(at_us: int) -> datetime:
    """A moment in the time zone of the box; the first there can be where a file says nonsense."""
    try:
        return moment(at_us).astimezone()
    except (OverflowError, ValueError, OSError):
        return datetime(1970, 1, 1, tzinfo=timezone.utc)
