"""A machine that is late shows what has happened all at once, so that a contact's bouncing is not taken for settled."""

from app.bus.place import Place
from app.twin.board import MACHINE, Inbox, Outbox, PinBoard


def test_what_a_machine_catches_up_with_is_seen_as_a_whole(tmp_path):
    board = PinBoard(Place(tmp_path / "bus"), 1, is_new=True)
    outbox, inbox = Outbox(board, MACHINE), Inbox(board, MACHINE)
    pin = outbox.name("GPIO4")

    outbox.gather()
    for at_ns in (10, 20, 30):
        outbox.put(pin, 1 + at_ns // 10 % 2, at_ns)
    before = list(inbox.take())
    outbox.deliver()
    outbox.put(pin, 1, 40)
    after = list(inbox.take())
    board.close()

    assert before == []
    assert [at_ns for at_ns, _, _ in after] == [10, 20, 30, 40]
