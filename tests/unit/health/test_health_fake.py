"""The scripted device: it heats up, slows, goes away and comes back, on a virtual clock."""

import pytest

from app.clock import NS_PER_S, VirtualClock
from app.health.fake import Body, FakeHealth, Scene


@pytest.fixture
def clock():
    return VirtualClock(5 * NS_PER_S)


def after(clock, seconds):
    clock.advance_to(clock.now_ns() + round(seconds * NS_PER_S))


def test_it_settles_where_load_and_cooling_meet(clock):
    source = FakeHealth(clock, [Scene(0, load=1.0)], Body(rise_c=40))

    start = source.read()
    after(clock, 3_600)
    end = source.read()

    assert start.temperature_c == 30
    assert end.temperature_c == pytest.approx(70, abs=0.1)
    assert (end.throttling, end.clock_mhz) == ((), 1000)


def test_without_its_fan_it_gets_too_hot_and_slows(clock):
    source = FakeHealth(clock, [Scene(0, load=1.0), Scene(600, load=1.0, cooling=0.4)])
    after(clock, 600)
    before = source.read()
    after(clock, 600)
    hot = source.read()

    assert not before.is_throttled
    assert hot.throttling == ("slowed by the driver: too hot",)
    assert hot.clock_mhz < before.clock_mhz


def test_how_often_it_is_read_does_not_matter():
    scenes = [Scene(0, load=0.8), Scene(100, load=0.2)]
    often, seldom = VirtualClock(), VirtualClock()
    first, second = FakeHealth(often, scenes), FakeHealth(seldom, scenes)
    for _ in range(200):
        after(often, 1)
        first.read()
    after(seldom, 200)

    assert first.read().temperature_c == pytest.approx(second.read().temperature_c, abs=0.1)


def test_it_goes_away_and_comes_back_as_the_script_says(clock):
    source = FakeHealth(clock, [Scene(10, is_away=True), Scene(20)])
    readings = []
    for _ in range(3):
        readings.append(source.read().device)
        after(clock, 10)

    assert readings == ["fake accelerator", None, "fake accelerator"]
