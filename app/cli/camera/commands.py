"""`takt camera list | probe | snap | set`: the cameras of this box, before a line runs with them."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from app.cli.camera.options import (
    CameraName,
    Colour,
    Driver,
    ExposureMs,
    Force,
    GainDb,
    LineFile,
    Out,
    Sheet,
    Size,
    Source,
    TimeoutS,
)
from app.cli.console import one_line, out, print_json, progress
from app.cli.options import Bus, Json
from app.errors import CameraError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.cli.camera.choice import Choice, Wish
    from app.cli.camera.search import Search

group = typer.Typer(help="Find cameras, look through them and set them, before a line runs with them.")


@group.command("list")
def list_cameras(
    *,
    driver: Annotated[
        list[str] | None, typer.Option("--driver", metavar="NAME", help="Search with gige, opencv or csi only.")
    ] = None,
    as_toml: Annotated[
        bool, typer.Option("--toml", help="Print a [[camera]] for the line.toml for each, and nothing else.")
    ] = False,
    bus: Bus = None,
    as_json: Json = False,
) -> None:
    """Search for cameras: which driver has them, what to write into the line.toml, and what keeps them from being used.

    A driver whose library is not installed says so and keeps no other from searching; named with --driver it is an
    error. Streams and files are not searched for. Exit code 0 whether or not a camera is there.
    """
    from app.bus.place import default_place
    from app.capture.drivers import SEARCHES
    from app.cli.camera import search as camera_search
    from app.cli.camera.choice import held_cameras

    held = held_cameras(default_place(bus, make=False))
    with progress("searching", len(driver or SEARCHES)) as step:
        results = camera_search.search(driver or (), held, step)
    if driver:
        for each in results:
            if each.error:
                raise each.error
    if as_json:
        print_json(camera_search.as_data(results))
    elif as_toml:
        _print_toml(results)
    else:
        _show_found(results)


@group.command()
def probe(  # noqa: PLR0913 - an argument per option
    name: CameraName = None,
    *,
    line: LineFile = None,
    driver: Driver = None,
    source: Source = None,
    size: Size = None,
    is_colour: Colour = False,
    text: Annotated[str, typer.Option("--filter", metavar="TEXT", help="Only knobs with this in their name.")] = "",
    timeout_s: TimeoutS = 5.0,
    bus: Bus = None,
    as_json: Json = False,
) -> None:
    """Open a camera and say what it is, what it can, and whether it takes what the line.toml asks of it.

    Lists its knobs with value, bounds and choices, and measures for a second how fast it sends where it runs freely.
    Exit code 7 when it does not open, sends no frame, or refuses what is asked of it.
    """
    from app.cli.camera import probe as camera_probe
    from app.cli.camera.choice import Wish
    from app.clock import SystemClock

    choice = _chosen(Wish(name, line, driver, source, size, is_colour), bus)
    probed = camera_probe.probe(choice, SystemClock(), timeout_s)
    knobs = camera_probe.matching(probed.knobs, text)
    if as_json:
        print_json(camera_probe.as_data(probed, knobs))
    else:
        camera_probe.show(probed, knobs, text)
    if not probed.is_right:
        raise typer.Exit(CameraError.exit_code)


@group.command()
def snap(  # noqa: PLR0913 - an argument per option
    name: CameraName = None,
    *,
    line: LineFile = None,
    driver: Driver = None,
    source: Source = None,
    size: Size = None,
    is_colour: Colour = False,
    exposure_ms: ExposureMs = None,
    gain_db: GainDb = None,
    count: Annotated[int, typer.Option("--count", min=1, max=10_000, help="How many pictures.")] = 1,
    is_wired: Annotated[
        bool, typer.Option("--wire", help="Wait for the camera's trigger input where the line.toml has trigger = wire.")
    ] = False,
    where: Out = None,
    sheet: Sheet = None,
    is_forced: Force = False,
    timeout_s: TimeoutS = 5.0,
    bus: Bus = None,
    as_json: Json = False,
) -> None:
    """Take pictures and say what they show of the camera: light, focus, saturation, and how long a frame takes.

    They are written as PNG, without loss. The focus score is the variance of the Laplacian: turn the lens to where it
    is largest, for the same scene. Exit code 7 when no frame comes.
    """
    from app.cli.camera import shots as camera_shots
    from app.cli.camera.choice import Wish, opened
    from app.cli.camera.sheet import MOST_SHOWN, check_sheet, write_sheet
    from app.clock import SystemClock

    choice = _chosen(Wish(name, line, driver, source, size, is_colour, exposure_ms, gain_db), bus)
    if not is_wired:
        choice = dataclasses.replace(choice, settings=camera_shots.commanded(choice.settings))
    clock = SystemClock()
    words = [f"{number:0{len(str(count))}d}" for number in range(1, count + 1)]
    paths = camera_shots.planned(where, choice.settings.name, words, clock.wall(), is_forced=is_forced)
    check_sheet(sheet, paths, is_forced=is_forced)
    shots: list[camera_shots.Shot] = []
    with opened(choice, clock) as camera, progress("taking", count) as step:
        for path in paths:
            camera_shots.check_new(path, is_forced=is_forced)
            shot = camera_shots.take(camera, choice.settings, clock, timeout_s, path)
            shots.append(shot if len(shots) < MOST_SHOWN else dataclasses.replace(shot, small=None))
            step(path.name)
    if sheet:
        write_sheet(sheet, shots, f"Camera {choice.settings.name}")
    if as_json:
        where_from = {"name": choice.settings.name, "driver": choice.settings.driver}
        print_json({**where_from, "pictures": [camera_shots.as_data(each) for each in shots]})
    else:
        camera_shots.show(shots)


@group.command("set")
def set_knobs(  # noqa: PLR0913 - an argument per option
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME] KNOB=VALUE...",
            help="A camera of the line.toml, and knobs by the camera's own names, or exposure_ms and gain_db.",
        ),
    ],
    *,
    line: LineFile = None,
    driver: Driver = None,
    source: Source = None,
    size: Size = None,
    is_saved: Annotated[
        bool, typer.Option("--save", help="Write what the camera took into the line.toml; the file before is kept.")
    ] = False,
    is_shown: Annotated[bool, typer.Option("--snap", help="Take a picture before and one after.")] = False,
    where: Out = None,
    sheet: Sheet = None,
    is_forced: Force = False,
    timeout_s: TimeoutS = 5.0,
    bus: Bus = None,
    as_json: Json = False,
) -> None:
    """Set knobs of a camera and say what it took: before, asked, after.

    All of them are set, or none. Without --save the change lasts until the camera loses its power or somebody else sets
    it; a line sets only what its line.toml names. With --save the line.toml gets them and keeps its comments. Exit code
    7 when the camera has no such knob or refuses a value.
    """
    from app.cli.camera import change as camera_change
    from app.cli.camera.choice import Wish
    from app.cli.camera.session import Session
    from app.clock import SystemClock

    name, wanted = camera_change.split(words)
    choice = _chosen(Wish(name, line, driver, source, size), bus)
    if is_saved:
        if choice.path is None:
            raise UsageError("--save needs a camera of a line.toml", "name it, and the file with --line")
        camera_change.check_savable(wanted)
    if sheet and not is_shown:
        raise UsageError("--sheet shows the pictures of --snap", "add --snap")
    session = Session(choice, wanted, SystemClock(), timeout_s)
    if is_shown:
        session.plan(where, sheet, is_forced=is_forced)
    session.run()
    kept = session.save() if is_saved else None
    if as_json:
        print_json(session.as_data(kept))
    else:
        session.show(kept)


def _chosen(wish: Wish, bus: Path | None) -> Choice:
    """The camera that is meant, if no running line has it."""
    from app.bus.place import default_place
    from app.cli.camera.choice import check_free, chosen
    from app.cli.camera.size import with_own_size

    choice = chosen(wish)
    check_free(choice, default_place(bus, make=False))
    return with_own_size(choice) if wish.size is None and choice.path is None else choice


def _print_toml(results: Sequence[Search]) -> None:
    from app.cli.camera.search import all_found, snippet

    found = all_found(results)
    if not found:
        raise CameraError("no camera was found", "see takt camera list")
    names = ["top"] if len(found) == 1 else [f"camera-{number}" for number in range(1, len(found) + 1)]
    typer.echo("\n\n".join(snippet(*each) for each in zip(found, names, strict=True)))


def _show_found(results: Sequence[Search]) -> None:
    from app.cli.camera.search import HINTS, KINDS, all_found, found_table, snippet

    console = out()
    found = all_found(results)
    if found:
        console.print(found_table(results))
    for each in results:
        if each.error:
            console.print(f"[yellow]▲[/] {KINDS[each.driver]}: {escape(one_line(each.error))}", soft_wrap=True)
    if not found:
        console.print("No camera was found. What to check:")
        for each in results:
            if not each.error:
                console.print(f"  - {escape(KINDS[each.driver])}: {escape(HINTS[each.driver])}", soft_wrap=True)
    free = [each for each in found if not each.trouble]
    if len(free) == 1:
        console.print("\nFor the line.toml:\n")
        console.print(escape(snippet(free[0], "top")), soft_wrap=True)
    elif free:
        console.print("takt camera list --toml prints what to write into the line.toml for each.")
