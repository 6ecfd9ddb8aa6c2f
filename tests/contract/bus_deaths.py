"""Scenes in which a process is killed before each instruction that changes anything, and what must be so afterwards.

A scene gets an empty folder and returns what the process does that is killed, and what is looked at when it is dead.
"""

from __future__ import annotations

import numpy as np

from app.bus.block import BlockReader, BlockWriter
from app.bus.ring import RingReader, RingWriter
from app.bus.slots import SlotReader, SlotWriter
from app.types import Frame

CAPACITY = 4096
BEFORE = [b"a" * 1900, b"b" * 1900]
WRITTEN = [b"c" * 700, b"d" * 30, b"e" * 60]
COUNT = 3
NOTHING = np.empty(0, np.uint8)


def ring_write(folder):
    """A writer dies while it writes three records, around the end of the ring and over what a listener has not read."""
    path = folder / "ring"
    RingWriter(path, CAPACITY).close()
    slow = RingReader(path, False, "slow")
    with_closing(RingWriter(path, CAPACITY), lambda writer: writer.write(BEFORE[0]))
    listener = RingReader(path, False, "listener")
    keeper = RingReader(path, True, "keeper")
    assert keeper.read() == BEFORE[:1]
    keeper.commit()
    with_closing(RingWriter(path, CAPACITY), lambda writer: writer.write(BEFORE[1]))

    def act():
        writer = RingWriter(path, CAPACITY)
        writer.write_many(WRITTEN[:2])
        writer.write(WRITTEN[2])

    def check():
        last = with_closing(RingWriter(path, CAPACITY), lambda writer: writer.write(b"last"))
        written = WRITTEN[: last - 3]
        assert len(written) != 1, "one of two records that were written together"
        after = [BEFORE[1], *written, b"last"]
        assert keeper.read() == after
        assert listener.read() == after
        heard = slow.read()
        assert heard in ([*BEFORE[:1], *after], after)
        assert slow.missed == (heard == after)
        for reader in (keeper, listener, slow):
            assert reader.damages == 0
            reader.close()
        assert keeper.missed == listener.missed == 0

    return act, check


def ring_made(folder):
    """A writer dies while it makes a ring."""
    path = folder / "ring"
    return lambda: RingWriter(path, CAPACITY), lambda: check_usable(path)


def ring_replaced(folder):
    """A writer dies while it puts another ring in the place of one that was read to its end."""
    path = folder / "ring"
    with_closing(RingWriter(path, CAPACITY), lambda writer: writer.write(b"old"))
    keeper = RingReader(path, True, "keeper")
    keeper.read()
    keeper.commit()

    def check():
        with_closing(RingWriter(path, 2 * CAPACITY), lambda writer: writer.write(b"new"))
        assert keeper.read() == [b"new"]
        keeper.close()

    return lambda: RingWriter(path, 2 * CAPACITY), check


def ring_garbage(folder):
    """A writer dies while it replaces a file that is none of the bus."""
    path = folder / "ring"
    path.write_bytes(b"garbage" * 2000)
    return lambda: RingWriter(path, CAPACITY), lambda: check_usable(path)


def ring_commit(folder):
    """A keeper dies while he reads and commits."""
    path = folder / "ring"
    writer = RingWriter(path, CAPACITY)
    writer.write_many(BEFORE)

    def act():
        keeper = RingReader(path, True, "keeper")
        keeper.read(1)
        keeper.commit()

    def check():
        keeper = RingReader(path, True, "keeper")
        assert keeper.read() in (BEFORE, BEFORE[1:])
        keeper.close()
        writer.close()

    return act, check


def block_write(folder):
    """A writer dies while it publishes a value."""
    path = folder / "block"
    with_closing(BlockWriter(path, 500), lambda writer: writer.write(b"before"))
    reader = BlockReader(path)

    def check():
        assert reader.read() in (b"before", b"w" * 400)
        with_closing(BlockWriter(path, 500), lambda writer: writer.write(b"after"))
        assert reader.read() == b"after"
        reader.close()

    return lambda: BlockWriter(path, 500).write(b"w" * 400), check


def slot_publish(folder):
    """A capture process dies while it fills and publishes a frame."""
    path = folder / "frames"
    slot_writer(path).close()
    reader = SlotReader(path, "station", fresh=True)

    def act():
        publish(slot_writer(path), 7)

    def check():
        found = reader.take()
        if found:
            assert (found.image == 7).all()
            assert (found.camera, found.counter, found.name) == ("top", 7, "7.png")
            found.release()
        writer = slot_writer(path)
        for number in range(COUNT):
            publish(writer, number)
        frames = [reader.take() for _ in range(COUNT)]
        assert [frame.counter for frame in frames] == list(range(COUNT))
        assert writer.free() is None
        assert writer.dropped == 1
        writer.close()
        reader.close()

    return act, check


def slot_judge(folder):
    """A station dies while it takes a frame, hands it over and releases it."""
    path = folder / "frames"
    writer = slot_writer(path)
    for number in range(COUNT):
        publish(writer, number)

    def act():
        reader = SlotReader(path, "station")
        frame = reader.take()
        reader.hand_over(frame.slot, frame.generation, "recorder", 2)
        frame.release()

    return act, lambda: check_all_free(path, writer)


def slot_keep(folder):
    """A recorder dies while it borrows a frame and releases it."""
    path = folder / "frames"
    writer = slot_writer(path)
    publish(writer, 1)
    station = SlotReader(path, "station")
    frame = station.take()
    station.hand_over(frame.slot, frame.generation, "recorder", 2)

    def act():
        SlotReader(path, "recorder").borrow(frame.slot, frame.generation).release()

    return act, lambda: check_all_free(path, writer)


def check_usable(path):
    with_closing(RingWriter(path, CAPACITY), lambda writer: writer.write(b"record"))
    keeper = RingReader(path, True, "keeper")
    assert keeper.read() == [b"record"]
    keeper.close()


def check_all_free(path, writer):
    """Whoever starts again releases what its role held: then all slots serve again."""
    for role in ("station", "recorder"):
        SlotReader(path, role, fresh=True).close()
    for number in range(COUNT):
        assert publish(writer, number)
    writer.close()


def with_closing(writer, act):
    result = act(writer)
    writer.close()
    return result


def slot_writer(path):
    return SlotWriter(path, COUNT, 20, 30, 1)


def publish(writer, number):
    image = writer.free()
    image[:] = number
    return writer.publish(Frame(NOTHING, "top", host_ns=number, counter=number, name=f"{number}.png"))
