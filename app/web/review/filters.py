"""The filters of the queue, as they stand in the address of the page and of the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from app.errors import UsageError
from app.record.walltime import micros

PAGE_ROWS = 100
MOST_ROWS = 200
_FIRST_YEAR, _LAST_YEAR = 1970, 2200
_LONGEST = 200

Why = Literal["reject", "flagged", "sample"]
LabelChoice = Literal[
    "none", "any", "disputed", "true_defect", "false_reject", "escape", "other_class", "good", "unsure"
]
OpinionChoice = Literal["differs", "would_reject", "would_pass", "same", "none"]
Cursor = tuple[int, int, int, int]
"""Where a page ends: time in microseconds, lane, epoch and number of its last part."""


def _in_reach(said: datetime) -> datetime:
    if not _FIRST_YEAR <= said.year < _LAST_YEAR:
        raise ValueError(f"a year from {_FIRST_YEAR} to {_LAST_YEAR - 1}")
    # What names no zone is meant by the clock on the box.
    return said.astimezone(timezone.utc)


Moment = Annotated[datetime, AfterValidator(_in_reach)]
Words = Annotated[str, Field(min_length=1, max_length=_LONGEST)]


class QueueFilter(BaseModel):
    """Which parts of the queue. What is left out does not choose."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    from_time: Moment | None = Field(None, alias="from", description="triggered at or after this time (ISO 8601)")
    to_time: Moment | None = Field(None, alias="to", description="triggered before this time (ISO 8601)")
    why: Why | None = Field(None, description="rejected, flagged for a person, or a sample of the passed parts")
    class_name: Words | None = Field(None, alias="class", description="this class was found on it, at any score")
    min_score: float | None = Field(None, ge=0, le=1, description="highest score of that class, or of any")
    max_score: float | None = Field(None, ge=0, le=1, description="highest score of that class, or of any")
    label: LabelChoice | None = Field(None, description="what people said; none: nothing yet; disputed: they disagree")
    lot: Words | None = Field(None, description="of this lot")
    recipe: Words | None = Field(None, description="judged by this recipe")
    package: Words | None = Field(None, description="judged by this model package")
    opinion: OpinionChoice | None = Field(
        None,
        description="what another model would have said; would_reject, would_pass: unlike the line; none: nothing",
    )
    opinion_of: str | None = Field(
        None, pattern=r"^[0-9a-f]{8,64}$", description="that model, by the first digits of its hash; else any"
    )
    reason: Words | None = Field(None, description="with this code among its reasons, such as NO_FRAME")
    lane: int | None = Field(None, ge=0, le=999, description="of this lane")

    @property
    def from_us(self) -> int | None:
        """The earliest trigger, in microseconds since 1970 UTC."""
        return None if self.from_time is None else micros(self.from_time)

    @property
    def to_us(self) -> int | None:
        """The trigger must come before this, in microseconds since 1970 UTC."""
        return None if self.to_time is None else micros(self.to_time)


class QueueQuery(QueueFilter):
    """A page of the queue."""

    after: str | None = Field(
        None,
        pattern=r"^\d{1,18}\.\d{1,18}\.\d{1,18}\.\d{1,18}$",
        description="the `next` of the page before this one",
    )
    limit: int = Field(PAGE_ROWS, ge=1, le=MOST_ROWS, description="at most so many parts")

    @property
    def cursor(self) -> Cursor | None:
        """Where the page before this one ended."""
        return None if self.after is None else cursor_of(self.after)


@dataclass(frozen=True, slots=True)
class Wrong:
    """A piece of a filter that makes no sense.

    Attributes:
        name: Its key in the address.
        value: What stands there.
        is_known: There is a filter of that name.
    """

    name: str
    value: str
    is_known: bool = True


def read_filter(given: Mapping[str, str]) -> tuple[QueueFilter, tuple[Wrong, ...]]:
    """The filter in the address of a page: what makes sense of it, and what does not.

    Args:
        given: The query; empty values do not choose.
    """
    said = {key: value for key, value in given.items() if value and key != LANGUAGE}
    left = {key: value for key, value in said.items() if key in KEYS}
    wrong = [Wrong(key[:_LONGEST], value[:_LONGEST], is_known=False) for key, value in said.items() if key not in KEYS]
    while True:
        try:
            return QueueFilter.model_validate(left), tuple(wrong)
        except ValidationError as error:
            keys = dict.fromkeys(str(each["loc"][0]) for each in error.errors() if each["loc"])
            wrong += [Wrong(key, left.pop(key)[:_LONGEST]) for key in keys]


def cursor_of(text: str) -> Cursor:
    """Reads what `cursor_text` wrote.

    Raises:
        UsageError: It is none.
    """
    try:
        at_us, lane, epoch, part_id = map(int, text.split("."))
    except ValueError as error:
        raise UsageError("after: this is no place in the queue", "begin with the first page") from error
    return at_us, lane, epoch, part_id


def cursor_text(cursor: Cursor) -> str:
    """A place in the queue as it stands in an address."""
    return ".".join(map(str, cursor))


LANGUAGE = "lang"
"""A key that any address may have."""

KEYS = tuple(field.alias or name for name, field in QueueFilter.model_fields.items())
"""The keys of a filter in an address."""
