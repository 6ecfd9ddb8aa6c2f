"""Alarms as ISA-18.2 has them: raised, noted, gone, kept; and what counts as one."""

from __future__ import annotations

import pytest

from app.clock import NS_PER_S, VirtualClock
from app.errors import RecordError, UsageError
from app.status import CameraStatus, State, StopReason
from app.types import Tally
from app.web.line.alarms import Alarms
from app.web.line.conditions import Condition, Priority, conditions_of
from app.web.line.watching import AlarmWatch
from app.web.store.database import Store

STOP = Condition("latch/MISSED_REJECT", "MISSED_REJECT", Priority.HIGH, "the chute did not see part 4", is_first=True)
LATER = Condition("latch/REPEATED_ALARMS", "REPEATED_ALARMS", Priority.HIGH, "3 alarms")
DISK = Condition("DISK_LOW", "DISK_LOW", Priority.MEDIUM, "pictures are not kept")


@pytest.fixture
def clock():
    return VirtualClock(NS_PER_S)


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "web")
    yield made
    made.close()


@pytest.fixture
def alarms(store, clock):
    return Alarms(store, clock)


def later(clock, seconds=1):
    clock.advance_to(clock.now_ns() + seconds * NS_PER_S)


def test_alarm_that_is_there_stays_listed_after_somebody_took_note(alarms) -> None:
    alarms.look(1, [STOP])
    noted = alarms.acknowledge(1, None, "Ada")

    [alarm] = alarms.listed(1)
    assert [each.key for each in noted] == [STOP.key]
    assert (alarm.acked_by, alarm.cleared_us) == ("Ada", None)


def test_alarm_that_has_gone_stays_listed_until_somebody_takes_note(alarms, clock) -> None:
    alarms.look(1, [STOP])
    later(clock)
    alarms.look(1, [])
    [alarm] = alarms.listed(1)
    assert alarm.cleared_us - alarm.raised_us == 1_000_000

    alarms.acknowledge(1, alarm.number, "Ada")
    assert alarms.listed(1) == []


def test_alarm_that_was_noted_and_goes_is_history(alarms) -> None:
    alarms.look(1, [DISK])
    alarms.acknowledge(1, None, "Ada")
    alarms.look(1, [])

    assert alarms.listed(1) == []
    assert [each.kind for each in alarms.history(1)] == ["DISK_LOW"]


def test_alarm_that_comes_again_is_new_to_everybody_and_counted(alarms) -> None:
    alarms.look(1, [STOP])
    alarms.look(1, [])
    alarms.look(1, [STOP])
    [alarm] = alarms.listed(1)

    assert (alarm.times, alarm.acked_us, alarm.cleared_us) == (2, None, None)
    assert len(alarms.history(1)) == 1


def test_first_cause_comes_before_its_consequences_and_known_after_unknown(alarms) -> None:
    alarms.look(1, [LATER, DISK, STOP])
    assert [each.kind for each in alarms.listed(1)] == ["MISSED_REJECT", "REPEATED_ALARMS", "DISK_LOW"]

    alarms.acknowledge(1, alarms.listed(1)[0].number, "Ada")
    assert [each.kind for each in alarms.listed(1)] == ["REPEATED_ALARMS", "DISK_LOW", "MISSED_REJECT"]


def test_alarms_and_notes_survive_a_restart_of_the_pages(alarms, store, clock) -> None:
    alarms.look(1, [STOP, DISK])
    alarms.acknowledge(1, alarms.listed(1)[0].number, "Ada")
    again = Alarms(store, clock)
    later(clock)

    again.look(1, [STOP])
    found = {each.kind: each for each in again.listed(1)}
    assert found["MISSED_REJECT"].acked_by == "Ada"
    assert found["DISK_LOW"].cleared_us is not None
    assert len(again.history(1)) == 2


def test_lanes_have_alarms_of_their_own(alarms) -> None:
    alarms.look(1, [STOP])
    alarms.look(2, [DISK])
    alarms.acknowledge(2, None, "Ada")

    assert [each.acked_us for each in alarms.listed(1)] == [None]
    assert [each.kind for each in alarms.history(2)] == ["DISK_LOW"]


def test_note_of_an_alarm_that_is_not_listed_is_refused(alarms) -> None:
    with pytest.raises(UsageError, match="not listed"):
        alarms.acknowledge(1, 99, "Ada")


