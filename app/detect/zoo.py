"""Where packages lie, and which one is active."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from app.config import Name, Settings
from app.detect.package import MANIFEST, Package, load_package
from app.detect.proof import ProofReport
from app.errors import ConfigError, PackageError
from app.toml import read_toml, validated

ZOO_VARIABLE = "TAKT_ZOO"
POINTER = "active.toml"

ACTIVE = "active"
DEFAULT = "pcb-nano"
"""The package of a station on which none was activated."""


@dataclass(frozen=True, slots=True)
class ZooEntry:
    """One folder of the zoo.

    Attributes:
        folder: The folder.
        package: What it holds, golden frames or not.
        problem: Why it cannot be used; empty for a package that can.
    """

    folder: Path
    package: Package | None
    problem: str = ""


class _Chosen(Settings):
    name: Name
    onnx_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class _Pointer(Settings):
    active: _Chosen
    previous: _Chosen | None = None


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
    """Loads a package by its name in the zoo, or from a folder.

    Args:
        name_or_path: A name such as `pcb-nano`, or the path of a folder (anything with a separator in it).
        zoo: The zoo.
        is_draft: As in `load_package`.

    Raises:
        PackageError: There is none of that name, or it is broken.
    """
    if os.sep in name_or_path or name_or_path in (".", ".."):
        return load_package(Path(name_or_path), is_draft=is_draft)
    folder = zoo / name_or_path
    if not (folder / MANIFEST).is_file():
        names = ", ".join(each.name for each in _folders(zoo)) or "nothing"
        raise PackageError(
            f"{name_or_path!r} is not in the zoo {zoo}, which holds {names}",
            "name one of these, or a folder as ./name",
        )
    return load_package(folder, is_draft=is_draft)


def list_packages(zoo: Path) -> tuple[ZooEntry, ...]:
    """Every package of the zoo in name order, broken ones with their reason."""
    return tuple(_entry(folder) for folder in _folders(zoo))


def activate(state: Path, package: Package, proof: ProofReport) -> None:
    """Makes a proven package the active one, and remembers the one before.

    Args:
        state: The station's state folder; made where it is missing.
        package: The package.
        proof: What `prove` said of it.

    Raises:
        PackageError: The proof is of another package, or the pointer cannot be written.
    """
    if (proof.package, proof.onnx_sha256) != (package.name, package.onnx_sha256):
        raise PackageError(f"{package.name} is not what the proof is of ({proof.package})", "prove this very package")
    chosen = _Chosen(name=package.name, onnx_sha256=package.onnx_sha256)
    pointer = _read_pointer(state)
    if pointer is None:
        _write_pointer(state, _Pointer(active=chosen))
    elif pointer.active != chosen:
        _write_pointer(state, _Pointer(active=chosen, previous=pointer.active))


def active_package(state: Path) -> tuple[str, str] | None:
    """Name and ONNX hash of the active package, or `None` where none was activated.

    Raises:
        PackageError: The pointer is damaged.
    """
    pointer = _read_pointer(state)
    return (pointer.active.name, pointer.active.onnx_sha256) if pointer else None


def chosen_package(name: str, state: Path) -> str:
    """What a line or a command line means by a package's name.

    Args:
        name: A name, a folder, or `active`: what was activated on this station, else `pcb-nano`.
        state: The station's state folder.

    Raises:
        PackageError: The pointer to the active package is damaged.
    """
    if name != ACTIVE:
        return name
    active = active_package(state)
    return active[0] if active else DEFAULT


def rollback(state: Path) -> str:
    """Makes the package before the active one active again; a second call undoes the first.

    Returns:
        The name of the package that is active now.

    Raises:
        PackageError: There was none before, or the pointer cannot be read or written.
    """
    pointer = _read_pointer(state)
    if pointer is None or pointer.previous is None:
        raise PackageError(f"{state / POINTER} knows no package before the active one", "activate one by name")
    _write_pointer(state, _Pointer(active=pointer.previous, previous=pointer.active))
    return pointer.previous.name


def _folders(zoo: Path) -> Sequence[Path]:
    try:
        return sorted(each for each in zoo.iterdir() if (each / MANIFEST).is_file())
    except OSError as error:
        raise PackageError(f"the zoo {zoo} cannot be read: {error.strerror}", "check the path") from error


def _entry(folder: Path) -> ZooEntry:
    try:
        package = load_package(folder, is_draft=True)
    except PackageError as error:
        return ZooEntry(folder, None, str(error))
    if not package.frames:
        return ZooEntry(folder, package, "it has no golden frames: it cannot be proven")
    return ZooEntry(folder, package)


def _read_pointer(state: Path) -> _Pointer | None:
    path = state / POINTER
    if not path.exists():
        return None
    try:
        return validated(_Pointer, read_toml(path), str(path))
    except ConfigError as error:
        raise PackageError(error.what, f"remove {path} and activate a package again") from error


def _write_pointer(state: Path, pointer: _Pointer) -> None:
    """Replaces the file as a whole: a power cut leaves the old one or the new one, never half of one."""
    lines = ["# Written by takt models activate; the package whose golden frames passed here."]
    for key, chosen in (("active", pointer.active), ("previous", pointer.previous)):
        if chosen:
            lines += [f"[{key}]", f'name = "{chosen.name}"', f'onnx_sha256 = "{chosen.onnx_sha256}"']
    draft = state / f"{POINTER}.new"
    try:
        state.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(state / POINTER)
        folder = os.open(state, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise PackageError(f"{state / POINTER} cannot be written: {error.strerror}", "check the folder") from error
