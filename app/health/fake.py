"""A device that is as its script says: for the twin, and for tests of whoever reads a device's health."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.clock import NS_PER_S, Clock
from app.health.health import Health
from app.health.nvml import REASONS

AMBIENT_C = 30.0


@dataclass(frozen=True, slots=True)
class Scene:
    """What happens to the device from some moment on.

    Attributes:
        at_s: When it begins, from the first reading on.
        load: Share of its power that it takes, 0 .. 1.
        cooling: Share of its cooling that works, 0 .. 1; 0 is a fan that has stopped.
        is_away: It does not answer.
    """

    at_s: float
    load: float = 0.5
    cooling: float = 1.0
    is_away: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """What kind of device it is.

    Attributes:
        power_w: What it takes at full load; a tenth of that without any.
        rise_c: How far that power heats it above the room's 30 degrees when its cooling works.
        limit_c: From here on it lowers its clock.
        clock_max_mhz: Its fastest clock.
        settle_s: It takes so long for two thirds of a change of temperature.
    """

    power_w: float = 20.0
    rise_c: float = 40.0
    limit_c: float = 95.0
    clock_max_mhz: float = 1_000.0
    settle_s: float = 60.0


class FakeHealth:
    """A device that heats up under load, slows when it is too hot, and goes away, as the script says.

    Heat follows Newton's law of cooling towards `30 + rise * load / cooling`; above its limit the clock falls in
    proportion, down to a third.

    Args:
        clock: The time; virtual in tests and in the deterministic twin.
        scenes: What happens, in order.
        body: The device.
    """

    def __init__(self, clock: Clock, scenes: Sequence[Scene] = (), body: Body | None = None) -> None:
        self._clock = clock
        self._scenes = (Scene(0.0), *scenes)
        self._body = body or Body()
        self._began_ns = self._at_ns = clock.now_ns()
        self._celsius = AMBIENT_C

    def read(self) -> Health:
        """How the device is now; as the seam says."""
        now_ns = self._clock.now_ns()
        scene = self._live_until(now_ns)
        if scene.is_away:
            return Health("fake", now_ns, remarks=("the device does not answer",))
        body = self._body
        excess = max(0.0, self._celsius - body.limit_c)
        share = max(1 / 3, 1 - excess / 20)
        return Health(
            "fake",
            now_ns,
            device="fake accelerator",
            temperature_c=round(self._celsius, 1),
            clock_mhz=round(body.clock_max_mhz * share),
            clock_max_mhz=body.clock_max_mhz,
            clock_limit_mhz=body.clock_max_mhz,
            clock_floor_mhz=body.clock_max_mhz,
            power_w=round(body.power_w * (0.1 + 0.9 * scene.load) * share, 1),
            power_of="board",
            power_mode="MAXN",
            power_modes=(("0", "MAXN"),),
            throttling=(REASONS[0x20],) if excess else (),
            slowed=(),
            memory_used_mib=512.0,
            memory_total_mib=4096.0,
            driver="fake",
        )

    def close(self) -> None:
        """Nothing is held."""

    def _live_until(self, now_ns: int) -> Scene:
        """Heats it through every scene up to now, so that how often it is read does not matter."""
        current = self._scenes[0]
        for scene, following in zip(self._scenes, (*self._scenes[1:], None), strict=True):
            begins_ns = self._began_ns + round(scene.at_s * NS_PER_S)
            if begins_ns > now_ns:
                break
            current = scene
            ends_ns = now_ns if following is None else self._began_ns + round(following.at_s * NS_PER_S)
            self._heat(scene, min(now_ns, ends_ns) - max(self._at_ns, begins_ns))
        self._at_ns = now_ns
        return current

    def _heat(self, scene: Scene, span_ns: int) -> None:
        if span_ns <= 0:
            return
        rest_c = AMBIENT_C + self._body.rise_c * scene.load / max(scene.cooling, 0.05)
        self._celsius = rest_c + (self._celsius - rest_c) * math.exp(-span_ns / NS_PER_S / self._body.settle_s)
