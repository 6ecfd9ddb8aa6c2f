"""V4L2 devices: what is found, and controls by name, against a model that speaks the kernel's structures."""

import ctypes
import errno

import pytest

from app.capture import v4l2_layout as layout
from app.capture.address import device_of, is_stream
from app.capture.camera import Found
from app.capture.v4l2 import Controls, discover, format_of, normalised
from app.capture.v4l2_nodes import holder_of, sizes_of
from app.errors import CameraError, redacted
from tests.unit.capture.fake_kernel import AUTO, MANUAL, FakeControl, FakeKernel, hold, make_machine
from tests.unit.capture.recordings import settings


@pytest.fixture
def kernel():
    return FakeKernel()


@pytest.fixture
def controls(kernel):
    controls = Controls("/dev/null", kernel.ioctl)
    yield controls
    controls.close()


# The kernel's interface, as linux/videodev2.h has it on 64 bits


@pytest.mark.parametrize(
    ("structure", "size"),
    [
        (layout.Capability, 104),
        (layout.QueryControl, 232),
        (layout.QueryMenu, 44),
        (layout.Control, 20),
        (layout.ControlList, 32),
        (layout.BufferRequest, 20),
        (layout.FormatEntry, 64),
        (layout.SizeEntry, 44),
    ],
)
def test_structure_has_the_kernels_size(structure, size):
    assert ctypes.sizeof(structure) == size


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (layout.QUERYCAP, 0x8068_5600),
        (layout.ENUM_FMT, 0xC040_5602),
        (layout.REQBUFS, 0xC014_5608),
        (layout.QUERYMENU, 0xC02C_5625),
        (layout.G_EXT_CTRLS, 0xC020_5647),
        (layout.S_EXT_CTRLS, 0xC020_5648),
        (layout.ENUM_FRAMESIZES, 0xC02C_564A),
        (layout.QUERY_EXT_CTRL, 0xC0E8_5667),
    ],
)
def test_request_has_the_kernels_number(number, expected):
    assert number == expected


def test_kernel_refuses_our_requests_on_what_is_no_video_device():
    with pytest.raises(CameraError, match="/dev/null is no V4L2 device: Inappropriate ioctl"):
        Controls("/dev/null")


# What there is


def test_controls_are_listed_by_name_with_bounds_and_choices(controls):
    knobs = {knob.name: knob for knob in controls.knobs()}
    assert sorted(knobs) == [
        "auto_exposure",
        "brightness",
        "exposure_time_absolute",
        "gain",
        "lamps",
        "link_frequency",
        "pixel_clock",
        "reset",
        "serial_text",
        "temperature",
        "white_balance_automatic",
    ]
    assert (knobs["gain"].value, knobs["gain"].low, knobs["gain"].high, knobs["gain"].step) == (10, 0, 100, 5)
    assert knobs["brightness"].low == -64
    assert knobs["auto_exposure"].value == "Aperture Priority Mode"
    assert knobs["auto_exposure"].choices == ("Manual Mode", "Aperture Priority Mode")
    assert knobs["white_balance_automatic"].value is True
    assert (knobs["pixel_clock"].value, knobs["serial_text"].value) == (2**33, "abc")
    assert knobs["link_frequency"].choices == (str(2**34), "7")
    assert (knobs["temperature"].value, knobs["temperature"].is_writable) == (41, False)
    assert knobs["reset"].value is None
    assert knobs["exposure_time_absolute"].unit == "100 us"


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("White Balance, Automatic", "white_balance_automatic"),
        ("Exposure Time, Absolute", "exposure_time_absolute"),
        ("Power Line Frequency (50 Hz)", "power_line_frequency_50_hz"),
        ("gain", "gain"),
    ],
)
def test_names_are_those_of_v4l2_ctl(label, name):
    assert normalised(label) == name


def test_device_says_which_it_is(controls):
    assert controls.about() == Found("opencv", "/dev/null", "Fine Camera (usb-1.2)")


