"""The registry of a station: a package is proven, put in its place and made active, or nothing changes.

Only the pointer says what is active, and it is replaced as a whole after everything that it names is on the disk. So a
power cut at any point leaves the old package active or the new one.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.detect.installed import bring, content_hash, discard, folder_of, installed_folders, settle, sweep
from app.detect.package import Package, load_package
from app.detect.pointer import HASH_SHOWN, POINTER, Activation, Pointer, read_pointer, write_pointer
from app.detect.proof import ProofReport, check_proves_something
from app.detect.zoo import find_package, split_variant
from app.errors import PackageError, TaktError

Prove = Callable[[Package], ProofReport]
"""Judges the golden frames of a package on this box; raises a `TaktError` where they do not reproduce."""


@dataclass(frozen=True, slots=True)
class Errand:
    """Who changes what is active, and why.

    Attributes:
        at: When, with its zone.
        by: Who.
        reason: Why; may be empty.
    """

    at: datetime
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What an activation or a rollback did.

    Attributes:
        active: What is active now.
        package: The same, loaded from where it lies.
        proof: Its proof, of just now.
        passed_over: What a rollback would have gone to first, and why it did not; sentences.
        left: Folders of packages no longer needed that could not be removed; the next activation tries again.
    """

    active: Activation
    package: Package
    proof: ProofReport
    passed_over: tuple[str, ...] = ()
    left: tuple[Path, ...] = ()


def activate(state: Path, zoo: Path, named: str, prove: Prove, errand: Errand) -> Change:
    """Proves a package and makes it the active one; a package outside the zoo is copied to the station first.

    What is proven is the copy. Copies that are neither active nor among those remembered are removed.

    Args:
        state: The station's state folder; made where it is missing.
        zoo: The zoo.
        named: A package of the zoo, else one on this station, else a folder; each also with a model after a colon.
        prove: Judges its golden frames.
        errand: Who, when and why.

    Raises:
        PackageError: It is broken or not proven, it cannot be copied, the pointer is damaged or cannot be written, or
            somebody else changes it just now. What was active is so still.
    """
    with _held(state):
        discard(state)
        before = read_pointer(state)
        try:
            package, content, proof = _proven_in_place(state, zoo, _found(state, zoo, named, before), prove)
        finally:
            discard(state)
        chosen = _activation(package, content, errand)
        pointer = before.moved_to(chosen) if before else Pointer(chosen)
        write_pointer(state, pointer)
        kept = {folder_of(state, each) for each in (pointer.active, *pointer.history) if each.is_installed}
        return Change(chosen, package, proof, left=sweep(state, kept))


def rollback(state: Path, zoo: Path, prove: Prove, errand: Errand, to: str = "") -> Change:
    """Makes the latest package active that was so before, is still what it was and passes its golden frames.

    The package that was active until now becomes the first of the history: a second rollback undoes the first.

    Args:
        state: The station's state folder.
        zoo: The zoo.
        prove: Judges its golden frames.
        errand: Who, when and why.
        to: Only this one of the history: `NAME`, `NAME@VERSION`, each also with a model after a colon.

    Raises:
        PackageError: There was none before, none of them can be used, the pointer cannot be read or written, or
            somebody else changes it just now. What was active is so still.
    """
    if read_pointer(state) is None:
        raise PackageError(f"{state / POINTER} knows no package before the active one", "activate one by name")
    with _held(state):
        pointer = read_pointer(state)
        passed_over: list[str] = []
        for each in _candidates(state, pointer, to):
            try:
                package = package_of(each, state, zoo)
                proof = _checked(package, prove(package))
            except TaktError as error:
                passed_over.append(f"{each.label}: {error.what}")
                continue
            assert pointer is not None
            chosen = _activation(package, each.content_sha256, errand)
            write_pointer(state, pointer.moved_to(chosen))
            return Change(chosen, package, proof, tuple(passed_over))
    raise PackageError(
        f"no package that was active before can be used now: {' / '.join(passed_over)}",
        "activate one by its name, or install it again: takt models activate ./DIR",
    )


def package_of(activation: Activation, state: Path, zoo: Path) -> Package:
    """Loads what was activated, from where it lies.

    Raises:
        PackageError: It is gone, broken, or not what it was then.
    """
    if activation.is_installed:
        folder = folder_of(state, activation)
        package = load_package(folder, variant=activation.variant)
        is_same = content_hash(folder) == activation.content_sha256
    else:
        variant = f":{activation.variant}" if activation.variant else ""
        package = find_package(f"{activation.name}{variant}", zoo)
        is_same = True
    if not is_same or package.onnx_sha256 != activation.onnx_sha256 or package.name != activation.name:
        raise PackageError(
            f"{package.folder} was changed since {activation.label} was activated", "activate another package"
        )
    return package


