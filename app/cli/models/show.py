"""`takt models show`: everything that there is to know of one package."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from app.cli.console import out, print_json, printable
from app.cli.options import Json, StateDir, state_folder
from app.errors import PackageError

if TYPE_CHECKING:
    from app.detect.building_record import RoleBuild
    from app.detect.manifest import Role
    from app.detect.package import Package
    from app.detect.pointer import Pointer

MAX_CARD_BYTES = 4_000_000

NameOrFolder = Annotated[
    str,
    typer.Argument(
        metavar="NAME|DIR", help="A package by its name, a folder with a separator in its path, or active: what judges."
    ),
]


@dataclass(frozen=True, slots=True)
class Looked:
    """A package as it is shown.

    Attributes:
        models: Its models, in order.
        place: Where it comes from: the zoo, this station, or a folder.
        active: The model of it that judges; empty where none does.
        builds: What was measured on this device, by role; and why that does not hold, empty where it does.
    """

    models: tuple[Package, ...]
    place: str
    active: str
    builds: Mapping[Role, tuple[RoleBuild | None, str]]


def show(
    name: NameOrFolder,
    *,
    card: Annotated[
        bool, typer.Option("--card", help="Print its card: what it is for, how good it is, its limits.")
    ] = False,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Show one package: its models with size, work, input and hash, its classes, thresholds and golden frames.

    Also what takt models build measured on this device, or why that does not hold any more. Exit code 5 when the
    package is broken or there is none of that name.
    """
    looked = look(name, state_folder(state))
    text = read_card(looked.models[0]) if card else None
    if as_json:
        print_json(_as_data(looked) | ({"card_text": text} if card else {}))
    elif text is not None:
        from rich.markdown import Markdown

        out().print(Markdown(text))
    else:
        _print(looked)


def look(name: str, state: Path) -> Looked:
    """Loads every model of a package.

    Raises:
        PackageError: There is none of that name, or a model of it is broken.
    """
    from app.detect.installed import installed_folders
    from app.detect.package import load_package
    from app.detect.pointer import read_pointer
    from app.detect.zoo import chosen_package, find_package, zoo_folder

    zoo = zoo_folder()
    first = find_package(chosen_package(name, state), zoo, is_draft=True)
    models = tuple(load_package(first.folder, variant=each, is_draft=True) for each in first.variants)
    folder = first.folder.resolve()
    own = {each.resolve() for each in installed_folders(state)}
    place = "station" if folder in own else "zoo" if folder.parent == zoo.resolve() else "folder"
    return Looked(models, place, _active(models, place, read_pointer(state), state), _builds(state, models[0]))


def read_card(package: Package) -> str:
    """The package's card, without what a terminal would act on.

    Raises:
        PackageError: It has none, or it cannot be read.
    """
    try:
        if package.card.stat().st_size > MAX_CARD_BYTES:
            raise PackageError(f"{package.card} is larger than {MAX_CARD_BYTES} bytes", "write a shorter card")
        text = package.card.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise PackageError(f"{package.folder} has no card", "ask whoever made the package for it") from error
    except OSError as error:
        raise PackageError(f"{package.card} cannot be read: {error.strerror}", "restore the whole package") from error
    except UnicodeDecodeError as error:
        raise PackageError(f"{package.card} is not UTF-8 text (byte {error.start})", "save it as UTF-8") from error
    return "\n".join(printable(line) for line in text.expandtabs().splitlines())


def _active(models: tuple[Package, ...], place: str, pointer: Pointer | None, state: Path) -> str:
    from app.detect.installed import folder_of

    if pointer is None or place == "folder":
        return ""
    active, first = pointer.active, models[0]
    if active.is_installed != (place == "station"):
        return ""
    if active.is_installed and folder_of(state, active).resolve() != first.folder.resolve():
        return ""
    hits = (each for each in models if (each.name, each.onnx_sha256) == (active.name, active.onnx_sha256))
    alike = [each.variant for each in hits]
    return active.variant if active.variant in alike else next(iter(alike), "")


def _builds(state: Path, package: Package) -> dict[Role, tuple[RoleBuild | None, str]]:
    from app.detect.building_file import read_build
    from app.detect.building_use import current_build

    try:
        build = read_build(state, package)
    except PackageError as error:
        return {"standby": (None, str(error))}
    # The GPU is asked only where something was measured for one: that takes a process of its own.
    roles: tuple[Role, ...] = ("standby", *(("accelerator",) if build and "accelerator" in build.roles else ()))
    return {
        role: (build.roles.get(role) if build else None, current_build(state, package, role, None)[1]) for role in roles
    }