# Setting


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("brightness", -64, -64),
        ("Brightness", 3.0, 3),
        ("gain", 12, 10),
        ("white_balance_automatic", False, False),
        ("white_balance_automatic", 1, True),
        ("auto_exposure", "Manual Mode", "Manual Mode"),
        ("auto_exposure", "manual_mode", "Manual Mode"),
        ("auto_exposure", 1, "Manual Mode"),
        ("link_frequency", "7", "7"),
        ("pixel_clock", 2**39, 2**39),
        ("lamps", 0b1000, 0b1000),
        ("serial_text", "xyz", "xyz"),
        ("reset", True, None),
    ],
)
def test_control_is_set_and_read_back(controls, kernel, name, value, taken):
    assert controls.adjust(name, value) == taken
    assert len(kernel.written) == 1


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("gain", 101, "choose a whole number from 0 to 100 in steps of 5"),
        ("gain", 1.5, "choose a whole number from 0 to 100"),
        ("gain", "high", "choose a whole number from 0 to 100"),
        ("gain", None, "choose a whole number from 0 to 100"),
        ("brightness", -65, "choose a whole number from -64 to 64$"),
        ("white_balance_automatic", 2, "choose true or false"),
        ("auto_exposure", 2, r"choose one of Manual Mode \(1\), Aperture Priority Mode \(3\)"),
        ("auto_exposure", "Shutter", r"choose one of Manual Mode \(1\), Aperture Priority Mode \(3\)"),
        ("lamps", 0b0001, "choose bits of 0xa"),
        ("serial_text", "much too long", "give text of 1 to 8 bytes"),
        ("temperature", 3, "can only be read"),
    ],
)
def test_value_that_it_does_not_take_is_an_error_that_names_what_it_does(controls, kernel, name, value, words):
    with pytest.raises(CameraError, match=words):
        controls.adjust(name, value)
    assert kernel.written == []


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("gian", "nearest that it has: gain"), ("exposure_absolute", "exposure_time_absolute"), ("qq", "it has auto_exp")],
)
def test_unknown_control_is_an_error_that_names_the_nearest(controls, name, nearest):
    with pytest.raises(CameraError, match=f"/dev/null has no control '{name}'; .*{nearest}"):
        controls.adjust(name, 1)


def test_device_without_controls_says_so():
    controls = Controls("/dev/null", FakeKernel([]).ioctl)
    with pytest.raises(CameraError, match="it has no controls at all"):
        controls.adjust("gain", 1)
    controls.close()


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.EACCES, "another control holds it"), (errno.EBUSY, "while the device streams"), (errno.ENODEV, "is gone")],
)
def test_refusal_of_the_kernel_is_said_in_words(controls, kernel, number, words):
    kernel.refuses_with = number
    with pytest.raises(CameraError, match=rf"control gain of /dev/null cannot be set to 50: .*{words}"):
        controls.adjust("gain", 50)


# What the settings ask for


def test_exposure_that_is_set_switches_the_automatic_off(controls, kernel):
    controls.apply(settings("opencv", "0", exposure_ms=12.5))
    assert kernel.written == [("Auto Exposure", MANUAL), ("Exposure Time, Absolute", 125)]


def test_exposure_that_is_not_set_stays_the_devices_own(controls, kernel):
    controls.apply(settings("opencv", "0"))
    assert kernel.written == []
    assert kernel.control("Auto Exposure").value == AUTO


def test_exposure_of_a_device_without_such_a_control_only_describes_it():
    kernel = FakeKernel([FakeControl(1, "Gain", layout.INTEGER, 0, 9)])
    controls = Controls("/dev/null", kernel.ioctl)
    controls.apply(settings("opencv", "0", exposure_ms=12.5))
    controls.close()
    assert kernel.written == []


def test_exposure_out_of_bounds_is_an_error_in_milliseconds(controls):
    with pytest.raises(CameraError, match=r"exposure_ms = 300 is beyond .*; choose one from 0.3 to 204.7"):
        controls.apply(settings("opencv", "0", exposure_ms=300))


def test_controls_have_the_last_word_in_their_order(controls, kernel):
    wanted = {"auto_exposure": "Aperture Priority Mode", "gain": 20, "fourcc": "MJPG", "fps": 60}
    controls.apply(settings("opencv", "0", exposure_ms=1, controls=wanted))
    assert kernel.written[2:] == [("Auto Exposure", AUTO), ("Gain", 20)]


