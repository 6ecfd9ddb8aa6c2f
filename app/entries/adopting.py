"""Recipes that people choose while the line runs: the one that a starting station goes on with, and the next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from app.clock import Clock
from app.config import Line
from app.detect.blank import BlankDetector
from app.detect.detector import Detector, InputSpec
from app.detect.inspection import Inspector, LaidOut
from app.detect.package import Package
from app.errors import ConfigError
from app.fitting import check_fit
from app.main import live_goldens
from app.recipe import Recipe, parse_recipe
from app.record import DOCUMENTS
from app.record.adopted import adopted, path_of
from app.record.documents import find, hash_of
from app.setup import Setup, check_gates
from app.verdicts import AtWork


def going_on(setup: Setup, state: Path) -> tuple[Setup, str]:
    """The line with the recipe that was chosen for it, unless its own file has changed since.

    Args:
        setup: The line as its files say.
        state: The station's state folder.

    Returns:
        The line, and the text of its recipe.

    Raises:
        ConfigError: The recipe that was chosen is not kept any more, or does not work here: rather no station than one
            that judges by another recipe than people think.
        RecordError: What was chosen cannot be read.
    """
    lane = setup.line.line.lane
    own = text_of(setup.folder / setup.line.recipe)
    chosen = adopted(state, lane)
    if chosen is None or chosen.over_sha256 != hash_of(own):
        return setup, own
    path = path_of(state, lane)
    mend = f"delete {path}, and choose a recipe anew once the station runs"
    text = find(state / DOCUMENTS, chosen.sha256)
    if text is None:
        raise ConfigError(f"recipe {chosen.name!r}, which {path} names, is not kept any more", mend)
    recipe = parse_recipe(text, f"recipe {chosen.name!r} of {path}")
    check_gates(recipe, setup.line)
    return replace(setup, recipe=recipe), text


@dataclass(frozen=True, slots=True)
class Bench:
    """What a recipe is prepared for: a line, and the model that judges there.

    Attributes:
        line: The settings.
        folder: Where the files that a recipe names lie.
        file: Name of the line's file in that folder.
        package: The model.
        spec: What whoever judges wants of a picture: the model's own, or that of accelerator and standby together.
    """

    line: Line
    folder: Path
    file: str
    package: Package
    spec: InputSpec


def prepare(bench: Bench, text: str, seen: tuple[int, int] | None) -> tuple[Recipe, LaidOut]:
    """Makes what judges by a recipe, but for the detector.

    Args:
        bench: What for.
        text: The recipe, as its file would hold it.
        seen: Height and width of the pictures that come; `None`: none has come yet.

    Raises:
        ConfigError: The recipe cannot work here.
        DataError: Its golden sample cannot be had, or has another size than the pictures.
    """
    recipe = parse_recipe(text, "the recipe")
    check_fit(recipe, bench.line, bench.folder, bench.package)
    setup = Setup(bench.line, recipe, bench.folder, bench.file).with_threshold(bench.package.score_threshold)
    nobody = BlankDetector(bench.spec)
    inspector = Inspector(nobody, setup.recipe, live_goldens(setup))
    inspector.prepare(seen)
    return setup.recipe, inspector.laid_out


def put_to_work(recipe: Recipe, laid_out: LaidOut, text: str, detector: Detector, clock: Clock) -> AtWork:
    """What was prepared, with the detector.

    Args:
        recipe: The recipe.
        laid_out: Its golden sample.
        text: The recipe's text.
        detector: The model, loaded.
        clock: Times the judging.
    """
    judge = Inspector(detector, recipe, laid_out.goldens, clock, laid_out)
    return AtWork(recipe, judge, hash_of(text))


def text_of(path: Path) -> str:
    """What a file of the line says.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", "check its owner") from error
