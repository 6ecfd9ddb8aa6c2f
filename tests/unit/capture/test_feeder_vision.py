"""A camera that runs freely and whose frames show the parts."""

import numpy as np
import pytest

from tests.unit.capture.feeder_bench import GONE, HEIGHT, WIDTH, FeederBench

FRAME_MS = 20


class Leads:
    """Sees a part where the frame's first pixel is bright."""

    def __init__(self):
        self.looks = self.restarts = 0

    def look(self, frame):
        self.looks += 1
        return tuple(int(pixel) * 1000 for pixel in frame.image[0, :2] if pixel > 200)

    def restart(self):
        self.restarts += 1


@pytest.fixture
def bench(tmp_path):
    bench = FeederBench(tmp_path, spotter=Leads(), trigger="free", silent_ms=1000)
    bench.spotter = bench.feeder._spotter
    return bench.open()


def show(bench, *pixels, level=90):
    image = np.full((HEIGHT, WIDTH), level, np.uint8)
    image[0, : len(pixels)] = pixels
    bench.camera.send(image, device_ns=bench.clock.now_ns())
    bench.run_ms(FRAME_MS)


def test_camera_streams_and_every_frame_is_shown_to_the_spotter(bench):
    for _ in range(5):
        show(bench)
    assert bench.camera.is_streaming
    assert bench.spotter.looks == 5
    assert bench.taken() == []


def test_frame_that_shows_a_part_is_published_with_its_lead(bench):
    show(bench)
    show(bench, 250)
    assert [frame.lead_um for frame in bench.taken()] == [250_000]


def test_frame_that_shows_two_parts_is_published_for_each(bench):
    show(bench, 250, 230)
    frames = bench.taken()
    assert [frame.lead_um for frame in frames] == [250_000, 230_000]
    assert (frames[0].image == frames[1].image).all()


def test_triggers_of_the_station_are_passed_over(bench):
    bench.ask()
    assert bench.camera.triggers == []


def test_single_dark_frame_is_refused_and_shown_to_nobody(bench):
    show(bench, level=0)
    show(bench, 250)
    assert bench.spotter.looks == 1
    assert len(bench.taken()) == 1
    assert not any(state.is_away for state in bench.states[-2:])


def test_camera_that_stays_dark_watches_nothing_and_says_so_within_half_a_second(bench):
    show(bench)
    dark_ns = bench.clock.now_ns()
    while not bench.state.is_away:
        show(bench, level=0)
        assert bench.clock.now_ns() - dark_ns < 300e6
    assert "dark" in bench.state.text
    assert bench.spotter.restarts == 2, "once when it was opened, and once as frames were missing"
    show(bench)
    assert not bench.state.is_away
    assert bench.state.text == ""
    assert bench.camera.closes == 0


def test_camera_that_falls_silent_is_blind_at_once_and_opened_again_later(bench):
    show(bench)
    silent_ns = bench.clock.now_ns()
    while not bench.state.is_away:
        bench.run_ms(2)
        assert bench.clock.now_ns() - silent_ns < 450e6
    assert "watches the belt and has sent no good frame for 0.2 s" in bench.state.text
    assert bench.camera.closes == 0
    bench.run_ms(1300)
    assert bench.camera.closes == 1
    bench.run_ms(300)
    assert bench.camera.opens == 2
    assert bench.state.is_away
    show(bench, 250)
    assert not bench.state.is_away
    assert len(bench.taken()) == 1


def test_spotting_begins_anew_with_a_camera_that_was_opened_again(bench):
    show(bench)
    before = bench.spotter.restarts
    bench.camera.grabs_with = GONE
    bench.feeder.step()
    bench.camera.grabs_with = None
    bench.run_ms(300)
    assert bench.camera.is_streaming
    assert bench.spotter.restarts == before + 1
    assert bench.state.is_away
    show(bench)
    assert not bench.state.is_away


def test_frozen_picture_of_a_device_is_no_belt_that_stands(tmp_path):
    bench = FeederBench(tmp_path, spotter=Leads(), trigger="free", driver="opencv", source="/dev/video0").open()
    noise = np.random.default_rng(1).integers(60, 120, (HEIGHT, WIDTH), np.uint8)
    for _ in range(2):
        bench.camera.send(noise)
        bench.run_ms(FRAME_MS)
    assert bench.state.refused == 1
    assert "to the last bit" in bench.state.text
