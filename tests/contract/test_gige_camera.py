"""A GigE Vision camera as it should be: found, opened, set, triggered. Aravis' simulator is the camera."""

import gc
import os
import select
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from app.capture.drivers import find_cameras, open_camera
from app.capture.gige.bootstrap import Bootstrap, Presence
from app.capture.gige.camera import GigeCamera
from app.clock import NS_PER_MS, NS_PER_S, SystemClock
from app.errors import CameraError, FrameTimeoutError
from tests.contract.fake_gige import ADDRESS, FakeGige
from tests.unit.capture.recordings import settings

pytestmark = pytest.mark.gige
SERIAL = "TAKT01"
CLOCK = SystemClock()
FREE = {"trigger": "free", "gige": {"frame_rate_hz": 100}}


@pytest.fixture(scope="module")
def fake():
    with FakeGige(SERIAL) as fake:
        yield fake


@pytest.fixture
def make(fake):
    """Makes cameras on the simulator and closes them; its pictures are black at short exposures."""
    cameras = []

    def make(source=ADDRESS, **changed):
        patient = {"exposure_ms": 10, "frame_timeout_ms": 5000, "silent_ms": 20_000}
        cameras.append(GigeCamera(settings("gige", source, **{**patient, **changed}), CLOCK))
        return cameras[-1]

    yield make
    for camera in cameras:
        camera.close()


@pytest.fixture
def opened(make):
    def opened(**changed):
        camera = make(**changed)
        camera.open()
        return camera

    return opened


def grab(camera):
    return camera.grab(CLOCK.now_ns() + 10 * NS_PER_S)


def shoot(camera):
    camera.trigger(CLOCK.now_ns())
    return grab(camera)


def refusal(camera):
    with pytest.raises(CameraError) as caught:
        camera.open()
    return str(caught.value)


# Found


def test_camera_is_found_with_what_to_write_into_the_settings(fake):
    found = next(each for each in find_cameras("gige") if each.serial == SERIAL)

    assert (found.driver, found.source, found.model, found.trouble) == ("gige", ADDRESS, "Aravis Fake", "")
    assert found.firmware


def test_camera_in_use_is_found_with_its_trouble(opened):
    opened()

    found = next(each for each in find_cameras("gige") if each.serial == SERIAL)

    assert found.trouble.startswith("in use by")


@pytest.mark.parametrize("source", [ADDRESS, SERIAL, f"Aravis-Fake-{SERIAL}"])
def test_camera_is_named_by_address_serial_or_maker_model_and_serial(make, source):
    camera = make(source)
    camera.open()

    assert camera.about().serial == SERIAL
    assert shoot(camera).counter == 1


def test_unknown_serial_names_the_cameras_that_are_there(make):
    assert SERIAL in refusal(make("NOSUCH"))


def test_address_where_nothing_is_says_so(make):
    assert "no GigE Vision camera answers at 127.0.0.77" in refusal(make("127.0.0.77"))


@pytest.mark.parametrize(
    ("name", "right"), [("model", "Fake"), ("model", "Aravis Fake"), ("serial", SERIAL), ("firmware", "")]
)
def test_expected_camera_opens(make, name, right):
    make(gige={name: right}).open()


@pytest.mark.parametrize("name", ["model", "serial", "firmware"])
def test_wrong_camera_is_named_with_what_was_expected(make, name):
    words = refusal(make(gige={name: "Other 7"}))

    assert f"its {name} is" in words
    assert f"camera.gige.{name} says Other 7" in words


def test_second_station_is_told_that_it_is_in_use_and_gets_it_afterwards(opened, make):
    first, second = opened(), make()

    words = refusal(second)
    first.close()
    second.open()

    assert f"{ADDRESS} is in use by" in words
    assert shoot(second).counter == 1


def test_camera_that_was_refused_is_let_go(make):
    refusal(make(width_px=4000))

    assert Bootstrap(ADDRESS).presence() == Presence(is_there=True, holder="")


# Triggered


def test_command_is_answered_and_placed_in_time(opened):
    camera = opened()
    before_ns = CLOCK.now_ns()

    frames = [shoot(camera) for _ in range(4)]

    assert [frame.counter for frame in frames] == [1, 2, 3, 4]
    assert before_ns <= frames[0].host_ns - frames[0].uncertainty_ns
    assert all(frame.host_ns <= frame.in_memory_ns <= CLOCK.now_ns() for frame in frames)
    assert np.diff([frame.device_ns for frame in frames]).min() > 0
    assert frames[0].image.max() > frames[0].image.min()


def test_descriptor_tells_when_a_frame_waits(opened):
    camera = opened()
    quiet = select.select([camera], [], [], 0)[0]
    camera.trigger(CLOCK.now_ns())

    assert quiet == []
    assert select.select([camera], [], [], 10)[0] == [camera]


def test_free_running_camera_answers_with_a_frame_that_began_after_the_trigger(opened):
    camera = opened(**FREE)
    for _ in range(5):
        at_ns = CLOCK.now_ns()
        camera.trigger(at_ns)
        frame = grab(camera)
        assert frame.host_ns - frame.uncertainty_ns >= at_ns


def test_free_running_camera_gives_no_frame_that_nobody_asked_for(opened):
    camera = opened(**FREE)
    shoot(camera)
    heard_ns = camera.heard_ns

    with pytest.raises(FrameTimeoutError):
        camera.grab(CLOCK.now_ns() + 100 * NS_PER_MS)
    shoot(camera)
    assert camera.heard_ns > heard_ns


