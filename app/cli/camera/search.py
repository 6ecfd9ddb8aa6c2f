"""Cameras that could be used: what the drivers find, and what to write into a line.toml."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rich.markup import escape
from rich.table import Table

from app.capture import drivers
from app.capture.camera import Found
from app.cli.camera.choice import Held
from app.cli.console import one_line, printable
from app.errors import CameraError, MissingDriverError, UsageError, redacted

KINDS = {
    "gige": "GigE Vision cameras in the network",
    "opencv": "USB cameras and other V4L2 devices",
    "csi": "CSI cameras of a Jetson",
}
HINTS = {
    "gige": "is the cable in and the camera supplied (PoE)? Is its address in the subnet of this machine's port?"
    " Discovery is a broadcast, which no router and few firewalls let through",
    "opencv": "does ls /dev/video* show it, and is this user in the group video? A stream has no search: write its"
    " address into camera.source",
    "csi": "is its ribbon in the right way round, and does the device tree name the sensor?",
}
"""What to check where a driver finds nothing."""


@dataclass(frozen=True, slots=True)
class Search:
    """What one driver found.

    Attributes:
        driver: The driver.
        found: The cameras.
        error: Why it could not look.
    """

    driver: str
    found: tuple[Found, ...] = ()
    error: CameraError | MissingDriverError | None = None


def search(wanted: Sequence[str], held: Sequence[Held], step: Callable[[str], None]) -> tuple[Search, ...]:
    """Looks for cameras, one driver after the other; one that cannot look says why and keeps no other from it.

    Args:
        wanted: Drivers; none: all that can search.
        held: Cameras that running lines have.
        step: Called after each driver.

    Raises:
        UsageError: A driver cannot search.
    """
    for each in wanted:
        if each not in drivers.SEARCHES:
            raise UsageError(f"driver {each!r} has no search", f"name one of {', '.join(drivers.SEARCHES)}")
    results = []
    for driver in wanted or drivers.SEARCHES:
        try:
            found = tuple(_marked(each, held) for each in drivers.find_cameras(driver))
            results.append(Search(driver, found))
        except (CameraError, MissingDriverError) as error:
            results.append(Search(driver, error=error))
        step(driver)
    return tuple(results)


def found_table(results: Sequence[Search]) -> Table:
    """One row per camera."""
    table = Table()
    for heading in ("driver", "source", "model", "serial", "firmware"):
        table.add_column(heading, overflow="fold")
    table.add_column("trouble", ratio=1)
    for each in all_found(results):
        cells = (each.driver, redacted(each.source), each.model, each.serial, each.firmware)
        style = "yellow" if each.trouble else "green"
        table.add_row(*(escape(printable(cell)) for cell in cells), f"[{style}]{escape(each.trouble or 'free')}[/]")
    return table


def all_found(results: Sequence[Search]) -> list[Found]:
    """The cameras of all drivers."""
    return [found for each in results for found in each.found]


def snippet(found: Found, name: str) -> str:
    """The `[[camera]]` of a line.toml for a camera; where it looks and how large its frames are is for a person to say.

    Args:
        found: The camera.
        name: How the ledger shall call it.
    """
    what = ", ".join(
        one_line(each) for each in (found.model, found.serial and f"serial {found.serial}", found.trouble) if each
    )
    return "\n".join(
        (
            "[[camera]]" + (f"  # {what}" if what else ""),
            f"name = {json.dumps(name)}",
            f"driver = {json.dumps(found.driver)}",
            # JSON's strings are TOML's, but for DEL, which no source holds.
            f"source = {json.dumps(redacted(found.source), ensure_ascii=False)}",
            "position_mm = 150  # from the part sensor to where it looks: measure it",
            "width_px = 640  # takt camera probe tells what it can",
            "height_px = 640",
            "channels = 1  # 3: colour",
            "exposure_ms = 0.5  # takt camera snap tells what comes of it",
        )
    )


def as_data(results: Sequence[Search]) -> dict[str, Any]:
    """What was found, for `--json`."""
    return {
        "cameras": [{**asdict(each), "source": redacted(each.source)} for each in all_found(results)],
        "searched": [
            {"driver": each.driver, "found": len(each.found), "error": str(each.error) if each.error else ""}
            for each in results
        ],
    }


def _marked(found: Found, held: Sequence[Held]) -> Found:
    """The camera with a running line that has it as its trouble."""
    for each in held:
        if each.settings and (each.settings.driver, each.settings.source) == (found.driver, found.source):
            return replace(found, trouble=f"in use by the running line, as camera {each.settings.name!r}")
    return found
