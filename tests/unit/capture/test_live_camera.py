"""A camera that runs freely: which frame answers a trigger, and what happens when the driver hangs."""

import select
import threading
from pathlib import Path

import numpy as np
import pytest

from app.capture.arrivals import KernelStamps, StreamTimes
from app.capture.live import LiveCamera
from app.capture.opencv import open_opencv
from app.capture.reader import MOST_WAITING
from app.capture.video import VideoCamera
from app.clock import NS_PER_MS, SystemClock, VirtualClock
from app.errors import CameraError, FrameTimeoutError
from tests.unit.capture.recordings import settings
from tests.unit.capture.scripted_device import GONE, ScriptedDevice

SOON_NS = 10_000_000_000
TRANSIT_NS = 8_500_000
"""exposure_ms and transfer_ms of the settings."""


@pytest.fixture
def device():
    return ScriptedDevice()


@pytest.fixture
def clock():
    return VirtualClock(100)


@pytest.fixture
def camera(device, clock):
    camera = LiveCamera(settings("opencv", "0"), clock, lambda _: device)
    camera.open()
    yield camera
    device.send(GONE)
    camera.close()


def pass_ns(clock, time_ns):
    clock.advance_to(clock.now_ns() + time_ns)


def descriptors_and_threads():
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()


def is_readable(camera):
    return bool(select.select([camera.fileno()], [], [], 0)[0])


def answer(camera, device, clock, value):
    """Triggers, and shows a frame whose exposure surely began after that."""
    device.wait_until_read()
    camera.trigger(clock.now_ns())
    pass_ns(clock, TRANSIT_NS)
    device.send(255)
    device.wait_until_read()
    device.send(value)


# Which frame answers


def test_frame_that_was_being_read_at_the_trigger_is_too_old(camera, device, clock):
    device.wait_until_read()
    pass_ns(clock, 50)
    camera.trigger(clock.now_ns())
    pass_ns(clock, TRANSIT_NS)
    device.send(1)
    device.wait_until_read()
    device.send(2)
    assert camera.grab(SOON_NS).image[0, 0] == 2


def test_frame_that_may_have_been_exposed_before_the_trigger_is_too_old(camera, device, clock):
    device.wait_until_read()
    camera.trigger(clock.now_ns())
    pass_ns(clock, TRANSIT_NS - 1)
    device.send(1)
    device.wait_until_read()
    pass_ns(clock, 1)
    device.send(2)
    device.wait_until_read()
    device.send(3)
    assert camera.grab(SOON_NS).image[0, 0] == 3


def test_frames_before_a_trigger_are_thrown_away(camera, device, clock):
    for value in (1, 2, 3):
        device.wait_until_read()
        device.send(value)
    answer(camera, device, clock, 4)
    assert camera.grab(SOON_NS).image[0, 0] == 4


def test_second_trigger_takes_the_place_of_an_unanswered_one(camera, device, clock):
    device.wait_until_read()
    camera.trigger(100)
    pass_ns(clock, TRANSIT_NS)
    device.send(1)
    answer(camera, device, clock, 2)
    frame = camera.grab(SOON_NS)
    assert (frame.image[0, 0], frame.counter) == (2, 2)


def test_answer_that_is_there_already_is_not_lost_to_the_next_trigger(camera, device, clock):
    answer(camera, device, clock, 1)
    answer(camera, device, clock, 2)
    frames = [camera.grab(clock.now_ns() + SOON_NS) for _ in range(2)]
    assert [(int(frame.image[0, 0]), frame.counter) for frame in frames] == [(1, 1), (2, 2)]


def test_kernel_stamp_tells_that_a_frame_lay_in_a_buffer(device, clock):
    clock.advance_to(1000 * NS_PER_MS)
    camera = LiveCamera(settings("opencv", "0"), clock, lambda _: device, lambda: KernelStamps(buffers=2))
    camera.open()
    device.wait_until_read()
    camera.trigger(clock.now_ns())
    pass_ns(clock, 100 * NS_PER_MS)
    device.position_ms = 1005.0
    device.send(1)
    device.wait_until_read()
    pass_ns(clock, NS_PER_MS)
    device.position_ms = 1050.0
    device.send(2)
    frame = camera.grab(clock.now_ns() + SOON_NS)
    assert (frame.image[0, 0], frame.device_ns) == (2, 1050 * NS_PER_MS)
    assert (frame.host_ns - frame.uncertainty_ns, frame.host_ns + frame.uncertainty_ns) == (
        1_041_500_000,
        1_049_500_000,
    )
    device.send(GONE)
    camera.close()


