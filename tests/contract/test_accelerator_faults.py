"""Every kind of fault, injected into the real process: no picture is lost, and the cause has a name."""

import signal
import threading

import numpy as np
import pytest

from app.bus.exchange import ExchangeClient
from app.clock import NS_PER_S
from app.detect.curtain import Phase
from tests.contract.accelerator_rig import rig_of, tolerant
from tests.contract.bus_peers import eventually
from tests.unit.detect.tiny_model import with_spot

SPOTS = {"left": (3, 3), "right": (20, 10)}
GONE = ("accelerator gone: ", "accelerator late: ")
CAUSES = {
    "kill": GONE,
    "hang": ("accelerator late: ",),
    "nan": ("accelerator wrong: the model gave numbers that are not finite",),
    "flip": ("accelerator wrong: the model gave ",),
    "driver": ("accelerator failed: CUDA error 700: an illegal memory access",),
    "storm": ("accelerator failed: CUDA error 700: an illegal memory access",),
    "full": ("accelerator late: ",),
    "torn": GONE,
}
AT_START = {
    "shape": "accelerator wrong: ",
    "oom": "out of memory: the model needs 812 MiB and the device has 96 MiB left",
    "library": "needs libnvinfer.so.10, which is not installed",
    "engine": "the engine was built by version 10.3",
    "gone": "CUDA error 100: no CUDA-capable device is detected",
}


@pytest.fixture(scope="module")
def shared():
    """One rig for all kinds: each leaves it healthy, which is what it has to show."""
    with rig_of("sick") as rig:
        rig.start()
        rig.station(rules=tolerant())
        yield rig


@pytest.fixture
def rig(shared):
    """The accelerator is well, trusted, and judges."""
    shared.sickness.heal()
    back(shared)
    assert judged(shared, "left") == "accelerator"
    return shared


def back(rig, lane=1, seen=None):
    """Rests and is looked after until it is trusted; `seen` takes down every cause that is told on the way."""
    curtain = rig.stations[lane].curtain

    def is_back():
        rig.look()
        curtain.step()
        if seen is not None and curtain.why not in seen:
            seen.append(curtain.why)
        return curtain.phase is Phase.TRUSTED

    eventually(is_back)


def judged(rig, label, lane=1):
    """Has a picture judged, whose finding must be right whoever found it, and says who did."""
    picture, before = with_spot(*SPOTS[label]), rig.stations[lane].failovers
    found = rig.stations[lane].detect(picture, np.zeros_like(picture)).detections
    assert [each.label for each in found] == [label]
    return "standby" if rig.stations[lane].why or rig.stations[lane].failovers > before else "accelerator"


@pytest.mark.parametrize("kind", CAUSES)
def test_the_very_picture_is_judged_by_the_standby_with_the_cause_named_and_trust_comes_back(rig, kind):
    before = rig.both.failovers
    rig.sickness.strike(kind)
    assert judged(rig, "right") == "standby"
    assert rig.both.why.startswith(CAUSES[kind])
    assert judged(rig, "left") == "standby", "and all after it"
    assert rig.both.failovers == before + 1, "only one picture waited for it"
    if kind == "hang":
        rig.process.kill()
    back(rig)
    assert judged(rig, "right") == "accelerator"


@pytest.mark.parametrize("kind", AT_START)
def test_what_keeps_it_from_starting_is_told_while_the_standby_judges(rig, kind):
    rig.sickness.strike(kind)
    assert judged(rig, "left") == "standby"
    seen = []
    back(rig, seen=seen)
    assert any(AT_START[kind] in each for each in seen), seen
    assert judged(rig, "right") == "accelerator"


def test_failure_while_it_is_proven_starts_the_proof_again(rig):
    promotions, failures = rig.both.curtain.promotions, rig.both.curtain.failures
    rig.sickness.strike("promotion")
    assert judged(rig, "left") == "standby"
    back(rig)
    curtain = rig.both.curtain
    assert (curtain.promotions - promotions, curtain.failures - failures) == (1, 2)
    assert rig.sickness.is_over


@pytest.mark.parametrize("kind", ["slow-x2", "slow-x10"])
def test_slow_one_far_from_its_slice_goes_on_judging(rig, kind):
    rig.sickness.strike(kind)
    assert [judged(rig, "left") for _ in range(3)] == ["accelerator"] * 3


def test_dropped_finding_shows_at_the_next_golden_frame_before_which_nobody_can_know(rig):
    rig.sickness.strike("lie")
    eventually(lambda: rig.both.curtain.step() or rig.both.why)
    assert rig.both.why.startswith("accelerator wrong: ")
    assert judged(rig, "left") == "standby"
    back(rig)