def test_gain_in_db_is_refused_with_the_devices_own(controls):
    with pytest.raises(CameraError, match=r"gain_db: a V4L2 device has no gain in dB; .*nearest that it has: gain"):
        controls.apply(settings("opencv", "0", gain_db=6))


def test_pixel_format_and_frame_rate_stand_among_the_controls():
    assert format_of(settings("opencv", "0", controls={"fourcc": "MJPG", "fps": 60})) == ("MJPG", 60)
    assert format_of(settings("opencv", "0")) == ("", 0)


@pytest.mark.parametrize("wrong", [{"fourcc": "MJPEG"}, {"fourcc": 7}, {"fps": -1}, {"fps": 7.5}, {"fps": "fast"}])
def test_pixel_format_and_frame_rate_that_are_none_are_errors(wrong):
    with pytest.raises(CameraError, match=r"controls\.f"):
        format_of(settings("opencv", "0", controls=wrong))


# Devices


def test_capture_devices_are_found_in_order_with_their_serial_numbers(tmp_path, kernel):
    assert discover(make_machine(tmp_path, 10, 2), kernel.ioctl) == (
        Found("opencv", "/dev/video2", "Fine Camera (usb-1.2)", "SN2"),
        Found("opencv", "/dev/video10", "Fine Camera (usb-1.2)", "SN10"),
    )


@pytest.mark.parametrize("caps", [layout.STREAMING | 0x0080_0000, layout.CAPTURE, 0x2 | layout.STREAMING])
def test_node_that_gives_no_pictures_is_passed_over(tmp_path, caps):
    assert discover(make_machine(tmp_path, 0), FakeKernel(device_caps=caps).ioctl) == ()


def test_device_in_use_says_by_whom(tmp_path, kernel):
    root = make_machine(tmp_path, 0)
    hold(root, 4711, "firefox", "/dev/video0")
    kernel.is_busy = True
    assert discover(root, kernel.ioctl)[0].trouble == "in use by 4711 (firefox)"
    assert holder_of("/dev/video1", root) == ""


def test_sensor_on_csi_points_to_its_driver(tmp_path):
    kernel = FakeKernel(driver=b"tegra-video")
    assert "use driver csi" in discover(make_machine(tmp_path, 0), kernel.ioctl)[0].trouble


def test_device_that_cannot_be_opened_says_why(tmp_path):
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "video0").symlink_to("nothing")
    assert discover(tmp_path)[0].trouble == "cannot be opened: No such file or directory"


def test_machine_without_devices_has_none(tmp_path):
    assert discover(tmp_path) == ()


def test_sizes_are_named_for_the_one_that_chooses(kernel):
    assert sizes_of("/dev/null", kernel.ioctl) == "640 x 480, 1280 x 720"
    assert sizes_of("/nowhere/video0", kernel.ioctl) == ""


# Sources


def test_link_to_a_device_is_followed():
    assert device_of("/dev/v4l/by-id/none-such") == "/dev/v4l/by-id/none-such"
    assert (device_of("7"), device_of("/dev/video3"), device_of("belt.avi")) == ("/dev/video7", "/dev/video3", None)
    assert is_stream("rtsp://camera/belt")


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("rtsp://user:secret@10.0.0.7:554/belt", "rtsp://user:***@10.0.0.7:554/belt"),
        ("rtsp://user:se/c@r:et@10.0.0.7/belt", "rtsp://user:***@10.0.0.7/belt"),
        ("rtsp://:secret@camera/belt", "rtsp://:***@camera/belt"),
        ("rtsp://user@camera:554/belt", "rtsp://user@camera:554/belt"),
        ("rtsp://camera/belt?user=me&password=secret&channel=1", "rtsp://camera/belt?user=me&password=***&channel=1"),
        ("http://camera/mjpg?Token=secret", "http://camera/mjpg?Token=***"),
        ("/dev/video0", "/dev/video0"),
    ],
)
def test_password_of_an_address_is_not_shown(source, shown):
    assert redacted(source) == shown