def test_stamp_of_another_clock_is_not_believed():
    stamps = KernelStamps(buffers=2)
    stamps(10, 45, 1.7e12)
    assert stamps(50, 70, 1.7e12) == (10, 70)


def test_stamp_that_runs_a_little_ahead_is_that_of_now():
    assert KernelStamps(buffers=2)(50, 70, 20.0) == (70, 70)


@pytest.mark.parametrize("lag_ms", [0, 5000])
def test_stream_tells_what_waited_in_a_buffer_on_the_way(lag_ms):
    times = StreamTimes()
    ms = NS_PER_MS
    for frame in range(1, 5):
        done_ms = lag_ms + 40 * frame
        times((done_ms - 39) * ms, done_ms * ms, 40.0 * frame)
    assert times((lag_ms + 161) * ms, (lag_ms + 500) * ms, 200.0) == ((lag_ms + 200) * ms, (lag_ms + 200) * ms)


def test_nobody_knows_how_old_the_frames_are_that_a_stream_gathered_while_it_was_opened():
    times = StreamTimes()
    gathered = [times((5000 + frame) * NS_PER_MS, (5001 + frame) * NS_PER_MS, 40.0 * frame) for frame in range(20)]
    first_new_ns = 5060 * NS_PER_MS
    assert gathered == [None] * 20
    assert times(first_new_ns - 39 * NS_PER_MS, first_new_ns, 800.0) == (first_new_ns, first_new_ns)


def test_stream_whose_times_begin_anew_is_learned_anew():
    times = StreamTimes()
    for frame in range(1, 5):
        times((40 * frame - 39) * NS_PER_MS, 40 * frame * NS_PER_MS, 40.0 * frame)
    assert times(161 * NS_PER_MS, 200 * NS_PER_MS, 0.0) is None
    assert times(201 * NS_PER_MS, 240 * NS_PER_MS, 40.0) == (240 * NS_PER_MS, 240 * NS_PER_MS)


def test_clock_of_a_stream_that_drifts_is_followed():
    times = StreamTimes()
    arrival_ns = 0
    for frame in range(1, 5000):
        done_ns = round(40 * frame * 1.0001 * NS_PER_MS)
        arrival_ns = times(done_ns - 39 * NS_PER_MS, done_ns, 40.0 * frame)[0]
    assert 0 <= done_ns - arrival_ns < 7 * NS_PER_MS


# Refused frames


def test_frame_of_another_size_is_refused_and_the_camera_goes_on(clock):
    device = ScriptedDevice(shape=(20, 40, 3))
    camera = LiveCamera(settings("opencv", "0"), clock, lambda _: device)
    camera.open()
    answer(camera, device, clock, 1)
    with pytest.raises(FrameTimeoutError, match="40 x 20 px where width_px and height_px say 32 x 24"):
        camera.grab(SOON_NS)
    device._shape = (24, 32, 3)
    answer(camera, device, clock, 7)
    assert camera.grab(clock.now_ns() + SOON_NS).image[0, 0] == 7
    assert (camera.refused, camera.last_refusal[:17]) == (2, "it sends 40 x 20 ")
    device.send(GONE)
    camera.close()
    assert camera.refused == 2


@pytest.mark.parametrize(
    ("image", "words"),
    [(np.zeros((24, 32), np.uint16), "uint16 pixels in 2"), (np.zeros((24, 32, 2), np.uint8), "uint8 pixels in 3")],
)
def test_frame_of_another_type_is_refused(camera, device, clock, image, words):
    answer(camera, device, clock, image)
    with pytest.raises(FrameTimeoutError, match=words):
        camera.grab(SOON_NS)


