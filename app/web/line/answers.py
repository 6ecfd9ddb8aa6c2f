"""What the pages of the line take and give, as models."""

from __future__ import annotations

import unicodedata
from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from app.bus.commands import Reply

_MOST_PARTS = 100_000_000
_MOST_INT = (1 << 63) - 1

Words = Annotated[str, StringConstraints(max_length=64, strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]*$")]
LotName = Annotated[
    str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]+$")
]
NewLotName = Annotated[LotName, AfterValidator(partial(unicodedata.normalize, "NFC"))]
"""However an umlaut was typed, it is one character: what looks the same is the same lot."""

Why = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Answer(BaseModel):
    """One answer, or a piece of one."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Body(BaseModel):
    """What is sent to a command."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Why = Field("", description="why; the header X-Reason may say it instead")


class Done(Answer):
    """The ledger event that says that it was done."""

    epoch: int | None = Field(description="start of the station that the event belongs to")
    sequence: int | None = Field(description="the event in that epoch")

    @classmethod
    def of(cls, reply: Reply) -> Done:
        """What a station answers that did what it was asked."""
        return cls(epoch=reply.epoch, sequence=reply.sequence)


# Alarms


class AlarmQuery(BaseModel):
    """Which alarms of a lane's history."""

    kind: Words = Field("", description="only this code")
    words: Words = Field("", description="only where the station's words hold these")
    before: int | None = Field(None, ge=0, le=_MOST_INT, description="only alarms with a smaller number")
    most: int = Field(50, ge=1, le=200, description="at most so many")


class AlarmAnswer(Answer):
    """One alarm."""

    number: int
    kind: str
    priority: Literal["high", "medium", "low"]
    text: str = Field(description="what happened, in the station's words")
    is_first: bool = Field(description="the first-out cause of a stop")
    times: int = Field(description="how often it came while it was listed")
    raised_us: int = Field(description="microseconds since 1970 UTC")
    cleared_us: int | None
    acknowledged_us: int | None
    acknowledged_by: str


class AlarmsAnswer(Answer):
    """Alarms of a lane, newest first."""

    alarms: list[AlarmAnswer]


class Acknowledge(Body):
    """Which alarm somebody has taken note of."""

    number: int | None = Field(None, ge=-_MOST_INT, le=_MOST_INT, description="left out: all that are listed")


class Acknowledged(Answer):
    """What nobody had taken note of before."""

    numbers: list[int]


# Lots


class TallyAnswer(Answer):
    """The account of a lot, or of a stretch of time."""

    triggers: int
    passed: int
    rejected: int
    lost: int
    in_flight: int


class LotAnswer(Answer):
    """One lot."""

    lot: str
    is_running: bool
    is_closed: bool
    planned: int | None = Field(description="how many parts it shall have")
    by: str = Field(description="who began it on a page")
    tally: TallyAnswer
    opened_us: int | None
    closed_us: int | None


class LotsAnswer(Answer):
    """The running lot, those that wait to be closed, the last that were closed."""

    lots: list[LotAnswer]


class StartLot(Body):
    """A lot that begins now."""

    lot: NewLotName
    planned: int | None = Field(None, ge=1, le=_MOST_PARTS)


class EndLot(Body):
    """The running lot ends now."""

    lot: LotName = Field(description="the one that is meant, lest another has begun meanwhile")


class CloseLot(Body):
    """A lot whose account is to be final."""

    lot: LotName


class LotDone(Done):
    """What runs from now on."""

    running: str


# Recipes


class RuleAnswer(Answer):
    """What a finding of a class means."""

    label: str
    threshold: float | None = Field(description="null: the model's own")
    policy: str
    destination: str


class RecipeAnswer(Answer):
    """One recipe on offer."""

    file: str
    name: str
    sha256: str
    package: str = Field(description="the model package that it is for; empty: any that knows its classes")
    picture: str = Field(description="where its picture is; empty: it has none")
    is_at_work: bool
    default: RuleAnswer | None
    classes: list[RuleAnswer]
    trouble: str = Field(description="why it cannot be chosen; empty: it can")
    trouble_code: str = Field("", description="the same as a code; empty: it has none")
    trouble_values: dict[str, str] = Field(default_factory=dict, description="what the words of the code name")


class RecipesAnswer(Answer):
    """The recipe at work, and those on offer."""

    name: str
    sha256: str
    package: str = Field(description="the model package that judges")
    recipes: list[RecipeAnswer]


class ChangeRecipe(Body):
    """Another recipe."""

    file: Annotated[str, StringConstraints(min_length=1, max_length=400)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="of what was shown, lest the file has changed meanwhile"
    )


# Challenge test, reset, figures


class SeriesAnswer(Answer):
    """One step of the challenge test."""

    phase: str
    parts: int


class TrialAnswer(Answer):
    """One challenge test of the past."""

    result: str = Field(description="PASSED, FAILED, or BROKEN: the station began anew before it ended")
    text: str
    at_us: int
    began_us: int | None
    quarantine_from: int | None
    quarantine_to: int | None


class ChallengeAnswer(Answer):
    """The challenge test: what it consists of, where it is, and how it went before."""

    phase: str
    is_due: bool
    interval_h: float
    series: list[SeriesAnswer]
    trials: list[TrialAnswer]


class Reset(Body):
    """The end of a latched stop."""

    is_cleared: bool = Field(False, description="the belt up to the end of its run-out was cleared by hand")


class ReasonCount(Answer):
    """Rejected parts by what decided it."""

    cause: str
    parts: int


class StretchAnswer(Answer):
    """A stretch of time that ends now."""

    since_us: int
    tally: TallyAnswer
    yield_share: float | None
    causes: list[ReasonCount]


class FiguresAnswer(Answer):
    """The last hour and the shift."""

    hour: StretchAnswer
    shift: StretchAnswer
