"""The recipes that a lane can be changed to, and the change itself.

Those on offer are the TOML files beside the line's own recipe and in a folder `recipes` beside the line's file. What is
chosen is kept among the record's documents, so that every verdict can be replayed, is handed to the station, which
checks it and takes it up between two parts, and holds after a restart until the line's own recipe file is changed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flask import current_app

from app.bus.commands import RECIPE_BYTES, Reply
from app.errors import ConfigError, LineError, TaktError, UsageError
from app.recipe import Recipe, check_package, check_recipe, parse_recipe
from app.record import DOCUMENTS
from app.record.adopted import Adopted, note
from app.record.documents import find, hash_of, keep
from app.setup import Setup, check_gates
from app.web.access.person import Person
from app.web.access.refusals import RefusedError, refusal_of
from app.web.access.roles import Role
from app.web.context import Context
from app.web.line.asking import ask_station

FOLDER = "recipes"
ANSWER_S = 15.0
"""The station waits for a moment between two pictures, and reads the golden sample."""

LATE_S = 4.0
"""So long it may take after that to say by its status that it judges by the recipe all the same."""

_LOOK_S = 0.1

_MOST = 200


@dataclass(frozen=True, slots=True)
class Offer:
    """One recipe file.

    Attributes:
        file: Its path from the folder of the line's file.
        text: What it holds.
        sha256: The hash of that.
        recipe: The recipe; `None` where the file is none.
        trouble: Why it cannot be chosen; empty where it can.
        code: The same as a code, where it has one; see `TaktError`.
        values: What the words of the code name.
    """

    file: str
    text: str
    sha256: str
    recipe: Recipe | None
    trouble: str = ""
    code: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of the model that judges.

    Attributes:
        package: The name of its package; empty where no station says.
        classes: The classes that it knows; empty where no station says.
    """

    package: str = ""
    classes: tuple[str, ...] = ()

    @classmethod
    def of(cls, context: Context, lane: int) -> Model:
        """The model of a lane, by its station's last word."""
        status = context.live.status(lane)["status"] or {}
        return cls(str(status.get("package", "")), context.live.classes(lane))

    def check(self, recipe: Recipe) -> None:
        """Refuses a recipe that was written for another model.

        Raises:
            ConfigError: It names another package, or has rules for classes that the model does not know.
        """
        where = f"recipe {recipe.name!r}"
        if self.package:
            check_package(recipe, self.package, where)
        if self.classes:
            check_recipe(recipe, self.classes, where)


def offers(setup: Setup, model: Model | None = None) -> list[Offer]:
    """Every recipe on offer, in the order of their names; those that cannot be chosen come last.

    Args:
        setup: The lane.
        model: What judges there.
    """
    own = (setup.folder / setup.line.recipe).parent
    paths = {path for folder in (own, setup.folder / FOLDER) for path in folder.glob("*.toml") if path.is_file()}
    paths.discard(setup.path)
    found = [_offer(setup, path, model or Model()) for path in sorted(paths)[:_MOST]]
    return sorted(
        filter(None, found), key=lambda each: (bool(each.trouble), each.recipe.name if each.recipe else each.file)
    )


def setup_of(context: Context, lane: int) -> Setup:
    """The settings of a lane.

    Raises:
        ConfigError: These pages were opened without them.
    """
    found = next((each for each in context.setups if each.line.line.lane == lane), None)
    if found is None:
        raise ConfigError(f"the settings of lane {lane} are not known to the pages", "serve them with: takt run")
    return found


def golden_of(setup: Setup, recipe: Recipe) -> Path | None:
    """The recipe's picture of a part without defects; `None` where it names none, or one that lies elsewhere."""
    if not recipe.golden_sample:
        return None
    path = (setup.folder / recipe.golden_sample).resolve()
    return path if path.is_relative_to(setup.folder.resolve()) and path.is_file() else None


def text_at_work(context: Context, lane: int) -> str:
    """The text of the recipe that a lane judges by.

    Raises:
        RefusedError: The station has not said which, or its text is not kept (409).
    """
    status = context.live.status(lane)["status"]
    sha256 = str(status["recipe_sha256"]) if status else ""
    text = find(context.state / DOCUMENTS, sha256) if sha256 else None
    if text is None:
        raise RefusedError(409, f"it is not known which recipe lane {lane} judges by", "see that its station runs")
    return text


