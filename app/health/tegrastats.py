"""One line of NVIDIA's `tegrastats`, for a Jetson whose files do not tell temperature or power.

Read are `gpu@46.1C` and `tj@46.8C`, and a rail as `VDD_IN 5016mW/4980mW`, the first figure being of this moment (Jetson
Linux Developer Guide, "tegrastats Utility"); rails of JetPack 4 had no unit.
"""

from __future__ import annotations

import re
import select
import subprocess
from dataclasses import dataclass

from app.health.collected import Collected

LIMIT_S = 2.0
INTERVAL_MS = 100
RAILS = ("VDD_IN", "VDD_GPU_SOC", "VDD_GPU")
"""The whole module where the board measures that, else the least that the GPU is part of."""

_LONGEST_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Line:
    """What one line tells.

    Attributes:
        temperature_c: Of the GPU, else of the hottest junction.
        power_w: Of the rail.
        power_of: The rail.
    """

    temperature_c: float | None = None
    power_w: float | None = None
    power_of: str | None = None


def parse_line(text: str, found: Collected) -> Line:
    """Reads one line; what is not in it is `None`.

    Args:
        text: The line.
        found: Takes remarks on values that cannot be.
    """
    heat = dict(re.findall(r"\b(\w+)@(-?\d+(?:\.\d+)?)C\b", text))
    celsius = next((float(heat[name]) for name in ("gpu", "GPU", "tj", "Tj") if name in heat), None)
    power = dict(re.findall(r"\b(VDD_\w+) (\d+)(?:mW)?/\d+", text))
    rail = next((name for name in RAILS if name in power), None)
    watts = found.number("power_w", int(power[rail]) / 1000 if rail else None, of="tegrastats")
    temperature_c = found.number("temperature_c", celsius, of="tegrastats")
    return Line(temperature_c, watts, rail if watts is not None else None)


def ask_line(found: Collected, program: str = "tegrastats", limit_s: float = LIMIT_S) -> Line:
    """Starts the program, takes its first line and ends it.

    Args:
        found: Takes the remarks; a program that is not there is none.
        program: The program.
        limit_s: It is killed after so long without a line.
    """
    command = [program, "--interval", str(INTERVAL_MS)]
    try:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)  # noqa: S603 - NVIDIA's
    except FileNotFoundError:
        return Line()
    except OSError as error:
        found.remark(f"tegrastats does not start: {error.strerror}")
        return Line()
    with child:
        assert child.stdout is not None
        ready, _, _ = select.select([child.stdout], [], [], limit_s)
        data = child.stdout.read(_LONGEST_BYTES) if ready else b""
        child.kill()
    if not data:
        found.remark(f"tegrastats says nothing within {limit_s:g} s")
    return parse_line(data.decode("utf-8", "replace"), found)
