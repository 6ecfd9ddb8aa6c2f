"""The contract of the frame slots: capture, station and recorder as processes that are killed, stopped and slow."""

import queue
import random
import select
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from app.bus.bell import Bell
from app.bus.ring import RingReader, RingWriter
from app.bus.slots import SlotReader, SlotWriter
from app.errors import BusError
from app.types import Frame
from tests.contract.bus_peers import LIMIT, SHAPE, SLOTS, Peer, at_random, bus_folder, eventually

KILLS = 15
MANY_KILLS = 150
NOTHING = np.empty(0, np.uint8)


@pytest.fixture
def folder():
    with bus_folder() as path:
        yield path


@pytest.fixture
def frames(folder):
    """Slots that are there already, so that no process waits for another to make them."""
    SlotWriter(folder / "frames", SLOTS, *SHAPE).close()
    RingWriter(folder / "ring", 1 << 16).close()
    return folder / "frames"


class Line:
    """Capture, station and recorder at work on the same slots."""

    def __init__(self, frames):
        ring = frames.with_name("ring")
        self._programs = {
            "capture": ("slot_capture", frames),
            "station": ("slot_station", frames, ring),
            "recorder": ("slot_recorder", frames, ring),
        }
        self.peers = {}

    def __enter__(self):
        self.peers = {name: Peer(*program) for name, program in self._programs.items()}
        for peer in self.peers.values():
            peer.__enter__()
        return self

    def __exit__(self, *error):
        for peer in self.peers.values():
            peer.__exit__()

    def restart(self, name):
        self.peers[name].again(*self._programs[name][1:])

    def stop(self):
        """Ends them in the order in which frames travel, so that nothing is left behind."""
        return {name: peer.stop() for name, peer in self.peers.items()}


def slots_of(frames, number=3, shape=(20, 30), channels=1, bell=None):
    return SlotWriter(frames, number, *shape, channels, bell)


def filled(writer, number, **stamp):
    image = writer.free()
    image[:] = number
    return writer.publish(Frame(NOTHING, "top", host_ns=number, **stamp))


def backlog_of_recorder(frames):
    return RingReader(frames.with_name("ring"), False, "test", from_oldest=True).backlog_bytes


@pytest.mark.parametrize("scene", ["slot_publish", "slot_judge", "slot_keep"])
def test_death_at_any_instruction_costs_what_was_held_until_the_restart(folder, scene):
    with Peer("killed_everywhere", scene, folder) as peer:
        deaths = peer.result()["deaths"]

    assert deaths > 20


def test_pixels_stay_whole_whoever_is_killed(frames, is_long):
    chance = random.Random(3)

    with Line(frames) as line:
        for _ in range(MANY_KILLS if is_long else KILLS):
            at_random(chance, 0.05)
            line.restart(chance.choice(["capture", "station", "recorder"]))
        published = SlotReader(frames, "web").published
        eventually(lambda: SlotReader(frames, "web").published > published + 200)
        since = RingReader(frames.with_name("ring"), False, "test")
        eventually(lambda: since.backlog_bytes > backlog_of_recorder(frames))
        counted = line.stop()

    assert counted["station"]["judged"] > 0
    assert counted["recorder"]["kept"] > 0
    SlotReader(frames, "station", fresh=True)
    SlotReader(frames, "recorder", fresh=True)
    writer = SlotWriter(frames, SLOTS, *SHAPE)
    assert all(filled(writer, number) for number in range(SLOTS)), "a slot was lost for good"


def test_hung_recorder_costs_pictures_and_holds_nobody_up(frames):
    with Line(frames) as line:
        line.peers["recorder"].hang()
        web = SlotReader(frames, "web")
        published = web.published
        eventually(lambda: web.published > published + 200)
        recorder = SlotReader(frames, "recorder")
        held = recorder.held
        counted = {name: line.peers[name].stop() for name in ("capture", "station", "recorder")}

    assert held <= LIMIT
    assert counted["station"]["refused"] > 100
    assert counted["station"]["judged"] > 200


def test_hung_station_costs_frames_that_are_counted_and_does_not_hold_capture_up(frames):
    with Line(frames) as line:
        line.peers["station"].hang()
        web = SlotReader(frames, "web")
        eventually(lambda: web.dropped > 50)
        published = web.published
        line.peers["station"].wake()
        eventually(lambda: web.published > published + 50)
        counted = line.stop()

    assert counted["capture"]["dropped"] > 50


