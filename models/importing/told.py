"""What a command says of a package that was imported: as JSON, and in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.importing.importer import Imported


def told(done: Imported) -> dict[str, Any]:
    """What was imported, in what JSON has."""
    model, entries = done.entries.models[0], done.entries
    suppression = entries.suppression
    return {
        "package": str(done.folder),
        "name": entries.name,
        "version": entries.version,
        "kind": entries.kind,
        "variant": model.variant,
        "layout": done.layout,
        "seen": done.seen,
        "classes": list(entries.classes),
        "good_classes": list(entries.good_classes),
        "width_px": model.spec.width_px,
        "height_px": model.spec.height_px,
        "channels": model.spec.channels,
        "fit": model.spec.fit,
        "gmac": model.gmac,
        "pixels": done.pixels,
        "threshold": model.score_threshold,
        "suppress_iou": None if suppression is None else suppression.iou,
        "pictures": done.pictures,
        "findings": done.findings,
        "proven": list(done.proven),
        "refused": done.refused,
        "notes": list(done.notes),
        "sheet": str(done.sheet),
    }


def show(values: Mapping[str, Any]) -> None:
    """Prints what `told` says, for people."""
    from rich.console import Console  # noqa: PLC0415 - loads only where it prints
    from rich.markup import escape  # noqa: PLC0415

    colours = "grey" if values["channels"] == 1 else "colour"
    console = Console(highlight=False)
    console.print(f"[bold]{escape(values['package'])}[/bold]: {values['kind']}, {values['variant']}", soft_wrap=True)
    lines = {
        "seen": values["seen"],
        "layout": values["layout"],
        "input": f"{values['width_px']}x{values['height_px']}, {colours}, {values['fit']}, {values['pixels']}",
        "classes": ", ".join(values["classes"]),
        "tried": f"{values['findings']} findings on {values['pictures']} pictures at {values['threshold']:g}",
        "look at": values["sheet"],
        "proven on": ", ".join(values["proven"]),
    }
    for key, value in lines.items():
        console.print(f"  {key:<9} {escape(value)}", soft_wrap=True)
    for runtime, why in values["refused"].items():
        console.print(f"  not on {escape(runtime)}: {escape(why)}", soft_wrap=True)
    for note in values["notes"]:
        console.print(f"  {escape(note)}", soft_wrap=True)