# A stream of all frames


def test_stream_hands_out_every_frame_in_order(camera, device):
    camera.stream()
    seen = []
    for value in (1, 2, 3):
        device.wait_until_read()
        device.send(value)
        frame = camera.grab(SOON_NS)
        seen.append((int(frame.image[0, 0]), frame.counter))
    assert seen == [(1, 1), (2, 2), (3, 3)]


def test_stream_that_is_not_fetched_drops_the_oldest_and_counts_them(camera, device):
    camera.stream()
    for value in range(1, MOST_WAITING + 4):
        device.wait_until_read()
        device.send(value)
    device.wait_until_read()
    fetched = [camera.grab(SOON_NS).counter for _ in range(MOST_WAITING)]
    assert (fetched, camera.dropped) == ([4, 5, 6, 7], 3)


def test_stream_ends_when_the_camera_is_opened_anew(clock):
    devices = [ScriptedDevice(), ScriptedDevice()]
    camera = LiveCamera(settings("opencv", "0"), clock, lambda _: devices.pop(0))
    first, second = devices
    camera.open()
    camera.stream()
    first.send(GONE)
    camera.close()
    camera.open()
    second.wait_until_read()
    second.send(1)
    second.wait_until_read()
    with pytest.raises(FrameTimeoutError):
        camera.grab(clock.now_ns())
    second.send(GONE)
    camera.close()


# The descriptor


def test_descriptor_rings_for_an_answer_until_it_is_fetched(camera, device, clock):
    assert not is_readable(camera)
    answer(camera, device, clock, 1)
    device.wait_until_read()
    assert is_readable(camera)
    camera.grab(SOON_NS)
    assert not is_readable(camera)


def test_descriptor_rings_when_the_device_goes_away_and_stays_the_same_after_opening_anew(clock):
    devices = [ScriptedDevice(), ScriptedDevice()]
    first, second = devices
    camera = LiveCamera(settings("opencv", "0"), clock, lambda _: devices.pop(0))
    camera.open()
    before = camera.fileno()
    first.send(GONE)
    assert select.select([before], [], [], 10)[0]
    camera.close()
    camera.open()
    assert (camera.fileno(), is_readable(camera)) == (before, False)
    second.send(GONE)
    camera.close()


# Drivers that hang, devices that go


def test_hanging_driver_does_not_hold_the_grab_past_its_deadline(device):
    clock = SystemClock()
    camera = LiveCamera(settings("opencv", "0"), clock, lambda _: device)
    camera.open()
    device.wait_until_read()
    camera.trigger(clock.now_ns())
    with pytest.raises(FrameTimeoutError, match="sent no frame in time"):
        camera.grab(clock.now_ns() + 5 * NS_PER_MS)
    device.send(GONE)
    camera.close()


def test_hanging_driver_does_not_hold_the_close(device, clock):
    camera = LiveCamera(settings("opencv", "0"), clock, lambda _: device)
    camera.open()
    device.wait_until_read()
    camera.close()
    assert device.releases == 0
    device.send(GONE)


def test_camera_works_again_while_the_old_thread_still_hangs(clock):
    devices = [ScriptedDevice(), ScriptedDevice()]
    hanging, good = devices
    camera = LiveCamera(settings("opencv", "0"), clock, lambda _: devices.pop(0))
    camera.open()
    hanging.wait_until_read()
    camera.trigger(clock.now_ns())
    camera.close()
    camera.open()
    answer(camera, good, clock, 3)
    hanging.send(9)
    frame = camera.grab(clock.now_ns() + SOON_NS)
    assert (frame.image[0, 0], frame.counter) == (3, 1)
    good.send(GONE)
    camera.close()


def test_driver_that_hangs_while_it_opens_is_left_behind(device, clock, monkeypatch):
    monkeypatch.setattr("app.capture.live.OPEN_S", 0.05)

    def open_device(_):
        device.read()
        return device

    camera = LiveCamera(settings("opencv", "rtsp://user:secret@camera/belt"), clock, open_device)
    with pytest.raises(CameraError, match=r"rtsp://user:\*\*\*@camera/belt did not open within 0.05 s"):
        camera.open()
    with pytest.raises(CameraError, match="it is closed"):
        camera.trigger(0)
    device.send(GONE)


