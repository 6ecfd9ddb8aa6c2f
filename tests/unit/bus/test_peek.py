"""Looking at a camera's slots without taking part in the hand-over."""

import threading

import numpy as np
import pytest

from app.bus.block import BlockWriter
from app.bus.peek import LONGEST_WISH_NS, Peek, Wish, WishReader, looked_beside, wish_beside
from app.bus.place import Place
from app.bus.slots import SlotReader, SlotWriter
from app.clock import NS_PER_S
from app.errors import BusError
from app.types import Frame

HEIGHT, WIDTH = 40, 50


@pytest.fixture
def path(tmp_path):
    return Place(tmp_path / "bus").frames(1, "top")


@pytest.fixture
def make_writer(path):
    writers = []

    def made(count=4, **how):
        writers.append(SlotWriter(path, count, HEIGHT, WIDTH, 1, **how))
        return writers[-1]

    yield made
    for each in writers:
        each.close()


def frame(level, name=""):
    return Frame(np.full((HEIGHT, WIDTH), level % 256, np.uint8), "top", host_ns=level, counter=level, name=name)


def test_the_newest_frame_is_seen_with_its_stamps_whoever_holds_it(path, make_writer):
    writer = make_writer()
    reader = SlotReader(path, "station")
    for level in (3, 4, 5):
        writer.put(frame(level))
    reader.take()

    seen = Peek(path).newest()

    assert (seen.host_ns, seen.counter, int(seen.image[0, 0])) == (5, 5, 5)
    assert reader.held == 3, "looking takes nothing and releases nothing"
    assert seen.image.flags.owndata


def test_a_frame_that_is_known_is_not_copied_again(path, make_writer):
    writer, peek = make_writer(), Peek(path)
    writer.put(frame(3))
    known = peek.newest().generation

    assert peek.newest(known) is None
    writer.put(frame(4))
    assert peek.newest(known).host_ns == 4


def test_without_slots_there_is_nothing_to_see_until_they_come(path, make_writer):
    peek = Peek(path)
    assert peek.newest() is None

    writer = make_writer()
    assert peek.newest() is None
    writer.put(frame(7))
    assert peek.newest().host_ns == 7


def test_other_slots_in_place_of_these_are_followed(path, make_writer):
    writer, peek = make_writer(), Peek(path)
    writer.put(frame(3))
    assert peek.newest().host_ns == 3
    writer.close()

    make_writer(count=2).put(frame(9))

    assert peek.newest().host_ns == 9


def test_file_that_is_none_of_the_bus_shows_nothing(path):
    path.write_bytes(b"\0" * 8192)

    assert Peek(path).newest() is None


def test_a_slot_that_is_being_filled_is_never_shown(path, make_writer):
    writer = make_writer(count=1, is_given=False)
    writer.put(frame(3))
    writer.free()[:20] = 99

    assert Peek(path).newest() is None


def test_a_slot_that_was_begun_and_never_published_is_no_frame_any_more(path, make_writer):
    writer = make_writer(count=2, is_given=False)
    writer.put(frame(3))
    writer.put(frame(4))
    writer.free()[:] = 99  # over the pixels of 3
    with pytest.raises(BusError):
        writer.publish(frame(5, name="x" * 2000))
    peek = Peek(path)
    assert peek.newest().host_ns == 4

    writer.put(frame(6))
    assert peek.newest().host_ns == 6


def test_what_a_dead_writer_left_half_filled_is_not_shown_by_the_next_one(path, make_writer):
    writer = make_writer(count=2, is_given=False)
    writer.put(frame(3))
    writer.put(frame(4))
    writer.put(frame(5))
    writer.free()[:20] = 99  # over the pixels of 4, and there it died
    writer.close()

    again = make_writer(count=2, is_given=False)
    peek = Peek(path)

    assert peek.newest().host_ns == 5
    again.free()
    assert peek.newest() is None, "one is half filled and the other is being filled"
    again.put(frame(6))
    assert peek.newest().host_ns == 6


def test_a_torn_copy_never_leaves(path, make_writer):
    writer = make_writer(count=2, is_given=False)
    is_done = threading.Event()

    def write():
        for level in range(1, 4000):
            writer.put(frame(level))
        is_done.set()

    thread = threading.Thread(target=write)
    thread.start()
    peek, seen, known = Peek(path), 0, 0
    while not is_done.is_set():
        copied = peek.newest(known)
        if copied is not None:
            known = copied.generation
            seen += 1
            assert np.all(copied.image == copied.host_ns % 256)
    thread.join()

    assert peek.newest().host_ns == 3999
    assert seen > 0


def test_frames_that_are_shown_wait_for_nobody(path, make_writer):
    writer = make_writer(count=2, is_given=False)

    assert all(writer.put(frame(level)) for level in range(50))
    assert SlotReader(path, "station").take() is None


def test_a_wish_runs_out_by_itself(path):
    wish, reader = Wish(wish_beside(path)), WishReader(wish_beside(path))
    wish.renew(10 * NS_PER_S)

    assert reader.is_fresh(10 * NS_PER_S)
    assert reader.is_fresh(10 * NS_PER_S + LONGEST_WISH_NS - 1)
    assert not reader.is_fresh(10 * NS_PER_S + LONGEST_WISH_NS)


def test_a_wish_that_reaches_too_far_ahead_is_none(path):
    Wish(wish_beside(path)).renew(100 * NS_PER_S)

    assert not WishReader(wish_beside(path)).is_fresh(10 * NS_PER_S)


@pytest.mark.parametrize("spoil", [lambda at: None, lambda at: at.write_bytes(b"x"), lambda at: BlockWriter(at, 8)])
def test_where_nobody_has_ever_looked_nobody_looks(path, spoil):
    spoil(wish_beside(path))

    assert not WishReader(wish_beside(path)).is_fresh(NS_PER_S)


def test_names_with_dots_have_files_of_their_own(tmp_path):
    place = Place(tmp_path / "bus")
    names = {side(place.frames(1, each)).name for side in (wish_beside, looked_beside) for each in ("a", "a.b")}

    assert names == {"lane1-a.look", "lane1-a.b.look", "lane1-a.looked", "lane1-a.b.looked"}
