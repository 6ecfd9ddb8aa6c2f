"""The sources by name, and which of them a box has."""

from __future__ import annotations

from pathlib import Path

from app.clock import Clock, SystemClock
from app.errors import ConfigError
from app.health.apart import DEADLINE_MS, ApartHealth, reader_command
from app.health.collected import Collected
from app.health.files import Files
from app.health.health import AcceleratorHealth, Health
from app.health.jetson import JetsonHealth, is_jetson
from app.health.nvml import NvmlHealth

AUTO = "auto"
NONE = "none"
SOURCES = ("jetson", "nvml", NONE)

_NVIDIA = "0x10de"
_DISPLAY_CLASSES = ("0x0300", "0x0302")
"""PCI classes of a VGA controller and of a 3D controller (the PCI Code and ID Assignment Specification)."""

ROOT = Path("/")


class NoHealth:
    """A box without an accelerator.

    Args:
        clock: Stamps the readings.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()

    def read(self) -> Health:
        """That there is none."""
        return Health(NONE, self._clock.now_ns(), remarks=("no accelerator is on this box",))

    def close(self) -> None:
        """Nothing is held."""


def open_health(name: str = AUTO, root: Path = ROOT, *, deadline_ms: float = DEADLINE_MS) -> AcceleratorHealth:
    """A source that answers within a deadline, whatever a driver does.

    Args:
        name: One of `SOURCES`, or `auto`: the one that suits this box.
        root: Where `sys`, `proc`, `etc` and `var` are.
        deadline_ms: How long a reading may take.

    Raises:
        ConfigError: No such source.
    """
    chosen = choose_source(root) if name == AUTO else name
    if chosen not in SOURCES:
        raise ConfigError(f"there is no source {name!r} of an accelerator's health", f"use {AUTO} or {_or(SOURCES)}")
    if chosen == NONE:
        return NoHealth()
    return ApartHealth(chosen, reader_command(chosen, root), deadline_ms=deadline_ms)


def bare_source(name: str, root: Path = ROOT) -> AcceleratorHealth:
    """A source in this process, which hangs where its driver does.

    Raises:
        ConfigError: No such source.
    """
    if name == "jetson":
        return JetsonHealth(root)
    if name == "nvml":
        return NvmlHealth()
    if name == NONE:
        return NoHealth()
    raise ConfigError(f"there is no source {name!r} of an accelerator's health", f"use one of {_or(SOURCES)}")


def choose_source(root: Path = ROOT) -> str:
    """Which source suits a box, by what its kernel shows: no library is loaded for that."""
    if is_jetson(root):
        return "jetson"
    return "nvml" if has_driver(root) or cards(root) else NONE


def has_driver(root: Path = ROOT) -> bool:
    """NVIDIA's driver for cards is loaded and this process may see it."""
    return (root / "proc/driver/nvidia/version").exists() or (root / "dev/nvidiactl").exists()


def cards(root: Path = ROOT) -> tuple[str, ...]:
    """PCI addresses of NVIDIA's cards, whether or not a driver is loaded."""
    files = Files(root, Collected())
    return tuple(
        path.parent.name
        for path in files.matching("sys/bus/pci/devices/*/vendor")
        if files.text(path) == _NVIDIA and (files.text(path.with_name("class")) or "").startswith(_DISPLAY_CLASSES)
    )


def _or(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