def test_opening_and_closing_leaves_nothing_behind(clock):
    before = descriptors_and_threads()
    camera = LiveCamera(settings("opencv", "0"), clock, lambda _: devices[-1])
    devices = []
    for _ in range(30):
        devices.append(ScriptedDevice())
        camera.open()
        devices[-1].send(GONE)
        camera.close()
    del camera
    after = descriptors_and_threads()
    # Fewer where a thread that an earlier test left behind has ended meanwhile.
    assert (after[0] <= before[0], after[1] <= before[1]) == (True, True)
    assert {device.releases for device in devices} == {1}


def test_device_is_let_go_when_the_camera_is_closed(device, clock):
    camera = LiveCamera(settings("opencv", "0"), clock, lambda _: device)
    camera.open()
    device.wait_until_read()
    device.send(GONE)
    camera.close()
    assert device.releases == 1


def test_device_that_goes_away_is_an_error_not_a_timeout(camera, device, clock):
    camera.trigger(clock.now_ns())
    device.send(GONE)
    with pytest.raises(CameraError, match="it stopped sending frames; check its cable") as caught:
        camera.grab(SOON_NS)
    assert not isinstance(caught.value, FrameTimeoutError)
    with pytest.raises(CameraError, match="it stopped sending frames"):
        camera.trigger(clock.now_ns())


def test_device_that_does_not_open_is_an_error(clock):
    absent = ScriptedDevice(is_there=False)
    camera = LiveCamera(settings("opencv", "/dev/video7"), clock, lambda _: absent)
    with pytest.raises(CameraError, match="/dev/video7 does not open"):
        camera.open()
    assert absent.releases == 1


# What a source is


@pytest.mark.parametrize(
    "source", ["0", "12", "/dev/video3", "/dev/v4l/by-id/usb-Maker_Model-video-index0", "rtsp://camera.local/stream"]
)
def test_devices_and_addresses_run_freely(source, clock):
    assert isinstance(open_opencv(settings("opencv", source), clock), LiveCamera)


def test_link_to_a_device_that_is_not_plugged_in_is_an_error(clock):
    camera = open_opencv(settings("opencv", "/dev/v4l/by-id/none-such"), clock)
    with pytest.raises(CameraError, match="camera 'top': /dev/v4l/by-id/none-such is no device that is plugged in"):
        camera.open()


@pytest.mark.parametrize("source", ["belt.avi", "/data/0.avi", "/dev/videos"])
def test_anything_else_is_a_video_file(source, clock):
    assert isinstance(open_opencv(settings("opencv", source), clock), VideoCamera)


def test_stream_has_no_settings(camera):
    assert camera.knobs() == ()
    with pytest.raises(CameraError, match="0 has no settings; set them where it is served"):
        camera.adjust("gain", 3)
    assert camera.about().source == "0"


@pytest.mark.parametrize("changed", [{"controls": {"gain": 3}}, {"gain_db": 3}])
def test_what_can_be_set_only_where_a_stream_is_served_is_an_error(clock, changed):
    camera = open_opencv(settings("opencv", "rtsp://me:secret@camera/belt", **changed), clock)
    with pytest.raises(CameraError, match=r"^camera 'top': gain\w* cannot be set on rtsp://me:\*\*\*@camera/belt"):
        camera.open()


class Dials:
    """The settings of a device that refuses what it is asked."""

    is_closed = False

    def apply(self, wanted):
        raise CameraError("it has no gain", "take it out")

    def close(self):
        self.is_closed = True


def test_camera_that_refuses_a_setting_is_let_go(device, clock):
    dials = Dials()
    camera = LiveCamera(settings("opencv", "0"), clock, lambda _: device, open_controls=lambda: dials)
    device.send(1)
    device.send(GONE)
    with pytest.raises(CameraError, match="camera 'top': it has no gain; take it out"):
        camera.open()
    assert dials.is_closed
    with pytest.raises(CameraError, match="it is closed"):
        camera.knobs()
