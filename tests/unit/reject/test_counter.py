"""The belt position from a counter of the kernel: it wraps, is narrow, noisy, set by others, or goes away."""

import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import NS_PER_MS, NS_PER_S, VirtualClock
from app.config import Line
from app.errors import LineError
from app.reject.counter import CounterEncoder
from app.reject.counter_events import WrapEvents
from app.reject.gpio import open_line
from app.twin.pins import TwinFactory
from tests.unit.reject.counter_tree import CounterTree

FASTEST = 100_000
OVERFLOW, UNDERFLOW = 0, 1


@pytest.fixture
def tree(tmp_path):
    tree = CounterTree(tmp_path)
    yield tree
    tree.close()


@pytest.fixture
def clock():
    return VirtualClock(NS_PER_S)


@pytest.fixture
def opened(tree, clock):
    made = []

    def open_(name="counter0/count0", **more):
        made.append(CounterEncoder(name, FASTEST, clock=clock, root=tree.root, ioctl=tree.ioctl, **more))
        return made[-1]

    yield open_
    for encoder in made:
        encoder.close()


def at(clock, ms):
    clock.advance_to(NS_PER_S + round(ms * NS_PER_MS))
    return clock.now_ns()


def test_counter_is_told_to_decode_quadrature_and_to_count(tree, opened):
    tree.add()
    opened()

    assert (tree.get("function"), tree.get("enable")) == ("quadrature x4", "1")


def test_belt_begins_at_nought_wherever_the_counter_stands(tree, opened, clock):
    tree.add(count=4711)
    encoder = opened()
    before = encoder.read(at(clock, 1))
    tree.set(4700)
    after = encoder.read(at(clock, 2))

    assert (before.count, before.at_ns, after.count, after.at_ns) == (0, NS_PER_S, -11, clock.now_ns())
    assert after.missed == 0


def test_reading_keeps_the_time_at_which_the_count_changed(tree, opened, clock):
    tree.add()
    encoder = opened()
    tree.set(5)
    changed_ns = encoder.read(at(clock, 3)).at_ns

    assert encoder.read(at(clock, 9)).at_ns == changed_ns == NS_PER_S + 3 * NS_PER_MS


def test_reversed_counter_counts_the_other_way(tree, opened, clock):
    tree.add()
    encoder = opened(is_reversed=True)
    tree.set(7)

    assert encoder.read(at(clock, 1)).count == -7


@pytest.mark.parametrize("ceiling", [0xFFFF, 0xFFFFFF, 0xFFFFFFFF, 999])
def test_count_goes_on_where_the_counter_wraps(tree, opened, clock, ceiling):
    tree.add(count=ceiling - 2, ceiling=ceiling)
    encoder = opened()
    tree.set(3)
    over = encoder.read(at(clock, 1))
    tree.set(ceiling - 5)
    under = encoder.read(at(clock, 2))

    assert (over.count, under.count, under.missed) == (6, -3, 0)


def test_counter_that_may_count_to_nought_is_given_all_its_room(tree, opened, clock):
    tree.add(ceiling=0)
    encoder = opened()
    tree.set(0xFFFFFFFF)

    assert tree.get("ceiling") == str(0xFFFFFFFF)
    assert encoder.read(at(clock, 1)).count == -1


@pytest.mark.parametrize("bits", [16, 24, 32])
def test_width_that_the_driver_does_not_tell_is_found_at_the_first_wrap(tree, opened, clock, bits):
    tree.add(count=(1 << bits) - 2, ceiling=None)
    encoder = opened()
    tree.set(8)

    assert (encoder.read(at(clock, 1)).count, encoder.read(at(clock, 2)).missed) == (10, 0)


@given(steps=st.lists(st.integers(-20_000, 20_000), min_size=1, max_size=60), start=st.integers(0, 65_535))
def test_count_never_drifts(tmp_path_factory, steps, start):
    tree, clock = CounterTree(tmp_path_factory.mktemp("tree")), VirtualClock(NS_PER_S)
    tree.add(count=start, ceiling=0xFFFF)
    encoder = CounterEncoder("counter0/count0", FASTEST, clock=clock, root=tree.root)
    place = start
    for step in steps:
        place += step
        tree.set(place % 65_536)
        clock.advance_to(clock.now_ns() + 100 * NS_PER_MS)
        reading = encoder.read(clock.now_ns())
    encoder.close()

    assert (reading.count, reading.missed) == (place - start, 0)


def test_edge_that_was_fetched_late_has_the_count_of_its_own_time(tree, opened, clock):
    tree.add()
    encoder = opened()
    for ms in range(0, 101, 5):  # 10 counts per ms
        tree.set(10 * ms)
        encoder.read(at(clock, ms))
    edge_ns = clock.now_ns()
    tree.set(1030)
    at(clock, 103)

    assert encoder.read(edge_ns).count == 1000
    assert encoder.read(clock.now_ns()).count == 1030


def test_jump_that_no_belt_makes_is_a_fault_in_words(tree, opened, clock):
    tree.add(count=50_000)
    encoder = opened()
    tree.set(0)
    reading = encoder.read(at(clock, 1))

    assert (reading.missed, reading.trouble) == (
        1,
        "counter0/count0 jumped by -50,000 counts: something else sets it",
    )
    later = encoder.read(at(clock, 1500))
    assert (later.missed, later.trouble) == (1, "")


