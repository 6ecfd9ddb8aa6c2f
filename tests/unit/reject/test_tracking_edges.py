"""What the tracker makes of a stop from outside, and of an encoder that cannot be trusted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.errors import CommandRefusedError
from app.reject.lineio import BeltReading
from app.types import EventKind
from tests.unit.reject.rig import Rig, pusher, settings

STOPPED = {"handshake": {"stopped": {"pin": 9}}}


def observe(rig: Rig, **changes: object) -> None:
    reading = replace(BeltReading(rig.count, rig.now_ns, rig.missed), **changes)
    rig.tracker.observe(reading, rig.now_ns)
    rig.tracker.tick(rig.now_ns)
    rig.take()


def test_stop_from_outside_latches_and_drops_the_permit() -> None:
    rig = Rig(settings(**STOPPED))
    rig.edge("stopped")
    (latch,) = rig.tracker.latches

    assert (latch.cause.value, rig.permits) == ("EXTERNAL_STOP", [False])
    assert latch.text == "the line was stopped from outside: input stopped is active"


def test_stop_from_outside_opens_the_diverter_and_rejects_what_is_on_the_belt() -> None:
    rig = Rig(settings(**STOPPED))
    rig.good_part()
    rig.edge("stopped")

    assert rig.gate == [True]
    assert len(rig.of(EventKind.PURGE_STARTED)) == 1
    assert [(event.part_id, event.data["to"]) for event in rig.of(EventKind.REROUTED)] == [(1, "reject")]


def test_line_cannot_be_reset_while_it_is_stopped_from_outside() -> None:
    rig = Rig(settings(**STOPPED))
    rig.edge("stopped")

    with pytest.raises(CommandRefusedError, match="EXTERNAL_STOP"):
        rig.tracker.reset("Ada", "lead", "?")
    rig.edge("stopped", is_active=False)
    assert rig.causes == ["EXTERNAL_STOP"]
    rig.tracker.reset("Ada", "lead", "released")
    rig.take()
    assert rig.permits == [False, True]


def test_line_that_is_stopped_from_outside_at_the_start_does_not_start() -> None:
    rig = Rig(settings(**STOPPED), is_ready=False)
    rig.tracker.start(BeltReading(0, rig.now_ns), rig.now_ns, ["stopped"])
    rig.take()

    assert "EXTERNAL_STOP" in rig.causes
    assert rig.permits[-1] is False


def test_pusher_waits_for_a_person_after_a_stop_from_outside() -> None:
    rig = pusher(**STOPPED)
    rig.edge("stopped")
    rig.edge("stopped", is_active=False)

    with pytest.raises(CommandRefusedError, match="clear the belt"):
        rig.tracker.reset("Ada", "lead", "released")


def test_missed_states_are_counted_in_words_in_the_ledger_and_in_all() -> None:
    rig = Rig()
    rig.missed = 3
    observe(rig)
    (latch,) = rig.tracker.latches

    assert latch.text == "the encoder skipped 3 states: the belt position is lost"
    assert rig.of(EventKind.LATCHED)[0].data["text"] == latch.text
    assert rig.tracker.missed == 3


def test_encoder_that_skips_states_for_long_does_not_fill_the_ledger() -> None:
    rig = Rig()
    for _ in range(100):
        rig.missed += 1
        rig.move(1)

    assert [event.kind for event in rig.events].count(EventKind.PURGE_STARTED) == 1
    assert rig.tracker.missed == 100


def test_encoder_that_cannot_be_read_says_why_and_forbids_the_reset() -> None:
    rig = Rig()
    rig.missed = 1
    observe(rig, trouble="counter0/count0 cannot be read: No such device")
    (latch,) = rig.tracker.latches

    assert latch.text == "counter0/count0 cannot be read: No such device: the belt position is lost"
    with pytest.raises(CommandRefusedError, match=r"ENCODER_FAULT \(encoder\)"):
        rig.tracker.reset("Ada", "lead", "?")
    observe(rig)
    rig.tracker.reset("Ada", "lead", "plugged in")
    assert rig.causes == []


def test_encoder_that_counts_backwards_says_which_wires_to_swap() -> None:
    rig = Rig()
    rig.good_part()
    rig.move(-260)
    rig.edge("part")
    (latch,) = rig.tracker.latches

    assert latch.cause.value == "BELT_BACKWARDS"
    assert "swap the wires A and B of the encoder, or change encoder.reverse" in latch.text
