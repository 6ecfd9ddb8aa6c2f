"""The contract of the block of which only the newest value counts, across processes."""

import random

import pytest

from app.bus.block import BlockReader, BlockWriter
from app.errors import BusError
from tests.contract.bus_peers import Peer, at_random, block_value, bus_folder, eventually, number_of

KILLS = 12
MANY_KILLS = 100


@pytest.fixture
def folder():
    with bus_folder() as path:
        yield path


def test_death_at_any_instruction_leaves_a_whole_value(folder):
    with Peer("killed_everywhere", "block_write", folder) as peer:
        deaths = peer.result()["deaths"]

    assert deaths > 20


def test_readers_see_no_torn_value_while_writers_write_and_are_killed(folder, is_long):
    chance = random.Random(2)
    block = folder / "block"

    with Peer("block_writer", block, 1) as writer:
        eventually(lambda: BlockReader(block).read())
        with Peer("block_reader", block) as first, Peer("block_reader", block) as second:
            for _ in range(MANY_KILLS if is_long else KILLS):
                at_random(chance, 0.03)
                writer.hang()  # so that its last value is known
                last = number_of(BlockReader(block).read())
                writer.again(block, last + 1)
            writer.kill()
            last = number_of(BlockReader(block).read())
            seen = [first.stop(), second.stop()]

    assert all(each["read"] > KILLS for each in seen)
    assert [each["last"] for each in seen] == [last, last]


def test_stopped_writer_leaves_its_last_value_to_readers(folder):
    with Peer("block_writer", folder / "block", 1) as writer:
        reader = BlockReader(folder / "block")
        eventually(reader.read)
        writer.hang()
        values = {reader.read() for _ in range(100)}

    assert len(values) == 1
    assert number_of(values.pop()) > 0


def test_stopped_reader_does_not_hold_the_writer_up(folder):
    with Peer("block_writer", folder / "block", 1):
        reader = BlockReader(folder / "block")
        eventually(reader.read)
        with Peer("block_reader", folder / "block") as slow:
            slow.hang()
            before = number_of(reader.read())
            eventually(lambda: number_of(reader.read()) > before + 1000)


def test_block_without_a_value_has_none(folder):
    BlockWriter(folder / "block", 100)

    assert BlockReader(folder / "block").read() is None


@pytest.mark.parametrize("value", [b"", b"x", b"y" * 100])
def test_value_comes_back_as_it_was(folder, value):
    writer = BlockWriter(folder / "block", 100)
    writer.write(b"the one before")

    writer.write(value)

    assert BlockReader(folder / "block").read() == value


def test_value_that_is_too_large_leaves_the_one_before(folder):
    writer = BlockWriter(folder / "block", 100)
    writer.write(b"before")

    with pytest.raises(BusError, match=r"101 bytes do not fit into .*block; write at most 100"):
        writer.write(b"x" * 101)

    assert BlockReader(folder / "block").read() == b"before"


def test_damaged_value_is_none(folder):
    writer = BlockWriter(folder / "block", 5000)
    writer.write(block_value(7))
    reader = BlockReader(folder / "block")
    image = bytearray((folder / "block").read_bytes())
    image[image.index(block_value(7)) + 3] ^= 1
    with (folder / "block").open("r+b") as file:
        file.write(image)

    assert reader.read() is None


def test_readers_follow_a_writer_that_wants_another_size(folder):
    small = BlockWriter(folder / "block", 100)
    small.write(b"small")
    reader = BlockReader(folder / "block")
    small.close()

    large = BlockWriter(folder / "block", 1000)
    large.write(b"large" * 100)

    assert "was laid out for (100,), not for (1000,)" in large.replaced
    assert reader.read() == b"large" * 100


def test_second_writer_is_refused_and_told_who_the_first_is(folder):
    with (
        Peer("block_writer", folder / "block", 1) as writer,
        pytest.raises(BusError, match=f"is being written by process {writer.pid}"),
    ):
        BlockWriter(folder / "block", 3000)
