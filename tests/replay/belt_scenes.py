"""Scenes on the belt that together use every rule of the tracker, told line by line.

`python -m tests.replay.belt_scenes --update` writes the references anew: an explicit act, after a wanted change.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from app.errors import CommandRefusedError
from app.reject.signals import Expose, MoveGate, Permit
from tests.unit.reject.rig import Rig, pair, settings

REFERENCES = Path(__file__).parent / "references" / "belt"
LOOK_EVERY = 40
"""Counts between two looks at when the tracker wants to be woken."""


class Teller(Rig):
    """A rig that writes down all that the tracker says: events, commands, and when it wants to be woken."""

    def __init__(self, line=None, *, is_ready=True):
        self.lines: list[str] = []
        self._told = 0
        super().__init__(line, is_ready=is_ready)

    def make_ready(self):
        super().make_ready()
        self._told = 0

    def take(self):
        for command in self.tracker.take_commands():
            self.commands.append(command)
            self.lines.append(f"{self._when()} > {_words(command)}")
        self.events += self.tracker.take_events()
        for event in self.events[self._told :]:
            data = " ".join(f"{key}={value!r}" for key, value in event.data.items())
            part = "" if event.part_id is None else f" part {event.part_id}"
            self.lines.append(
                f"{event.at_ns / 1e6:.1f} @{event.count} {event.sequence} {event.kind.value}{part} {data}".rstrip()
            )
        self._told = len(self.events)

    def step(self, counts=1, ns=None):
        super().step(counts, ns)
        if self.count % LOOK_EVERY == 0:
            self.look()

    def edge(self, name, is_active=True):
        super().edge(name, is_active)
        self.look()

    def look(self):
        wake_ns = self.tracker.next_wake_ns(self.now_ns)
        if wake_ns is not None:
            self.lines.append(f"{self._when()} wake {(wake_ns - self.now_ns) / 1e6:.2f}")

    def try_(self, call: Callable[[], object]):
        """Does something that may be refused, and writes the refusal down."""
        try:
            call()
        except CommandRefusedError as error:
            self.lines.append(f"{self._when()} ! {error}")
        self.take()

    def close(self):
        self.look()
        tally = self.tracker.tally
        self.lines.append(
            f"{self._when()} {self.tracker.state.value} {tally} {[str(latch) for latch in self.tracker.latches]}"
        )

    def _when(self) -> str:
        return f"{self.now_ns / 1e6:.1f} @{self.count}"


def _words(command) -> str:
    if isinstance(command, Expose):
        return f"expose part {command.part_id} {command.exposure}"
    if isinstance(command, MoveGate):
        return f"gate {command.destination} {'rejects' if command.is_rejecting else 'lets pass'}"
    assert isinstance(command, Permit)
    return "permit given" if command.is_given else "permit withdrawn"


CALM = {"consecutive_rejects": 0, "reject_rate": 0}


def good_and_bad() -> Teller:
    rig = Teller()
    at = rig.good_part()
    rig.move_to(at, 600)
    rig.edge("exit")
    at = rig.bad_part()
    rig.move_to(at, 484)
    rig.edge("chute:reject")
    rig.judge(2)
    rig.move_to(at, 650)
    return rig


def nothing_in_time() -> Teller:
    rig = Teller(settings(stops=CALM, camera=[{"position_mm": 150, "frame_timeout_ms": 60}]))
    at = rig.part()
    rig.move_to(at, 152)
    rig.wait(80)
    rig.frame(age_ms=70)
    rig.move_to(at, 484)
    rig.edge("chute:reject")
    slow = Teller(settings(camera=[{"position_mm": 150, "frame_timeout_ms": 5000}]))
    at = slow.part()
    slow.move_to(at, 484)
    slow.edge("chute:reject")
    slow.step(200)
    rig.lines += slow.lines
    return rig


def too_close() -> Teller:
    rig = Teller(settings(stops=CALM))
    first = rig.part()
    rig.move_to(first, 80)
    rig.part()
    rig.move_to(first, 200)
    rig.part(covered_mm=130)
    rig.move_to(first, 700)
    return rig


def neighbours() -> Teller:
    rig = Teller(settings(gate__dwell_mm=130, stops=CALM))
    bad, good = pair(rig, "reject", "pass")
    rig.move_to(bad, 484)
    rig.edge("chute:reject")
    rig.move_to(good, 484)
    rig.edge("chute:reject")
    bad, good = pair(rig, "reject", "pass")
    rig.move_to(bad, 484)
    rig.edge("chute:reject")
    rig.move_to(good, 600)
    rig.edge("exit")
    bad, good = pair(rig, "reject", "pass")
    rig.move_to(bad, 484)
    rig.edge("chute:reject")
    rig.move_to(good, 700)
    return rig


def stuck_in_a_dwell() -> Teller:
    rig = Teller(settings(gate__kind="pusher", gate__dwell_mm=110, gate__max_on_ms=400, stops=CALM))
    first, _second = pair(rig, "reject", "reject")
    rig.move_to(first, 503)
    rig.look()
    rig.wait(500)
    rig.try_(lambda: rig.tracker.reset("Ada", "lead", "jam"))
    rig.try_(lambda: rig.tracker.reset("Ada", "lead", "jam", is_cleared=True))
    rig.move(700)
    return rig


def missed_and_seen_at_the_exit() -> Teller:
    rig = Teller()
    at = rig.bad_part()
    rig.move_to(at, 600)
    rig.edge("exit")
    rig.try_(lambda: rig.tracker.reset("Ada", "operator", "found"))
    rig.try_(lambda: rig.tracker.reset("Ada", "lead", "found"))
    rig.move(700)
    rig.try_(lambda: rig.tracker.reset("Ada", "lead", "nothing"))
    return rig


def sensors_disagree() -> Teller:
    rig = Teller()
    rig.edge("exit")
    rig.edge("chute:reject")
    at = rig.good_part()
    rig.move_to(at, 480)
    rig.edge("chute:reject")
    rig.move_to(at, 700)
    rig.edge("exit")
    return rig


def frames_that_do_not_fit() -> Teller:
    camera = {"position_mm": 150, "frame_timeout_ms": 900, "binding": "counter", "window_ms": 20}
    rig = Teller(settings(camera=[camera], stops=CALM))
    first = rig.part()
    rig.move_to(first, 152)
    rig.frame(counter=7)
    rig.frame(counter=7)
    rig.judge(1)
    second = rig.part()
    rig.move_to(second, 152)
    rig.frame(counter=99)
    rig.move_to(second, 484)
    rig.edge("chute:reject")
    wide = Teller(settings(camera=[{**camera, "binding": "timestamp_window", "window_ms": 900}], stops=CALM))
    first = wide.part()
    wide.move_to(first, 100)
    wide.part()
    wide.move_to(first, 260)
    wide.frame()
    rig.lines += wide.lines
    return rig


def back_and_forth() -> Teller:
    rig = Teller()
    at = rig.part()
    rig.move_to(at, 70)
    rig.move(-10)
    rig.edge("part")
    rig.move(-70)
    rig.edge("part", is_active=False)
    rig.move(10)
    rig.edge("part")
    rig.move(-30)
    rig.edge("part")
    rig.move(-560)
    return rig


def inputs_and_faults() -> Teller:
    line = settings(gate__bin_full={"pin": 8}, stops={**CALM, "air_low": {"pin": 9}}, belt__running={"pin": 10})
    rig = Teller(line)
    for name in ("bin_full:reject", "air_low"):
        rig.edge(name)
        rig.try_(lambda: rig.tracker.reset("Ada", "lead", "?"))
        rig.edge(name, is_active=False)
        rig.try_(lambda: rig.tracker.reset("Ada", "lead", "put right"))
    rig.tracker.stop("")
    rig.tracker.fault("gate reject reads back otherwise")
    rig.take()
    rig.try_(lambda: rig.tracker.reset("Ada", "lead", ""))
    rig.try_(lambda: rig.tracker.reset("Ada", "lead", "looked"))
    rig.missed = 3
    rig.step()
    rig.try_(lambda: rig.tracker.reset("Ada", "admin", "cable"))
    rig.edge("running")
    rig.wait(400)
    rig.move(1)
    rig.try_(lambda: rig.tracker.reset("Ada", "technician", "wheel"))
    rig.edge("part")
    rig.move(302)
    return rig


def challenge() -> Teller:
    rig = Teller(settings(challenge={"parts": 1, "at_lot_start": True}))
    rig.try_(lambda: rig.tracker.open_lot("L2"))
    rig.lines.append(f"due {rig.tracker.is_challenge_due()}")
    rig.try_(lambda: rig.tracker.start_challenge("Ada"))
    rig.try_(lambda: rig.tracker.start_challenge("Ada"))
    for _ in range(3):
        at = rig.bad_part()
        rig.lines.append(rig.tracker.challenge_phase)
        rig.move_to(at, 484)
        rig.edge("chute:reject")
        rig.move_to(at, 700)
    at = rig.bad_part()
    rig.move_to(at, 700)
    rig.try_(lambda: rig.tracker.reset("Ada", "lead", "test done", is_cleared=True))
    rig.lines.append(f"due {rig.tracker.is_challenge_due()}")
    rig.move(520)
    rig.try_(lambda: rig.tracker.start_challenge("Ada"))
    at = rig.good_part()
    rig.move_to(at, 600)
    rig.edge("exit")
    return rig


def lots() -> Teller:
    rig = Teller()
    at = rig.good_part()
    rig.tracker.serial(1, "SN-1")
    rig.try_(lambda: rig.tracker.open_lot("L1"))
    rig.try_(lambda: rig.tracker.open_lot(""))
    rig.try_(lambda: rig.tracker.close_lot("L1"))
    rig.try_(lambda: rig.tracker.open_lot("L2"))
    rig.try_(lambda: rig.tracker.close_lot("L1"))
    rig.try_(lambda: rig.tracker.close_lot("L9"))
    rig.move_to(at, 700)
    rig.try_(lambda: rig.tracker.close_lot("L1"))
    rig.try_(lambda: rig.tracker.close_lot("L1", by="Ada", reason="found under the belt"))
    return rig


def cleared_by_hand() -> Teller:
    rig = Teller(settings(gate__kind="air"), is_ready=False)
    rig.try_(lambda: rig.tracker.reset("Ada", "lead", "start"))
    rig.try_(lambda: rig.tracker.reset("Ada", "lead", "start", is_cleared=True))
    rig.move(300)
    at = rig.good_part()
    rig.move_to(at, 300)
    rig.part()
    rig.move_to(at, 480)
    rig.tracker.stop("Ada")
    rig.try_(lambda: rig.tracker.reset("Ada", "lead", "jam", is_cleared=True))
    rig.move(800)
    return rig


def crowded() -> Teller:
    rig = Teller(settings(stops=CALM))
    for _ in range(11):
        rig.edge("part")
        rig.move(3)
    rig.edge("part", is_active=False)
    rig.edge("part")
    rig.edge("part")
    return rig


SCENES = (
    good_and_bad,
    nothing_in_time,
    too_close,
    neighbours,
    stuck_in_a_dwell,
    missed_and_seen_at_the_exit,
    sensors_disagree,
    frames_that_do_not_fit,
    back_and_forth,
    inputs_and_faults,
    challenge,
    lots,
    cleared_by_hand,
    crowded,
)


def tell(scene: Callable[[], Teller]) -> str:
    """All that the tracker says in a scene."""
    teller = scene()
    teller.close()
    return "\n".join(teller.lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] != ["--update"]:
        sys.exit("usage: python -m tests.replay.belt_scenes --update")
    REFERENCES.mkdir(parents=True, exist_ok=True)
    for each in SCENES:
        (REFERENCES / f"{each.__name__}.txt").write_text(tell(each), encoding="utf-8")