@pytest.mark.parametrize(("shape", "channels"), [((20, 30), 1), ((20, 30), 3), ((1000, 1300), 3)])
def test_all_that_is_known_of_a_frame_travels(frames, folder, shape, channels):
    writer = slots_of(folder / "own", shape=shape, channels=channels)
    image = writer.free()
    image[:] = np.random.default_rng(1).integers(0, 256, image.shape, np.uint8)
    stamp = {
        "camera": "top côté",
        "host_ns": -5,
        "uncertainty_ns": 7,
        "device_ns": 2**62,
        "counter": 0,
        "first_count": -3,
        "last_count": None,
        "in_memory_ns": 11,
        "name": "board \udcff 1.png",
    }
    sent = Frame(image.copy(), **stamp)

    generation = writer.publish(sent)
    frame = SlotReader(folder / "own", "station").take()

    assert frame.image.shape == (shape if channels == 1 else (*shape, channels))
    assert (frame.image == sent.image).all()
    assert frame.generation == generation
    assert {name: getattr(frame, name) for name in stamp} == stamp


def test_frames_come_in_the_order_they_were_published_whatever_slots_they_lie_in(folder):
    writer, reader = slots_of(folder / "frames"), SlotReader(folder / "frames", "station")
    numbers = []
    held = []
    for number in range(1, 20):
        filled(writer, number)
        if number % 2 == 0:
            held = [reader.take(), reader.take()]
            numbers += [frame.host_ns for frame in held]
            for frame in reversed(held):
                frame.release()

    assert numbers == list(range(1, 19))


def test_slot_that_is_held_is_not_used_again(folder):
    writer, reader = slots_of(folder / "frames", number=2), SlotReader(folder / "frames", "station")
    filled(writer, 1)
    held = reader.take()

    for number in range(2, 9):
        filled(writer, number)
        reader.take().release()

    assert (held.image == 1).all()
    assert writer.dropped == 0


def test_frame_without_a_free_slot_is_dropped_and_counted(folder):
    writer, reader = slots_of(folder / "frames", number=2), SlotReader(folder / "frames", "station")
    filled(writer, 1)
    filled(writer, 2)

    assert writer.free() is None
    assert not writer.put(Frame(np.zeros((20, 30), np.uint8), "top", host_ns=3))
    assert (writer.dropped, reader.dropped) == (2, 2)
    reader.take().release()
    assert writer.put(Frame(np.zeros((20, 30), np.uint8), "top", host_ns=4))


def test_frame_of_another_shape_is_refused(folder):
    writer = slots_of(folder / "frames")

    with pytest.raises(BusError, match=r"camera top sends uint8 \(20, 31\), and .* holds uint8 \(20, 30\)"):
        writer.put(Frame(np.zeros((20, 31), np.uint8), "top", host_ns=3))


def test_frame_that_cannot_travel_leaves_its_slot_free(folder):
    writer = slots_of(folder / "frames", number=1)

    with pytest.raises(BusError, match="sends a time or a count that is none"):
        filled(writer, 1, counter=2**80)
    with pytest.raises(BusError, match="the names of camera and file have 3003 bytes"):
        filled(writer, 1, name="x" * 3000)

    assert filled(writer, 1)


def test_publishing_without_a_slot_is_an_error(folder):
    with pytest.raises(BusError, match="call free"):
        slots_of(folder / "frames").publish(Frame(NOTHING, "top", host_ns=1))


def test_recorder_has_at_most_its_limit(folder):
    writer = slots_of(folder / "frames")
    station, recorder = SlotReader(folder / "frames", "station"), SlotReader(folder / "frames", "recorder")
    for number in range(1, 4):
        filled(writer, number)
    frames = [station.take() for _ in range(3)]

    handed = [station.hand_over(frame.slot, frame.generation, "recorder", 2) for frame in frames]

    assert handed == [True, True, False]
    assert station.refused == 1
    recorder.borrow(frames[0].slot, frames[0].generation).release()
    assert station.hand_over(frames[2].slot, frames[2].generation, "recorder", 2)


def test_frame_handed_over_twice_counts_once_and_can_be_borrowed_once(folder):
    writer = slots_of(folder / "frames")
    station, recorder = SlotReader(folder / "frames", "station"), SlotReader(folder / "frames", "recorder")
    filled(writer, 1)
    frame = station.take()
    station.hand_over(frame.slot, frame.generation, "recorder", 1)
    recorder.borrow(frame.slot, frame.generation)

    assert station.hand_over(frame.slot, frame.generation, "recorder", 1)
    assert station.refused == 0
    assert recorder.borrow(frame.slot, frame.generation) is None


def test_frame_handed_over_outlives_its_release_by_the_station(folder):
    writer = slots_of(folder / "frames", number=1)
    station, recorder = SlotReader(folder / "frames", "station"), SlotReader(folder / "frames", "recorder")
    filled(writer, 5)
    frame = station.take()
    station.hand_over(frame.slot, frame.generation, "recorder", 1)

    frame.release()

    assert writer.free() is None
    borrowed = recorder.borrow(frame.slot, frame.generation)
    assert (borrowed.image == 5).all()
    assert recorder.borrow(frame.slot, frame.generation) is None
    borrowed.release()
    assert writer.free() is not None


