"""What `takt models list` looks at and how it shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from app.cli.console import out
from app.detect.detector import InputSpec
from app.detect.installed import folder_of
from app.detect.package import Package, load_package
from app.detect.pointer import Activation, Pointer, read_pointer
from app.detect.registry import Prove, package_of
from app.detect.zoo import ZooEntry, list_installed, list_packages
from app.errors import PackageError, TaktError


@dataclass(frozen=True, slots=True)
class Listed:
    """One package as the list shows it.

    Attributes:
        entry: The entry of the zoo or of the station.
        active: Its model that judges; empty where it is not the active package.
        proofs: What is known of its models: empty where the golden frames reproduce, else why they do not.
        is_kept: It is of the zoo, active, or one that a rollback may go to.
    """

    entry: ZooEntry
    active: str
    proofs: tuple[tuple[str, str], ...] = ()
    is_kept: bool = True

    @property
    def variants(self) -> tuple[str, ...]:
        """All its models; none of a broken package."""
        return self.entry.package.variants if self.entry.package else ()

    @property
    def is_proven(self) -> bool | None:
        """The model that would be used reproduces its golden frames; `None` where that was not tried."""
        known = dict(self.proofs)
        used = self.active or next(iter(self.variants), "")
        return not known[used] if used in known else None

    @property
    def problem(self) -> str:
        """Why it cannot be used, or not all of it; empty for a package that can."""
        return self.entry.problem or next((why for _, why in self.proofs if why), "")


@dataclass(frozen=True, slots=True)
class Shelf:
    """Everything that the list shows.

    Attributes:
        zoo: The folder of the zoo.
        pointer: What is active, and was before; `None` where nothing was activated.
        entries: The packages.
        trouble: Why the active package cannot judge; `None` where it can.
    """

    zoo: Path
    pointer: Pointer | None
    entries: tuple[Listed, ...]
    trouble: PackageError | None


def look(state: Path, zoo: Path) -> Shelf:
    """Reads the zoo, the station's own packages and the pointer.

    Raises:
        PackageError: A folder cannot be read, or the pointer is damaged.
    """
    pointer = read_pointer(state)
    active, trouble = _active(pointer, state, zoo)
    known = (pointer.active, *pointer.history) if pointer else ()
    kept = {folder_of(state, each) for each in known if each.is_installed}
    entries = []
    for entry in (*list_packages(zoo), *list_installed(state)):
        variant = active.variant if active and active.folder.resolve() == entry.folder.resolve() else ""
        # What is active was proven when it was activated, and is still what it was.
        proofs = ((variant, ""),) if variant else ()
        entries.append(Listed(entry, variant, proofs, not entry.is_installed or entry.folder in kept))
    return Shelf(zoo, pointer, tuple(entries), trouble)


def proven(shelf: Shelf, prove: Prove, step: Callable[[str], None]) -> Shelf:
    """Tries every model of every package that can be read.

    Args:
        shelf: What there is.
        prove: Judges golden frames.
        step: Called after each model.
    """
    entries = tuple(replace(each, proofs=_proofs(each, prove, step)) for each in shelf.entries)
    failed = next(
        (why for each in entries if each.active for variant, why in each.proofs if variant == each.active), ""
    )
    trouble = PackageError(failed, "activate another package") if failed else None
    return replace(shelf, entries=entries, trouble=shelf.trouble or trouble)


def as_data(shelf: Shelf) -> dict[str, Any]:
    """The list for `--json`."""
    pointer = shelf.pointer
    return {
        "zoo": str(shelf.zoo),
        "active": pointer.active.name if pointer else None,
        "activation": activation_data(pointer.active) if pointer else None,
        "history": [activation_data(each) for each in pointer.history] if pointer else [],
        "packages": [_as_row(each) for each in shelf.entries],
    }


def activation_data(each: Activation) -> dict[str, Any]:
    """An activation for `--json`; what an older Takt did not note is null."""
    return {
        "name": each.name,
        "version": each.version or None,
        "variant": each.variant or None,
        "onnx_sha256": each.onnx_sha256,
        "installed": each.is_installed,
        "at": each.at.isoformat(timespec="seconds") if each.at else None,
        "by": each.by or None,
        "reason": each.reason or None,
    }


def input_data(spec: InputSpec) -> dict[str, Any]:
    """What a model takes, for `--json`."""
    return {
        "width_px": spec.width_px,
        "height_px": spec.height_px,
        "channels": spec.channels,
        "golden": spec.is_golden,
        "fit": spec.fit,
    }


def input_words(spec: InputSpec) -> str:
    """What a model takes, for people."""
    golden = " + golden sample" if spec.is_golden else ""
    fit = "" if spec.fit == "stretch" else f", {spec.fit}"
    return f"{spec.width_px} x {spec.height_px} x {spec.channels}{golden}{fit}"


def when_words(each: Activation) -> str:
    """When, by whom and why something was made active, as far as it was noted."""
    when = f" on {each.at:%Y-%m-%d %H:%M} UTC" if each.at else ""
    by = f" by {each.by}" if each.by else ""
    return f"{when}{by}{f': {each.reason}' if each.reason else ''}"


def show(shelf: Shelf) -> None:
    """Prints the list."""
    console = out()
    if not shelf.entries:
        console.print(f"The zoo {escape(str(shelf.zoo))} holds no packages.", soft_wrap=True)
    else:
        console.print(_table(shelf))
    if shelf.pointer is None:
        console.print("None is active yet: [bold]takt models activate NAME[/] proves one and makes it so.")
        return
    pointer = shelf.pointer
    console.print(
        f"Active: [bold]{escape(pointer.active.label)}[/]{escape(when_words(pointer.active))}", soft_wrap=True
    )
    for each in pointer.history:
        console.print(f"  before: {escape(each.label)}{escape(when_words(each))}", soft_wrap=True)


def _active(pointer: Pointer | None, state: Path, zoo: Path) -> tuple[Package | None, PackageError | None]:
    if pointer is None:
        return None, None
    try:
        return package_of(pointer.active, state, zoo), None
    except PackageError as error:
        name = pointer.active.name
        again = "./DIR of that package" if pointer.active.is_installed else name
        return None, PackageError(
            f"the active package {name!r} is gone, or is not what was proven: {error.what}",
            f"run: takt models activate {again}, or: takt models rollback",
        )


def _proofs(each: Listed, prove: Prove, step: Callable[[str], None]) -> tuple[tuple[str, str], ...]:
    if each.entry.problem:
        return ()
    found = []
    for variant in each.variants:
        try:
            prove(load_package(each.entry.folder, variant=variant))
            found.append((variant, ""))
        except TaktError as error:
            found.append((variant, str(error)))
        step(f"{each.entry.folder.name}:{variant}")
    return tuple(found)


def _as_row(each: Listed) -> dict[str, Any]:
    entry, package = each.entry, each.entry.package
    row: dict[str, Any] = {
        "folder": str(entry.folder),
        "installed": entry.is_installed,
        "left_over": not each.is_kept,
        "active": bool(each.active),
        "proven": each.is_proven,
        "problem": each.problem or None,
    }
    if package:
        known = dict(each.proofs)
        row |= {
            "name": package.name,
            "version": package.version,
            "kind": package.kind,
            "classes": list(package.classes),
            "input": input_data(package.spec),
            "golden_frames": len(package.frames),
            "onnx_sha256": package.onnx_sha256,
            "models": [
                {
                    "variant": variant,
                    "active": variant == each.active,
                    "proven": not known[variant] if variant in known else None,
                    "problem": known.get(variant) or None,
                }
                for variant in each.variants
            ],
        }
    return row


def _table(shelf: Shelf) -> Table:
    table = Table(title=f"Model packages in {escape(str(shelf.zoo))} and on this station", title_justify="left")
    table.add_column("", no_wrap=True)
    table.add_column("name", style="bold")
    for heading in ("version", "kind", "models", "input", "classes", "from", "state"):
        table.add_column(heading)
    for each in shelf.entries:
        package = each.entry.package
        mark = "[green]●[/]" if each.active else "[red]✗[/]" if each.problem else "○"
        place = "station" if each.entry.is_installed else "zoo"
        if package is None:
            table.add_row(mark, escape(each.entry.folder.name), "", "", "", "", "", place, escape(each.problem))
            continue
        models = ", ".join(each.variants)
        classes = ", ".join(package.classes)
        row = (package.name, package.version, package.kind, models, input_words(package.spec), classes, place)
        table.add_row(mark, *(escape(cell) for cell in (*row, _state(each))))
    return table


def _state(each: Listed) -> str:
    if each.entry.problem:
        return each.entry.problem
    words = [f"active ({each.active})"] if each.active else []
    failed = [f"{variant}: {why}" for variant, why in each.proofs if why]
    if failed:
        return ", ".join([*words, *failed])
    words.append("proven" if each.is_proven else "not proven here yet")
    return ", ".join(words if each.is_kept else [*words, "left over: the next activation removes it"])
