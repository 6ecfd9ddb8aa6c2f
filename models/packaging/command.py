"""`takt models export` and `takt models threshold`."""

# ruff: noqa: PLC0415, FBT002  (torch loads only for the command that needs it; typer options are booleans)
from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, cast

import typer

from app.errors import UsageError

_ROLES, _PRECISIONS = ("accelerator", "standby"), ("fp32", "fp16")

Variants = Annotated[
    Optional[list[str]],  # noqa: UP045 - Typer reads it, on Python 3.10 too
    typer.Option("--variant", help="Model of the package, such as standby-int8; repeat. All."),
]
Role = Annotated[str, typer.Option("--role", help="accelerator, or standby: the model for the CPU.")]


def export(
    checkpoint: Annotated[Path, typer.Argument(help="best.pt or last.pt of a training.")],
    out: Annotated[Path, typer.Option("--out", help="The package's folder; models that it has already stay.")],
    role: Role = "accelerator",
    precision: Annotated[str, typer.Option("--precision", help="fp32, or fp16 for a GPU.")] = "fp32",
    threshold: Annotated[
        float, typer.Option("--threshold", min=0.01, max=0.99, help="Default score threshold.")
    ] = 0.35,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write a checkpoint into a package: an ONNX file, and the manifest that names it.

    A model of the same role and precision is replaced; the package's golden frames are recorded anew on the new one.
    """
    from models.packaging.export import export_package

    for option, value, allowed in (("--role", role, _ROLES), ("--precision", precision, _PRECISIONS)):
        if value not in allowed:
            raise UsageError(f"{option} {value} is not known", f"use one of {', '.join(allowed)}")
    named = cast("tuple[Literal['accelerator', 'standby'], Any]", (role, precision))
    model = export_package(checkpoint, out, threshold, role=named[0], precision=named[1])
    result = {"model": str(model), "bytes": model.stat().st_size}
    typer.echo(json.dumps(result) if as_json else f"{model}: {model.stat().st_size} bytes")


def threshold(
    package: Annotated[
        str, typer.Argument(help="The package's folder, or its name in the zoo; NAME:VARIANT is one model of it.")
    ],
    score: Annotated[float, typer.Argument(min=0.01, max=0.99, help="The new default threshold.")],
    variant: Variants = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Give the models of a package another default threshold, such as one that takt models evaluate has chosen.

    Their golden frames are recorded anew at it. A line takes it when the package is activated again; recipes that name
    thresholds keep theirs. The card still tells the old one until takt models evaluate --card writes it anew.
    """
    from app.detect.zoo import find_package, split_variant, zoo_folder
    from models.packaging.threshold import set_threshold

    name, named = split_variant(package)
    folder = Path(name) if Path(name).is_dir() else find_package(name, zoo_folder(), is_draft=True).folder
    before = set_threshold(folder, score, [*(variant or []), *([named] if named else [])])
    if as_json:
        typer.echo(json.dumps({"package": str(folder), "threshold": score, "before": before}))
        return
    for each, was in before.items():
        typer.echo(f"{each}: {was:g} -> {score:g}")
