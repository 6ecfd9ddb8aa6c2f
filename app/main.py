"""The composition root: the only place that chooses drivers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from app.capture.camera import Camera
from app.capture.pictures import read_picture
from app.clock import Clock, SystemClock, VirtualClock
from app.config import Line, ModelSettings, load_line
from app.detect.detector import Detector
from app.detect.failover import Failover
from app.detect.golden import Goldens, GoldenSamples, OneGolden
from app.detect.inspection import Inspector
from app.detect.package import Package
from app.detect.proof import prove
from app.detect.runtimes import open_detector
from app.detect.zoo import chosen_package, find_package, zoo_folder
from app.errors import ConfigError
from app.recipe import Recipe, load_recipe
from app.rehearsal import Notebook, Rehearsal
from app.reject.gpio import open_line
from app.reject.tracking import Tracker
from app.station import Station
from app.twin.camera import TwinCamera
from app.twin.machine import Machine
from app.twin.parts import PartSource, PictureParts, RenderedParts
from app.twin.pins import TwinFactory
from app.twin.scenario import Scenario
from app.types import Opening
from app.verdicts import Judge, Recorder

PICTURES_KEPT = 24
"""Rejects that the demo keeps for its contact sheet."""


@dataclass(frozen=True, slots=True)
class Setup:
    """A line with everything that it names.

    Attributes:
        line: The settings.
        recipe: What counts as a defect.
        folder: Where the files that the recipe names lie.
    """

    line: Line
    recipe: Recipe
    folder: Path

    def with_line(self, line: Line) -> Setup:
        """The same with other line settings."""
        return replace(self, line=line)

    def with_threshold(self, threshold: float) -> Setup:
        """The same with the model's own threshold where the recipe names none."""
        return replace(self, recipe=self.recipe.settled(threshold))


def twin_line() -> Path:
    """The `line.toml` of the twin's own line."""
    return Path(str(files("app.twin") / "line" / "line.toml"))


def load_setup(path: Path) -> Setup:
    """Reads a `line.toml` and the recipe beside it.

    Raises:
        ConfigError: One of them is absent or cannot work, or the recipe sends parts to a gate that is not there.
    """
    line = load_line(path)
    recipe = load_recipe(path.parent / line.recipe)
    gates = {gate.destination for gate in line.gates}
    rules = {"default": recipe.default, **{label: recipe.rule(label) for label in recipe.classes}}
    for where, rule in rules.items():
        if rule.destination not in gates:
            raise ConfigError(
                f"recipe {recipe.name!r}: [{where}] rejects to {rule.destination!r}, and no gate serves that",
                f"use one of {', '.join(sorted(gates))}, or add the gate to the line",
            )
    return Setup(line, recipe, path.parent)


def open_proven(package: Package, runtime: str, threads: int) -> Detector:
    """Loads a package on a runtime, and refuses it unless its golden frames reproduce.

    Raises:
        PackageError: They do not, or the package is broken.
        MissingDriverError: The runtime is not installed.
    """
    detector = open_detector(package, runtime, threads)
    try:
        prove(package, detector, read_picture)
    except BaseException:
        detector.close()
        raise
    return detector


def open_model(model: ModelSettings, state: Path) -> tuple[Detector, Package]:
    """The detector that a line names, with its standby where it names one, and its package.

    Args:
        model: Which model, on which runtime.
        state: The station's state folder, which knows the active package.

    Raises:
        PackageError: The package is broken or its golden frames do not reproduce.
        MissingDriverError: A runtime is not installed.
    """
    package = find_package(chosen_package(model.package, state), zoo_folder())
    first = open_proven(package, model.runtime, model.threads)
    if model.standby in ("none", first.runtime):
        return first, package
    return Failover(first, open_proven(package, model.standby, model.threads)), package


def goldens_of(setup: Setup) -> Goldens | None:
    """The golden sample that the recipe names; `None` where it names none."""
    if not setup.recipe.golden_sample:
        return None
    return GoldenSamples(setup.folder / setup.recipe.golden_sample, read_picture)


def build_station(
    setup: Setup,
    *,
    clock: Clock,
    pin_factory: Any,
    cameras: Mapping[str, Camera],
    judge: Judge,
    recorder: Recorder,
    lot: str,
) -> Station:
    """Puts a station together on the pins of a factory.

    Raises:
        ConfigError: A pin does not exist or is claimed twice.
        LineError: A pin cannot be had.
        CameraError: A camera cannot be opened.
    """
    io = open_line(setup.line, clock, pin_factory)
    for camera in cameras.values():
        camera.open()
    return Station(
        line=setup.line,
        recipe=setup.recipe,
        clock=clock,
        stopwatch=SystemClock(),
        io=io,
        encoder=io.encoder,
        cameras=cameras,
        judge=judge,
        recorder=recorder,
        tracker=Tracker(setup.line, Opening(lot=lot)),
    )


def build_rehearsal(
    setup: Setup, parts: PartSource, detector: Detector, goldens: Goldens | None, scenario: Scenario, seed: int
) -> tuple[Rehearsal, Notebook]:
    """Puts the real station on the twin, in virtual time.

    Raises:
        DataError: The model wants golden samples and there are none.
    """
    clock = VirtualClock()
    factory = TwinFactory(clock)
    machine = Machine(setup.line, factory, clock, parts, scenario, seed)
    cameras = {camera.name: TwinCamera(camera, machine, clock) for camera in setup.line.cameras}
    notebook = Notebook(PICTURES_KEPT)
    station = build_station(
        setup,
        clock=clock,
        pin_factory=factory,
        cameras=cameras,
        judge=Inspector(detector, setup.recipe, goldens),
        recorder=notebook,
        lot="demo",
    )
    return Rehearsal(station, machine, clock, notebook), notebook


def rendered_parts(seed: int, count: int) -> tuple[PartSource, Goldens]:
    """Rendered boards and their golden sample."""
    parts = RenderedParts(seed, count)
    return parts, OneGolden(parts.design.golden)


def picture_parts(
    folder: Path, truth: Path | None, good_from: Path | None, count: int | None, seed: int
) -> tuple[PartSource, Goldens | None]:
    """Pictures from disk, and their golden samples by file name where there are any.

    Raises:
        DataError: A folder or the truth file cannot be used.
    """
    parts = PictureParts(folder, truth=truth, good_from=good_from, count=count, seed=seed, read_picture=read_picture)
    return parts, GoldenSamples(good_from, read_picture) if good_from else None
