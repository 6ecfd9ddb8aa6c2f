"""`takt models import`: a thin command over `models.importing`."""

# ruff: noqa: FBT002, PLC0415, PLR0913, PLR0917, UP045  (onnx and rich load only when it runs; its options are arguments)
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, cast

import typer

from app.errors import UsageError
from models.extras import require

_FITS = ("stretch", "letterbox", "corner", "crop")
_PIXELS = ("unit", "imagenet", "byte", "signed")
_ROLES = ("accelerator", "standby")
_SIZE = re.compile(r"^(\d{1,5})x(\d{1,5})$")


def import_model(
    file: Annotated[Path, typer.Argument(help="The ONNX file that another library exported.")],
    out: Annotated[
        Optional[Path], typer.Option("--out", help="The new package's folder; default: its name, here.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="The package's name; default: the file's.")] = "",
    version: Annotated[str, typer.Option("--version", help="Its version.")] = "1.0.0",
    role: Annotated[str, typer.Option("--role", help="accelerator or standby.")] = "accelerator",
    classes: Annotated[
        str, typer.Option("--classes", help="Class names: a file with one per line, or a,b,c; default: the file's own.")
    ] = "",
    good: Annotated[str, typer.Option("--good", help="Classes of a classifier that mean nothing is wrong: a,b.")] = "",
    layout: Annotated[
        str, typer.Option("--layout", help="How its outputs are to be read, where that is not seen.")
    ] = "",
    size: Annotated[str, typer.Option("--size", help="WIDTHxHEIGHT of its input, where the file leaves it open.")] = "",
    fit: Annotated[
        str, typer.Option("--fit", help="stretch, letterbox, corner or crop; default: as its library does.")
    ] = "",
    pixels: Annotated[
        str,
        typer.Option(
            "--pixels", help="What grey levels become: unit, imagenet, byte or signed; default: as its library does."
        ),
    ] = "",
    threshold: Annotated[
        Optional[float], typer.Option("--threshold", min=0.01, max=0.99, help="Default score threshold.")
    ] = None,
    samples: Annotated[
        Optional[Path], typer.Option("--samples", help="Folder with pictures to try it on; default: drawn ones.")
    ] = None,
    sheet: Annotated[
        Optional[Path],
        typer.Option("--sheet", help="Where the annotated sheet goes; default: samples.png in the package."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Take in a model that another library exported to ONNX, as a package.

    Its layout is recognised, it is tried on sample pictures and drawn on a sheet, and its golden frames are recorded
    and proven before the package is moved into place. Nothing is left behind if that fails. The file is run in a
    process of its own, with limits of memory and time.
    """
    require("onnx", "importing", "import")
    from models.importing.apart import import_apart
    from models.importing.importer import Plan
    from models.importing.labels import read_classes
    from models.importing.layout import Wishes
    from models.importing.told import show
    from models.steps import Steps

    wishes = Wishes(
        classes=read_classes(classes) if classes else (),
        layout=layout,
        fit=cast("Any", _one_of("--fit", fit, _FITS)),
        pixels=cast("Any", _one_of("--pixels", pixels, _PIXELS)),
        threshold=threshold,
        good=tuple(each.strip() for each in good.split(",") if each.strip()),
    )
    plan = Plan(
        path=file,
        out=out,
        name=name,
        version=version,
        role=cast("Literal['accelerator', 'standby']", _one_of("--role", role, _ROLES)),
        wishes=wishes,
        size=_size(size),
        samples=samples,
        sheet=sheet,
    )
    with Steps(is_shown=not as_json) as steps:
        done = import_apart(plan, steps.update)
    if as_json:
        typer.echo(json.dumps(done))
    else:
        show(done)


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> str:
    if value and value not in allowed:
        raise UsageError(f"{option} {value} is not known", f"use one of {', '.join(allowed)}")
    return value


def _size(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    found = _SIZE.match(text)
    if not found:
        raise UsageError(f"--size {text} is no size", "give width and height, such as 640x480")
    return int(found[1]), int(found[2])
