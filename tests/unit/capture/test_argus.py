"""CSI cameras: the pipeline that settings make, and which sensors a Jetson shows."""

import cv2
import pytest

from app.capture.argus import ArgusCamera, discover, pattern, pipeline_of
from app.capture.camera import Found
from app.clock import VirtualClock
from app.errors import CameraError
from tests.unit.capture.recordings import settings


def csi(source="0", **changed):
    keys = {"width_px": 1280, "height_px": 720, "channels": 3, "exposure_ms": 2, **changed}
    return settings("csi", source, **keys)


def elements_of(*args, **changed):
    return pipeline_of(csi(*args, **changed)).split(" ! ")


def test_pipeline_of_a_colour_camera_stands_as_a_whole():
    source, *others = elements_of("1")
    assert source.split(" ", 8) == [
        "nvarguscamerasrc",
        "sensor-id=1",
        "sensor-mode=-1",
        "wbmode=1",
        "aelock=true",
        "awblock=false",
        "tnr-mode=0",
        "ee-mode=0",
        'exposuretimerange="2000000 2000000"',
    ]
    assert others == [
        "video/x-raw(memory:NVMM),width=(int)1280,height=(int)720,format=(string)NV12,framerate=(fraction)30/1",
        "nvvidconv flip-method=0",
        "video/x-raw,format=(string)BGRx,width=(int)1280,height=(int)720",
        "videoconvert",
        "video/x-raw,format=(string)BGR",
        "appsink drop=true max-buffers=1 sync=false",
    ]


def test_mono_camera_has_grey_frames_and_no_conversion_by_the_processor():
    assert elements_of(channels=1)[3:] == [
        "video/x-raw,format=(string)GRAY8,width=(int)1280,height=(int)720",
        "appsink drop=true max-buffers=1 sync=false",
    ]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"exposure_ms": 0.5}, 'exposuretimerange="500000 500000"'),
        ({"gain_db": 6}, 'gainrange="1.995 1.995" ispdigitalgainrange="1 1"'),
        ({"csi": {"sensor_mode": 4}}, "sensor-mode=4 "),
        ({"csi": {"white_balance": "off"}}, "wbmode=0 "),
        ({"csi": {"white_balance": "daylight"}}, "wbmode=5 "),
        ({"csi": {"is_white_balance_locked": True}}, "awblock=true"),
        ({"csi": {"is_denoised": True, "is_sharpened": True}}, "tnr-mode=1 ee-mode=1"),
        ({"csi": {"frame_rate_hz": 59.94}}, "framerate=(fraction)2997/50"),
        ({"csi": {"flip": "rotate-180"}}, "flip-method=2 "),
    ],
)
def test_setting_stands_in_the_pipeline(changed, words):
    assert words in pipeline_of(csi(**changed))


def test_light_decides_where_the_exposure_is_not_locked():
    source = elements_of(gain_db=6, csi={"is_exposure_locked": False})[0]
    assert "aelock=false" in source
    assert "range" not in source


def test_sensor_gives_the_size_that_it_has_before_the_picture_is_turned():
    sensor, turned = elements_of(csi={"flip": "clockwise"})[1:4:2]
    assert "width=(int)720,height=(int)1280" in sensor
    assert "width=(int)1280,height=(int)720" in turned


@pytest.mark.parametrize("source", ["", "cam", "16", "-1", "0 num-buffers=1", "1 ! fakesink"])
def test_source_that_is_no_sensor_is_an_error(source):
    with pytest.raises(CameraError, match="is no number of a CSI sensor; give one from 0 to 15"):
        pipeline_of(csi(source))


@pytest.mark.parametrize("gain_db", [-1, 49])
def test_gain_out_of_bounds_is_an_error(gain_db):
    with pytest.raises(CameraError, match=f"gain_db = {gain_db} is no gain of a CSI sensor; choose one from 0 to 48"):
        pipeline_of(csi(gain_db=gain_db))


def test_pattern_needs_nothing_of_a_jetson():
    assert "nv" not in pipeline_of(csi(), pattern(frames=3)).lower().replace("nv12", "").replace("convert", "")


def test_opencv_without_gstreamer_is_an_error_that_says_which_one_has_it(monkeypatch):
    monkeypatch.setattr(cv2.videoio_registry, "hasBackend", lambda _: False)
    with pytest.raises(CameraError, match=r"driver csi needs an OpenCV with GStreamer, .*--system-site-packages"):
        ArgusCamera(csi(), VirtualClock()).open()


def test_controls_by_name_are_refused_with_where_its_settings_are():
    with pytest.raises(CameraError, match=r"controls gain: a CSI sensor has none by name; .*\[camera.csi\]"):
        ArgusCamera(csi(controls={"gain": 1}), VirtualClock()).open()


def test_wrong_source_is_an_error_of_opening():
    with pytest.raises(CameraError, match=r"^camera 'top': source 'x' is no number of a CSI sensor"):
        ArgusCamera(csi("x"), VirtualClock()).open()


def test_sensors_are_those_of_the_video_input_in_their_order(tmp_path):
    for number, name in ((10, "vi-output, imx477 10-001a"), (0, "vi-output, imx219 9-0010"), (1, "USB Camera")):
        node = tmp_path / "sys" / "class" / "video4linux" / f"video{number}"
        node.mkdir(parents=True)
        (node / "name").write_text(f"{name}\n")
    assert discover(tmp_path) == (Found("csi", "0", "imx219 (9-0010)"), Found("csi", "1", "imx477 (10-001a)"))


def test_machine_that_is_no_jetson_has_no_sensors(tmp_path):
    assert discover(tmp_path) == ()
