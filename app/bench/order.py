"""What was asked for, and the line that follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.bench.faults import Fail
from app.bench.geometry import Geometry, fitted
from app.bench.loads import LOADS
from app.bench.stand import RING_MB_PER_PART
from app.config import Line
from app.detect.blank import RUNTIME as BLANK
from app.detect.runtimes import RUNTIMES, SICK
from app.detect.zoo import chosen_package
from app.errors import UsageError
from app.recipe import Recipe
from app.setup import Setup
from app.toml import validated

LEAST_RING_MB = 16
MOST_RING_MB = 512
HOLD_MS = 1000.0
"""The least that the stand's permit relay holds: a machine that stalls is measured, and does not end the run."""


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for.

    Attributes:
        parts: Parts that count, on each side.
        parts_per_min: The rate.
        loads: Keys of `LOADS`.
        package: Another model package than the line's; empty for that.
        runtime: Another runtime; empty for the line's.
        threads: Another number of threads; 0 for the line's.
        is_blank: Nothing is inferred: what is left is what the station itself takes.
        fails: Faults of the accelerator, in the order of their parts.
        budget_ms: Another limit from frame in memory to verdict; 0 for the line's.

    Raises:
        UsageError: It makes no sense.
    """

    parts: int
    parts_per_min: float
    loads: tuple[str, ...] = ()
    package: str = ""
    runtime: str = ""
    threads: int = 0
    is_blank: bool = False
    fails: tuple[Fail, ...] = ()
    budget_ms: float = 0.0

    def __post_init__(self) -> None:
        unknown = [name for name in self.loads if name not in LOADS]
        if unknown:
            raise UsageError(f"there is no load {unknown[0]!r}", f"use {', '.join(LOADS)}")
        if len(set(self.loads)) < len(self.loads):
            raise UsageError("a load is named twice", "name each once")
        known = ("auto", *(name for name in RUNTIMES if name != BLANK))
        if self.runtime and self.runtime not in known:
            raise UsageError(f"there is no runtime {self.runtime!r}", f"use {', '.join(known)}")
        if self.is_blank and (self.runtime or self.threads):
            raise UsageError("--no-inference runs no model", "leave --runtime and --threads out")
        if self.fails and (self.is_blank or self.loads):
            other = "--no-inference" if self.is_blank else "--load"
            raise UsageError(f"--fail does not go with {other}", f"leave --fail or {other} out")
        if self.fails and self.fails[-1].part > self.parts:
            last = self.fails[-1]
            raise UsageError(f"--fail {last} comes after the last of {self.parts} parts", f"ask for -n {last.part}")

    @property
    def has_recorder(self) -> bool:
        """The recorder takes part: as a load, or as other models need the pictures that it keeps."""
        return "record" in self.loads or "opinion" in self.loads

    @property
    def has_web(self) -> bool:
        """The pages take part."""
        return "web" in self.loads


def line_for(order: Order, setup: Setup, state: Path) -> tuple[Line, Recipe, Geometry]:
    """The line to measure: the one named, on the twin, with what was asked for.

    Args:
        order: What was asked for.
        setup: The line that was named.
        state: The station's state folder, which knows the active package.

    Raises:
        UsageError: The line cannot be run on the twin, or the rate cannot be had.
        ConfigError: A setting does not go with the others.
        PackageError: The pointer to the active package is damaged.
    """
    line = setup.line
    if line.trigger.source != "sensor":
        raise UsageError(f"{setup.path} triggers by belt travel", "name a line whose parts are seen by a sensor")
    line, geometry = fitted(line, order.parts_per_min)
    values = line.model_dump(by_alias=True, exclude_none=True)
    package = chosen_package(order.package or line.model.package, state)
    values["model"] |= {"package": str(Path(package).absolute()) if "/" in package else package}
    values["model"] |= _model(order)
    for camera in values["camera"]:
        # The pictures are the twin's, as large and as often as the line's own.
        camera |= {"driver": "twin", "source": ""}
    values["storage"] |= {"ring_mb": _ring_mb(order)} | ({"pass_every": 1} if order.has_recorder else {})
    values["ui"] |= {"host": "127.0.0.1"}
    if line.permit:
        values["permit"]["hold_ms"] = max(HOLD_MS, line.permit.hold_ms)
    # The twin's boards have a golden sample of their own.
    recipe = setup.recipe.model_copy(update={"golden_sample": ""})
    return validated(Line, values, str(setup.path)), recipe, geometry


def _model(order: Order) -> dict[str, Any]:
    asked: dict[str, Any] = {"runtime": order.runtime, "threads": order.threads, "verdict_ms": order.budget_ms}
    if order.is_blank:
        asked |= {"runtime": BLANK, "standby": "none", "accelerator": "none"}
    if order.fails:
        asked |= {"accelerator": SICK, "standby": "none"}
    return {key: value for key, value in asked.items() if value}


def _ring_mb(order: Order) -> float:
    """Without a recorder nobody empties the ring."""
    parts = 2 * order.parts if order.loads else order.parts
    return float(min(MOST_RING_MB, max(LEAST_RING_MB, round(2 * parts * RING_MB_PER_PART))))
