"""What the API of the processes takes and gives."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

_FROZEN = ConfigDict(frozen=True, extra="forbid")
Hindrance = Literal["", "down", "hidden", "twin", "unknown", "line_runs", "line_unknown"]


class ProcessAnswer(BaseModel):
    """One process of the table."""

    model_config = _FROZEN

    name: str
    kind: str = Field(description="what it does; empty: nothing that this version knows")
    lane: int | None = Field(description="its lane; null: it serves the whole box")
    pid: int = Field(description="0: it does not run")
    started: int = Field(description="with the pid it names this very process; 0: it does not run, or is not known")
    is_alive: bool = Field(description="it has shown a sign of life since it was started")
    for_ms: float | None = Field(description="since it was started, or has ended")
    restarts: int
    last_exit: str = Field(description="how it last ended; empty: never, or nobody knows")
    cpu_share: float | None = Field(description="of one core, 1 for all of it; null: not known yet")
    memory_bytes: int | None
    threads: int | None
    scheduling: list[str] = Field(description="policy and priority of its threads, each once")
    hindrance: Hindrance = Field(
        description="why it may not be started again now; `line_runs`: only while its line is stopped"
    )


class EndAnswer(BaseModel):
    """One end of a process."""

    model_config = _FROZEN

    name: str
    ago_ms: float
    how: str


class ProcessesAnswer(BaseModel):
    """The processes of the box."""

    model_config = _FROZEN

    started_by: str = Field(description="`takt run`, `systemd`, or empty: nobody tells")
    trouble: str = Field(description="why nothing, or nothing new, is known; empty where it is")
    processes: list[ProcessAnswer]
    ends: list[EndAnswer] = Field(description="the last ends, newest first, as far as they are known")


class Restart(BaseModel):
    """Which process is to be started again, as the list named it."""

    model_config = _FROZEN

    name: str = Field(min_length=1, max_length=120)
    pid: int = Field(ge=1, le=1 << 22)
    started: int = Field(ge=0, le=1 << 62)


class Restarted(BaseModel):
    """It was asked to end; whoever has started it starts it again."""

    model_config = _FROZEN

    name: str
    pid: int = Field(description="the process that was asked to end")