def _as_data(looked: Looked) -> dict[str, Any]:
    first = looked.models[0]
    has_card = first.card.is_file()
    return {
        "name": first.name,
        "version": first.version,
        "kind": first.kind,
        "classes": list(first.classes),
        "good_classes": list(first.good_classes),
        "folder": str(first.folder),
        "from": looked.place,
        "active": looked.active or None,
        "card": str(first.card) if has_card else None,
        "suppression": _suppression_data(first),
        "models": [_model_data(each, looked.active) for each in looked.models],
        "builds": {role: _build_data(found, why) for role, (found, why) in looked.builds.items()},
    }


def _build_data(found: RoleBuild | None, why: str) -> dict[str, Any]:
    from app.detect.building_record import role_data

    return {"holds": not why, "why_not": why or None, "found": role_data(found) if found else None}


def _suppression_data(package: Package) -> dict[str, Any] | None:
    found = package.suppression
    if found is None:
        return None
    return {
        "iou": found.iou,
        "across_classes": found.is_across_classes,
        "max_detections": found.max_detections,
        "score_floor": found.score_floor,
    }


def _model_data(package: Package, active: str) -> dict[str, Any]:
    from app.cli.models.listing import input_data

    return {
        "variant": package.variant,
        "role": package.role,
        "precision": package.precision,
        "active": package.variant == active,
        "onnx": str(package.onnx),
        "bytes": package.onnx.stat().st_size,
        "onnx_sha256": package.onnx_sha256,
        "gmac": package.gmac,
        "input": input_data(package.spec),
        "score_threshold": package.score_threshold,
        "golden_frames": len(package.frames),
        "tolerance_px": package.tolerance_px,
        "tolerance_score": package.tolerance_score,
    }


def _print(looked: Looked) -> None:
    console = out()
    first = looked.models[0]
    console.print(f"[bold]{escape(first.name)}[/] {escape(first.version)}, {first.kind}", soft_wrap=True)
    facts = Table.grid(padding=(0, 2))
    for key, value in _facts(looked).items():
        facts.add_row(f"  [dim]{key}[/]", escape(value))
    console.print(facts)
    table = Table(title="Models; the first is used where nobody says which", title_justify="left")
    table.add_column("", no_wrap=True)
    table.add_column("model", style="bold", no_wrap=True)
    table.add_column("input")
    for heading in ("MB", "GMAC", "threshold", "golden frames"):
        table.add_column(heading, justify="right")
    table.add_column("SHA-256")
    for each in looked.models:
        table.add_row(*(escape(cell) for cell in _row(each, looked.active)))
    console.print(table)


def _facts(looked: Looked) -> dict[str, str]:
    first = looked.models[0]
    facts = {"classes": ", ".join(first.classes)}
    if first.good_classes:
        facts["good classes"] = ", ".join(first.good_classes)
    if first.suppression:
        across = "across classes" if first.suppression.is_across_classes else "class by class"
        facts["boxes"] = f"suppressed above an IoU of {first.suppression.iou:g}, {across}"
    facts["folder"] = f"{first.folder} ({_PLACES[looked.place]})"
    facts["card"] = f"{first.card}; takt models show --card prints it" if first.card.is_file() else "none"
    facts["judges here"] = f"yes, its model {looked.active}" if looked.active else "no"
    for role, (found, why) in looked.builds.items():
        facts["measured here" if role == "standby" else ""] = _build_words(role, found, why)
    return facts


def _build_words(role: Role, found: RoleBuild | None, why: str) -> str:
    from app.cli.models.built import choice_words

    if why or found is None:
        return f"{role}: nothing that holds: {why}"
    return f"{choice_words(role, found)}, on {found.at:%Y-%m-%d %H:%M} UTC"


_PLACES = {"zoo": "of the zoo", "station": "a copy on this station", "folder": "neither in the zoo nor on this station"}


def _row(package: Package, active: str) -> tuple[str, ...]:
    from app.cli.models.listing import input_words

    return (
        "●" if package.variant == active else "○",
        package.variant,
        input_words(package.spec),
        f"{package.onnx.stat().st_size / 1e6:.2f}",
        f"{package.gmac:g}" if package.gmac is not None else "",
        f"{package.score_threshold:g}",
        str(len(package.frames)),
        package.onnx_sha256[:12],
    )
