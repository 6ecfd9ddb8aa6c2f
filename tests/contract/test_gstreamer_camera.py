"""The CSI camera on real GStreamer, with a test pattern for the sensor: the system's Python runs it in a child."""

import json
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests.groups import ROOT, SYSTEM_PYTHON

pytestmark = pytest.mark.gstreamer
WHITE, BLUE = [253, 253, 253], [253, 0, 0]
"""The bars at the left and at the right of the pattern, in BGR."""


@pytest.fixture(scope="module")
def came():
    """What came of each case of `gstreamer_child.py`."""
    child = Path(__file__).with_name("gstreamer_child.py")
    command = [SYSTEM_PYTHON, str(child), str(ROOT), sysconfig.get_path("purelib")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout) | {"stderr": ran.stderr}


def test_colour_frames_answer_their_triggers(came):
    assert [shot["counter"] for shot in came["colour"]] == [1, 2, 3]
    assert all(shot["is_after"] for shot in came["colour"])
    assert all((shot["shape"], shot["type"]) == ([64, 96, 3], "uint8") for shot in came["colour"])
    assert (came["colour"][0]["left"], came["colour"][0]["right"]) == (WHITE, BLUE)


def test_grey_frames_have_one_channel(came):
    (shot,) = came["grey"]
    assert (shot["shape"], shot["left"] > 200, shot["right"] < 60) == ([64, 96], True, True)


def test_picture_is_flipped_as_set(came):
    (shot,) = came["turned"]
    assert (shot["left"], shot["right"]) == (BLUE, WHITE)


def test_picture_that_is_turned_has_the_size_that_is_set_after_that(came):
    assert came["sideways"][0]["shape"] == [64, 96, 3]


def test_frame_rate_may_be_a_fraction(came):
    assert came["rate"][0]["shape"] == [64, 96, 3]


def test_camera_opens_again_after_it_was_closed(came):
    assert [(shot["counter"], shot["left"]) for shot in came["opened_again"]] == [(1, WHITE)] * 3


def test_pipeline_that_ends_is_a_camera_that_stopped(came):
    ended = came["ended"]
    assert ended["frames"] == list(range(ended["frames"][0], 16))
    assert (ended["is_timeout"], "it stopped sending frames" in ended["text"]) == (False, True)


@pytest.mark.parametrize("case", ["unknown_element", "failing_element"])
def test_pipeline_that_does_not_start_is_an_error_in_words(came, case):
    assert came[case]["text"].startswith("camera 'top': CSI sensor 0 ")
    assert "restart nvargus-daemon" in came[case]["text"]


def test_nothing_is_written_to_stderr_beside_that(came):
    assert "WARN" not in came["stderr"]