def test_history_is_filtered_and_paged(alarms) -> None:
    for condition in (STOP, DISK, LATER):
        alarms.look(1, [condition])
        alarms.look(1, [])
        alarms.acknowledge(1, None, "Ada")

    newest = alarms.history(1, most=2)
    assert [each.kind for each in newest] == ["REPEATED_ALARMS", "DISK_LOW"]
    assert [each.kind for each in alarms.history(1, before=newest[-1].number)] == ["MISSED_REJECT"]
    assert [each.kind for each in alarms.history(1, kind="DISK_LOW")] == ["DISK_LOW"]
    assert [each.kind for each in alarms.history(1, words="part 4")] == ["MISSED_REJECT"]


def test_alarm_shows_although_it_cannot_be_kept_and_is_kept_when_it_can(alarms, store, monkeypatch) -> None:
    def broken(self):
        raise RecordError("the disk is full", "make room")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "writing", broken)
        alarms.look(1, [STOP])
        [alarm] = alarms.listed(1)
        assert alarm.number < 0
        assert alarms.acknowledge(1, alarm.number, "Ada")
    alarms.look(1, [STOP])

    assert alarms.listed(1)[0].number > 0
    assert [each.acked_by for each in alarms.history(1)] == ["Ada"]


# What counts as one


def report(bench, **fields):
    bench.publish(**fields)
    bench.look()
    return conditions_of(bench.live.status(1))


def kinds(conditions):
    return [each.kind for each in conditions]


def test_line_that_is_well_has_only_what_its_recorder_lacks(bench) -> None:
    assert kinds(report(bench)) == ["RECORDER_SILENT"]


def test_stops_come_first_and_the_first_of_them_is_the_first_out_cause(bench) -> None:
    latches = (StopReason("BIN_FULL", "bin", 1), StopReason("REJECT_RATE", "rate", 2))
    found = report(bench, state=State.STOPPED, why="bin", latches=latches)

    assert [(each.kind, each.is_first) for each in found[:2]] == [("BIN_FULL", True), ("REJECT_RATE", False)]
    assert {each.priority for each in found[:2]} == {Priority.HIGH}


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"cameras": (CameraStatus("top", "it is away"),)}, "NO_CAMERA"),
        ({"state": State.DEGRADED, "why": "the accelerator failed"}, "DEGRADED"),
        ({"tally": Tally(10, 7, 2, 0, 0)}, "UNBALANCED"),
        ({"is_challenge_due": True}, "CHALLENGE_DUE"),
        ({"ring_share": 0.8}, "EVENTS_WAIT"),
    ],
)
def test_what_is_wrong_is_an_alarm(bench, fields, kind) -> None:
    assert kind in kinds(report(bench, **fields))


def test_station_that_is_silent_is_an_alarm_and_its_old_words_are_none(bench) -> None:
    bench.publish(state=State.STOPPED, why="x", latches=(StopReason("BIN_FULL", "bin", 1),))
    bench.look(later_ms=1500)

    assert kinds(conditions_of(bench.live.status(1)))[0] == "NO_DATA"
    assert "BIN_FULL" not in kinds(conditions_of(bench.live.status(1)))
    assert kinds(conditions_of({"age_ms": None, "status": None})) == ["NO_DATA"]


# Told to the pages


def test_alarms_are_told_with_every_report(bench) -> None:
    bench.publish(latches=(StopReason("AIR_LOW", "input air_low is active", 1),), state=State.STOPPED)
    bench.look()
    watch = next(each for each in bench.live._companions if isinstance(each, AlarmWatch))
    watch.look()
    bench.look(later_ms=2000)

    told = bench.live.status(1)["alarms"][0]
    assert (told["kind"], told["is_first"], told["is_acknowledged"], told["for_ms"]) == ("AIR_LOW", True, False, 2000)


def test_pages_that_have_just_begun_raise_no_alarm_for_a_station_they_have_not_heard_yet(bench) -> None:
    watch = next(each for each in bench.live._companions if isinstance(each, AlarmWatch))
    watch.look()
    assert bench.live.status(1)["alarms"] == []

    bench.look(later_ms=3500)
    watch.look()
    assert [each["kind"] for each in bench.live.status(1)["alarms"]] == ["NO_DATA"]


def test_alarm_says_why_as_a_code_while_it_is_there(alarms) -> None:
    status = {
        "latches": [],
        "cameras": [{"name": "top", "text": "its mean grey is 2", "code": "DARK"}],
        "tally": {"is_balanced": True},
        "state": "DEGRADED",
        "why": "no answer within 2 ms",
        "code": "LATE",
        "is_challenge_due": False,
        "ring_share": 0.0,
    }
    alarms.look(1, conditions_of({"age_ms": 1.0, "status": status, "recorder": {"age_ms": 1.0}}))

    found = {each.kind: (each.code, each.camera) for each in alarms.listed(1)}
    assert found == {"NO_CAMERA": ("DARK", "top"), "DEGRADED": ("LATE", "")}
