"""The vision trigger on rendered belts: one trigger per part, however parts lie and the belt moves."""

import numpy as np
import pytest

from app.capture.vision.spotter import Spotter
from app.config import CameraSettings, PartSettings
from app.config.vision import VisionSettings
from app.types import Frame
from tests.unit.capture.belt_pictures import SHAPES, Belt, Scene

MM_PER_PX = 0.5
MOTIONS = {"right": lambda p: p, "left": np.fliplr, "down": np.transpose, "up": lambda p: np.flipud(p.T)}


def spotter_for(scene, line_share=0.5, motion="right"):
    width, height = scene.width_px, scene.height_px
    if motion in ("up", "down"):
        width, height = height, width
    return Spotter(
        VisionSettings(mm_per_px=MM_PER_PX, line_share=line_share, motion=motion),
        CameraSettings(width_px=width, height_px=height),
        PartSettings(length_mm=scene.part_px * MM_PER_PX, min_pitch_mm=scene.part_px * MM_PER_PX),
    )


def seen(spotter, picture):
    return spotter.look(Frame(image=np.ascontiguousarray(picture), camera="top", host_ns=0))


def run(scene, travels, line_share=0.5, motion="right", light=lambda _: 1.0):
    """Where on the belt each trigger's leading edge lay, in pixels from the start of the belt."""
    belt, spotter = Belt(scene), spotter_for(scene, line_share, motion)
    line_px = line_share * scene.width_px
    return [
        travel - line_px - lead_um / (1000 * MM_PER_PX)
        for index, travel in enumerate(travels)
        for lead_um in seen(spotter, MOTIONS[motion](belt.picture(travel, light(index))))
    ]


def whole(scene, speed_px):
    """The travel at each frame until the last part has left."""
    return np.arange(0, scene.leads_px[-1] + scene.width_px + 1.2 * scene.part_px, speed_px)


def assert_each_once(scene, leads_px):
    assert len(leads_px) == scene.parts
    assert np.abs(np.array(leads_px) - scene.leads_px).max() < 0.45 * scene.part_px


SMALL = {"width_px": 240, "height_px": 64, "part_px": 48, "parts": 14}
LOOKS = {
    "light on dark": {},
    "dark on light": {"belt": 200, "levels": (30, 140)},
    "dark and light": {"belt": 128, "levels": (30, 80, 180, 230)},
    "faint": {"belt": 100, "levels": (128, 145), "texture": 3},
    "coarse texture": {"texture": 12, "grain_px": 4},
    "cross lines": {"marks_px": 97},
    "vignette": {"vignette": 0.5},
    "noise": {"noise": 12},
    "turned": {"tilt": 2},
    "parts from the start": {"first_px": 110},
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
def test_parts_that_nearly_touch_trigger_once_each(look):
    scene = Scene(pitch=1.05, **SMALL, **look)

    assert_each_once(scene, run(scene, whole(scene, 7.3)))


@pytest.mark.parametrize("line_share", [0.05, 0.3, 0.95])
@pytest.mark.parametrize("speed_px", [2.9, 21])
def test_line_may_lie_anywhere(line_share, speed_px):
    scene = Scene(pitch=1.3, **{**SMALL, "parts": 4})

    assert_each_once(scene, run(scene, whole(scene, speed_px), line_share))


@pytest.mark.parametrize("motion", MOTIONS)
def test_motion_may_have_any_direction(motion):
    scene = Scene(pitch=1.2, **{**SMALL, "parts": 5})

    assert_each_once(scene, run(scene, whole(scene, 6), 0.4, motion))


def reversing(scene, speed_px, at_px, back_px):
    travels = whole(scene, speed_px)
    before, after = travels[travels <= at_px], travels[travels > at_px - back_px]
    return np.concatenate((before, np.arange(at_px, at_px - back_px, -speed_px), after))


@pytest.mark.parametrize("back_px", [20, 90, 200])
@pytest.mark.parametrize("line_share", [0.1, 0.5, 0.9])
def test_belt_that_reverses_triggers_nothing_twice(line_share, back_px):
    scene = Scene(pitch=1.4, **{**SMALL, "parts": 8})

    assert_each_once(scene, run(scene, reversing(scene, 6, 330, back_px), line_share))


def test_only_part_that_backs_out_of_a_bare_belt_is_known_when_it_comes_again():
    scene = Scene(pitch=3, texture=0, **{**SMALL, "parts": 2})

    assert_each_once(scene, run(scene, reversing(scene, 5, 70, 100), 0.1))


def test_part_that_stops_on_the_line_triggers_once():
    scene = Scene(pitch=1.5, **{**SMALL, "parts": 4})
    travels = whole(scene, 5)
    on_line = travels[np.argmin(np.abs(travels - scene.leads_px[1] - 120))]
    shaken = on_line + np.tile([0, 0.6, -0.6, 0.2], 20)

    travels = np.concatenate((travels[travels <= on_line], shaken, travels[travels > on_line]))

    assert_each_once(scene, run(scene, travels))


@pytest.mark.parametrize(
    "light", [lambda i: 1 - 0.4 * min(1, i / 80), lambda i: 1 + 0.06 * np.sin(2.1 * i)], ids=["drift", "flicker"]
)
def test_light_may_change(light):
    scene = Scene(pitch=1.1, **SMALL)

    assert_each_once(scene, run(scene, whole(scene, 7), light=light))


def test_part_beyond_the_line_at_the_start_does_not_trigger():
    scene = Scene(pitch=2, first_px=170, **{**SMALL, "parts": 3})

    leads_px = run(scene, whole(scene, 6))

    assert len(leads_px) == 2


def test_dirt_and_cross_lines_are_no_parts():
    scene = Scene(pitch=4, marks_px=60, **{**SMALL, "parts": 3})
    belt, spotter = Belt(scene), spotter_for(scene)
    triggers = 0
    for travel in whole(scene, 6):
        picture = belt.picture(travel)
        x = int(travel - scene.leads_px[0] - 90) % 480
        picture[25:35, x : x + 8] = 240
        triggers += len(seen(spotter, picture))

    assert triggers == 3


def test_restart_forgets_the_belt():
    scene = Scene(pitch=2, first_px=170, **{**SMALL, "parts": 3})
    belt, spotter = Belt(scene), spotter_for(scene)
    travels = whole(scene, 6)
    for travel in travels[:8]:
        seen(spotter, belt.picture(travel))

    spotter.restart()

    assert seen(spotter, belt.picture(travels[8])) == ()


def test_lead_is_told_in_micrometres_beyond_the_line():
    scene = Scene(pitch=2, shapes=("plate",), texture=2, noise=1, **{**SMALL, "parts": 3})

    leads_px = run(scene, whole(scene, 9))

    assert np.abs(np.array(leads_px) - scene.leads_px).max() < 2


def test_strip_must_have_a_height():
    with pytest.raises(ValueError, match="there is nothing to watch"):
        VisionSettings(mm_per_px=0.5, from_share=0.5, to_share=0.5)


@pytest.mark.long
@pytest.mark.parametrize("pitch", [1.05, 1.1, 1.3, 2.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_thousand_parts_trigger_once_each(pitch, seed):
    shapes = tuple(shape for shape in SHAPES if shape != "slotted")  # their slots are wider than the gaps between parts
    scene = Scene(pitch=pitch, seed=seed, texture=8, shapes=shapes, **{**SMALL, "parts": 1000})

    assert_each_once(scene, run(scene, whole(scene, 9.1), light=lambda i: 1 - 0.2 * (1 - np.cos(i / 300))))
