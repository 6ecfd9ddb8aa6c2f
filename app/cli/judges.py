"""What judged at a start of the station, put together again from the record."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from app.config import Line
from app.detect.detector import Detector
from app.detect.inspection import Inspector
from app.detect.package import Package
from app.detect.registry import find_by_hash
from app.detect.runtimes import AUTO
from app.detect.zoo import find_package, zoo_folder
from app.errors import ConfigError, MissingDriverError, PackageError, RecordError
from app.main import live_goldens, open_proven
from app.recipe import Recipe, check_recipe
from app.record import DOCUMENTS
from app.record.documents import find
from app.record.told import Story
from app.replay import Judge, Tolerance
from app.setup import Setup, load_setup, twin_line
from app.toml import read_toml, validated
from app.types import Scalar

_HASH_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Seat:
    """What judges the parts of one start.

    Attributes:
        judge: The detector with its golden sample.
        recipe: What counts as a defect.
        tolerance: What counts as the same.
        runtime: What runs the detector.
    """

    judge: Judge
    recipe: Recipe
    tolerance: Tolerance
    runtime: str


class Judges:
    """The judges of every start that is asked for.

    Args:
        state: The station's state folder.
        line: The line that stands in where documents are not kept, and whose folder has the golden sample; `None`: the
            twin's.
        model: Where the package lies; `None`: in the zoo.
        runtime: The runtime; `None`: the one that judged.
        opened: Where detectors are closed.
        instead: Judges in place of what judged, with its own threshold where the recipe names none.

    Attributes:
        notes: What is not as it was, in sentences.
    """

    def __init__(
        self,
        state: Path,
        line: Path | None,
        model: str | None,
        runtime: str | None,
        opened: ExitStack,
        instead: Package | None = None,
    ) -> None:
        self.notes: list[str] = []
        self._state = state
        self._documents = state / DOCUMENTS
        self._setup = load_setup(line or twin_line())
        self._model = model
        self._runtime = runtime
        self._opened = opened
        self._instead = instead
        self._seats: dict[tuple[int, int, str], Seat] = {}
        self._detectors: dict[tuple[str, str], Detector] = {}

    def of(self, story: Story) -> Seat:
        """The judge of a part.

        Raises:
            RecordError: The record does not say what judged it.
            PackageError: The package is not there, or is another one.
            ConfigError: A document cannot be read as what it was.
            DataError: The golden sample is not there.
        """
        key = (story.part.lane, story.part.epoch, str(story.started.get("recipe_sha256") or ""))
        if key not in self._seats:
            self._seats[key] = self._seat(story)
        return self._seats[key]

    def _seat(self, story: Story) -> Seat:
        started = story.started
        if not started.get("package_sha256"):
            raise RecordError(
                f"the record does not say what judged part {story.part.name}",
                "name a part of a start whose STARTED event is in the ledger",
            )
        where = f"start {story.part.epoch} of lane {story.part.lane}"
        setup = self._setup_of(started, where)
        if self._instead is not None:
            return self._seat_of_another(self._instead, setup, where)
        package = self._package(started)
        detector = self._detector(package, started, setup.line.model.threads, where)
        tolerance = Tolerance()
        if detector.runtime != started.get("runtime"):
            tolerance = Tolerance(package.tolerance_score, package.tolerance_px, package.score_threshold)
            self._note(
                f"{where} was judged on {started.get('runtime')}, and is judged on {detector.runtime} now: scores may"
                f" differ by {tolerance.score:g} and boxes by {tolerance.px:g} px, and what scores below"
                f" {tolerance.least_score:g} is not compared"
            )
        return Seat(Inspector(detector, setup.recipe, live_goldens(setup)), setup.recipe, tolerance, detector.runtime)

    def _seat_of_another(self, package: Package, setup: Setup, where: str) -> Seat:
        recipe = setup.recipe
        if recipe.package and recipe.package != package.name:
            self._note(f"the recipe of {where} was written for {recipe.package!r}")
        try:
            check_recipe(recipe, package.classes, f"the recipe of {where}")
        except ConfigError as error:
            # Its other rules hold as they are.
            self._note(error.what)
        # One core is enough beside a line that runs.
        detector = self._opened_detector(package, self._runtime or AUTO, 1)
        return Seat(Inspector(detector, recipe, live_goldens(setup)), recipe, Tolerance(), detector.runtime)

    def _setup_of(self, started: Mapping[str, Scalar], where: str) -> Setup:
        """Line and recipe as they were; those of today where they are not kept."""
        line, recipe = self._setup.line, self._setup.recipe
        path = self._document(started, "line_sha256")
        if path is None:
            self._note(f"the line of {where} is not kept: {self._setup.path} stands in")
        else:
            line = validated(Line, read_toml(path), f"the line of {where}")
        path = self._document(started, "recipe_sha256")
        if path is None:
            self._note(f"the recipe of {where} is not kept: {recipe.name!r} stands in")
        else:
            recipe = validated(Recipe, read_toml(path), f"the recipe of {where}")
        if recipe.golden_sample:
            self._note(
                f"the golden sample {recipe.golden_sample} is the one in {self._setup.folder} now: the record has no"
                " hash of it"
            )
        threshold = self._instead.score_threshold if self._instead else started.get("threshold")
        setup = replace(self._setup, line=line, recipe=recipe)
        return setup.with_threshold(float(threshold)) if isinstance(threshold, (int, float)) else setup

    def _document(self, started: Mapping[str, Scalar], key: str) -> Path | None:
        name = str(started.get(key) or "")
        return self._documents / name[:2] / name if find(self._documents, name) is not None else None

    def _package(self, started: Mapping[str, Scalar]) -> Package:
        name, wanted = str(started["package"]), str(started["package_sha256"])
        zoo = zoo_folder()
        try:
            package = find_package(self._model, zoo) if self._model else find_by_hash(name, wanted, self._state, zoo)
        except PackageError as error:
            raise PackageError(
                f"the package {name} that judged cannot be had: {error.what}",
                "put it back into the zoo, or name its folder: --model ./DIR",
            ) from error
        if package.onnx_sha256 != wanted:
            raise PackageError(
                f"{package.folder} is not the package that judged: its model's SHA-256 begins with"
                f" {package.onnx_sha256[:_HASH_SHOWN]}, and the ledger says {wanted[:_HASH_SHOWN]}",
                f"put that version of {name} back into the zoo, or name its folder: --model ./DIR",
            )
        return package

    def _detector(self, package: Package, started: Mapping[str, Scalar], threads: int, where: str) -> Detector:
        runtime = self._runtime or str(started.get("runtime") or "auto")
        try:
            return self._opened_detector(package, runtime, threads)
        except MissingDriverError as error:
            if self._runtime:
                raise
            self._note(f"{where}: {error.what}")
            return self._opened_detector(package, "auto", threads)

    def _opened_detector(self, package: Package, runtime: str, threads: int) -> Detector:
        key = (package.onnx_sha256, runtime)
        if key not in self._detectors:
            self._detectors[key] = open_proven(package, runtime, threads)
            self._opened.callback(self._detectors[key].close)
        return self._detectors[key]

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
