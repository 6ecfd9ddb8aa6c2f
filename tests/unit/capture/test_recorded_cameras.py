"""Folders and videos as cameras: what is theirs beyond the contract."""

import cv2
import numpy as np
import pytest

from app.capture.folder import FolderCamera
from app.capture.playback import MOST_WAITING
from app.capture.video import VideoCamera
from app.clock import VirtualClock
from app.errors import CameraError, FrameTimeoutError
from tests.unit.capture.recordings import LEVELS, make_folder, make_video, settings


@pytest.fixture(params=["folder", "video"])
def shown_once(request, tmp_path):
    """A camera that does not begin again after its last picture."""
    clock = VirtualClock(5)
    if request.param == "folder":
        camera = FolderCamera(settings("folder", make_folder(tmp_path / "a")), clock, is_looping=False)
    else:
        camera = VideoCamera(settings("opencv", make_video(tmp_path / "a.avi")), clock, is_looping=False)
    camera.open()
    yield camera
    camera.close()


def test_trigger_after_the_last_picture_is_an_error(shown_once):
    for _ in LEVELS:
        shown_once.trigger(0)
    with pytest.raises(CameraError, match="all pictures have been shown"):
        shown_once.trigger(0)
    for _ in LEVELS:
        shown_once.grab(0)


def test_pictures_wait_in_the_order_of_their_triggers(shown_once):
    shown_once.trigger(1)
    shown_once.trigger(2)
    assert [(frame.host_ns, frame.counter) for frame in (shown_once.grab(0), shown_once.grab(0))] == [(1, 1), (2, 2)]


def test_triggers_without_grabs_are_bounded(tmp_path):
    camera = FolderCamera(settings("folder", make_folder(tmp_path / "a")), VirtualClock())
    camera.open()
    for _ in range(MOST_WAITING):
        camera.trigger(0)
    with pytest.raises(CameraError, match="16 pictures wait to be fetched"):
        camera.trigger(0)
    camera.close()


def test_damaged_picture_costs_its_own_part_only(tmp_path):
    folder = make_folder(tmp_path / "a")
    (folder / "1.png").write_bytes(b"")
    camera = FolderCamera(settings("folder", folder), VirtualClock())
    camera.open()
    for _ in LEVELS:
        camera.trigger(0)
    assert camera.grab(0).name == "0.png"
    with pytest.raises(CameraError, match=r"1\.png is empty"):
        camera.grab(0)
    last = camera.grab(0)
    assert (last.name, last.counter) == ("2.png", 3)


def test_picture_that_came_later_is_seen_in_the_next_round(tmp_path):
    folder = make_folder(tmp_path / "a")
    camera = FolderCamera(settings("folder", folder), VirtualClock())
    camera.open()
    cv2.imwrite(str(folder / "0-later.png"), np.zeros((24, 32), np.uint8))
    names = []
    for _ in range(len(LEVELS) + 1):
        camera.trigger(0)
        names.append(camera.grab(0).name)
    assert names == ["0.png", "1.png", "2.png", "0-later.png"]


def test_camera_of_a_folder_that_became_empty_is_an_error(tmp_path):
    folder = make_folder(tmp_path / "a")
    camera = FolderCamera(settings("folder", folder), VirtualClock())
    camera.open()
    for path in folder.iterdir():
        path.unlink()
    camera.trigger(0)
    with pytest.raises(CameraError, match="No such file"):
        camera.grab(0)
    with pytest.raises(FrameTimeoutError):
        camera.grab(0)


@pytest.mark.parametrize("name", ["a.avi", "a.mp4"])
def test_file_that_is_no_video_is_an_error_in_one_sentence(tmp_path, name, capfd):
    (tmp_path / name).write_bytes(b"no video at all" * 100)
    with pytest.raises(CameraError, match="is no video that OpenCV can decode"):
        VideoCamera(settings("opencv", tmp_path / name), VirtualClock()).open()
    assert capfd.readouterr().err == ""
