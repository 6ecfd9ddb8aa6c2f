"""The contract of the event ring, across processes that are killed, stopped and slow."""

import random
from itertools import pairwise

import pytest

from app.bus.ring import RingReader, RingWriter
from app.errors import BusError, RingFullError
from tests.contract.bus_peers import Peer, at_random, bus_folder, eventually, pair_of, pairs_in, record

CAPACITY = 32 * 1024
KILLS = 30
MANY_KILLS = 300


@pytest.fixture
def folder():
    with bus_folder() as path:
        yield path


@pytest.mark.parametrize("scene", ["ring_write", "ring_made", "ring_replaced", "ring_garbage", "ring_commit"])
def test_death_at_any_instruction_leaves_whole_records_only(folder, scene):
    with Peer("killed_everywhere", scene, folder) as peer:
        deaths = peer.result()["deaths"]

    assert deaths > 20


def test_what_a_killed_writer_acknowledged_is_read_by_killed_keepers(folder, is_long):
    chance = random.Random(1)
    ring, acknowledged, ledger = folder / "ring", folder / "acknowledged", folder / "ledger"
    RingWriter(ring, CAPACITY).close()

    for epoch in range(1, (MANY_KILLS if is_long else KILLS) + 1):
        with (
            Peer("ring_writer", ring, CAPACITY, acknowledged, epoch) as writer,
            Peer("ring_keeper", ring, ledger) as keeper,
        ):
            at_random(chance, 0.04)
            for peer in chance.sample([writer, keeper], 2):
                peer.kill()
                at_random(chance, 0.01)
    with Peer("ring_keeper", ring, ledger) as keeper:
        rest = RingWriter(ring, CAPACITY)
        eventually(lambda: rest.backlog_bytes == 0)
        counted = keeper.stop()

    kept = list(dict.fromkeys(pairs_in(ledger)))  # the recorder, too, knows a record that it has
    acknowledged_to = dict(pairs_in(acknowledged))
    kept_to = dict(kept)
    assert [after for before, after in pairwise(kept) if not is_next(before, after)] == []
    # One more than acknowledged is right where the writer died before it could say so.
    assert {kept_to.get(epoch, 0) - number for epoch, number in acknowledged_to.items()} <= {0, 1}
    assert counted == {"missed": 0, "damages": 0}
    assert len(kept) > KILLS


def is_next(before, after):
    return after == (before[0], before[1] + 1) or (after[0] > before[0] and after[1] == 1)


def test_slow_listener_holds_nobody_up_and_knows_what_it_missed(folder):
    ring = folder / "ring"
    RingWriter(ring, CAPACITY).close()

    with (
        Peer("ring_listener", ring, 15) as listener,
        Peer("ring_keeper", ring, folder / "ledger") as keeper,
        Peer("ring_writer", ring, CAPACITY, folder / "acknowledged", 1) as writer,
    ):
        eventually(lambda: len(pairs_in(folder / "ledger")) > 5000)
        writer.stop()
        heard = listener.stop()
        keeper.stop()

    assert heard["missed"] > 0
    assert heard["read"] + heard["missed"] == heard["last"]
    assert heard["damages"] == 0


def test_stopped_listener_holds_nobody_up(folder):
    ring = folder / "ring"
    RingWriter(ring, CAPACITY).close()

    with (
        Peer("ring_listener", ring, 0) as listener,
        Peer("ring_keeper", ring, folder / "ledger"),
        Peer("ring_writer", ring, CAPACITY, folder / "acknowledged", 1) as writer,
    ):
        listener.hang()
        before = len(pairs_in(folder / "ledger"))
        eventually(lambda: len(pairs_in(folder / "ledger")) > before + 3000)
        writer.kill()

    assert ring.stat().st_size > 0


def test_stopped_keeper_fills_the_ring_and_loses_nothing(folder):
    ring, ledger = folder / "ring", folder / "ledger"
    RingWriter(ring, CAPACITY).close()

    with (
        Peer("ring_keeper", ring, ledger) as keeper,
        Peer("ring_writer", ring, CAPACITY, folder / "acknowledged", 1) as writer,
    ):
        eventually(lambda: pairs_in(ledger))
        keeper.hang()
        looking = RingReader(ring, False, "test", from_oldest=True)
        eventually(lambda: looking.backlog_bytes > CAPACITY - 1000)
        keeper.wake()
        said = writer.stop()
        eventually(lambda: len(pairs_in(ledger)) == said["written"])
        counted = keeper.stop()

    assert said["refused"] > 0
    assert [number for _, number in pairs_in(ledger)] == list(range(1, said["written"] + 1))
    assert counted == {"missed": 0, "damages": 0}


def test_full_ring_refuses_a_record_and_keeps_the_others(folder):
    writer = RingWriter(folder / "ring", 4096)
    keeper = RingReader(folder / "ring", True, "keeper")
    payloads = [bytes([number]) * 1000 for number in range(4)]
    for payload in payloads:
        writer.write(payload)

    with pytest.raises(RingFullError, match=r"is full: 4096 bytes of events are not in the ledger yet; see why"):
        writer.write(b"one more")

    assert keeper.read() == payloads
    keeper.commit()
    assert writer.room_share == 1.0
    assert writer.write(b"one more") == len(payloads) + 1


