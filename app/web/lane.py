"""What the pages know of a lane before its station has said anything."""

from __future__ import annotations

from dataclasses import dataclass

from app.config import Line


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane as the pages name it.

    Attributes:
        number: Its number, which its files on the bus carry.
        name: What people call the line.
        budget_ms: Longest time from frame in memory to verdict.
        cameras: The names of its cameras.
    """

    number: int
    name: str
    budget_ms: float
    cameras: tuple[str, ...] = ()

    @classmethod
    def of(cls, line: Line) -> Lane:
        """The lane that a `line.toml` describes."""
        return cls(
            line.line.lane,
            line.line.name,
            line.model.verdict_ms,
            tuple(camera.name for camera in line.cameras),
        )
