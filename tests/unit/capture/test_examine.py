"""Which frames must not be judged, and in which words they are refused."""

import tracemalloc

import numpy as np
import pytest

from app.capture.examine import MOST_SAMPLES, Examiner, Flaw, is_recorded, mean_grey
from app.clock import NS_PER_MS
from app.config import CameraSettings
from app.types import Frame

HEIGHT, WIDTH = 24, 32
MS = NS_PER_MS


def settings(**changes):
    return CameraSettings.model_validate({"width_px": WIDTH, "height_px": HEIGHT, "channels": 1, **changes})


def frame(level=90, *, shape=(HEIGHT, WIDTH), dtype=np.uint8, host_ns=0, **stamps):
    return Frame(np.full(shape, level, dtype), "top", host_ns, **stamps)


def flaw(examiner, *args, **kwargs):
    refusal = examiner.look(*args, **kwargs)
    return refusal and refusal.flaw


@pytest.mark.parametrize(("channels", "shape"), [(1, (HEIGHT, WIDTH)), (3, (HEIGHT, WIDTH, 3))])
def test_frame_as_it_is_set_is_fine(channels, shape):
    assert Examiner(settings(channels=channels)).look(frame(shape=shape)) is None


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((HEIGHT, WIDTH - 1), np.uint8), ((HEIGHT, WIDTH, 3), np.uint8), ((HEIGHT, WIDTH), np.uint16), ((0, 0), np.uint8)],
)
def test_other_size_depth_or_channels_is_refused(shape, dtype):
    assert flaw(Examiner(settings()), frame(shape=shape, dtype=dtype)) is Flaw.FORMAT


def test_refusal_says_both_formats_and_the_mend():
    refusal = Examiner(settings()).look(frame(shape=(12, 16, 3)))
    assert refusal.text == (
        "camera 'top': a frame was refused as of another format, 16 x 12 px with 3 channel(s), uint8 where the settings"
        " ask for 32 x 24 px with 1 channel(s), uint8; correct width_px, height_px and channels, or the camera's own"
    )


@pytest.mark.parametrize("stamps", [{"counter": 5}, {"device_ns": 700}, {"counter": 5, "device_ns": 700}])
def test_frame_with_the_stamps_of_the_one_before_is_repeated(stamps):
    examiner = Examiner(settings())
    assert examiner.look(frame(**stamps)) is None
    assert flaw(examiner, frame(host_ns=9, **stamps)) is Flaw.REPEATED


def test_camera_that_begins_anew_repeats_nothing():
    examiner = Examiner(settings())
    examiner.look(frame(counter=1, device_ns=10))
    examiner.restart()
    assert examiner.look(frame(counter=1, device_ns=5)) is None


def test_counter_of_triggers_says_nothing_of_frames_that_nobody_triggered():
    examiner = Examiner(settings(), is_streaming=True)
    examiner.look(frame(counter=0))
    assert examiner.look(frame(counter=0)) is None


@pytest.mark.parametrize(
    ("driver", "source", "is_streaming", "is_refused"),
    [
        ("gige", "10.0.0.1", False, True),
        ("gige", "10.0.0.1", True, True),
        ("csi", "0", False, True),
        ("opencv", "/dev/video2", False, True),
        ("opencv", "0", True, True),
        ("opencv", "rtsp://camera/1", False, True),
        ("opencv", "rtsp://camera/1", True, False),
        ("opencv", "belt.mp4", False, False),
        ("folder", "pictures", False, False),
        ("twin", "", False, False),
    ],
)
def test_same_pixels_twice_are_refused_where_no_two_exposures_are_alike(driver, source, is_streaming, is_refused):
    examiner = Examiner(settings(driver=driver, source=source), is_streaming=is_streaming)
    examiner.look(frame(counter=1))
    assert flaw(examiner, frame(counter=2)) is (Flaw.REPEATED if is_refused else None)


