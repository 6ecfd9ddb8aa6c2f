"""The memory that a machine and a box share, from one process: what fits into it and what a reader may see."""

import pytest

from app.bus.place import Place
from app.errors import BusError
from app.twin.board import BOX, MACHINE, MOST_PINS, QUEUE_CHANGES, Inbox, Outbox, PinBoard


@pytest.fixture
def board(tmp_path):
    board = PinBoard(Place(tmp_path / "bus"), 1, is_new=True)
    yield board
    board.close()


def test_changes_come_in_order_with_time_pin_and_state(board):
    outbox, inbox = Outbox(board, MACHINE), Inbox(board, MACHINE)
    pins = [outbox.name(name) for name in ("GPIO4", "PQ.05")]
    changes = [(2**62, pins[0], 2), (5, pins[1], 0x7F), (2**40 + 1, pins[0], 1)]
    for at_ns, pin, state in changes:
        outbox.put(pin, state, at_ns)

    assert inbox.names() == ["GPIO4", "PQ.05"]
    assert list(inbox.take()) == changes
    assert list(inbox.take()) == []


def test_present_state_is_told_without_the_queue(board):
    outbox, inbox = Outbox(board, BOX), Inbox(board, BOX)
    pin = outbox.name("GPIO4")
    outbox.show(pin, 6)

    assert (inbox.state(pin), list(inbox.take())) == (6, [])


def test_halves_do_not_touch_each_other(board):
    for half in (MACHINE, BOX):
        outbox = Outbox(board, half)
        for number in range(MOST_PINS):
            outbox.name(f"P{half}-{number}")
        for number in range(QUEUE_CHANGES):
            outbox.put(number % MOST_PINS, half + 1, number)
    machine, box = Inbox(board, MACHINE), Inbox(board, BOX)

    assert machine.names()[-1] == f"P0-{MOST_PINS - 1}"
    assert box.names()[0] == "P1-0"
    assert {machine.state(pin) for pin in range(MOST_PINS)} == {1}
    assert {box.state(pin) for pin in range(MOST_PINS)} == {2}


def test_queue_goes_round(board):
    outbox, inbox = Outbox(board, MACHINE), Inbox(board, MACHINE)
    pin = outbox.name("GPIO4")
    seen = []
    for number in range(3 * QUEUE_CHANGES):
        outbox.put(pin, number & 1, number)
        if number % 1000 == 0:
            seen += [at_ns for at_ns, _, _ in inbox.take()]
    seen += [at_ns for at_ns, _, _ in inbox.take()]

    assert seen == list(range(3 * QUEUE_CHANGES))


def test_change_that_finds_the_queue_full_is_counted_and_shown(board):
    outbox, inbox = Outbox(board, MACHINE), Inbox(board, MACHINE)
    pin = outbox.name("GPIO4")
    for number in range(QUEUE_CHANGES + 3):
        outbox.put(pin, 2 if number >= QUEUE_CHANGES else 1, number)

    assert (outbox.lost, inbox.has_lost, inbox.state(pin)) == (3, True, 2)
    assert inbox.skip() == 3
    assert (inbox.has_lost, list(inbox.take())) == (False, [])
    outbox.put(pin, 1, 99)
    assert list(inbox.take()) == [(99, pin, 1)]


def test_reader_that_stops_half_way_finds_the_rest_later(board):
    outbox, inbox = Outbox(board, MACHINE), Inbox(board, MACHINE)
    pin = outbox.name("GPIO4")
    for at_ns in range(4):
        outbox.put(pin, 1, at_ns)
    first = next(inbox.take())

    assert [first, *inbox.take()] == [(at_ns, pin, 1) for at_ns in range(4)]


@pytest.mark.parametrize("word", [0, 1])
def test_record_that_is_not_yet_whole_is_not_read(board, word):
    outbox, inbox = Outbox(board, MACHINE), Inbox(board, MACHINE)
    pin = outbox.name("GPIO4")
    outbox.put(pin, 1, 7)
    at = outbox._queue + word
    whole, board.words[at] = board.words[at], 0
    early = list(inbox.take())
    board.words[at] = whole

    assert early == []
    assert list(inbox.take()) == [(7, pin, 1)]


def test_board_has_room_for_so_many_pins_and_no_more(board):
    outbox = Outbox(board, MACHINE)
    for number in range(MOST_PINS):
        outbox.name(f"P{number}")
    with pytest.raises(BusError, match="pin P128 finds no room"):
        outbox.name("P128")


def test_name_that_is_too_long_is_refused(board):
    with pytest.raises(BusError, match="with shorter names"):
        Outbox(board, MACHINE).name("P" * 49)


def test_new_board_retires_the_one_before(tmp_path):
    place = Place(tmp_path / "bus")
    first = PinBoard(place, 1, is_new=True)
    seen = PinBoard(place, 1, is_new=False)
    first.close()
    second = PinBoard(place, 1, is_new=True)

    assert seen.is_retired
    assert not second.is_retired
    seen.close()
    second.close()


def test_file_that_is_no_board_is_refused_by_the_box_and_replaced_by_the_machine(tmp_path):
    place = Place(tmp_path / "bus")
    (place.root / "twin1.pins").write_bytes(b"garbage")
    with pytest.raises(BusError, match="is not a file of the bus"):
        PinBoard(place, 1, is_new=False)
    PinBoard(place, 1, is_new=True).close()
    PinBoard(place, 1, is_new=False).close()
