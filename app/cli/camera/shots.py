"""Pictures that `takt camera` takes, and the files they go to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from app.capture.camera import Camera
from app.cli.camera.figures import Stamps, bars, stamps_of
from app.cli.console import out, printable
from app.cli.files import check_outputs, write_whole
from app.cli.pictures import scaled
from app.cli.report import encoded
from app.cli.sheet import TILE_PX
from app.clock import NS_PER_S, Clock
from app.config import CameraSettings
from app.errors import CameraError, FrameTimeoutError, UsageError
from app.picture_figures import Figures, figures_of, remarks_on
from app.types import Frame, Image

SUFFIX = ".png"
"""Lossless: what is measured on the file later is what the camera gave."""

_PATIENCE_NS = NS_PER_S // 2
"""After so long without a frame it is looked whether the driver has refused one."""

_MOST_REFUSED = 8
"""More frames in a row are not torn by chance."""


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A picture that was taken.

    Attributes:
        title: What to call it.
        path: Where it lies.
        figures: What it says of the camera.
        stamps: When it was taken.
        remarks: What to mind, in words.
        small: The picture, no larger than a tile of a contact sheet; `None` where nobody will look at it.
    """

    title: str
    path: Path
    figures: Figures
    stamps: Stamps
    remarks: tuple[str, ...]
    small: Image | None


def commanded(settings: CameraSettings) -> CameraSettings:
    """The camera triggered by command where a line would trigger it by its wire: nothing moves on the belt now."""
    return settings.model_copy(update={"trigger": "command"}) if settings.trigger == "wire" else settings


def fetch(camera: Camera, clock: Clock, timeout_s: float) -> Frame:
    """One frame, triggered now; triggered again where the driver refused the answer, as one that was torn.

    Raises:
        CameraError: None came in time, or the camera is gone or sends what the settings do not allow.
    """
    until_ns = clock.now_ns() + round(timeout_s * NS_PER_S)
    first = refused = _refused(camera)
    camera.trigger(clock.now_ns())
    while True:
        try:
            return camera.grab(min(until_ns, clock.now_ns() + _PATIENCE_NS))
        except FrameTimeoutError as error:
            is_hopeless = _refused(camera) - first >= _MOST_REFUSED
            if is_hopeless or clock.now_ns() >= until_ns:
                raise _why_none(camera, error, timeout_s) from error
        if _refused(camera) != refused:
            refused = _refused(camera)
            camera.trigger(clock.now_ns())


def take(camera: Camera, settings: CameraSettings, clock: Clock, timeout_s: float, path: Path) -> Shot:
    """Takes a picture and writes it.

    Raises:
        CameraError: None came.
        UsageError: The file cannot be written.
    """
    frame = fetch(camera, clock, timeout_s)
    try:
        figures = figures_of(frame.image)
        write_whole(path, encoded(frame.image, SUFFIX))
        side_px = max(frame.image.shape[:2])
        small = scaled(frame.image, TILE_PX / side_px) if side_px > TILE_PX else frame.image.copy()
        remarks = tuple(each.text for each in remarks_on(figures, settings.dark_level))
        return Shot(path.name, path, figures, stamps_of(frame), remarks, small)
    finally:
        frame.release()


def planned(where: Path | None, stem: str, words: Sequence[str], now: datetime, *, is_forced: bool) -> list[Path]:
    """Where pictures will go, none of them over a file that is there.

    Args:
        where: A folder, a file for one picture, or a file whose name several share; `None`: the folder we are in.
        stem: Begins the names in a folder.
        words: What ends the name of each picture.
        now: The time, in the names in a folder.
        is_forced: Files that are there may be replaced.

    Raises:
        UsageError: A file is there, or the name is not one of a PNG file.
    """
    where = where or Path()
    is_folder = where.is_dir() or not where.suffix
    if not is_folder and where.suffix.lower() != SUFFIX:
        raise UsageError(f"{where} is no {SUFFIX} file", "name one, as pictures are kept without loss, or a folder")
    if is_folder:
        base = where / f"{stem.replace(' ', '-')}-{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03d}"
        paths = [base.with_name(f"{base.name}-{word}{SUFFIX}") for word in words]
    elif len(words) == 1:
        paths = [where]
    else:
        paths = [where.with_name(f"{where.stem}-{word}{where.suffix}") for word in words]
    for path in paths:
        check_new(path, is_forced=is_forced)
    check_outputs(paths, ())
    return paths


def check_new(path: Path, *, is_forced: bool) -> None:
    """Refuses a file that is there.

    Raises:
        UsageError: It is there and may not be replaced, or it is a folder.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder", "name a file to write")
    if path.exists() and not is_forced:
        raise UsageError(f"{path} is there already", "name another file, or replace it with --force")


def as_data(shot: Shot) -> dict[str, Any]:
    """A picture for `--json`; the histogram as shares of 256 greys."""
    figures = asdict(shot.figures)
    figures["histogram"] = [round(float(share), 6) for share in shot.figures.histogram]
    rounded = {key: round(value, 4) if isinstance(value, float) else value for key, value in figures.items()}
    return {"file": str(shot.path), **rounded, **asdict(shot.stamps), "remarks": list(shot.remarks)}


def show(shots: Sequence[Shot]) -> None:
    """Tells the pictures as a table, with histograms and what to mind."""
    console = out()
    table = Table()
    table.add_column("picture", overflow="fold")
    for heading in ("size", "mean", "min", "max", "at 255", "focus", "counter", "in memory ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("dark to bright", no_wrap=True)
    for each in shots:
        table.add_row(*_row(each))
    console.print(table)
    for kind in dict.fromkeys(_kind(remark) for each in shots for remark in each.remarks):
        console.print(f"[yellow]![/] {escape(_remark_in_words(kind, shots))}", soft_wrap=True)


def _refused(camera: Camera) -> int:
    """How many frames the driver has refused, where it counts them."""
    return int(getattr(camera, "refused", 0))


def _why_none(camera: Camera, error: FrameTimeoutError, timeout_s: float) -> CameraError:
    why = str(getattr(camera, "last_refusal", "")).removeprefix(f"camera {camera.name!r}: ")
    if not why:
        return FrameTimeoutError(f"{error.what} ({timeout_s:g} s)", error.mend)
    return CameraError(
        f"camera {camera.name!r} sent no frame that can be used: {why}",
        "correct its settings, such as its size with --size, or look at its cable and network",
    )


def _kind(remark: str) -> str:
    return remark.partition(":")[0]


def _remark_in_words(kind: str, shots: Sequence[Shot]) -> str:
    """The first remark of a kind, and on how many pictures it stands."""
    found = [(each.title, remark) for each in shots for remark in each.remarks if _kind(remark) == kind]
    title, remark = found[0]
    more = f" (and on {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{printable(title)}{more}: {remark}"


def _row(shot: Shot) -> tuple[str, ...]:
    figures, stamps = shot.figures, shot.stamps
    colour = " colour" if figures.channels > 1 else ""
    return (
        escape(printable(shot.path)),
        f"{figures.width_px} x {figures.height_px}{colour}",
        f"{figures.mean:.1f}",
        str(figures.low),
        str(figures.high),
        f"{figures.saturated:.1%}",
        f"{figures.focus:.1f}",
        "-" if stamps.counter is None else str(stamps.counter),
        f"{stamps.memory_ms:.1f}",
        bars(figures.histogram),
    )