def test_noise_makes_a_frame_another_one():
    examiner = Examiner(settings(driver="gige", source="10.0.0.1", height_px=600, width_px=800))
    noise = np.random.default_rng(3)
    for number in range(5):
        image = noise.integers(80, 84, (600, 800), np.uint8)
        assert examiner.look(Frame(image, "top", number, counter=number)) is None


def test_exposure_before_its_trigger_is_refused_unless_the_uncertainty_allows_it():
    assert flaw(Examiner(settings()), frame(host_ns=99 * MS), 100 * MS) is Flaw.UNTIMELY
    assert Examiner(settings()).look(frame(host_ns=99 * MS, uncertainty_ns=MS), 100 * MS) is None


def test_exposure_long_after_its_trigger_is_refused():
    examiner = Examiner(settings(frame_timeout_ms=40))
    assert examiner.look(frame(host_ns=139 * MS, counter=1), 100 * MS) is None
    assert flaw(examiner, frame(host_ns=151 * MS, counter=2), 100 * MS) is Flaw.UNTIMELY


def test_exposure_before_that_of_the_frame_before_is_refused():
    examiner = Examiner(settings())
    examiner.look(frame(host_ns=50 * MS))
    assert flaw(examiner, frame(host_ns=40 * MS)) is Flaw.UNTIMELY


def test_clock_of_the_camera_that_goes_back_is_refused_once():
    examiner = Examiner(settings())
    examiner.look(frame(device_ns=9 * MS))
    refusal = examiner.look(frame(device_ns=4 * MS))
    assert refusal.flaw is Flaw.BACKWARDS
    assert "went back by 5.0 ms" in refusal.what
    assert examiner.look(frame(device_ns=5 * MS)) is None


@pytest.mark.parametrize(("level", "is_dark"), [(0, True), (1, True), (2, False), (255, False)])
def test_frame_below_the_dark_level_is_refused(level, is_dark):
    assert flaw(Examiner(settings(dark_level=2)), frame(level)) is (Flaw.DARK if is_dark else None)


def test_dark_level_of_zero_lets_the_blackest_pass():
    assert Examiner(settings(dark_level=0)).look(frame(0)) is None


def test_repeated_dark_frame_is_named_by_what_can_be_mended_by_opening():
    examiner = Examiner(settings())
    examiner.look(frame(0, counter=1))
    assert flaw(examiner, frame(0, counter=1)) is Flaw.REPEATED


@pytest.mark.parametrize("shape", [(24, 32), (1024, 1280), (1024, 1280, 3), (16, 16_384), (17, 4001, 3)])
def test_mean_grey_is_that_of_the_picture(shape):
    image = np.random.default_rng(1).integers(40, 60, shape, np.uint8)
    assert mean_grey(image) == pytest.approx(image.mean(), abs=0.5)


def test_frame_is_examined_without_a_buffer_over_four_kilobytes():
    examiner = Examiner(settings(driver="gige", source="x", height_px=1024, width_px=1280))
    image = np.random.default_rng(1).integers(0, 255, (1024, 1280), np.uint8)
    examiner.look(Frame(image, "top", 1, counter=1))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        image[0, 0] += 1
        assert examiner.look(Frame(image, "top", 2, counter=2)) is None
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert MOST_SAMPLES < 4096
    assert peak < 2 * 4096, "the samples, and beside them only small things"


def test_only_darkness_never_opens_a_camera_again():
    assert [each for each in Flaw if not each.reopens_after] == [Flaw.DARK]


def test_recorded_pictures_are_known_by_driver_and_source():
    recorded = [("folder", "pictures"), ("opencv", "belt.mp4")]
    exposed = [("twin", ""), ("gige", "1.2.3.4"), ("csi", "0"), ("opencv", "/dev/video0"), ("opencv", "rtsp://a/b")]
    assert all(is_recorded(settings(driver=driver, source=source)) for driver, source in recorded)
    assert not any(is_recorded(settings(driver=driver, source=source)) for driver, source in exposed)
