"""Which camera a command means, whether it may have it now, and the camera itself, open."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from app.bus.place import Place
from app.capture.camera import Camera
from app.capture.drivers import DRIVERS, open_camera
from app.clock import Clock
from app.config import CameraSettings, Line, load_line
from app.errors import CameraError, ConfigError, TaktError, UsageError, redacted
from app.setup import twin_line
from app.toml import validated

_SIZE = re.compile(r"(\d{1,5})[xX](\d{1,5})")
_LOCK_CELLS = 6


@dataclass(frozen=True, slots=True)
class Wish:
    """What a command line says of the camera it means; `None` where it says nothing.

    Attributes:
        name: Its name in a `line.toml`.
        line: That file.
        driver: Its driver, where it stands in no file.
        source: Its source, where it stands in no file.
        size: Such as `1280x1024`.
        is_colour: Three channels.
        exposure_ms: Another exposure.
        gain_db: Another gain.
    """

    name: str | None = None
    line: Path | None = None
    driver: str | None = None
    source: str | None = None
    size: str | None = None
    is_colour: bool = False
    exposure_ms: float | None = None
    gain_db: float | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The camera that is meant.

    Attributes:
        settings: How it is driven.
        path: The `line.toml` it stands in; `None` for one of no file.
        line: The line of that file.
    """

    settings: CameraSettings
    path: Path | None = None
    line: Line | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A camera that a running line has.

    Attributes:
        lane: The lane.
        pid: Its capture process.
        frames: Name of the file in which its frames lie.
        settings: The camera, where the process's own command line tells.
    """

    lane: str
    pid: int
    frames: str
    settings: CameraSettings | None = None


def chosen(wish: Wish) -> Choice:
    """Finds the camera that is meant.

    Raises:
        UsageError: The command line names none, or two at once, or asks for what is out of bounds.
        ConfigError: The `line.toml` cannot be used.
        CameraError: The `line.toml` has no such camera.
    """
    changes = _changes(wish)
    if wish.driver or wish.source is not None:
        return Choice(_loose(wish, changes))
    path = wish.line or twin_line()
    line = load_line(path)
    settings = _of_line(line, wish.name, path)
    if changes:
        settings = as_settings({**said_of(settings), **changes})
    return Choice(settings, path, line)


def as_settings(values: Mapping[str, Any]) -> CameraSettings:
    """Settings of which some come from the command line.

    Raises:
        UsageError: One is out of bounds.
    """
    try:
        return validated(CameraSettings, values, "the command line")
    except ConfigError as error:
        # What is refused is repeated, and a source may hold a password.
        raise UsageError(redacted(error.what), "correct it") from None


def said_of(settings: CameraSettings) -> dict[str, Any]:
    """What was said of a camera and no more: a driver leaves alone what nobody named."""
    return settings.model_dump(exclude_unset=True)


def check_free(choice: Choice, place: Place) -> None:
    """Refuses a camera that a running line has: two at once would take frames and settings from each other.

    Raises:
        CameraError: It is in use.
    """
    wanted = choice.settings
    frames = place.frames(choice.line.line.lane, wanted.name).name if choice.line else ""
    for each in held_cameras(place):
        if _is_meant(each, wanted, frames):
            name = each.settings.name if each.settings else wanted.name
            raise CameraError(
                f"camera {name!r} is in use by the running line (lane {each.lane}, process {each.pid})",
                "stop the line first, or look at its page",
            )


def held_cameras(place: Place) -> tuple[Held, ...]:
    """Every camera that a capture process of this bus has."""
    found = []
    for path in sorted(place.root.glob("lane*-*.frames")):
        pid = holder_of(path)
        if pid:
            lane = path.name.partition("-")[0].removeprefix("lane")
            found.append(Held(lane, pid, path.name, _settings_of(pid)))
    return tuple(found)


def holder_of(path: Path, root: Path = Path("/")) -> int:
    """Which process has the lock of a file; 0 for none.

    Read from the kernel's table: to try the lock could keep a capture process that starts now from it.

    Args:
        path: The file; it need not exist.
        root: Where `proc` is.
    """
    try:
        facts = path.stat()
        lines = (root / "proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    identity = f"{os.major(facts.st_dev):02x}:{os.minor(facts.st_dev):02x}:{facts.st_ino}"
    for cells in map(str.split, lines):
        if len(cells) >= _LOCK_CELLS and cells[1] == "FLOCK" and cells[5] == identity:
            return int(cells[4])
    return 0


@contextmanager
def opened(choice: Choice, clock: Clock) -> Iterator[Camera]:
    """The camera, open; closed again whatever happens. The twin's looks at a belt that no station watches.

    Raises:
        CameraError: It does not open.
        MissingDriverError: Its library is not installed.
    """
    is_twin = choice.settings.driver == "twin"
    with _without_secrets():
        camera = _twin(choice.settings, choice.line) if is_twin and choice.line else open_camera(choice.settings, clock)
        try:
            yield camera
        finally:
            camera.close()


@contextmanager
def _without_secrets() -> Iterator[None]:
    try:
        yield
    except CameraError as error:
        if redacted(str(error)) == str(error):
            raise
        raise type(error)(redacted(error.what), redacted(error.mend)) from None


def _changes(wish: Wish) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if wish.size is not None:
        found = _SIZE.fullmatch(wish.size.strip())
        if found is None:
            raise UsageError(f"--size {wish.size!r} is no size", "write width and height, as in --size 1280x1024")
        changes |= {"width_px": int(found[1]), "height_px": int(found[2])}
    if wish.is_colour:
        changes["channels"] = 3
    if wish.exposure_ms is not None:
        changes["exposure_ms"] = wish.exposure_ms
    if wish.gain_db is not None:
        changes["gain_db"] = wish.gain_db
    return changes


def _loose(wish: Wish, changes: dict[str, Any]) -> CameraSettings:
    if wish.name or wish.line:
        raise UsageError("both a camera of a line.toml and --driver are named", "name one of them")
    if wish.driver not in DRIVERS:
        said = f"--driver {wish.driver} is not known" if wish.driver else "--source needs --driver"
        raise UsageError(said, f"name one of {', '.join(DRIVERS)}")
    if not wish.source and wish.driver != "csi":
        raise UsageError(f"--driver {wish.driver} needs --source", "takt camera list shows what to write there")
    return as_settings({"name": wish.driver, "driver": wish.driver, "source": wish.source or "0", **changes})


def _of_line(line: Line, name: str | None, path: Path) -> CameraSettings:
    names = ", ".join(repr(each.name) for each in line.cameras)
    if name is None:
        if len(line.cameras) > 1:
            raise UsageError(f"{path} has {len(line.cameras)} cameras", f"name one of {names}")
        return line.cameras[0]
    for each in line.cameras:
        if each.name == name:
            return each
    raise CameraError(f"{path} has no camera {name!r}", f"name one of {names}, or another file with --line")


def _twin(settings: CameraSettings, line: Line) -> Camera:
    from app.cli.camera.twin import TwinStand  # noqa: PLC0415 - no other camera needs the twin

    camera = TwinStand(settings, line)
    camera.open()
    return camera


def _is_meant(held: Held, wanted: CameraSettings, frames: str) -> bool:
    """A running line has the very device that is wanted."""
    if held.settings is None or held.settings.driver == wanted.driver == "twin":
        # The twin's cameras have no source that tells them apart.
        return held.frames == frames
    if (held.settings.driver, held.settings.source) != (wanted.driver, wanted.source):
        return False
    # A file or a folder serves any number at once.
    return wanted.driver != "folder" and not Path(wanted.source).is_file()


def _settings_of(pid: int) -> CameraSettings | None:
    """What a capture process drives, read from its command line; `None` where that cannot be seen."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0")
        folder = Path(f"/proc/{pid}/cwd").readlink()
    except (OSError, UnicodeDecodeError):
        return None
    said = dict(pairwise(words))
    if "--line" not in said or "--camera" not in said:
        return None
    try:
        line = load_line(folder / said["--line"])
    except TaktError:
        # It was changed since the line started.
        return None
    return next((each for each in line.cameras if each.name == said["--camera"]), None)
