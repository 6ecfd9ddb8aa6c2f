"""What the API of the figures takes and gives. Shares are 0 .. 1, times milliseconds since 1970 UTC."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Span = Literal["shift", "day", "week", "month", "all"]
_MOST_US = 1 << 62
_FROZEN = ConfigDict(frozen=True, extra="forbid")


class FigureQuery(BaseModel):
    """Which parts the figures are about."""

    model_config = _FROZEN

    span: Span = Field("week", description="the time up to now; `shift`: since this shift began")
    lane: int | None = Field(None, ge=0, le=64, description="only this lane")
    lot: str | None = Field(None, max_length=200, description="only this lot")
    recipe: str | None = Field(None, max_length=200, description="only what this recipe judged")
    package: str | None = Field(None, max_length=200, description="only what this model package judged")
    since_ms: int | None = Field(None, ge=0, le=_MOST_US // 1000, description="from this moment, in place of `span`")
    until_ms: int | None = Field(None, ge=0, le=_MOST_US // 1000, description="until this moment")


class ShiftQuery(BaseModel):
    """Which lane."""

    model_config = _FROZEN

    lane: int | None = Field(None, ge=0, le=64, description="only this lane")


class Counts(BaseModel):
    """Parts counted: triggers = passed + rejected + lost + in flight."""

    triggers: int
    passed: int
    rejected: int
    lost: int
    in_flight: int
    flagged: int
    yield_share: float | None = Field(description="passed of those that have their outcome; none before the first")


class Measured(BaseModel):
    """A share, with its 95 % interval after Wilson."""

    hits: int
    of: int
    value: float | None
    low: float
    high: float


class Cause(BaseModel):
    """One cause of rejects."""

    cause: str = Field(description="a class, or the code of a reason")
    words: str = Field(description="the same in the language of the page")
    parts: int
    share: float
    cumulated: float


class Series(BaseModel):
    """Columns of one length, a row per step."""

    step_ms: int
    offset_ms: int = Field(description="how far the clock of the box is ahead of UTC")
    start_ms: list[int]
    triggers: list[int]
    passed: list[int]
    rejected: list[int]
    lost: list[int]
    yield_share: list[float | None]
    reject_share: list[float | None]
    low: list[float] = Field(description="lower control limit of the share of rejects, three sigma")
    high: list[float]
    is_out: list[bool] = Field(description="the share lies beyond a limit")
    is_run: list[bool] = Field(description="the eighth or later in a row on one side of the centre")
    p50_ms: list[float | None] = Field(description="frame in memory to verdict, slowest picture of the part")
    p99_ms: list[float | None]


class FiguresAnswer(BaseModel):
    """Everything that the charts show."""

    since_ms: int | None
    until_ms: int | None
    total: Counts
    centre: float | None = Field(description="mean share of rejects: the centre of the control chart")
    series: Series
    causes: list[Cause]
    p50_ms: float | None
    p99_ms: float | None
    budget_ms: float = Field(description="what the line allows from frame in memory to verdict")


class ChoicesAnswer(BaseModel):
    """What one can choose."""

    lanes: list[int]
    lots: list[str]
    recipes: list[str]
    packages: list[str]
    first_ms: int | None
    last_ms: int | None


class ModelRow(BaseModel):
    """What labels say of one version of a model."""

    package: str
    sha256: str
    since_ms: int
    labels: int
    escapes: Measured
    overkill: Measured


class LotOfModel(BaseModel):
    """How one package judged a lot."""

    package: str
    counts: Counts
    rejects: Measured


class SharedLot(BaseModel):
    """A lot that more than one package judged."""

    lot: str
    models: list[LotOfModel]


class ModelsAnswer(BaseModel):
    """Models beside each other."""

    models: list[ModelRow]
    shared: list[SharedLot] = Field(description="lots that more than one package judged, the newest first")


class StretchAnswer(BaseModel):
    """How a stretch of time went."""

    since_ms: int
    until_ms: int
    counts: Counts
    causes: list[Cause]


class ShiftsAnswer(BaseModel):
    """This shift, the one before, and this hour."""

    number: int
    shift: StretchAnswer
    before: StretchAnswer
    hour: StretchAnswer


class WhatIf(BaseModel):
    """Thresholds to try."""

    model_config = _FROZEN

    lane: int = Field(1, ge=0, le=64, description="whose recipe")
    thresholds: dict[str, float] = Field(
        default_factory=dict, max_length=256, description="by class; classes that are left out stay as they are"
    )
    curve: str = Field("", max_length=200, description="the class whose curve is told; empty: the first")


class ClassRow(BaseModel):
    """One class of the recipe."""

    label: str
    policy: str
    now: float = Field(description="the threshold that holds")
    tried: float
    bad: int = Field(description="labelled parts with a defect on which it was found, large enough")
    good: int = Field(description="labelled parts without a defect on which it was found, large enough")
    small: int = Field(description="labelled parts on which it was found only below its minimum sizes")


class Outcome(BaseModel):
    """What thresholds do to the labelled parts."""

    escapes: Measured
    overkill: Measured
    passed: Measured
    flagged: Measured = Field(description="parts that a person should look at, rejected ones included")


class CurveAnswer(BaseModel):
    """What each threshold of one class would do."""

    label: str
    thresholds: list[float]
    escapes: list[int]
    overkill: list[int]


class RecipeBefore(BaseModel):
    """The recipe that a lane judged by before the one that holds."""

    name: str
    sha256: str
    since_ms: int = Field(description="when it came to hold, in milliseconds since 1970 UTC")


class WhatIfAnswer(BaseModel):
    """What other thresholds would have done."""

    lane: int
    recipe: str
    recipe_sha256: str
    before: RecipeBefore | None = Field(description="what can be gone back to; null: nothing is known")
    labels: int = Field(description="labelled parts that it rests on")
    unsure: int = Field(description="labelled parts that are left out: nobody is sure of them")
    others: int = Field(description="labelled parts that are left out: no threshold decided on them")
    least_score: float | None = Field(description="lowest score recorded: nothing is known below")
    flag_margin: float = Field(description="findings this far below their threshold flag the part")
    classes: list[ClassRow]
    now: Outcome
    tried: Outcome
    moved: int = Field(description="labelled parts that would be sent elsewhere")
    is_thin: bool = Field(description="fewer than 30 bad or 30 good parts: too few to rely on")
    curve: CurveAnswer | None = Field(description="null: the class does not reject")


class Back(BaseModel):
    """The recipe before the one that holds is to hold again."""

    model_config = _FROZEN

    lane: int = Field(1, ge=0, le=64)
    recipe_sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="the recipe that holds, as it was shown")


class Apply(Back):
    """Thresholds that are to hold from the next part on."""

    thresholds: dict[str, float] = Field(min_length=1, max_length=256)


class Applied(BaseModel):
    """They hold."""

    recipe: str
    recipe_sha256: str = Field(description="what parts are judged by that are triggered from now on")
    epoch: int | None = Field(description="where the change stands in the ledger of the lane")
    sequence: int | None
