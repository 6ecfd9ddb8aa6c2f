"""The vision trigger on a real belt: white plug housings, then orange cones, filmed from above.

What is true was found by looking at the frames: three housings and two cones come in; the last cone gets as far as a
fifth of the picture and the one before it as far as two thirds.
"""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from app.capture.vision.spotter import Spotter
from app.config import CameraSettings, PartSettings
from app.config.vision import VisionSettings
from app.types import Frame

HOUSING_PX = 262
TRUE = {0.1: 5, 0.2: 5, 0.35: 4, 0.5: 4, 0.65: 4, 0.8: 3, 0.9: 3}


@pytest.fixture(scope="module")
def clip(data_dir):
    """Every frame at half its size, in grey."""
    video = cv2.VideoCapture(str(data_dir / "video" / "nivedha_conveyor_belt.mp4"))
    frames = []
    while True:
        is_read, frame = video.read()
        if not is_read:
            break
        frames.append(cv2.resize(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), (480, 270), interpolation=cv2.INTER_AREA))
    video.release()
    assert len(frames) == 933
    return frames


def triggers_of(frames, line_share, motion="left"):
    height, width = frames[0].shape
    spotter = Spotter(
        VisionSettings(motion=motion, mm_per_px=0.5, line_share=line_share),
        CameraSettings(width_px=width, height_px=height),
        PartSettings(length_mm=HOUSING_PX / 4, min_pitch_mm=HOUSING_PX / 4),
    )
    return sum(len(spotter.look(Frame(image=frame, camera="top", host_ns=0))) for frame in frames)


def reversed_within(frames, at, count):
    return frames[:at] + frames[at - 1 : at - 1 - count : -1] + frames[at - count :]


def darker_by_and_by(frames):
    return [cv2.convertScaleAbs(frame, alpha=1 - 0.4 * at / len(frames)) for at, frame in enumerate(frames)]


def noisy(frames):
    noise = np.random.default_rng(1).normal(0, 12, (300, 510)).astype(np.float32)
    places = [((7 * at) % 30, (11 * at) % 30) for at in range(len(frames))]
    cuts = (noise[y : y + 270, x : x + 480] for y, x in places)
    return [np.clip(frame + cut, 0, 255).astype(np.uint8) for frame, cut in zip(frames, cuts, strict=True)]


def slowed(frames):
    between = [cv2.addWeighted(a, 0.5, b, 0.5, 0) for a, b in pairwise(frames)]
    return [frame for pair in zip(frames[:-1], between, strict=True) for frame in pair]


CHANGES = {
    "as it is": lambda frames: frames,
    "slowed": slowed,
    "fast": lambda frames: frames[::8],
    "reversed early": lambda frames: reversed_within(frames, 110, 60),
    "reversed in the middle": lambda frames: reversed_within(frames, 466, 90),
    "darker": darker_by_and_by,
    "noisy": noisy,
    "negative": lambda frames: [255 - frame for frame in frames],
}


@pytest.mark.parametrize("line_share", [0.1, 0.5, 0.9])
def test_each_part_of_the_clip_triggers_once(clip, line_share):
    assert triggers_of(clip[::4], line_share) == TRUE[line_share]


def test_each_part_triggers_once_when_the_belt_reverses_and_darkens(clip):
    assert triggers_of(darker_by_and_by(noisy(reversed_within(clip[::5], 93, 18))), 0.5) == TRUE[0.5]


def test_turned_picture_is_the_same(clip):
    assert triggers_of([np.ascontiguousarray(np.rot90(frame)) for frame in clip[::6]], 0.35, "down") == TRUE[0.35]


@pytest.mark.long
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("line_share", TRUE)
def test_each_part_triggers_once_at_any_line(clip, change, line_share):
    assert triggers_of(change(clip), line_share) == TRUE[line_share]
