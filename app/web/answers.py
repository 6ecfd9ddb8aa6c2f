"""What the API answers, as models: OpenAPI describes them, and a test holds the real answers against them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """One answer, or a piece of one."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TallyAnswer(Answer):
    """The account of a lot: every trigger is settled or in flight."""

    triggers: int = Field(description="parts that the sensor has announced")
    passed: int
    rejected: int
    lost: int
    in_flight: int
    is_balanced: bool = Field(description="triggers = passed + rejected + lost + in_flight")
    yield_share: float | None = Field(alias="yield", description="passed of all that are settled, 0 .. 1")


class LatchAnswer(Answer):
    """Why a line is stopped."""

    cause: str
    text: str
    for_ms: float
    part: int | None


class CameraAnswer(Answer):
    """How a camera does."""

    name: str
    text: str = Field(description="what is wrong with it; empty: nothing")
    frames: int
    dropped: int
    refused: int
    reopened: int
    for_ms: float | None = Field(description="since the last picture")


class StationAnswer(Answer):
    """What a station says of itself. Times are ages in ms."""

    model_config = ConfigDict(extra="allow")

    state: str
    why: str
    for_ms: float
    lot: str
    tally: TallyAnswer
    latches: list[LatchAnswer]
    cameras: list[CameraAnswer]
    epoch: int
    recipe: str
    package: str
    runtime: str
    budget_ms: float
    speed_mm_s: float | None
    position_mm: float | None
    is_permitted: bool
    misses: int
    failovers: int
    challenge_phase: str
    is_challenge_due: bool


class SlowAnswer(Answer):
    """One of the slowest verdicts."""

    part: int | None
    ms: float


class LatencyAnswer(Answer):
    """Times from frame in memory to verdict of the last verdicts, in ms."""

    count: int
    p50_ms: float | None
    p99_ms: float | None
    p999_ms: float | None
    max_ms: float | None
    slowest: list[SlowAnswer]
    misses: int
    budget_ms: float


class LaneAnswer(Answer):
    """Another lane in short."""

    lane: int
    state: str
    age_ms: float | None = Field(description="since its station's last word")


class RecorderAnswer(BaseModel):
    """The recorder's report on itself; more figures may come with it."""

    model_config = ConfigDict(extra="allow")

    age_ms: float
    is_short_of_room: bool


class StatusAnswer(Answer):
    """How a lane is."""

    model_config = ConfigDict(extra="allow")

    lane: int
    name: str
    age_ms: float | None = Field(description="since the station's last word; null: it has never said any")
    status: StationAnswer | None
    latency: LatencyAnswer
    missed: int = Field(description="events that were not shown")
    recorder: RecorderAnswer | None
    lanes: list[LaneAnswer]
    sent_ms: float = Field(description="on the server's stopwatch")


class FindingAnswer(Answer):
    """One sentence of a verdict; with a place where it is about a box."""

    kind: str
    text: str
    label: str = ""
    score: float = 0.0
    x: int = 0
    y: int = 0
    width: int = 0
    height: int = 0


class BoxAnswer(Answer):
    """One detection, in pixels of the frame."""

    label: str
    score: float
    x: float
    y: float
    width: float
    height: float
    kind: str = Field(description="what became of it: a reason's code, or empty")


class PictureAnswer(Answer):
    """One judged picture."""

    camera: str
    exposure: int
    file: str = Field(description="its preview's name, under /api/v1/previews/")
    is_ready: bool
    width: int
    height: int
    boxes: list[BoxAnswer]


class PartAnswer(Answer):
    """One part that has its verdict."""

    key: str
    lane: int
    epoch: int
    part: int
    at_ms: float
    verdict: Literal["pass", "reject"]
    destination: str
    reasons: list[str]
    is_flagged: bool
    rerouted: str
    findings: list[FindingAnswer]
    pictures: list[PictureAnswer]
    total_ms: float | None
    stages_ms: dict[str, float]
    budget_ms: float
    outcome: str
    confirmation: str


class PartsAnswer(Answer):
    """The last parts, newest first."""

    parts: list[PartAnswer]
    last_reject: PartAnswer | None


class HealthAnswer(Answer):
    """How the process that serves the pages does."""

    is_alive: bool
    version: str
    pages: int = Field(description="streams that are open")
    updates_lost: int
    pages_refused: int
    events_missed: int


class StopAnswer(Answer):
    """Where the stop stands in the ledger."""

    is_done: bool
    epoch: int
    sequence: int
