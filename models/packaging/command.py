"""`takt models export`."""

# ruff: noqa: PLC0415, FBT002  (torch loads only for the command that needs it; typer options are booleans)
from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer

from app.errors import UsageError

_ROLES, _PRECISIONS = ("accelerator", "standby"), ("fp32", "fp16")

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