def adopt(lane: int, recipe_text: str, person: Person, reason: str) -> Reply:
    """Changes the recipe of a lane: effective between two parts, in the ledger, in the audit trail, after a restart.

    Must be called within a request of the pages.

    Args:
        lane: The lane.
        recipe_text: The recipe, as its file would hold it.
        person: Who wants it.
        reason: Why.

    Returns:
        The station's answer, with the place of the change in the ledger.

    Raises:
        ConfigError: The text is no recipe.
        RefusedError: It sends parts to a gate that is not there or is for another model, or the station refuses (409).
        UsageError: The text is too long, or there is no reason.
        LineError: No station answers, nor does one show that it judges by the recipe. The attempt is in the trail.
        RecordError: It cannot be kept.
    """
    context: Context = current_app.extensions["takt"]
    setup = setup_of(context, lane)
    if len(recipe_text.encode()) > RECIPE_BYTES:
        raise _too_long()
    recipe = parse_recipe(recipe_text, "the recipe")
    try:
        check_gates(recipe, setup.line)
        Model.of(context, lane).check(recipe)
    except ConfigError as error:
        raise refusal_of(error) from error
    status = context.live.status(lane)["status"] or {}
    before = {"recipe": status.get("recipe", ""), "sha256": status.get("recipe_sha256", "")}
    sha256 = keep(context.state / DOCUMENTS, recipe_text)
    role = Role.TECHNICIAN.word if person.is_machine else person.role.word
    said = {"recipe": recipe_text, "by": person.name, "role": role, "reason": reason}
    after: dict[str, object] = {"recipe": recipe.name, "sha256": sha256}
    try:
        reply = ask_station(context, lane, ANSWER_S, command="adopt_recipe", **said)
        after |= {"epoch": reply.epoch, "sequence": reply.sequence}
    except LineError:
        # It may have heard and be late: a change that happens must be noted for the next start and in the trail.
        if not _comes_to_work(context, lane, sha256):
            context.audit.write(person.name, "line.recipe", f"lane {lane}", before, {**after, "answer": "none"}, reason)
            raise
        reply = Reply(ok=True)
    own = (setup.folder / setup.line.recipe).read_text(encoding="utf-8")
    note(context.state, lane, Adopted(sha256, hash_of(own), recipe.name))
    context.audit.write(person.name, "line.recipe", f"lane {lane}", before, after, reason)
    return reply


def _comes_to_work(context: Context, lane: int, sha256: str) -> bool:
    """Whether a station that has not answered judges by a recipe, by what it says itself."""
    end = time.monotonic() + LATE_S
    while True:
        status = context.live.status(lane)["status"] or {}
        if status.get("recipe_sha256") == sha256:
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(_LOOK_S)


def _offer(setup: Setup, path: Path, model: Model) -> Offer | None:
    file = path.relative_to(setup.folder).as_posix() if path.is_relative_to(setup.folder) else path.name
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return Offer(file, "", "", None, f"{file} cannot be read: {error}", "RECIPE_UNREADABLE", {"file": file})
    if _is_line(text):
        return None
    try:
        recipe = parse_recipe(text, file)
    except ConfigError as error:
        return Offer(file, text, hash_of(text), None, str(error), "RECIPE_FORM", {"file": file})
    try:
        check_gates(recipe, setup.line)
        model.check(recipe)
        if len(text.encode()) > RECIPE_BYTES:
            raise _too_long()
    except TaktError as error:
        return Offer(file, text, hash_of(text), recipe, str(error), error.code, error.values)
    return Offer(file, text, hash_of(text), recipe)


def _too_long() -> UsageError:
    return UsageError(
        f"the recipe has more than {RECIPE_BYTES} bytes",
        "leave comments out of it",
        code="RECIPE_LONG",
        values={"bytes": str(RECIPE_BYTES)},
    )


def _is_line(text: str) -> bool:
    """Other lanes have their files in the same folder; they are no recipes that somebody got wrong."""
    return any(line.strip() in ("[line]", "[encoder]", "[[gate]]", "[[camera]]") for line in text.splitlines())
