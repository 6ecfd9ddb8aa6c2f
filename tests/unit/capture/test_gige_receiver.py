"""What becomes of the buffers of a GigE Vision stream."""

import pytest

from app.capture.gige.chunks import Chunks
from app.capture.gige.pixels import FORMATS
from app.capture.gige.receiver import Receiver
from app.capture.gige.setup import Terms
from app.capture.inbox import Inbox
from app.clock import NS_PER_MS, NS_PER_S, VirtualClock
from app.errors import CameraError
from tests.unit.capture.recordings import settings
from tests.unit.capture.scripted_gige import (
    LIBRARY,
    BufferStatus,
    Present,
    ScriptedFeatures,
    ScriptedParser,
    ScriptedStream,
)

pytestmark = pytest.mark.gige  # what it raises in is Aravis' own kind of error
EXPOSURE_NS = 2 * NS_PER_MS
START_NS = 100 * NS_PER_S


class Bench:
    """A receiver, its stream, and what is left of both at the end."""

    def __init__(self, chunks=None, **changed):
        self.clock = VirtualClock(START_NS)
        self.stream = ScriptedStream(self.clock)
        self.inbox = Inbox(4)
        self.camera = Present()
        wanted = settings("gige", "127.0.0.1", width_px=16, height_px=16, gige={"buffers": 3}, **changed)
        terms = Terms(FORMATS["Mono8"], 16, 16, 16 * 16 + 16, EXPOSURE_NS)
        self.receiver = Receiver(LIBRARY, self.stream, terms, wanted, self.clock, self.inbox, self.camera, chunks)

    def take(self):
        return self.inbox.take(10)

    def close(self):
        self.receiver.stop()
        self.inbox.close()


@pytest.fixture
def bench():
    benches = []

    def make(chunks=None, **changed):
        benches.append(Bench(chunks, **changed))
        return benches[-1]

    yield make
    for each in benches:
        each.close()


def chunks(*names, tick_hz=NS_PER_S):
    class Camera:
        def create_chunk_parser(self):
            return ScriptedParser()

    return Chunks(Camera(), ScriptedFeatures(*names), tick_hz, "camera 'top'")


def test_buffers_are_used_again_and_again(bench):
    it = bench()
    seen = []
    for block in range(1, 21):
        it.stream.send(level=block, block=block)
        frame = it.take()
        seen.append((frame.counter, int(frame.image.min()), int(frame.image.max())))

    assert seen == [(block, block, block) for block in range(1, 21)]


def test_camera_without_a_clock_is_placed_by_arrival_less_exposure(bench):
    it = bench(transfer_ms=3.0, trigger="wire")
    it.stream.send(block=1, ago_ns=NS_PER_MS)
    frame = it.take()

    latest_ns = START_NS - NS_PER_MS - EXPOSURE_NS
    assert frame.device_ns is None
    assert abs(frame.host_ns + frame.uncertainty_ns - latest_ns) < 1000
    assert abs(frame.host_ns - frame.uncertainty_ns - (latest_ns - 3 * NS_PER_MS)) < 1000


def test_camera_without_a_clock_did_not_expose_before_its_command(bench):
    it = bench()
    it.receiver.expect(START_NS - 10 * NS_PER_MS)
    it.stream.send(block=1)
    frame = it.take()

    assert abs(frame.host_ns - frame.uncertainty_ns - (START_NS - 10 * NS_PER_MS)) < 1000


def test_answer_within_the_exposure_is_placed_after_its_command_all_the_same(bench):
    it = bench()
    it.receiver.expect(START_NS - NS_PER_MS)
    it.stream.send(block=1, stamp_ns=77)
    frame = it.take()

    assert frame.host_ns - frame.uncertainty_ns >= START_NS - NS_PER_MS
    assert frame.host_ns <= START_NS
    assert frame.device_ns == 77


def test_wall_clock_that_was_set_back_does_not_move_a_frame(bench):
    it = bench(trigger="wire")
    it.stream.send(block=1, ago_ns=-3600 * NS_PER_S)

    assert abs(it.take().host_ns - START_NS) < 20 * NS_PER_MS


def test_torn_buffer_takes_its_number_with_it(bench):
    it = bench()
    it.stream.send(block=7)
    it.stream.send(block=8, status=BufferStatus.MISSING_PACKETS)
    it.stream.send(block=9)

    assert [it.take().counter, it.take().counter] == [1, 3]
    assert (it.receiver.refused, it.receiver.missing) == (1, 0)
    assert it.receiver.last_refusal == "camera 'top': frame 2 came torn (missing-packets) and was refused"


def test_block_of_which_nothing_came_is_counted(bench):
    it = bench()
    it.stream.send(block=65534)
    it.stream.send(block=2)

    assert [it.take().counter, it.take().counter] == [1, 4]
    assert (it.receiver.refused, it.receiver.missing) == (0, 2)


def test_buffer_that_was_never_filled_is_nothing(bench):
    it = bench()
    it.stream.send(block=0, status=BufferStatus.CLEARED)
    it.stream.send(block=5)

    assert it.take().counter == 1
    assert it.receiver.refused == 0


def test_trigger_counter_of_the_camera_counts_triggers_that_it_missed(bench):
    it = bench(chunks("CounterValue", "FrameID"))
    it.stream.send(block=1, chunks={"ChunkCounterValue": 41})
    it.stream.send(block=2, chunks={"ChunkCounterValue": 44})

    assert [it.take().counter, it.take().counter] == [1, 4]


def test_stamp_and_exposure_of_the_picture_itself_count(bench):
    it = bench(chunks("Timestamp", "ExposureTime", tick_hz=1_000_000), trigger="wire")
    it.stream.send(block=1, stamp_ns=5, chunks={"ChunkTimestamp": 9, "ChunkExposureTime": 7000.0})
    frame = it.take()

    assert frame.device_ns == 9000
    assert abs(frame.host_ns + frame.uncertainty_ns - (START_NS - 7 * NS_PER_MS)) < 1000


def test_picture_without_the_chunks_that_were_asked_is_counted_by_its_block(bench):
    it = bench(chunks("CounterValue"))
    it.stream.send(block=3)

    assert it.take().counter == 1


def test_chunks_that_are_offered_are_switched_on():
    features = ScriptedFeatures("FrameID", "Gain")

    class Camera:
        def create_chunk_parser(self):
            return ScriptedParser()

    Chunks(Camera(), features, NS_PER_S, "camera 'top'")

    assert features.taken == [("ChunkModeActive", True), ("ChunkSelector", "FrameID"), ("ChunkEnable", True)]


def test_camera_without_chunks_says_so():
    with pytest.raises(CameraError, match="has no chunk data"):
        chunks()


def test_nobody_answers_a_trigger_for_long(bench):
    it = bench()
    idle_ns = it.receiver.silent_ns()
    it.receiver.expect(START_NS)
    it.clock.advance_to(START_NS + NS_PER_S)
    waiting_ns = it.receiver.silent_ns()
    it.stream.send(block=1)
    it.take()

    assert (idle_ns, waiting_ns, it.receiver.silent_ns()) == (0, NS_PER_S, 0)


def test_camera_that_forgot_us_while_it_was_quiet_is_lost(bench):
    it = bench()
    it.camera.seen = type(it.camera.seen)(is_there=True)
    it.clock.advance_to(START_NS + NS_PER_S)

    with pytest.raises(CameraError, match="has let go of the station"):
        it.take()
