"""The stack light and its buzzer: what is lit, and what silence lasts for."""

from __future__ import annotations

import pytest

from app.config import HandshakeSettings
from app.errors import CommandRefusedError
from app.reject.handshake import Handshake, lamps_of
from app.reject.stops import StopCause
from app.status import State
from tests.unit.test_station import Bench

WIRED = {name: {"pin": pin} for pin, name in enumerate(("lamp_red", "lamp_amber", "lamp_green", "buzzer"), 10)}


def lit(state, *, is_blind=False, is_degraded=False):
    return [name for name, is_on in lamps_of(state, is_blind=is_blind, is_degraded=is_degraded).items() if is_on]


@pytest.mark.parametrize(
    ("state", "more", "lamps"),
    [
        (State.RUNNING, {}, ["lamp_green"]),
        (State.RUNNING, {"is_blind": True}, ["lamp_amber"]),
        (State.RUNNING, {"is_degraded": True}, ["lamp_amber"]),
        (State.PURGING, {}, ["lamp_amber"]),
        (State.STOPPED, {"is_blind": True}, ["lamp_red"]),
    ],
)
def test_exactly_one_lamp_is_lit(state, more, lamps) -> None:
    assert lit(state, **more) == lamps


def handshake():
    return Handshake(HandshakeSettings.model_validate(WIRED))


def levels(made, state, causes):
    dict(made.update(state, causes, is_blind=False))
    return dict(made.beat())


def test_buzzer_sounds_for_what_must_be_mended_and_not_for_what_people_wanted() -> None:
    made = handshake()
    assert not levels(made, State.STOPPED, [StopCause.OPERATOR])["buzzer"]
    assert levels(made, State.STOPPED, [StopCause.OPERATOR, StopCause.AIR_LOW])["buzzer"]


def test_silence_lasts_until_the_next_trouble() -> None:
    made = handshake()
    levels(made, State.STOPPED, [StopCause.AIR_LOW])
    made.silence()
    assert not levels(made, State.STOPPED, [StopCause.AIR_LOW])["buzzer"]
    assert levels(made, State.STOPPED, [StopCause.AIR_LOW, StopCause.BIN_FULL])["buzzer"]


def test_trouble_that_comes_again_sounds_again() -> None:
    made = handshake()
    levels(made, State.STOPPED, [StopCause.AIR_LOW])
    made.silence()
    levels(made, State.RUNNING, [])
    assert levels(made, State.STOPPED, [StopCause.AIR_LOW])["buzzer"]


def test_line_without_a_buzzer_says_so() -> None:
    with pytest.raises(CommandRefusedError, match="no buzzer"):
        Handshake(HandshakeSettings()).silence()


def test_station_lights_its_lamps_and_says_which() -> None:
    bench = Bench(handshake=WIRED)
    bench.move(50)
    assert bench.io.lines["lamp_green"]
    assert bench.station.status().lamps == ("lamp_green",)

    bench.io.faults = ["gate reads back otherwise"]
    bench.station.step()
    bench.move(50)
    status = bench.station.status()
    assert (bench.io.lines["lamp_red"], bench.io.lines["lamp_green"], bench.io.lines["buzzer"]) == (True, False, True)
    assert (status.lamps, status.has_buzzer) == (("lamp_red", "buzzer"), True)

    bench.station.silence()
    assert not bench.io.lines["buzzer"]
    assert bench.station.status().lamps == ("lamp_red",)
