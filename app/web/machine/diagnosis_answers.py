"""What the API of the diagnostics gives: areas, each with its state, its figures and what is to be said of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Level = Literal["fine", "unknown", "look", "wrong"]
Unit = Literal[
    "text",
    "words",
    "count",
    "number",
    "celsius",
    "mhz",
    "watt",
    "share",
    "bytes",
    "ms",
    "span",
    "days",
    "moment",
    "mm_s",
    "yes",
]
Value = float | int | str | bool | None
MAIN = {
    "line": "state",
    "cameras": "last_frame",
    "judging": "p99",
    "recorder": "backlog",
    "processes": "running",
    "heat": "temperature",
    "cores": "busy",
    "memory": "memory_free",
    "disk": "disk_free",
    "time": "synchronised",
    "https": "https",
    "versions": "version",
}
"""Every area in the order in which they are shown, with the figure of each that says most."""

_ORDER: tuple[Level, ...] = ("fine", "unknown", "look", "wrong")


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Fact(_Answer):
    """One figure."""

    key: str = Field(description="its name, the text `diagnosis.fact.` and this")
    value: Value = Field(description="null: not known")
    unit: Unit = Field(
        description="`text`: words of the box; `words`: a key of the pages' texts; `span`: a time in ms; `moment`: ms"
        " since 1970 UTC; `share`: 0 .. 1; `yes`: whether it is so"
    )
    of: str = Field("", description="what it is about, where there are several: a lane, a camera, a sensor")
    level: Level = "fine"


class Remark(_Answer):
    """What is to be said, with what to do about it."""

    key: str = Field(description="the text `diagnosis.says.` and this")
    level: Level
    values: dict[str, str | float] = Field(default_factory=dict, description="what the text has room for")


class Area(_Answer):
    """One area of the box."""

    key: str = Field(description="its name, the text `diagnosis.area.` and this")
    level: Level
    main: str = Field(description="the key of the figure that says most")
    facts: list[Fact]
    remarks: list[Remark]


class DiagnosisAnswer(_Answer):
    """How the box is."""

    areas: list[Area]
    temperature_c: float | None = Field(description="the warmest that is known: the accelerator, else the cores")
    p99_ms: float | None = Field(description="frame in memory to verdict, the slower lane's")
    budget_ms: float = Field(description="what that lane allows")


class CheckAnswer(_Answer):
    """One thing that was looked at."""

    topic: str
    level: Literal["ok", "warn", "bad"]
    text: str
    mend: str


class ChecksAnswer(_Answer):
    """The checks of `takt doctor`: the run that goes on, or the last one."""

    phase: Literal["never", "running", "done", "failed"]
    at_ms: float = Field(description="when it was started, in ms since 1970 UTC; 0: never")
    for_ms: float = Field(description="how long it has run, or ran")
    limit_ms: float = Field(description="it is ended after so long")
    by: str
    checks: list[CheckAnswer] = Field(description="what was found, the worst first; while it runs, the last time")
    trouble: str = Field(description="why there is no result; empty where there is")


def worst(levels: Iterable[Level]) -> Level:
    """The worst of some levels; `fine` of none."""
    return max(levels, key=_ORDER.index, default="fine")


def area(key: str, facts: Iterable[Fact], remarks: Iterable[Remark] = ()) -> Area:
    """An area whose level is the worst of what it says."""
    told, said = list(facts), list(remarks)
    levels = [*(each.level for each in told), *(each.level for each in said)]
    return Area(key=key, level=worst(levels), main=MAIN[key], facts=told, remarks=said)