def test_streaming_camera_hands_out_every_frame_in_order_past_sixteen_bits(opened):
    camera = opened(trigger="free", gige={"frame_rate_hz": 400})
    camera.stream()
    counters = []
    while not counters or counters[-1] < 200:  # the simulator begins so that its block numbers wrap meanwhile
        counters.append(grab(camera).counter)

    assert counters == sorted(set(counters))
    assert counters[-1] < 2000


# Set


def test_settings_are_taken(opened):
    camera = opened(exposure_ms=2, controls={"GainRaw": 3}, gige={"offset_x_px": 64, "offset_y_px": 32})
    values = {knob.name: knob.value for knob in camera.knobs()}

    assert (values["Width"], values["Height"], values["OffsetX"], values["OffsetY"]) == (32, 24, 64, 32)
    assert (values["ExposureTimeAbs"], values["TriggerMode"], values["TriggerSource"]) == (2000, "On", "Software")
    assert values["PixelFormat"] == "Mono8"


def test_knobs_tell_bounds_and_choices(opened):
    knobs = {knob.name: knob for knob in opened().knobs()}

    assert (knobs["Width"].low, knobs["Width"].high) == (1, 2048)
    assert "Software" in knobs["TriggerSource"].choices
    assert knobs["SensorWidth"].is_writable is False


def test_feature_is_adjusted_while_it_runs(opened):
    camera = opened(controls={"GainRaw": 0})
    dark = shoot(camera).image.mean()

    assert camera.adjust("ExposureTimeAbs", 1_000_000) == 1_000_000
    assert shoot(camera).image.mean() > dark


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"controls": {"ExposureTimeAbz": 3}}, "no setting 'ExposureTimeAbz'; the nearest it has: ExposureTimeAbs"),
        ({"controls": {"Width": 4096}}, "Width = 4096; it may be 1 to 2048"),
        ({"controls": {"Width": 20.5}}, "Width = 20.5; it may be whole numbers"),
        ({"controls": {"PixelFormat": "Mono9"}}, "PixelFormat = Mono9; it may be BayerBG8, "),
        ({"controls": {"DeviceModelName": "Mine"}}, "DeviceModelName = Mine; it can only be read"),
        ({"width_px": 4000}, "Width = 4000; it may be 1 to 2048"),
        ({"gain_db": 3}, "set GainRaw in camera.controls in place of gain_db"),
        ({"exposure_ms": 0.001}, "set exposure_ms to 0.01 to "),
        ({"gige": {"pixel_format": "Mono12"}}, "no pixel format Mono12; it offers Mono8, "),
        ({"trigger": "wire", "gige": {"trigger_line": "Line7"}}, "TriggerSource = Line7; it may be Line0, Software"),
        ({"gige": {"chunks": True}}, "has no chunk data; set camera.gige.chunks = false"),
    ],
)
def test_setting_that_it_cannot_take_is_named_with_what_it_can(make, changed, words):
    assert words in refusal(make(**changed))


@pytest.mark.parametrize(
    ("name", "channels", "shape"),
    [("Mono16", 1, (24, 32)), ("BayerGR8", 3, (24, 32, 3)), ("RGB8", 3, (24, 32, 3)), ("Mono8", 3, (24, 32, 3))],
)
def test_named_pixel_format_becomes_a_picture(opened, name, channels, shape):
    frame = shoot(opened(channels=channels, gige={"pixel_format": name}))

    assert (frame.image.shape, frame.image.dtype) == (shape, np.uint8)


def test_packet_size_is_taken(opened):
    camera = opened(width_px=512, height_px=512, gige={"packet_size_bytes": 800})

    assert shoot(camera).image.shape == (512, 512)


# Kept alive


def handles():
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()


def resident_kib():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def test_opening_and_closing_leaks_nothing(make):
    camera = make(width_px=512, height_px=512)
    counted, resident = [], []
    for _ in range(9):
        camera.open()
        shoot(camera)
        camera.close()
        counted.append(handles())
        resident.append(resident_kib())

    end_s = time.monotonic() + 10
    while handles() != counted[3]:
        assert time.monotonic() < end_s, f"{counted}, and now {handles()}"
        time.sleep(0.05)  # a thread of the simulator or of a camera that is ending
    assert resident[-1] - resident[3] < 6 * 1024, "five sets of buffers are 10 MiB"


def test_table_opens_it(fake):
    camera = open_camera(settings("gige", ADDRESS, exposure_ms=10, frame_timeout_ms=5000), CLOCK)
    try:
        assert shoot(camera).camera == "top"
    finally:
        camera.close()


@pytest.mark.parametrize("origin", ["127.0.0.9", ADDRESS])
def test_packets_from_elsewhere_do_no_harm(opened, origin):
    camera = opened(frame_timeout_ms=100)
    shoot(camera)
    port = camera._link._stream.get_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((origin, 0))
        for number in range(200):
            # Noise, and leaders of pictures that do not exist.
            leader = bytes((0, 0, number, 7, 1, 0, 0, 0)) + os.urandom(number)
            stranger.sendto(os.urandom(number) if number % 2 else leader, (ADDRESS, port))

    frames = []
    while len(frames) < 3:  # from the camera's own address a made-up picture may be taken for one of its own
        camera.trigger(CLOCK.now_ns())
        try:
            frames.append(camera.grab(CLOCK.now_ns() + NS_PER_S))
        except CameraError:
            assert origin == ADDRESS

    assert all(frame.image.shape == (24, 32) for frame in frames)
    assert camera.refused == 0 or origin == ADDRESS
