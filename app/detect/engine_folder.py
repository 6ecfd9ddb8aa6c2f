"""The folder of engines that were built on this device, and whether what lies in it can be trusted.

An engine is machine code that is run as it stands: only root and this user may be able to write it.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ENGINES = "engines"
STATE_VARIABLE = "TAKT_STATE"
MAX_FOLDERS = 8
MODE = 0o755

_SYSTEM_STATE = Path("/var/lib/takt")
_SUFFIX = ".engines"
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH

Note = Callable[[str], None]
"""Takes a sentence about what was not as it should be, and what is done instead."""


def ignore_note(_sentence: str) -> None:
    """Tells nobody."""


OnProgress = Callable[[str, int, int], None]
"""Takes a phase of a build, how many of its steps are done, and how many it has."""


def ignore_progress(_phase: str, _done: int, _total: int) -> None:
    """Shows nobody."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where a driver keeps what it builds, and who is told of it.

    Attributes:
        folder: Where engines are kept; by default `engines` in the station's state.
        on_note: Is told why a kept engine was not taken.
        on_progress: Is told of a build.
    """

    folder: Path | None = None
    on_note: Note = ignore_note
    on_progress: OnProgress = ignore_progress


class DistrustedError(Exception):
    """What was found is not to be used; the words follow the name of the file or of `where`."""

    def __init__(self, words: str, where: Path | None = None) -> None:
        super().__init__(words)
        self.where = where


def check_owner(found: os.stat_result) -> None:
    """Refuses what anybody but root and this user has written, or could.

    Raises:
        DistrustedError: It is theirs.
    """
    if found.st_uid not in (0, os.geteuid()):
        raise DistrustedError(f"belongs to another user (number {found.st_uid})")
    if found.st_mode & _OTHERS_WRITE:
        raise DistrustedError("can be written by others")


def check_own(folder: Path) -> None:
    """Refuses a folder that is a link, or that anybody but root and this user can write.

    Raises:
        DistrustedError: It is.
        OSError: There is none.
    """
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise DistrustedError("is no folder of its own", folder)
    try:
        check_owner(found)
    except DistrustedError as error:
        raise DistrustedError(str(error), folder) from error


def _check_kept(path: Path) -> None:
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise DistrustedError("is no regular file", path)
    try:
        check_owner(found)
    except DistrustedError as error:
        raise DistrustedError(str(error), path) from error


def _trim_folders(place: Path, latest: Path) -> None:
    others = [each for each in place.glob(f"*{_SUFFIX}") if each != latest]
    newest_first = sorted(others, key=lambda each: each.lstat().st_mtime_ns, reverse=True)
    for each in newest_first[MAX_FOLDERS - 1 :]:
        shutil.rmtree(each, ignore_errors=True)


def default_folder() -> Path:
    """`engines` in `$TAKT_STATE`, else in /var/lib/takt where it exists, else in ~/.local/state/takt."""
    named = os.environ.get(STATE_VARIABLE)
    if named:
        return Path(named) / ENGINES
    if _SYSTEM_STATE.is_dir():
        return _SYSTEM_STATE / ENGINES
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "takt" / ENGINES


def folder_for(name: str, folder: Path | None = None, note: Note = ignore_note) -> Path | None:
    """A folder for engines that a library keeps and loads by itself.

    Args:
        name: Of all that they depend on, such as `EngineKey.name`.
        folder: Where it lies; by default `engines` in the station's state.
        note: Is told why there is none.

    Returns:
        `None` where what is in it cannot be trusted, or it cannot be made: then nothing is kept.
    """
    place = folder or default_folder()
    own = place / f"{name}{_SUFFIX}"
    try:
        for each in (place, own):
            if not each.is_dir():
                each.mkdir(parents=True)
                each.chmod(MODE)
            check_own(each)
        for each in own.iterdir():
            _check_kept(each)
        os.utime(own)
        _trim_folders(place, own)
    except DistrustedError as error:
        note(f"{error.where or own} {error}; its engines are built anew and not kept")
        return None
    except OSError as error:
        note(f"engines cannot be kept in {own} ({error.strerror}); they are built again next time")
        return None
    return own
