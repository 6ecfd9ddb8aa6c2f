"""Requests from outside: done between two steps, acknowledged by the ledger, refused in words."""

from __future__ import annotations

import threading

import pytest

from app.bus.commands import CommandServer, Request, ask
from app.desk import Desk
from app.types import EventKind
from tests.unit.test_station import Bench


class Counter:
    """A desk with its station, and somebody who asks from another thread."""

    def __init__(self, folder) -> None:
        self.bench = Bench()
        self.path = folder / "lane1.command"
        self.server = CommandServer(self.path)
        self.desk = Desk(self.bench.station, self.server)

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
    assert counter.ask(command="close_lot", lot="L", by="Ada", reason="done").ok
    assert counter.ask(command="serial", part_id=1, serial="S-1").ok
    kinds = [event.kind for event in counter.bench.book.ledger]
    assert {EventKind.PURGE_STARTED, EventKind.LOT_OPENED, EventKind.LOT_CLOSED, EventKind.SERIAL} <= set(kinds)
    assert not counter.ask(command="start_challenge", by="Ada").ok
