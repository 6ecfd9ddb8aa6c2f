"""A Jetson as its kernel shows it: the files that NVIDIA's own tools read, without any program or library of theirs.

Nothing here comes from jetson-stats (`jtop`): its licence is the AGPL, so it is neither imported nor asked.

Where each figure comes from, as found on Orin with JetPack 6 (L4T 36) and named alike by JetPack 7:

- `proc/device-tree/model`, `etc/nv_tegra_release`: the box and its release of Jetson Linux.
- `sys/class/thermal/thermal_zone*/{type,temp}` (kernel: Documentation/ABI, sysfs-class-thermal): thousandths of a
  degree. The zone of a GPU that sleeps answers EAGAIN; then the hottest junction, `tj-thermal`, stands for it.
- `sys/class/devfreq/17000000.gpu/*_freq` (`.ga10b` before JetPack 6, `gpu-gpc-0` on Thor; kernel:
  sysfs-class-devfreq): hertz.
- `sys/class/hwmon/hwmon*/` named `ina3221` (kernel: Documentation/hwmon/ina3221): a rail's millivolts and milliamperes.
  `VDD_IN` is all that an Orin Nano or NX takes, `VDD_GPU_SOC` what GPU and SoC of an AGX Orin take.
- `sys/class/hwmon/hwmon*/oc[1-3]_event_cnt` of `soctherm_oc` (Jetson Linux Developer Guide, "Platform Power and
  Performance", over-current): how often each protection has acted since the start.
- `sys/class/thermal/cooling_device*/{type,cur_state}` with a type `*-throttle-alert` (the same guide, "Thermal
  Management"): not 0 while the clocks are lowered against heat.
- `var/lib/nvpmodel/status` and `etc/nvpmodel.conf`: the power mode and its name.
- `proc/meminfo`: the GPU shares the memory of the box.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from app.clock import Clock, SystemClock
from app.health.collected import Collected
from app.health.files import Files
from app.health.health import Health, Pairs
from app.health.power_mode import ask_mode, modes_of, read_mode
from app.health.tegrastats import RAILS, Line, ask_line

HZ_PER_MHZ = 1_000_000
KIB_PER_MIB = 1024

GPU_CLOCKS = ("17000000.gpu", "17000000.ga10b", "gpu-gpc-0", "17000000.gv11b")
GPU_ZONES = ("gpu-thermal", "GPU-therm")
JUNCTION_ZONES = ("tj-thermal", "Tj-therm", "tj-therm")
PROTECTIONS = {1: "voltage too low", 2: "average current too high", 3: "current too high for a moment"}
"""OC1 to OC3 of Orin, as the Developer Guide numbers them."""


class JetsonHealth:
    """The GPU of a Jetson.

    The first reading cannot tell what the over-current protection does now, only what it has done since the start;
    later ones compare with the one before.

    Args:
        root: Where `sys`, `proc`, `etc` and `var` are.
        clock: Stamps the readings.
        may_ask: Start NVIDIA's `nvpmodel` and `tegrastats` for what no file tells.
    """

    def __init__(self, root: Path = Path("/"), clock: Clock | None = None, *, may_ask: bool = True) -> None:
        self._root = root
        self._clock = clock or SystemClock()
        self._may_ask = may_ask
        self._counted: dict[int, int] = {}

    def read(self) -> Health:
        """How the device is now; as the seam says."""
        found = Collected()
        files = Files(self._root, found)
        at_ns = self._clock.now_ns()
        modes = modes_of(files, found)
        temperature_c, power_w = _temperature(files, found), _power(files, found)
        line = ask_line(found) if self._may_ask and (temperature_c is None or power_w[0] is None) else Line()
        used, total = _memory(files, found)
        now, before = self._protection(files)
        return Health(
            "jetson",
            at_ns,
            device=files.text("proc/device-tree/model"),
            temperature_c=temperature_c if temperature_c is not None else line.temperature_c,
            **_clocks(files, found),
            power_w=power_w[0] if power_w[0] is not None else line.power_w,
            power_of=power_w[1] if power_w[0] is not None else line.power_of,
            power_mode=read_mode(files, found, modes) or (ask_mode(found) if self._may_ask else None),
            power_modes=modes,
            throttling=_heat(files, now),
            slowed=before,
            memory_used_mib=used,
            memory_total_mib=total,
            driver=found.parsed(files.text("etc/nv_tegra_release"), _release, of="/etc/nv_tegra_release"),
            versions=_versions(files, found),
            remarks=tuple(found.remarks),
        )

    def close(self) -> None:
        """Nothing is held."""

    def _protection(self, files: Files) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
        """What the over-current protection does now and has done since the start."""
        folder = _chip(files, "soctherm_oc")
        counts = {number: files.number(folder / f"oc{number}_event_cnt") for number in PROTECTIONS} if folder else {}
        known = {number: count for number, count in counts.items() if count is not None}
        if not known:
            return None, None
        before, self._counted = self._counted, known
        now = [number for number, count in known.items() if number in before and count > before[number]]
        return (
            tuple(f"over-current protection: {PROTECTIONS[number]}" for number in now),
            tuple(f"{PROTECTIONS[number]} (oc{number}), {count} times" for number, count in known.items() if count),
        )


def is_jetson(root: Path = Path("/")) -> bool:
    """Whether this box is one: its device tree names a Tegra."""
    said = Files(root, Collected()).text("proc/device-tree/compatible")
    return said is not None and "nvidia,tegra" in said


def _temperature(files: Files, found: Collected) -> float | None:
    zones: dict[str | None, Path] = {}
    for path in files.matching("sys/class/thermal/thermal_zone*/type"):
        zones.setdefault(files.text(path), path.with_name("temp"))
    for name in (*GPU_ZONES, *JUNCTION_ZONES):
        if name not in zones:
            continue
        thousandths = files.number(zones[name])
        if thousandths is not None and name in JUNCTION_ZONES:
            found.remark("the temperature is that of the hottest junction, as the GPU's own cannot be read")
        if thousandths is not None:
            return found.number("temperature_c", thousandths / 1000, of=files.named(zones[name]))
    return None


def _clocks(files: Files, found: Collected) -> dict[str, float | None]:
    names = (name for name in GPU_CLOCKS if files.text(f"sys/class/devfreq/{name}/cur_freq") is not None)
    folder = f"sys/class/devfreq/{next(names, GPU_CLOCKS[0])}"
    every = files.text(f"{folder}/available_frequencies")
    hertz = {
        "clock_mhz": files.number(f"{folder}/cur_freq"),
        "clock_limit_mhz": files.number(f"{folder}/max_freq"),
        "clock_floor_mhz": files.number(f"{folder}/min_freq"),
        "clock_max_mhz": found.parsed(
            every, lambda text: max(map(int, text.split())), of=f"/{folder}/available_frequencies"
        ),
    }
    return {
        field: found.number(field, value / HZ_PER_MHZ if value is not None else None, of=f"/{folder}")
        for field, value in hertz.items()
    }


def _power(files: Files, found: Collected) -> tuple[float | None, str | None]:
    rails: dict[str, Path] = {}
    for path in files.matching("sys/class/hwmon/hwmon*/in[123]_label"):
        rails.setdefault(files.text(path) or "", path)
    for rail in RAILS:
        if rail not in rails:
            continue
        folder, number = rails[rail].parent, rails[rail].name[2]
        millivolts = files.number(folder / f"in{number}_input")
        milliamperes = files.number(folder / f"curr{number}_input")
        if millivolts is not None and milliamperes is not None:
            watts = found.number("power_w", millivolts * milliamperes / 1e6, of=rail)
            return watts, rail if watts is not None else None
    return None, None


def _heat(files: Files, protection: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """What is lowered against heat now, and what the over-current protection does."""
    alerts = []
    is_told = protection is not None
    for path in files.matching("sys/class/thermal/cooling_device*/type"):
        kind = files.text(path) or ""
        if not kind.endswith(("-throttle-alert", "hot-surface-alert")):
            continue
        state = files.number(path.with_name("cur_state"))
        is_told = is_told or state is not None
        if state:
            alerts.append(f"too hot: {kind}")
    return (*alerts, *(protection or ())) if is_told else None


def _memory(files: Files, found: Collected) -> tuple[float | None, float | None]:
    text = files.text("proc/meminfo")

    def kib(name: str) -> int | None:
        line = re.search(rf"^{name}:(.*)$", text or "", re.MULTILINE)
        return found.parsed(line[1] if line else None, lambda words: int(words.split()[0]), of="/proc/meminfo")

    total, free = kib("MemTotal"), kib("MemAvailable")
    if total is None or free is None:
        return None, None
    return (
        found.number("memory_used_mib", (total - free) / KIB_PER_MIB, of="/proc/meminfo"),
        found.number("memory_total_mib", total / KIB_PER_MIB, of="/proc/meminfo"),
    )


def _versions(files: Files, found: Collected) -> Pairs:
    pairs = []
    cuda = found.parsed(
        files.text("usr/local/cuda/version.json"),
        lambda text: str(json.loads(text)["cuda"]["version"]),
        of="/usr/local/cuda/version.json",
    )
    if cuda:
        pairs.append(("CUDA", cuda))
    library = next(files.matching("usr/lib/aarch64-linux-gnu/libnvinfer.so.*.*.*"), None)
    if library is not None:
        pairs.append(("TensorRT", library.name.removeprefix("libnvinfer.so.")))
    return tuple(pairs)


def _release(text: str) -> str:
    """`# R36 (release), REVISION: 4.3, ...` as 36.4.3."""
    line = re.match(r"#\s*R(\d+)\D.*?REVISION:\s*([\d.]+\d)", text)
    if line is None:
        raise ValueError(text)
    return f"L4T {line[1]}.{line[2]}"


def _chip(files: Files, name: str) -> Path | None:
    """The folder of a sensor chip."""
    return next(
        (path.parent for path in files.matching("sys/class/hwmon/hwmon*/name") if files.text(path) == name), None
    )
