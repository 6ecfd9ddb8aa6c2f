"""The interlock of outputs that are tried by hand, without a station around it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.clock import NS_PER_MS, NS_PER_S
from app.config import Line
from app.errors import CommandRefusedError
from app.reject.lineio import BeltReading
from app.reject.pulses import Bar, Pulses, Standing

STANDS = Standing(is_stopped=True, is_permitted=False, is_driven=False, is_recorded=True, causes=1, faults=0)
LATER_NS = 5 * NS_PER_S


def line(**gate) -> Line:
    return Line.model_validate(
        {
            "encoder": {"a": 5, "b": 6},
            "trigger": {"sensor": {"pin": 4}},
            "gate": [{"output": {"pin": 22}, **gate}],
            "permit": {"output": {"pin": 27}},
            "handshake": {"ready": {"pin": 10}, "line_stop": {"pin": 11}},
        }
    )


def resting(**gate) -> Pulses:
    """A belt that has not counted since time 0."""
    pulses = Pulses(line(**gate))
    pulses.observe(BeltReading(700, 0), 0)
    return pulses


@pytest.mark.parametrize(
    ("change", "bar"),
    [
        ({"is_stopped": False}, Bar.RUNNING),
        ({"is_permitted": True}, Bar.PERMITTED),
        ({"is_driven": True}, Bar.DRIVEN),
        ({"is_recorded": False}, Bar.UNRECORDED),
    ],
)
def test_line_that_does_not_stand_bars_every_pulse(change, bar) -> None:
    pulses, state = resting(), replace(STANDS, **change)
    assert pulses.bar(state, LATER_NS) is bar
    with pytest.raises(CommandRefusedError):
        pulses.check("gate:reject", 50, state, LATER_NS)


def test_belt_must_have_stood_still_for_a_whole_second() -> None:
    pulses = resting()
    pulses.observe(BeltReading(701, LATER_NS), LATER_NS)
    assert pulses.bar(STANDS, LATER_NS + NS_PER_S - 1) is Bar.MOVING
    assert pulses.bar(STANDS, LATER_NS + NS_PER_S) is None


def test_belt_that_nobody_has_read_yet_does_not_stand() -> None:
    assert Pulses(line()).bar(STANDS, LATER_NS) is Bar.MOVING


def test_encoder_that_cannot_be_trusted_proves_no_standstill() -> None:
    pulses = resting()
    pulses.observe(BeltReading(700, 0, missed=3, trouble="the counter is gone"), LATER_NS)
    assert pulses.bar(STANDS, LATER_NS) is Bar.ENCODER


def test_one_pulse_at_a_time() -> None:
    pulses = resting()
    pulses.begin("ready", 50, STANDS, LATER_NS)
    with pytest.raises(CommandRefusedError, match="another pulse runs"):
        pulses.check("gate:reject", 50, STANDS, LATER_NS + 1)


@pytest.mark.parametrize("output", ["permit", "line_stop"])
def test_what_lets_the_belt_run_is_never_pulsed(output) -> None:
    with pytest.raises(CommandRefusedError, match="never pulsed"):
        resting().check(output, 50, STANDS, LATER_NS)


@pytest.mark.parametrize("output", ["", "gate:other", "lamp_red", "part", "reject"])
def test_output_that_is_not_wired_is_refused_with_those_that_are(output) -> None:
    with pytest.raises(CommandRefusedError, match="gate:reject, ready"):
        resting().check(output, 50, STANDS, LATER_NS)


@pytest.mark.parametrize(
    ("gate", "least", "most"),
    [
        ({"kind": "diverter"}, 10, 2000),
        ({"kind": "pusher", "max_on_ms": 400}, 10, 390),
        ({"kind": "air", "min_on_ms": 15, "max_on_ms": 20, "offset_mm": 27, "dwell_mm": 5}, 15, 15),
        ({"kind": "air", "max_on_ms": 60_000}, 10, 2000),
    ],
)
def test_pulse_stays_within_the_limits_of_its_output(gate, least, most) -> None:
    pulses = resting(**gate)
    for pulse_ms in (least, most):
        pulses.check("gate:reject", pulse_ms, STANDS, LATER_NS)
    for pulse_ms in (least - 1, most + 1):
        with pytest.raises(CommandRefusedError, match=f"for {least} to {most} ms, not for {pulse_ms} ms"):
            pulses.check("gate:reject", pulse_ms, STANDS, LATER_NS)


def begun() -> Pulses:
    pulses = resting()
    pulses.begin("gate:reject", 50, STANDS, LATER_NS)
    return pulses


def test_pulse_ends_at_its_time() -> None:
    pulses = begun()
    end_ns = LATER_NS + 50 * NS_PER_MS
    assert pulses.due_ns() == end_ns
    assert pulses.why_over(STANDS, end_ns - 1) is None
    assert pulses.why_over(STANDS, end_ns) == ""
    pulses.end()
    assert (pulses.due_ns(), pulses.why_over(STANDS, end_ns)) == (None, None)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"is_stopped": False}, "the line was reset"),
        ({"is_permitted": True}, "the line was reset"),
        ({"is_driven": True}, "the belt moves"),
        ({"causes": 2}, "a fault came up"),
        ({"faults": 1}, "a fault came up"),
    ],
)
def test_pulse_is_cut_short_by_what_would_have_barred_it(change, why) -> None:
    assert begun().why_over(replace(STANDS, **change), LATER_NS + 1) == why


@pytest.mark.parametrize(("count", "missed"), [(699, 0), (701, 0), (700, 1)])
def test_first_sign_of_motion_either_way_cuts_a_pulse_short(count, missed) -> None:
    pulses = begun()
    pulses.observe(BeltReading(count, LATER_NS, missed), LATER_NS)
    assert pulses.why_over(STANDS, LATER_NS) == "the belt moves"


def test_encoder_that_fails_cuts_a_pulse_short() -> None:
    pulses = begun()
    pulses.observe(BeltReading(700, 0, trouble="the counter is gone"), LATER_NS + 1)
    assert pulses.why_over(STANDS, LATER_NS + 1) == "the encoder cannot be trusted"
