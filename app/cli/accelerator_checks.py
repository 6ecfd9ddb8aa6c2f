"""What may be wrong with a box's accelerator: one function per thing, each on a reading that a test can make up."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.cli.checks import Finding, Level, check_runtime
from app.health import Health
from app.health.power_mode import fastest

EXTRA = 'run: pip install "takt-inspect[gpu]"'
_LACKING = "does not load"


def check_accelerator(health: Health, cards: Sequence[str], *, has_driver: bool) -> Iterator[Finding]:
    """Everything that a reading tells of the accelerator.

    Args:
        health: The reading.
        cards: PCI addresses of NVIDIA's cards.
        has_driver: Their driver is loaded, and this process may see it.
    """
    yield check_device(health, cards, has_driver=has_driver)
    if health.device is not None:
        yield check_heat(health)
        yield check_clock(health)


def check_device(health: Health, cards: Sequence[str], *, has_driver: bool) -> Finding:
    """Which one there is, and whether it can be asked."""
    topic = "Accelerator"
    if health.device is not None:
        return Finding(topic, Level.OK, "; ".join(_facts(health)))
    if health.source == "none":
        return Finding(topic, Level.OK, "no NVIDIA card and no Jetson; the CPU judges")
    where = f"an NVIDIA card at {', '.join(cards)}" if cards else f"an accelerator that {health.source} should know"
    if cards and not has_driver:
        text = f"{where}, whose driver is not loaded or is kept from this process"
        mend = "install NVIDIA's driver and start the box again; a container has to be started with the card"
        return Finding(topic, Level.WARN, text, mend)
    why = "; ".join(health.remarks) or "it says nothing"
    if any(_LACKING in remark for remark in health.remarks):
        return Finding(topic, Level.WARN, f"{where}, of which nothing is known: {why}", EXTRA)
    mend = "start the box again; if it stays away, `nvidia-smi` and `dmesg` tell more"
    return Finding(topic, Level.WARN, f"{where} does not answer: {why}", mend)


def check_heat(health: Health) -> Finding:
    """How warm it is, and what holds its clock down."""
    topic = "Accelerator, heat"
    now = f"{health.temperature_c:.0f} °C" if health.temperature_c is not None else "its temperature is not known"
    if health.power_w is not None:
        now += f", {health.power_w:.1f} W ({health.power_of})"
    if health.throttling:
        mend = "clear its fan, filter and vents; if it is cool, look at its supply and its power limit"
        return Finding(topic, Level.WARN, f"{now}; {', '.join(health.throttling)}: verdicts take longer", mend)
    if health.slowed:
        calmer = _calmer(health)
        other = f", or take a calmer power mode: sudo nvpmodel -m {calmer[0]} ({calmer[1]})" if calmer else ""
        text = f"{now}; slowed since the box started: {', '.join(health.slowed)}"
        return Finding(topic, Level.WARN, text, f"look at the supply and its cable{other}")
    if health.temperature_c is None:
        why = f": {'; '.join(health.remarks)}" if health.remarks else ""
        return Finding(topic, Level.WARN, f"{now}{why}", "see whether nvidia-smi or tegrastats shows one")
    return Finding(
        topic,
        Level.OK,
        f"{now}; " + ("nothing slows it" if health.throttling == () else "whether it is slowed it does not say"),
    )


def check_clock(health: Health) -> Finding:
    """How fast it is and may be."""
    topic = "Accelerator, clock"
    mode = f", mode {health.power_mode}" if health.power_mode else ""
    now, most = health.clock_mhz, health.clock_max_mhz
    text = (
        (f"{now:.0f} MHz" if now is not None else "its clock is not known") + (f" of {most:.0f}" if most else "") + mode
    )
    limit, floor = health.clock_limit_mhz, health.clock_floor_mhz
    if limit is not None and most is not None and limit < most:
        best = fastest(health.power_modes)
        mend = "raise max_freq of its devfreq"
        if best and best[1] != health.power_mode:
            mend = f"if supply and cooling allow it: sudo nvpmodel -m {best[0]} ({best[1]}), and prove the model again"
        return Finding(topic, Level.WARN, f"{text}: it may not go beyond {limit:.0f} MHz", mend)
    if floor is not None and limit is not None and floor < limit:
        text = f"{text}: between parts it may fall to {floor:.0f} MHz, and the next verdict waits for it to rise"
        return Finding(topic, Level.WARN, text, "run at each start: sudo jetson_clocks")
    return Finding(topic, Level.OK, text)


def check_tensorrt(said: Mapping[str, Any], source: str) -> Finding:
    """What the probe of TensorRT said; on a box with an accelerator it should be there.

    Args:
        said: The answer.
        source: Who knows the accelerator; `none` where there is none.
    """
    if "absent" in said and source != "none":
        mend = EXTRA
        if source == "jetson":
            mend = "make the virtual environment with --system-site-packages: it comes with JetPack"
        return Finding("TensorRT", Level.WARN, f"{said['absent']}: the accelerator lies idle, the CPU judges", mend)
    return check_runtime("TensorRT", said, is_needed=False)


def _facts(health: Health) -> Iterator[str]:
    yield health.device or ""
    if health.driver:
        yield f"driver {health.driver}"
    yield from (f"{name} {version}" for name, version in health.versions)
    if health.memory_used_mib is not None and health.memory_total_mib is not None:
        yield f"{health.memory_used_mib:.0f} of {health.memory_total_mib:.0f} MiB of memory in use"


def _calmer(health: Health) -> tuple[str, str] | None:
    """The mode with the highest cap below the present one's; `None` where there is none."""
    most = _cap(health.power_mode or "")
    modes = [mode for mode in health.power_modes if _cap(mode[1]) < most]
    return max(modes, key=lambda mode: _cap(mode[1]), default=None)


def _cap(mode: str) -> float:
    """The watts in a mode's name, such as 15W or MODE_15W_6CORE; without end where it names none."""
    said = re.search(r"(\d+)W", mode)
    return int(said[1]) if said else math.inf
