"""What the API of second opinions takes and gives. Shares are 0 .. 1, times milliseconds since 1970 UTC."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.web.figures.answers import Measured

MOST_PARTS = 100_000
_FROZEN = ConfigDict(frozen=True, extra="forbid")
_Words = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class ChoiceRow(BaseModel):
    """A model that can be asked."""

    name: str = Field(description="as a command takes it")
    package: str
    version: str
    variant: str
    active: bool = Field(description="it judges on this station when that starts next")


class SkippedRow(BaseModel):
    """Why parts could not be judged."""

    why: str
    parts: int


class AccountAnswer(BaseModel):
    """What became of an errand."""

    sha256: str = Field(description="of the model")
    known: int = Field(description="parts that it had judged before")
    own: int = Field(description="parts that it has judged on the line itself")
    left: int = Field(description="parts that are left for another time")
    judged: int
    different: int = Field(description="of those, parts that it would have sent elsewhere")
    skipped: list[SkippedRow]
    notes: list[str] = Field(description="what is not as it was on the line")


class ErrandAnswer(BaseModel):
    """The errand that goes on, or the last one since the pages were started."""

    phase: Literal["never", "running", "done", "stopped", "failed"]
    title: str = Field(description="the model")
    by: str
    at_ms: float
    for_ms: float = Field(description="how long it has taken so far, or took")
    parts: int | None = Field(description="parts to judge; null: not known yet")
    done: int
    different: int
    account: AccountAnswer | None
    trouble: str = Field(description="why it failed")


class AskedRow(BaseModel):
    """A model whose opinions are kept."""

    sha256: str
    package: str
    version: str
    variant: str
    runtime: str
    asked_ms: float
    parts: int


class OpinionsAnswer(BaseModel):
    """What can be asked, what is asked now, and what was."""

    choices: list[ChoiceRow] | None = Field(description="null: they are being looked for")
    trouble: str = Field(description="why the models cannot be listed; empty: they can")
    errand: ErrandAnswer
    asked: list[AskedRow] = Field(description="the one asked last first")


class Ask(BaseModel):
    """Asks a model."""

    model_config = _FROZEN

    name: str = Field(max_length=4096, description="one of `choices`")
    lane: int | None = Field(None, ge=0, le=999, description="only parts of this lane")
    lot: _Words | None = Field(None, description="only parts of this lot")
    most: int = Field(500, ge=1, le=MOST_PARTS, description="at most so many parts, the newest first")


class CompareQuery(BaseModel):
    """Which comparison."""

    model_config = _FROZEN

    sha256: str = Field(pattern=r"^[0-9a-f]{8,64}$", description="the model, by the first digits of its hash")
    lane: int | None = Field(None, ge=0, le=999, description="only parts of this lane")
    lot: _Words | None = Field(None, description="only parts of this lot")


class SideAnswer(BaseModel):
    """How one of the two judged the parts."""

    rejected: Measured
    escapes: Measured = Field(description="bad parts that pass, of the bad labelled ones")
    overkill: Measured = Field(description="good parts that are rejected, of the good labelled ones")


class CompareAnswer(BaseModel):
    """The line's models and another one on the same parts."""

    model: AskedRow
    lots: list[str] = Field(description="lots of the parts that it has judged")
    parts: int
    line: SideAnswer
    other: SideAnswer
    would_reject: int = Field(description="parts that the line passed and the other would reject")
    would_pass: int = Field(description="parts that the line rejected and the other would pass")
    elsewhere: int = Field(description="parts that both reject, to different gates")
    unsure: int = Field(description="labelled parts that are left out: nobody is sure of them")
    median_ms: float | None = Field(description="what half of the parts took the other one less than, at low priority")
