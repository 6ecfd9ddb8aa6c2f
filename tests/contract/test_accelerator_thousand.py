"""A thousand failures of the accelerator at 1,200 parts a minute: every part has its verdict, and it comes back."""

import contextlib
import gc
import random
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from app.clock import NS_PER_MS, NS_PER_S
from app.detect.curtain import Phase
from app.detect.sickness import FAULTS
from app.realtime import FIFO, OTHER, schedule
from tests.contract.accelerator_rig import rig_of, tolerant
from tests.unit.detect.tiny_model import blank, with_spot

SPOTS = {"left": (3, 3), "right": (20, 10)}
PITCH_NS = 60 * NS_PER_S // 1200
CUT_OFF_NS = 100 * NS_PER_MS
"""A part's verdict must be there so long after its frame: a gate 100 mm behind the camera at 1 m/s."""

LASTING = ("slow-x2", "slow-x10", "lie")
STILL_KINDS = ("hang",)
PATIENCE_S = 120.0
VERDICT_PRIORITY = 70


class Belt:
    """Sends a part every 50 ms, whatever becomes of the accelerator, and takes down what became of each.

    Attributes:
        told: Counts.
        parts, missed, failovers: By kind: how many parts came, had no verdict by their cut-off, waited in vain.
        after_ms: By kind: verdicts of parts that met a fault, after the accelerator's own deadline.
        standby_ms: By kind: what the standby took for those parts.
        back_ms: By kind: from the start of the process that was trusted in the end to the promotion.
    """

    def __init__(self, rig, chance):
        self.rig, self.both, self.chance = rig, rig.both, chance
        self.told, self.parts, self.missed, self.failovers = Counter(), Counter(), Counter(), Counter()
        self.after_ms, self.standby_ms, self.back_ms = defaultdict(list), defaultdict(list), defaultdict(list)
        self.verdict_ms = []
        self._next_ns = time.monotonic_ns()
        self._started_ns = self._next_ns

    def part(self, kind=""):
        """The next part: while none waits the station rests, and whatever has ended is started again."""
        while time.monotonic_ns() < self._next_ns:
            starts = self.rig.starts
            self.rig.look()
            if self.rig.starts > starts:
                self._started_ns = time.monotonic_ns()
            self.both.rest()
            time.sleep(0.001)
        due_ns, self._next_ns = self._next_ns, self._next_ns + PITCH_NS
        label = self.chance.choice(list(SPOTS))
        picture, failovers, fired = with_spot(*SPOTS[label]), self.both.failovers, self.rig.sickness.fired
        self.both.begin(due_ns)
        result = self.both.detect(picture, np.zeros_like(picture))
        found = result.detections
        done_ns = time.monotonic_ns()
        self.told["parts"] += 1
        self.verdict_ms.append((done_ns - due_ns) / NS_PER_MS)
        self.parts[kind] += 1
        self.missed[kind] += done_ns - due_ns > CUT_OFF_NS
        if [each.label for each in found] != [label]:
            assert (kind, found) == ("lie", ()), "only a lie gets through, until the next golden frame"
            self.told["lies"] += 1
        if self.both.failovers > failovers:
            self.failovers[kind] += 1
            if self.rig.sickness.fired > fired:
                self.standby_ms[kind].append((result.pre_ns + result.infer_ns + result.decode_ns) / NS_PER_MS)
                if self.rig.sickness.fired_ns >= due_ns:  # the deadline is that of the first strike
                    self.after_ms[kind].append((done_ns - self.rig.sickness.cut_off_ns) / NS_PER_MS)
        return done_ns

    def fail(self, kind):
        """Has the accelerator fail at one of the next parts, and goes on until it is trusted again."""
        sickness, curtain = self.rig.sickness, self.both.curtain
        promotions, fired = curtain.promotions, sickness.fired
        sickness.strike(kind, after=self.chance.randrange(4))
        end_s = time.monotonic() + PATIENCE_S
        parts = 0
        while parts < 12 or not self._is_back(kind, promotions):
            assert time.monotonic() < end_s, f"{kind}: {curtain.phase}, {curtain.why}"
            self.part(kind)
            parts += 1
            if parts == 12 and kind in LASTING:
                sickness.heal()
            if kind in STILL_KINDS and curtain.phase is not Phase.TRUSTED and self.rig.process.poll() is None:
                self._end_still_one()
        self.told[kind] += 1
        self.told["fired"] += sickness.fired > fired
        if curtain.promotions > promotions:
            self.told["promotions"] += curtain.promotions - promotions
            self.back_ms[kind].append(max(0, curtain.since_ns - self._started_ns) / NS_PER_MS)
        sickness.heal()

    def _is_back(self, kind, promotions):
        is_over = self.rig.sickness.is_over or kind in LASTING
        is_trusted = self.both.curtain.phase is Phase.TRUSTED
        return is_over and is_trusted and (kind in LASTING or self.both.curtain.promotions > promotions)

    def _end_still_one(self):
        """The watchdog does it on a line, a second after the last beat."""
        if not self.rig.process.is_there:
            return
        if Path(f"/proc/{self.rig.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "T":
            self.rig.process.kill()

    def words(self):
        """What there is to read of it."""
        counts = ", ".join(f"{number} {what}" for what, number in self.told.items() if what not in FAULTS)
        failures = sum(self.told[kind] for kind in FAULTS)
        lines = [
            f"{failures} failures at {60 * NS_PER_S / PITCH_NS:.0f} parts a minute, {self.rig.starts} starts: {counts}",
            "",
            "| kind | failures | parts | lost or late | waited in vain | after the deadline | standby | back, s |",
            "|---|---|---|---|---|---|---|---|",
        ]
        lines += [self._row(kind, [kind]) for kind in FAULTS if self.told[kind]]
        lines.append(self._row("**all**", [kind for kind in FAULTS if self.told[kind]]))
        lines += [
            "",
            "Times in ms, middle / 99th percentile / longest. After the deadline: the verdict of a part that met a",
            "fault, after the accelerator's deadline; standby: what it took for it. Back: from its process's start.",
            f"Frame to verdict of all parts, ms: {_figures(self.verdict_ms)}",
        ]
        return "\n".join(lines) + "\n"

    def _row(self, name, kinds):
        failures, parts, missed, vain = (
            sum(count[kind] for kind in kinds) for count in (self.told, self.parts, self.missed, self.failovers)
        )
        after, standby, back = (
            [each for kind in kinds for each in times[kind]] for times in (self.after_ms, self.standby_ms, self.back_ms)
        )
        cells = (failures, parts, missed, vain, _figures(after), _figures(standby), _figures(back, 1000))
        return f"| {name} | {' | '.join(map(str, cells))} |"


def _figures(times, divisor=1):
    """Middle, 99th percentile and longest."""
    if not times:
        return "none"
    return " / ".join(f"{each / divisor:.2f}" for each in (*np.percentile(times, (50, 99)), max(times)))


def run(failures, kinds, seed):
    """Goes through so many failures, and says what became of it."""
    chance = random.Random(seed)
    with rig_of("sick") as rig, contextlib.ExitStack() as ending:
        ending.callback(schedule, OTHER, 0)
        # As in a station: what a test session holds in memory takes longer to look through than a part may wait.
        gc.collect()
        gc.disable()
        ending.callback(gc.enable)
        rig.start()
        rig.station(rules=tolerant(slice_ns=30 * NS_PER_MS, check_every_ns=200 * NS_PER_MS))
        rig.trusted()
        rig.both.detect(with_spot(*SPOTS["left"]), blank())
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        belt = Belt(rig, chance)
        schedule(FIFO, VERDICT_PRIORITY)
        for number in range(failures):
            belt.fail(kinds[number % len(kinds)])
            if number % 50 == 49:  # what `pytest -s` is asked for
                sys.stderr.write(belt.words())
        left_open = len(list(Path("/proc/self/fd").iterdir())) - descriptors
    return belt, left_open


def test_parts_go_on_at_their_pace_while_it_fails_and_comes_back():
    belt, _ = run(3, ("kill", "hang", "driver"), seed=5)
    assert belt.told["parts"] == len(belt.verdict_ms) >= 3 * 12
    assert sum(belt.told[kind] for kind in FAULTS) == 3
    assert belt.told["promotions"] >= 3
    assert belt.told["lies"] == 0
    assert sum(belt.parts.values()) == belt.told["parts"]
    rows = [line for line in belt.words().splitlines() if line.startswith("|")]
    assert [row.split("|")[1].strip() for row in rows[2:]] == ["kill", "hang", "driver", "**all**"]
    assert len({row.count("|") for row in rows}) == 1


@pytest.mark.long
@pytest.mark.timeout(14_400)
def test_a_thousand_failures_at_1200_parts_a_minute_lose_no_part():
    belt, left_open = run(1000, list(FAULTS), seed=6)
    sys.stderr.write(belt.words())
    assert sum(belt.told[kind] for kind in FAULTS) == 1000
    assert belt.told["parts"] == len(belt.verdict_ms)
    assert sum(belt.missed.values()) == 0
    assert sum(belt.failovers.values()) > 500
    assert belt.told["fired"] == 1000
    assert left_open <= 3