def test_records_written_together_are_refused_together(folder):
    writer = RingWriter(folder / "ring", 4096)
    keeper = RingReader(folder / "ring", True, "keeper")
    writer.write(b"x" * 2000)

    with pytest.raises(RingFullError):
        writer.write_many([b"y" * 1000, b"z" * 2000])

    assert keeper.read() == [b"x" * 2000]


def test_record_larger_than_the_ring_is_an_error_of_its_own(folder):
    writer = RingWriter(folder / "ring", 4096)

    with pytest.raises(BusError, match="5024 bytes do not fit") as caught:
        writer.write(b"x" * 5000)

    assert not isinstance(caught.value, RingFullError)


def test_unread_records_survive_a_writer_that_wants_another_capacity(folder):
    before = RingWriter(folder / "ring", 8192)
    before.write(b"unread")
    before.close()

    after = RingWriter(folder / "ring", 65536)
    after.write(b"next")

    assert after.capacity_bytes == 8192
    assert after.replaced == ""
    assert RingReader(folder / "ring", True, "keeper").read() == [b"unread", b"next"]


def test_ring_that_was_read_is_replaced_by_one_of_the_capacity_wanted_and_readers_follow(folder):
    before = RingWriter(folder / "ring", 8192)
    before.write(b"read")
    keeper, listener = RingReader(folder / "ring", True, "keeper"), RingReader(folder / "ring", False, "listener")
    assert keeper.read() == [b"read"]
    keeper.commit()
    before.close()

    after = RingWriter(folder / "ring", 65536)
    after.write(b"next")

    assert after.capacity_bytes == 65536
    assert "had room for 8192 bytes, not 65536" in after.replaced
    assert keeper.read() == [b"next"]
    assert listener.read() == [b"next"]


def test_uncommitted_records_are_read_again(folder):
    writer = RingWriter(folder / "ring", 4096)
    writer.write_many([b"one", b"two", b"three"])
    died = RingReader(folder / "ring", True, "keeper")
    died.read(1)
    died.commit()
    died.read()

    assert RingReader(folder / "ring", True, "keeper").read() == [b"two", b"three"]


def test_listener_begins_at_the_next_record_or_at_the_oldest_uncommitted_one(folder):
    writer = RingWriter(folder / "ring", 4096)
    writer.write(b"before")
    late, early = (RingReader(folder / "ring", False, "listener", from_oldest=oldest) for oldest in (False, True))

    writer.write(b"after")

    assert late.read() == [b"after"]
    assert early.read() == [b"before", b"after"]


def test_listener_may_not_commit(folder):
    writer = RingWriter(folder / "ring", 4096)
    listener = RingReader(folder / "ring", False, "web")

    with pytest.raises(BusError, match="web is not the keeper"):
        listener.commit()

    assert writer.room_share == 1.0


def test_listener_that_was_overrun_goes_on_where_the_keeper_is(folder):
    writer = RingWriter(folder / "ring", 4096)
    keeper, listener = RingReader(folder / "ring", True, "keeper"), RingReader(folder / "ring", False, "listener")
    for number in range(1, 101):
        writer.write(record(1, number))
        keeper.read()
        keeper.commit()
    writer.write(record(1, 101))

    read = [pair_of(payload)[1] for payload in listener.read()]

    assert read[-1] == 101
    assert listener.missed == 101 - len(read) > 0
    assert listener.damages == 0


def test_damaged_record_is_passed_over_and_counted(folder):
    writer = RingWriter(folder / "ring", 4096)
    writer.write_many([b"first", b"to be damaged" * 10, b"last"])
    keeper = RingReader(folder / "ring", True, "keeper")
    image = bytearray((folder / "ring").read_bytes())
    image[image.index(b"to be damaged")] ^= 1
    with (folder / "ring").open("r+b") as file:
        file.write(image)

    assert keeper.read() == [b"first", b"last"]
    assert (keeper.missed, keeper.damages) == (1, 1)


def test_record_of_the_round_before_is_not_taken_for_one_of_now(folder):
    writer = RingWriter(folder / "ring", 4096)
    keeper = RingReader(folder / "ring", True, "keeper")
    for _ in range(2):
        writer.write_many([b"x" * 1008] * 4)  # as large as the ring: the next round lies exactly over this one
        assert keeper.read() == [b"x" * 1008] * 4
        keeper.commit()
    image = (folder / "ring").read_bytes()
    writer.write_many([b"x" * 1008] * 4)
    with (folder / "ring").open("r+b") as file:
        file.seek(4096)
        file.write(image[4096:])

    assert keeper.read() == []
    assert keeper.damages == 1


def test_second_writer_is_refused_and_told_who_the_first_is(folder):
    with Peer("ring_writer", folder / "ring", 4096, folder / "acknowledged", 1) as writer:
        with pytest.raises(BusError, match=f"is being written by process {writer.pid}; stop it first"):
            RingWriter(folder / "ring", 4096)
        writer.kill()

    assert RingWriter(folder / "ring", 4096).replaced == ""


def test_reader_without_a_ring_is_told_to_start_the_station(folder):
    with pytest.raises(BusError, match="No such file or directory; start the station with: takt run"):
        RingReader(folder / "ring", True, "keeper")
