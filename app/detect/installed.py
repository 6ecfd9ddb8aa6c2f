"""Packages that a station has copies of, as its zoo is read-only: `packages/NAME/VERSION-HASH` in the state folder.

HASH is over the manifest and all files, so that a folder never changes what it holds. A copy is drafted in a hidden
folder, put onto the disk and renamed; what is to go is renamed first. So nothing half-written or half-removed ever
counts as a package, and the next activation clears it away. Whoever changes anything here holds `app.detect.registry`'s
lock.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from app.detect.package import Package
from app.detect.pointer import HASH_SHOWN, Activation
from app.durable import READABLE, move, sync
from app.errors import PackageError

PACKAGES = "packages"
INCOMING = ".incoming"
OUTGOING = ".outgoing"

MAX_FILES = 2_000
MAX_BYTES = 8_000_000_000
LEAST_FREE_BYTES = 256_000_000
"""What the recorder must be left with: a full disk stops the line."""

_PASSABLE = 0o755
_CHUNK = 1 << 20


def folder_of(state: Path, activation: Activation) -> Path:
    """Where the copy of an installed package lies."""
    return _folder(state, activation.name, activation.version, activation.content_sha256)


def installed_folders(state: Path) -> tuple[Path, ...]:
    """The folders of all installed packages, in name order; drafts and what is being removed are not among them.

    Raises:
        PackageError: They cannot be read.
    """
    return tuple(folder for name in _names(state) for folder in _shown(name))


def content_hash(folder: Path) -> str:
    """SHA-256 over the names, sizes and bytes of all files of a package, in hexadecimal; hidden files are none of it.

    Raises:
        PackageError: A file cannot be read, or is not one that a package may have.
    """
    digest = hashlib.sha256()
    try:
        for relative, path in _files(folder):
            size, content = _hash_file(path)
            digest.update(os.fsencode(f"{relative}\0{size}\0{content}\n"))
    except OSError as error:
        raise PackageError(f"{folder} cannot be read: {error.strerror}", "restore the whole package") from error
    return digest.hexdigest()


def bring(source: Path, state: Path) -> Path:
    """Copies a package into a draft that nobody takes for one, all of it on the disk.

    What an earlier one left there is to be discarded first, as it takes up room.

    Args:
        source: The package's folder.
        state: The station's state folder.

    Returns:
        The draft.

    Raises:
        PackageError: A file is not one that a package may have, it is too large, or there is no room for it.
    """
    draft = state / PACKAGES / INCOMING
    try:
        files = list(_files(source))
        _make_passable(draft.parent)
        _check_room(source, files, draft.parent)
        _copy_all(files, draft)
    except OSError as error:
        discard(state)
        raise PackageError(
            f"{source} cannot be copied to {draft.parent}: {error.strerror}", "make room, or check both folders"
        ) from error
    except BaseException:
        discard(state)
        raise
    return draft


def settle(draft: Path, state: Path, package: Package) -> tuple[Path, str]:
    """Gives a proven draft its name; one that is there already, and whole, is kept instead.

    Args:
        draft: What `bring` made.
        state: The station's state folder.
        package: What was loaded from the draft.

    Returns:
        The folder, and the hash of its content.

    Raises:
        PackageError: It cannot be renamed.
    """
    content = content_hash(draft)
    folder = _folder(state, package.name, package.version, content)
    try:
        if folder.is_dir() and _is_whole(folder, content):
            _remove(draft)
            return folder, content
        if folder.exists():
            _take_away(folder, state)
        _make_passable(folder.parent)
        move(draft, folder)
        sync(state / PACKAGES)
        sync(state)
    except OSError as error:
        discard(state)
        raise PackageError(f"{folder} cannot be put in place: {error.strerror}", "check the folder") from error
    return folder, content


def discard(state: Path) -> None:
    """Removes drafts and half-removed packages; what cannot be removed waits for the next time."""
    for name in (INCOMING, OUTGOING):
        shutil.rmtree(state / PACKAGES / name, ignore_errors=True)


def sweep(state: Path, keep: Collection[Path]) -> tuple[Path, ...]:
    """Removes every installed package but those to keep.

    Args:
        state: The station's state folder.
        keep: Their folders.

    Returns:
        What could not be removed; the next activation tries again.

    Raises:
        PackageError: The folder of all packages cannot be read.
    """
    left: list[Path] = []
    for name in _names(state):
        for folder in _shown(name):
            if folder not in keep:
                try:
                    _take_away(folder, state)
                except OSError:
                    left.append(folder if folder.exists() else state / PACKAGES / OUTGOING)
        with suppress(OSError):  # others of that name are kept
            name.rmdir()
    return tuple(left)


def _folder(state: Path, name: str, version: str, content: str) -> Path:
    return state / PACKAGES / name / f"{version}-{content[:HASH_SHOWN]}"


def _make_passable(folder: Path) -> None:
    """Makes a folder that the stations may look into: whoever activates may have another mask, and be another user."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        folder.chmod(_PASSABLE)