def test_golden_frame_in_a_burst_of_pictures_finds_the_failure_before_a_picture_does(rig):
    rig.sickness.strike("driver", after=2)
    assert [judged(rig, "left") for _ in range(2)] == ["accelerator"] * 2
    eventually(lambda: rig.both.rest() or rig.both.why)
    assert rig.both.why.startswith("accelerator failed: CUDA error 700")
    failovers = rig.both.failovers
    assert judged(rig, "right") == "standby"
    assert rig.both.failovers == failovers, "no picture waited for it"


def test_late_answer_is_no_other_pictures(rig):
    rig.sickness.strike("full")
    assert judged(rig, "left") == "standby"
    assert judged(rig, "right") == "standby"
    back(rig)
    assert [judged(rig, each) for each in ("right", "left")] == ["accelerator"] * 2


def test_answer_of_one_that_died_right_after_it_counts(rig):
    assert judged(rig, "left") == "accelerator"
    rig.process.kill()
    rig.process.wait()
    assert rig.both.why == "", "nobody has asked it since"
    assert judged(rig, "right") == "standby"
    assert rig.both.why.startswith("accelerator gone: ")


def test_restarted_station_leaves_a_distrusted_accelerator_alone(rig):
    rig.sickness.strike("hang")
    assert judged(rig, "left") == "standby"
    rig.both.close()
    rig.station(rules=tolerant())
    assert rig.both.curtain.step() is None
    assert (rig.both.curtain.phase, rig.both.curtain.failures) == (Phase.AWAY, 0)
    rig.process.send_signal(signal.SIGCONT)
    back(rig)
    assert rig.both.curtain.failures == 0, "its successor is proven at the first try"


def test_station_that_starts_while_an_answer_is_owed_waits_for_it_and_asks_for_no_restart(rig):
    starts = rig.starts
    rig.process.send_signal(signal.SIGSTOP)
    client = ExchangeClient(rig.place.exchange(1))
    client.ask(0)
    rig.both.close()
    rig.station(rules=tolerant())
    rig.both.curtain.step()
    assert (rig.both.curtain.phase, rig.both.curtain.failures) == (Phase.AWAY, 0)
    rig.process.send_signal(signal.SIGCONT)
    back(rig)
    assert (rig.starts, rig.both.curtain.failures) == (starts, 0)


def test_lost_bell_costs_time_and_no_answer(rig):
    rig.both.curtain.detector.remote._ring = lambda: None
    assert judged(rig, "left") == "accelerator", "the server looks by itself now and then"


def test_bells_that_ring_for_nothing_are_no_answers(rig):
    bell = rig.both.curtain.detector.remote._answered
    for _ in range(5000):
        bell.ring()
    assert judged(rig, "right") == "accelerator"


def test_three_failures_park_it_until_a_person_asks():
    with rig_of("sick") as rig:
        rig.start()
        rig.station()
        back(rig)
        rig.sickness.strike("storm")
        assert judged(rig, "left") == "standby"
        curtain = rig.both.curtain
        eventually(lambda: rig.look() or curtain.step() or curtain.phase is Phase.PARKED)
        assert "it failed 3 times within 600 s and is parked" in curtain.why
        assert judged(rig, "right") == "standby"
        rig.sickness.heal()
        curtain.unpark()
        back(rig)
        assert judged(rig, "left") == "accelerator"


@pytest.fixture(scope="module")
def shared_by_two():
    with rig_of("sick", lanes=2) as rig:
        rig.start()
        for lane in (1, 2):
            rig.station(lane, tolerant() if lane == 1 else tolerant(flap_window_ns=NS_PER_S))
        yield rig


@pytest.fixture
def two(shared_by_two):
    """Both lanes trust the one accelerator."""
    shared_by_two.sickness.heal()
    for lane in (1, 2, 1):  # the first may have lost it while the second was proven
        back(shared_by_two, lane)
    return shared_by_two


def test_two_lanes_are_served_by_one_process(two):
    for lane, label in ((1, "left"), (2, "right"), (1, "right"), (2, "left")):
        assert judged(two, label, lane) == "accelerator"


def test_one_lanes_distrust_is_no_failure_of_the_other(two):
    other = two.stations[2].curtain
    two.sickness.strike("nan")
    assert judged(two, "left", 1) == "standby"
    eventually(lambda: two.process.poll() is not None)
    assert judged(two, "left", 2) == "standby"
    assert not other._failed_ns or other.phase is not Phase.PARKED
    assert other._failed_ns == type(other._failed_ns)(maxlen=other._rules.flaps), "it left because it was asked to"
    for lane in (1, 2):
        back(two, lane)


def test_questions_that_queue_behind_a_hung_one_are_late_and_judged_by_their_standbys(two):
    two.sickness.strike("hang")
    who = {}
    threads = [
        threading.Thread(target=lambda lane=lane: who.update({lane: judged(two, "left", lane)})) for lane in (1, 2)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert who == {1: "standby", 2: "standby"}
    assert all(two.stations[lane].why.startswith("accelerator late: ") for lane in (1, 2))
    two.process.kill()
    for lane in (1, 2):
        back(two, lane)
