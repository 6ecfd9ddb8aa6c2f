"""Requests from outside: done between two steps, acknowledged by the ledger, refused in words."""

from __future__ import annotations

import threading

import pytest

from app.bus.commands import CommandServer, Request, ask
from app.clock import NS_PER_S
from app.desk import Desk
from app.types import EventKind
from tests.unit.test_station import Bench


class Counter:
    """A desk with its station, and somebody who asks from another thread."""

    def __init__(self, folder) -> None:
        self.bench = Bench()
        self.path = folder / "lane1.command"
        self.server = CommandServer(self.path)
        self.asked = []
        self.desk = Desk(self.bench.station, self.server, self._unpark)

    def _unpark(self, tracker, by, reason):
        self.asked.append((by, reason))
        tracker.note(EventKind.ACCELERATOR, phase="away", text=reason, by=by)

    def ask(self, **words):
        said = []
        asker = threading.Thread(target=lambda: said.append(ask(self.path, Request(**words), 10.0)))
        asker.start()
        while asker.is_alive():
            self.desk.serve()
        return said[0]


@pytest.fixture
def counter(tmp_path):
    return Counter(tmp_path)


def test_stop_is_acknowledged_by_the_event_that_tells_of_it(counter) -> None:
    reply = counter.ask(command="stop", by="Ada")
    event = counter.bench.events(EventKind.LATCHED)[-1]
    assert (reply.ok, reply.epoch, reply.sequence) == (True, event.epoch, event.sequence)
    assert "Ada" in str(event.data["text"])


def test_refusal_says_what_and_how_to_mend_it(counter) -> None:
    reply = counter.ask(command="reset", by="Ada", role="lead", reason="why not")
    assert (reply.ok, reply.what, reply.mend) == (False, "the line is not stopped", "nothing to reset")


def test_reset_needs_the_right_role(counter) -> None:
    counter.ask(command="stop", by="Ada")
    assert "may not reset" in counter.ask(command="reset", by="Ada", role="operator", reason="go on").what
    assert counter.ask(command="reset", by="Ada", role="lead", reason="go on").ok
    assert counter.bench.station.state.value == "PURGING"


def test_purge_lots_serials_and_challenges_reach_the_tracker(counter) -> None:
    assert counter.ask(command="purge", by="Ada").ok
    assert counter.ask(command="open_lot", lot="L2", by="Ada").ok
    assert "is running" in counter.ask(command="close_lot", lot="L2", by="Ada", reason="done").what
    assert counter.ask(command="serial", part_id=1, serial="S-1").ok
    kinds = [event.kind for event in counter.bench.book.ledger]
    assert {EventKind.PURGE_STARTED, EventKind.LOT_OPENED, EventKind.LOT_CLOSED, EventKind.SERIAL} <= set(kinds)
    assert not counter.ask(command="start_challenge", by="Ada").ok


def test_accelerator_is_asked_for_and_the_ledger_says_by_whom_and_why(counter) -> None:
    reply = counter.ask(command="unpark", by="Ada", reason="fan cleaned")
    event = counter.bench.events(EventKind.ACCELERATOR)[-1]
    assert counter.asked == [("Ada", "fan cleaned")]
    assert dict(event.data) == {"phase": "away", "text": "fan cleaned", "by": "Ada"}
    assert (reply.ok, reply.sequence) == (True, event.sequence)


def test_pulse_is_acknowledged_by_its_event_or_refused_in_words(counter) -> None:
    wish = {"command": "pulse", "output": "gate:reject", "pulse_ms": 50, "by": "Ada", "role": "technician"}
    assert counter.ask(**wish, reason="wires").what == "the line is not stopped"
    counter.ask(command="stop", by="Ada")
    bench = counter.bench
    bench.clock.advance_to(bench.clock.now_ns() + 2 * NS_PER_S)
    reply = counter.ask(**wish, reason="wires")
    [event] = bench.events(EventKind.PULSE)
    assert (reply.ok, reply.epoch, reply.sequence) == (True, event.epoch, event.sequence)
    assert event.data["why"] == "wires"


@pytest.mark.parametrize("missing", ["output", "pulse_ms", "by", "role", "reason"])
def test_pulse_is_no_request_without_all_that_the_ledger_tells_of_it(missing) -> None:
    said = {"output": "ready", "pulse_ms": 50, "by": "Ada", "role": "technician", "reason": "wires"}
    del said[missing]
    with pytest.raises(ValueError, match=f"pulse needs {missing}"):
        Request(command="pulse", **said)


def test_station_without_an_accelerator_says_so(counter) -> None:
    counter.desk = Desk(counter.bench.station, counter.server)
    reply = counter.ask(command="unpark", by="Ada")
    assert (reply.ok, reply.what) == (False, "this lane has no accelerator")


def test_line_stopped_for_its_slow_standby_is_reset_only_once_that_judges_no_more(counter) -> None:
    station = counter.bench.station
    station.ask(lambda tracker: tracker.standby("the standby holds 500 mm/s"))
    assert station.state.value == "STOPPED"
    asked = {"command": "reset", "by": "Ada", "role": "lead", "reason": "mended"}
    assert counter.ask(**asked).what == "still present: STANDBY_SLOW (accelerator)"
    station.ask(lambda tracker: tracker.standby(""))
    assert counter.ask(**asked).ok
