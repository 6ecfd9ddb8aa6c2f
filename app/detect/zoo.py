"""Where packages lie, and what is meant by their names."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.detect.installed import folder_of, installed_folders
from app.detect.package import MANIFEST, Package, load_package
from app.detect.pointer import Activation, read_pointer
from app.errors import PackageError

ZOO_VARIABLE = "TAKT_ZOO"

ACTIVE = "active"
DEFAULT = "pcb-nano"
"""The package of a station on which none was activated."""


@dataclass(frozen=True, slots=True)
class ZooEntry:
    """One folder of the zoo, or of the packages that a station has copies of.

    Attributes:
        folder: The folder.
        package: Its first model, golden frames or not.
        problem: Why it cannot be used; empty for a package that can.
        is_installed: It is a copy on this station.
    """

    folder: Path
    package: Package | None
    problem: str = ""
    is_installed: bool = False


def zoo_folder() -> Path:
    """The folder of the installed packages: `$TAKT_ZOO`, else `zoo` beside the code in `models`.

    Raises:
        PackageError: There is none.
    """
    named = os.environ.get(ZOO_VARIABLE)
    if named:
        if not Path(named).is_dir():
            raise PackageError(f"{ZOO_VARIABLE} names {named}, which is no folder", "correct or unset it")
        return Path(named)
    # Finding the spec runs none of its code: `models` would import torch.
    spec = importlib.util.find_spec("models")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(place) / "zoo").is_dir():
            return Path(place) / "zoo"
    raise PackageError("no model packages are installed", f"install takt-inspect again or set {ZOO_VARIABLE}")


def find_package(name_or_path: str, zoo: Path, *, is_draft: bool = False) -> Package:
    """Loads one model of a package by its name in the zoo, or from a folder.

    Args:
        name_or_path: A name such as `pcb-nano`, or the path of a folder (anything with a separator in it); the first
            model, or the one named after a colon: `pcb-nano:standby-int8`.
        zoo: The zoo.
        is_draft: As in `load_package`.

    Raises:
        PackageError: There is none of that name, it has no such model, or it is broken.
    """
    name, variant = split_variant(name_or_path)
    if os.sep in name or name in (".", ".."):
        return load_package(Path(name), variant=variant, is_draft=is_draft)
    folder = zoo / name
    if not (folder / MANIFEST).is_file():
        names = ", ".join(each.name for each in _folders(zoo)) or "nothing"
        raise PackageError(
            f"{name!r} is not in the zoo {zoo}, which holds {names}",
            "name one of these, or a folder as ./name",
        )
    return load_package(folder, variant=variant, is_draft=is_draft)


def list_packages(zoo: Path) -> tuple[ZooEntry, ...]:
    """Every package of the zoo in name order, broken ones with their reason."""
    return tuple(_entry(folder) for folder in _folders(zoo))


def list_installed(state: Path) -> tuple[ZooEntry, ...]:
    """Every package that the station has a copy of, in name order, broken ones with their reason."""
    return tuple(_entry(folder, is_installed=True) for folder in installed_folders(state))


def chosen_package(name: str, state: Path) -> str:
    """What a line or a command line means by a package's name.

    A name means the active package where that is called so, else the zoo's, else the latest that was active before.

    Args:
        name: A name, a folder, or `active`: what was activated on this station, else `pcb-nano`; each also with a
            model, as `active:standby-int8`.
        state: The station's state folder.

    Returns:
        A name in the zoo or a folder, with the model where one is meant: what `find_package` takes.

    Raises:
        PackageError: The pointer to the active package is damaged.
    """
    if os.sep in name:
        return name
    bare, variant = split_variant(name)
    pointer = read_pointer(state)
    if bare == ACTIVE:
        if pointer is None:
            return with_variant(DEFAULT, variant)
        return with_variant(_named(state, pointer.active), variant or pointer.active.variant)
    alike = [each for each in (pointer.active, *pointer.history) if each.name == bare] if pointer else []
    if pointer and alike and alike[0] is not pointer.active and (zoo_folder() / bare / MANIFEST).is_file():
        alike = []
    return with_variant(_named(state, alike[0]), variant) if alike else name


def split_variant(name: str) -> tuple[str, str]:
    """The name or folder of a package, and the model that stands after its last colon; empty where none does."""
    bare, colon, variant = name.rpartition(":")
    is_variant = bool(colon and bare) and os.sep not in variant and not Path(name).is_dir()
    return (bare, variant) if is_variant else (name, "")


def with_variant(name: str, variant: str) -> str:
    """The opposite of `split_variant`."""
    return f"{name}:{variant}" if variant else name


def _named(state: Path, activation: Activation) -> str:
    return str(folder_of(state, activation).absolute()) if activation.is_installed else activation.name


def _folders(zoo: Path) -> Sequence[Path]:
    try:
        return sorted(each for each in zoo.iterdir() if (each / MANIFEST).is_file())
    except OSError as error:
        raise PackageError(f"the zoo {zoo} cannot be read: {error.strerror}", "check the path") from error


def _entry(folder: Path, *, is_installed: bool = False) -> ZooEntry:
    try:
        package = load_package(folder, is_draft=True)
    except PackageError as error:
        return ZooEntry(folder, None, str(error), is_installed)
    problem = "" if package.frames else "it has no golden frames: it cannot be proven"
    return ZooEntry(folder, package, problem, is_installed)
