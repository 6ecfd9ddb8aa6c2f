"""The power mode of a Jetson: from the files of NVIDIA's `nvpmodel`, else from the program itself.

`var/lib/nvpmodel/status` holds `pmode:0002 fmode:quiet`; `etc/nvpmodel.conf` names the modes of this very board in
lines `< POWER_MODEL ID=2 NAME=MAXN_SUPER >` (Jetson Linux Developer Guide, "Platform Power and Performance"). Numbers
differ from board to board: 0 is MAXN on an AGX Orin and 15W on an Orin Nano.
"""

from __future__ import annotations

import re
import subprocess

from app.health.collected import Collected
from app.health.files import Files
from app.health.health import Pairs

STATUS = "var/lib/nvpmodel/status"
SETTINGS = "etc/nvpmodel.conf"
LIMIT_S = 2.0

_MODE = re.compile(r"^<\s*POWER_MODEL\s+ID\s*=\s*(\d+)\s+NAME\s*=\s*([^\s>]+)\s*>", re.MULTILINE)


def modes_of(files: Files, found: Collected) -> Pairs:
    """Every mode of this board as (number, name)."""
    text = files.text(SETTINGS)
    modes = tuple((str(int(number)), name) for number, name in _MODE.findall(text or ""))
    if text is not None and not modes:
        found.remark(f"/{SETTINGS} names no power mode")
    return modes


def read_mode(files: Files, found: Collected, modes: Pairs) -> str | None:
    """The mode that is set, by its name where the settings name it."""
    number = found.parsed(files.text(STATUS), _number, of=f"/{STATUS}")
    return None if number is None else dict(modes).get(number, f"number {number}")


def ask_mode(found: Collected, program: str = "nvpmodel", limit_s: float = LIMIT_S) -> str | None:
    """What `nvpmodel -q` says: `NV Power Mode: 15W` and its number on the next line.

    Args:
        found: Takes the remark.
        program: The program; none on the path is no remark, as no file spoke of power modes either.
        limit_s: It is killed after so long.
    """
    try:
        done = subprocess.run([program, "-q"], capture_output=True, timeout=limit_s, check=False)  # noqa: S603 - NVIDIA's
    except FileNotFoundError:
        return None
    except (OSError, subprocess.SubprocessError) as error:
        found.remark(f"nvpmodel does not answer: {error}")
        return None
    said = re.search(r"NV Power Mode:\s*(\S+)", done.stdout.decode("utf-8", "replace"))
    if said is None:
        found.remark(f"nvpmodel names no mode (it ended with code {done.returncode})")
    return said[1] if said else None


def fastest(modes: Pairs) -> tuple[str, str] | None:
    """The mode without a cap of power, which NVIDIA calls MAXN or MAXN_SUPER; `None` where there is none."""
    named = {name: number for number, name in modes}
    return next(((named[name], name) for name in ("MAXN_SUPER", "MAXN") if name in named), None)


def _number(text: str) -> str:
    said = re.search(r"pmode:\s*(\d+)", text)
    if said is None:
        raise ValueError(text)
    return str(int(said[1]))
