"""How parts come to lie on the belt, one behind the other."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from itertools import count

from app.config import Line
from app.errors import ConfigError
from app.twin.flow import Body
from app.twin.parts import PartSupply
from app.twin.plant import seeded
from app.twin.scenario import FaultKind, Scenario


def laying(line: Line, scenario: Scenario, parts: PartSupply, seed: int) -> Iterator[Body]:
    """The parts of a run, each laid behind the one before when it is asked for.

    Raises:
        ConfigError: They would lie on top of each other; at the call, not at the first part.
    """
    length_mm, jitter_mm = line.part.length_mm, scenario.pitch_jitter_mm
    if scenario.pitch_mm - 2 * jitter_mm <= length_mm:
        raise ConfigError(
            f"parts of {length_mm:g} mm would lie on top of each other at a pitch of {scenario.pitch_mm:g} mm"
            f" where each may be {jitter_mm:g} mm off its place",
            "widen the pitch or lower its jitter",
        )
    return _bodies(line, scenario, parts, seed)


def _bodies(line: Line, scenario: Scenario, parts: PartSupply, seed: int) -> Iterator[Body]:
    length_mm, jitter_mm, first_mm = line.part.length_mm, scenario.pitch_jitter_mm, scenario.lead_in(line)
    gaps_mm = {fault.at_part: max(0.1, fault.size) for fault in scenario.faults if fault.kind is FaultKind.TOUCHING}
    random = seeded("pitch", seed)
    before_mm = 0.0
    for index in range(len(parts)) if isinstance(parts, Sized) else count():
        start_mm = first_mm + index * scenario.pitch_mm + random.uniform(-1, 1) * jitter_mm
        if index and index in gaps_mm:
            start_mm = before_mm + length_mm + gaps_mm[index]
        before_mm = start_mm
        yield Body(index, start_mm, parts[index])