def test_only_the_frame_that_was_handed_over_can_be_borrowed(folder):
    writer = slots_of(folder / "frames")
    station, recorder = SlotReader(folder / "frames", "station"), SlotReader(folder / "frames", "recorder")
    filled(writer, 5)
    frame = station.take()
    assert recorder.borrow(frame.slot, frame.generation) is None
    station.hand_over(frame.slot, frame.generation, "recorder", 1)

    assert recorder.borrow(frame.slot, frame.generation + 1) is None
    assert recorder.borrow(-1, 0) is None
    assert recorder.borrow(99, 0) is None
    assert not station.hand_over(frame.slot, frame.generation - 1, "recorder", 1)


def test_releasing_twice_does_not_release_the_next_frame(folder):
    writer, reader = slots_of(folder / "frames", number=1), SlotReader(folder / "frames", "station")
    filled(writer, 1)
    first = reader.take()
    first.release()
    filled(writer, 2)
    second = reader.take()

    first.release()

    assert writer.free() is None
    assert (second.image == 2).all()


def test_frames_may_be_released_by_another_thread(folder):
    writer, reader = slots_of(folder / "frames"), SlotReader(folder / "frames", "station")

    def pass_frames():
        for number in range(500):
            if writer.free() is not None:
                filled(writer, number)
                given.put(reader.take())

    def release_frames():
        for frame in iter(given.get, None):
            frame.release()

    given = queue.SimpleQueue()
    with ThreadPoolExecutor(2) as threads:
        released = threads.submit(release_frames)
        threads.submit(pass_frames).result()
        given.put(None)
        released.result()

    assert reader.held == 0


def test_frames_handed_over_by_a_station_that_died_before_saying_so_are_let_go_by_their_age(folder):
    writer = slots_of(folder / "frames")
    station, recorder = SlotReader(folder / "frames", "station"), SlotReader(folder / "frames", "recorder")
    for number in (1, 2, 3):
        filled(writer, number, in_memory_ns=number * 100)
    frames = [station.take() for _ in range(3)]
    for frame in frames:
        station.hand_over(frame.slot, frame.generation, "recorder", 3)
    recorder.borrow(frames[0].slot, frames[0].generation)

    released = recorder.let_go(before_ns=300)

    assert released == 1
    assert recorder.held == 2
    assert recorder.borrow(frames[1].slot, frames[1].generation) is None


def test_readers_follow_a_camera_of_another_size_and_keep_what_they_hold(folder):
    small = slots_of(folder / "frames", shape=(20, 30))
    reader = SlotReader(folder / "frames", "station")
    before = filled(small, 1)
    held = reader.take()
    small.close()

    large = slots_of(folder / "frames", shape=(40, 30))
    after = filled(large, 2)
    frame = reader.take()

    assert "was laid out for (3, 20, 30, 1), not for (3, 40, 30, 1)" in large.replaced
    assert frame.image.shape == (40, 30)
    assert (held.image == 1).all()
    assert before != after, "what was said of the old slots is not true of the new ones"
    held.release()
    assert reader.held == 1


def test_restart_of_the_capture_process_is_counted(folder):
    slots_of(folder / "frames").close()
    reader = SlotReader(folder / "frames", "station")
    before = reader.session

    slots_of(folder / "frames").close()

    assert reader.session == before + 1


def test_publishing_rings_the_bell(folder):
    bell = Bell(folder / "bell")
    writer = slots_of(folder / "frames", bell=bell)
    filled(writer, 1)

    assert select.select([bell], [], [], 0)[0]


def test_pixels_can_be_looked_at_after_the_reader_has_closed(folder):
    writer, reader = slots_of(folder / "frames"), SlotReader(folder / "frames", "station")
    filled(writer, 9)
    frame = reader.take()

    reader.close()
    writer.close()

    assert (frame.image == 9).all()


def test_pixels_belong_to_capture(folder):
    writer, reader = slots_of(folder / "frames"), SlotReader(folder / "frames", "station")
    filled(writer, 9)

    with pytest.raises(ValueError, match="read-only"):
        reader.take().image[0] = 1


@pytest.mark.parametrize("geometry", [(0, 20, 30, 1), (3, 0, 30, 1), (3, 20, 30, 4), (300, 20, 30, 1)])
def test_frames_of_no_possible_shape_are_refused(folder, geometry):
    with pytest.raises(BusError, match="cannot hold"):
        SlotWriter(folder / "frames", *geometry)


def test_unknown_role_is_refused(frames):
    with pytest.raises(BusError, match=r"'fleet' is no role at .*; take one of station, recorder, web"):
        SlotReader(frames, "fleet")


def test_second_capture_process_is_refused_and_told_who_the_first_is(frames):
    with (
        Peer("slot_capture", frames) as writer,
        pytest.raises(BusError, match=f"is being written by process {writer.pid}"),
    ):
        SlotWriter(frames, SLOTS, *SHAPE)