def test_counter_that_goes_away_is_one_fault_as_long_as_it_lasts(tree, opened, clock, monkeypatch):
    tree.add()
    encoder = opened()

    def gone():
        raise OSError(errno.ENODEV, "No such device")

    with monkeypatch.context() as away:
        away.setattr(encoder, "_fetch", gone)
        readings = [encoder.read(at(clock, ms)) for ms in (1, 500, 1400, 2300)]
    back = encoder.read(at(clock, 4000))

    assert {reading.trouble for reading in readings} == {"counter0/count0 cannot be read (No such device)"}
    assert [reading.missed for reading in readings] == [1, 1, 1, 1]
    assert (back.trouble, back.count) == ("", 0)


def test_noise_at_the_inputs_is_a_fault(tree, opened, clock):
    tree.add(error_noise=0)
    encoder = opened()
    quiet = encoder.read(at(clock, 200))
    tree.set(1, "error_noise")
    noisy = encoder.read(at(clock, 400))

    assert (quiet.missed, noisy.missed) == (0, 1)
    assert noisy.trouble == "counter0/count0 finds noise at its inputs"


def test_wraps_that_nobody_saw_are_a_fault(tree, opened, clock):
    tree.add(count=30_000, ceiling=0xFFFF)
    tree.add_device()
    encoder = opened()
    tree.tell(OVERFLOW)  # once around while the station slept
    reading = encoder.read(at(clock, 1000))

    assert tree.watches == [(OVERFLOW, 0), (UNDERFLOW, 0)]
    assert tree.is_enabled
    assert (reading.missed, reading.trouble) == (1, "counter0/count0 wrapped 1 times unseen")
    assert encoder.read(at(clock, 3000)).missed == 1


def test_wraps_that_were_seen_are_none(tree, opened, clock):
    tree.add(count=65_000, ceiling=0xFFFF)
    tree.add_device()
    encoder = opened()
    tree.set(1_000)
    tree.tell(OVERFLOW)
    encoder.read(at(clock, 100))
    tree.set(20_000)
    over = encoder.read(at(clock, 500))
    tree.set(65_000)
    tree.tell(UNDERFLOW)
    encoder.read(at(clock, 1000))
    tree.set(40_000)
    under = encoder.read(at(clock, 1500))

    assert (over.count, over.missed, under.count, under.missed) == (20_536, 0, -25_000, 0)


def test_many_events_are_all_counted(tree):
    tree.add_device()
    events = WrapEvents.opened(tree.root / "dev/counter0", 0, tree.ioctl)
    tree.tell(*[OVERFLOW] * 150, *[UNDERFLOW] * 20)

    assert events.wraps() == 130
    events.close()


def test_driver_without_events_is_used_without(tree, opened, clock):
    def refuse(*_):
        raise OSError(errno.EINVAL, "Invalid argument")

    tree.add()
    tree.add_device()
    tree.ioctl = refuse
    encoder = opened()
    tree.set(40)

    assert encoder.read(at(clock, 500)).count == 40


# ---- which counter ----


@pytest.mark.parametrize("name", ["counter0/count0", "counter0", "ti-eqep/count0", "ti-eqep", "ti-eqep/QPOSCNT"])
def test_counter_is_found_by_number_and_by_name(tree, opened, clock, name):
    tree.add()
    encoder = opened(name)
    tree.set(1)

    assert encoder.read(at(clock, 1)).count == 1


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("counter7", "there is no encoder.counter 'counter7'; name one of counter0/count0 .ti-eqep., counter1"),
        ("counter0/count3", "there is no encoder.counter 'counter0/count3'; name one of"),
        ("ti-eqep", "'ti-eqep' means more than one counter; name one by its number: counter0/count0"),
    ],
)
def test_counter_that_is_not_one_is_refused_with_those_that_there_are(tree, opened, name, says):
    tree.add("counter0")
    tree.add("counter1")

    with pytest.raises(LineError, match=says):
        opened(name)


def test_machine_without_counters_says_what_to_do(tree, opened):
    with pytest.raises(LineError, match=r"has no counters .*; load the driver of its counter, or use encoder\.driver"):
        opened()


def test_counter_that_decodes_no_quadrature_is_refused_with_what_it_does(tree, opened):
    tree.add(function_available="increase")

    with pytest.raises(LineError, match="does not decode quadrature, it offers increase; name another counter"):
        opened()


def test_counter_that_may_not_be_set_says_what_udev_is_to_do(tree, opened, monkeypatch):
    tree.add()

    def refuse(*_args, **_more):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(LineError, match=r"Read-only file system; have udev write it .*: echo 'quadrature x4' > "):
        opened()


def test_counter_that_is_set_already_is_not_written_to(tree, opened, monkeypatch):
    tree.add(function="quadrature x4", enable=1)

    def refuse(*_args, **_more):
        raise AssertionError("written")

    monkeypatch.setattr(Path, "write_text", refuse)
    opened()


def test_count_that_is_no_number_is_refused(tree, opened):
    tree.add(count="")

    with pytest.raises(LineError, match="cannot be read"):
        opened()


def test_line_counts_by_the_counter_that_its_settings_name(tree, clock):
    tree.add()
    line = Line.model_validate(
        {
            "encoder": {"driver": "counter", "counter": "counter0", "reverse": True},
            "trigger": {"sensor": {"pin": 4}},
            "camera": [{"driver": "opencv", "source": "0"}],
            "gate": [{"output": {"pin": 22}}],
        }
    )
    factory = TwinFactory(clock)
    io = open_line(line, clock, factory, tree.root)
    tree.set(12)
    factory.drive(4, True)
    (edge,) = io.edges()

    assert (edge.count, io.encoder.read(clock.now_ns()).count) == (-12, -12)
    io.close()