def _names(state: Path) -> list[Path]:
    root = state / PACKAGES
    return _shown(root) if root.is_dir() else []


def _shown(folder: Path) -> list[Path]:
    try:
        return sorted(each for each in folder.iterdir() if not each.name.startswith(".") and each.is_dir())
    except OSError as error:
        raise PackageError(f"{folder} cannot be read: {error.strerror}", "check its permissions") from error


def _take_away(folder: Path, state: Path) -> None:
    """Renamed before it is emptied, as half of it must not count."""
    outgoing = state / PACKAGES / OUTGOING
    _remove(outgoing)
    folder.rename(outgoing)
    _remove(outgoing)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _is_whole(folder: Path, content: str) -> bool:
    try:
        return content_hash(folder) == content
    except PackageError:
        return False


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file with its name in the package, in the order of those names.

    A link is followed to a file of the package, and to nothing else: what is copied must be what was looked at.
    """
    home = folder.resolve()
    paths = sorted(_walk(folder), key=lambda each: each.relative_to(folder).as_posix())
    if len(paths) > MAX_FILES:
        raise PackageError(f"{folder} has more than {MAX_FILES} files", "leave only the package in its folder")
    for path in paths:
        relative = path.relative_to(folder).as_posix()
        if not path.is_file() or not path.resolve().is_relative_to(home):
            raise PackageError(
                f"{folder} has {relative}, which is no file of its own", "put a copy of the file there, or take it away"
            )
        yield relative, path


def _walk(folder: Path) -> Iterator[Path]:
    for base, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = [each for each in folders if not each.startswith(".")]
        place = Path(base)
        yield from (place / each for each in folders if (place / each).is_symlink())
        yield from (place / each for each in files if not each.startswith("."))


def _raise(error: OSError) -> None:
    raise error


def _check_room(source: Path, files: Collection[tuple[str, Path]], place: Path) -> None:
    size = sum(path.stat().st_size for _, path in files)
    if size > MAX_BYTES:
        raise PackageError(
            f"{source} holds {size} bytes, more than {MAX_BYTES}", "leave only the package in its folder"
        )
    free = shutil.disk_usage(place).free
    if free < size + LEAST_FREE_BYTES:
        raise PackageError(
            f"{source} needs {size} bytes on the disk of {place}, which has {free} free and must keep"
            f" {LEAST_FREE_BYTES}",
            "make room",
        )


def _copy_all(files: Collection[tuple[str, Path]], draft: Path) -> None:
    folders = {draft}
    draft.mkdir()
    for relative, path in files:
        target = draft / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        folders |= {draft / above for above in Path(relative).parents}
        _copy(path, target)
    for folder in folders:
        folder.chmod(_PASSABLE)
        sync(folder)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as reader, target.open("xb") as writer:
        shutil.copyfileobj(reader, writer, _CHUNK)
        writer.flush()
        os.fchmod(writer.fileno(), READABLE)
        os.fsync(writer.fileno())


def _hash_file(path: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()