def find_by_hash(name: str, onnx_sha256: str, state: Path, zoo: Path) -> Package:
    """The package that judged, wherever on the station it lies.

    Args:
        name: Its name.
        onnx_sha256: SHA-256 of its model's ONNX file.
        state: The station's state folder.
        zoo: The zoo.

    Returns:
        The model with that hash, of the zoo or of a copy on this station; else the zoo's first model of that name, for
        the caller to tell the difference.

    Raises:
        PackageError: There is no package of that name.
    """
    for folder in (zoo / name, *(each for each in installed_folders(state) if each.parent.name == name)):
        with suppress(PackageError):
            variants = load_package(folder).variants
            found = (load_package(folder, variant=each) for each in variants)
            match = next((each for each in found if each.onnx_sha256 == onnx_sha256), None)
            if match is not None:
                return match
    return find_package(name, zoo)


@contextmanager
def _held(state: Path) -> Iterator[None]:
    """Holds the registry; the kernel lets go when the process ends, however it does."""
    try:
        state.mkdir(parents=True, exist_ok=True)
        handle = os.open(state, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise PackageError(f"{state} cannot be used: {error.strerror}", "check the folder") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PackageError(
                f"another takt models activate or rollback is at work on {state}", "wait until it ends and try again"
            ) from None
        yield
    finally:
        os.close(handle)


def _found(state: Path, zoo: Path, named: str, pointer: Pointer | None) -> Package:
    """The package to activate: by name the zoo's comes first, as that is how a station gets a newer one."""
    name, variant = split_variant(named)
    if os.sep not in name and pointer and not (zoo / name).is_dir():
        for each in (pointer.active, *pointer.history):
            if each.is_installed and each.name == name:
                return load_package(folder_of(state, each), variant=variant)
    return find_package(named, zoo)


def _proven_in_place(state: Path, zoo: Path, package: Package, prove: Prove) -> tuple[Package, str, ProofReport]:
    """The package from where it will stay, the hash of its content if that is on the station, and its proof."""
    place = package.folder.resolve()
    if place == (zoo / package.name).resolve():
        return package, "", _soundly(package, prove)
    if place in {each.resolve() for each in installed_folders(state)}:
        content = content_hash(place)
        if not place.name.endswith(f"-{content[:HASH_SHOWN]}"):
            raise PackageError(f"{place} was changed since it was installed", "install it again from where it came")
        return package, content, _soundly(package, prove)
    draft = bring(place, state)
    copy = load_package(draft, variant=package.variant)
    proof = _soundly(copy, prove)
    folder, content = settle(draft, state, copy)
    return load_package(folder, variant=package.variant), content, proof


def _soundly(package: Package, prove: Prove) -> ProofReport:
    """A proof that a model which finds nothing at all would not pass."""
    proof = _checked(package, prove(package))
    check_proves_something(package)
    return proof


def _checked(package: Package, proof: ProofReport) -> ProofReport:
    if (proof.package, proof.onnx_sha256) != (package.name, package.onnx_sha256):
        raise PackageError(f"{package.name} is not what the proof is of ({proof.package})", "prove this very package")
    return proof


def _activation(package: Package, content: str, errand: Errand) -> Activation:
    return Activation(
        name=package.name,
        version=package.version,
        variant=package.variant,
        onnx_sha256=package.onnx_sha256,
        content_sha256=content,
        at=errand.at,
        by=errand.by,
        reason=errand.reason,
    )


def _candidates(state: Path, pointer: Pointer | None, to: str) -> tuple[Activation, ...]:
    if pointer is None or not pointer.history:
        raise PackageError(f"{state / POINTER} knows no package before the active one", "activate one by name")
    if not to:
        return pointer.history
    wanted = tuple(each for each in pointer.history if _answers(each, to))
    if not wanted:
        known = ", ".join(each.label for each in pointer.history)
        raise PackageError(f"{to!r} is none of the packages that were active before: {known}", "name one of these")
    return wanted


def _answers(each: Activation, to: str) -> bool:
    rest, _, variant = to.partition(":")
    name, _, version = rest.partition("@")
    return name == each.name and version in ("", each.version) and variant in ("", each.variant)
