"""Pictures for people who look at a camera, and a line that notices nothing of it."""

from dataclasses import replace

import pytest

from app.bus.block import BlockWriter
from app.bus.peek import Peek, Wish, looked_beside, wish_beside
from app.capture.looking import KEPT_NS, QUIET_NS, Looks
from app.clock import NS_PER_MS, NS_PER_S
from app.reject.binding import Binder
from app.status import State, Status, encode_status
from app.types import Reason, Tally
from tests.unit.capture.feeder_bench import GONE, FeederBench


class LookedAt(FeederBench):
    """A feeder whose camera somebody may look at, and a station that says how the belt runs."""

    def __init__(self, folder, spotter=None, **changes):
        super().__init__(folder, spotter, **changes)
        self.frames, self.status = self.place.frames(1, "top"), self.place.status(1)
        self.feeder.let_look(Looks(self.settings, self.frames, self.status, is_streaming=spotter is not None))
        self.wish, self.peek = Wish(wish_beside(self.frames)), Peek(looked_beside(self.frames))
        self.block = BlockWriter(self.status, 8192)
        self.speed_mm_s = 0.0
        self.open()

    def look_ms(self, ms):
        """Somebody looks for so long, and the station says twenty times a second how the belt runs."""
        end_ns = self.clock.now_ns() + round(ms * NS_PER_MS)
        while self.clock.now_ns() < end_ns:
            self.wish.renew(self.clock.now_ns())
            self.say()
            self.run_ms(50)

    def say(self):
        now_ns = self.clock.now_ns()
        said = Status(State.STOPPED, "", now_ns, now_ns, Tally(), "A", speed_mm_s=self.speed_mm_s)
        self.block.write(encode_status(said))

    def asked_by_look(self):
        """Lets time pass until a look goes out that is not answered yet, and says when it was asked."""
        before = len(self.camera.triggers)
        while len(self.camera.triggers) == before:
            self.wish.renew(self.clock.now_ns())
            self.say()
            self.feeder.step()
        return self.camera.triggers[-1]


@pytest.fixture
def make_bench(tmp_path):
    return lambda **changes: LookedAt(tmp_path, **changes)


def test_a_line_that_stands_shows_about_four_pictures_a_second_and_the_station_sees_none(make_bench):
    bench = make_bench()
    bench.look_ms(1200)
    before = len(bench.camera.triggers)
    bench.look_ms(3000)

    assert 9 <= len(bench.camera.triggers) - before <= 12
    assert bench.peek.newest() is not None
    assert bench.taken() == []
    state = bench.state
    assert (state.frames, state.refused, state.dropped, state.text, state.is_away) == (0, 0, 0, "", False)


def test_where_nobody_looks_the_camera_is_asked_for_nothing_and_no_memory_is_taken(make_bench):
    bench = make_bench()
    bench.say()
    bench.run_ms(5000)

    assert bench.camera.triggers == []
    assert not looked_beside(bench.frames).exists()


def test_when_the_last_one_has_gone_the_pictures_end_and_their_memory_is_given_back(make_bench):
    bench = make_bench()
    bench.look_ms(2000)
    bench.run_ms(2100)
    before = len(bench.camera.triggers)
    bench.run_ms(KEPT_NS / NS_PER_MS + 200)

    assert len(bench.camera.triggers) == before
    assert not looked_beside(bench.frames).exists()


def test_a_belt_that_runs_is_not_looked_at(make_bench):
    bench = make_bench()
    bench.speed_mm_s = 120.0
    bench.look_ms(4000)

    assert bench.camera.triggers == []


def test_a_station_that_is_not_there_or_says_nothing_more_sends_no_triggers_either(make_bench):
    bench = make_bench()
    bench.speed_mm_s = 120.0
    bench.say()
    said_ns = bench.clock.now_ns()
    for _ in range(60):
        bench.wish.renew(bench.clock.now_ns())
        bench.run_ms(50)

    assert NS_PER_S < bench.camera.triggers[0] - said_ns < 2 * NS_PER_S


def test_after_a_trigger_it_is_quiet_for_a_second(make_bench):
    bench = make_bench()
    bench.look_ms(1500)
    bench.ask()
    asked_ns, before = bench.clock.now_ns(), len(bench.camera.triggers)
    bench.look_ms(3000)

    assert len(bench.taken()) == 1
    assert bench.camera.triggers[before] - asked_ns >= QUIET_NS


@pytest.mark.parametrize("changes", [{"trigger": "wire"}, {"driver": "folder", "source": "pictures"}])
def test_a_camera_whose_pictures_each_belong_to_a_part_is_never_asked(make_bench, changes):
    bench = make_bench(**changes)
    bench.look_ms(4000)

    assert bench.camera.triggers == []


def test_a_dark_picture_is_shown_to_who_looks_and_is_no_trouble_of_the_line(make_bench):
    bench = make_bench()
    bench.camera.level = 0
    bench.look_ms(3000)

    assert int(bench.peek.newest().image.max()) == 0
    assert (bench.state.text, bench.state.refused) == ("", 0)


def test_looks_without_an_answer_are_no_trouble_of_the_line_and_are_asked_again(make_bench):
    bench = make_bench()
    bench.camera.answers = False
    bench.look_ms(8000)

    assert 4 <= len(bench.camera.triggers) <= 8
    assert (bench.state.text, bench.state.is_away, bench.camera.closes) == ("", False, 0)


def test_a_camera_whose_clock_went_back_between_parts_is_opened_again(make_bench):
    bench = make_bench()
    bench.camera.answers = False
    bench.look_ms(1100)
    bench.camera.send(at_ns=bench.camera.triggers[-1], device_ns=9_000)
    bench.look_ms(1100)
    bench.camera.send(at_ns=bench.camera.triggers[-1], device_ns=1_000)
    bench.feeder.step()

    assert bench.camera.closes == 1
    assert "stamped backwards" in bench.state.text


def test_a_camera_that_fails_at_a_look_is_opened_again_like_any_other(make_bench):
    bench = make_bench()
    bench.camera.triggers_with = GONE
    bench.look_ms(1300)
    assert "is gone" in bench.state.text

    bench.camera.triggers_with = None
    bench.look_ms(4000)
    assert bench.state.text == ""
    assert bench.peek.newest() is not None


def test_a_trigger_while_a_look_is_out_goes_on_at_once_and_each_gets_its_own_picture(make_bench):
    bench = make_bench()
    bench.camera.answers = False
    look_ns = bench.asked_by_look()
    part_ns = look_ns + 4 * NS_PER_MS
    bench.clock.advance_to(part_ns)
    bench.ask()
    assert bench.camera.triggers[-1] == part_ns

    bench.camera.send(at_ns=look_ns)
    bench.camera.send(at_ns=part_ns)
    bench.run_ms(4)

    assert [each.host_ns for each in bench.taken()] == [part_ns + NS_PER_MS]
    assert bench.peek.newest().host_ns == look_ns + NS_PER_MS
    assert (bench.state.refused, bench.state.text) == (0, "")


def test_one_picture_for_a_look_and_a_part_is_the_parts(make_bench):
    bench = make_bench()
    bench.camera.answers = False
    look_ns = bench.asked_by_look()
    bench.clock.advance_to(look_ns + 4 * NS_PER_MS)
    bench.ask()
    bench.camera.send(at_ns=look_ns + 4 * NS_PER_MS)
    bench.run_ms(4)

    assert len(bench.taken()) == 1


def test_a_part_whose_trigger_a_look_has_swallowed_has_no_frame_and_the_camera_goes_on(make_bench):
    bench = make_bench()
    bench.camera.answers = False
    look_ns = bench.asked_by_look()
    bench.clock.advance_to(look_ns + 4 * NS_PER_MS)
    bench.ask()
    bench.camera.send(at_ns=look_ns)
    bench.run_ms(200)

    assert bench.taken() == []
    assert (bench.state.text, bench.camera.closes) == ("", 0)
    bench.camera.answers = True
    bench.ask()
    assert len(bench.taken()) == 1


def test_a_late_picture_of_a_part_is_no_look(make_bench):
    bench = make_bench()
    bench.camera.answers = False
    bench.look_ms(1100)
    part_ns = bench.clock.now_ns()
    bench.ask()
    bench.look_ms(1300)
    shown = bench.peek.newest()
    bench.camera.send(at_ns=part_ns)
    bench.run_ms(4)

    assert bench.peek.newest() is shown is None
    assert bench.taken() == []
    assert bench.state.refused == 1


class Counting:
    """A station that binds frames by the camera's own count of triggers."""

    def __init__(self, bench):
        self.bench, self.binder, self.part = bench, Binder(bench.settings), 0

    def inspect(self):
        """One part goes by; gives what its frame was bound to."""
        self.part += 1
        self.binder.expose(self.part, 0, self.bench.clock.now_ns())
        self.bench.ask()
        found = [self.binder.bind(each) for each in self.bench.taken()]
        self.binder.expired(self.bench.clock.now_ns() + NS_PER_S)
        return [(each.exposure.part_id if each.exposure else None, each.reason) for each in found]


@pytest.fixture
def counting(make_bench):
    bench = make_bench(binding="counter")
    return bench, Counting(bench)


def test_looks_are_taken_off_the_count_by_which_parts_are_bound(counting):
    bench, station = counting
    bench.look_ms(2000)
    assert station.inspect() == [(1, None)]
    for part in (2, 3, 4):
        bench.look_ms(2500)
        assert station.inspect() == [(part, None)]
    assert len(bench.camera.triggers) > 20


def test_looks_that_were_counted_and_not_answered_are_taken_off_with_the_next_answer(counting):
    bench, station = counting
    assert station.inspect() == [(1, None)]
    bench.camera.answers = False
    bench.asked_by_look()
    bench.camera.counter += 1
    bench.camera.answers = True
    bench.look_ms(3000)

    assert station.inspect() == [(2, None)]


def test_a_part_bound_by_count_whose_trigger_came_into_a_look_is_bound_too(counting):
    bench, station = counting
    assert station.inspect() == [(1, None)]
    bench.camera.answers = False
    look_ns = bench.asked_by_look()
    bench.clock.advance_to(look_ns + 4 * NS_PER_MS)
    station.inspect()
    bench.camera.send(at_ns=look_ns)
    bench.camera.send(at_ns=look_ns + 4 * NS_PER_MS)
    bench.run_ms(4)
    counted = [each.counter for each in bench.taken()]
    bench.camera.answers = True
    bench.look_ms(3000)

    assert counted == [2]
    assert station.inspect() == [(3, None)]


def test_where_a_look_has_swallowed_the_trigger_of_a_part_the_count_is_learnt_anew(counting):
    bench, station = counting
    assert station.inspect() == [(1, None)]
    bench.camera.answers = False
    look_ns = bench.asked_by_look()
    bench.clock.advance_to(look_ns + 4 * NS_PER_MS)
    station.inspect()
    bench.camera.send(at_ns=look_ns)
    bench.run_ms(60)

    assert bench.camera.closes == 1
    assert "while somebody looked at it" in bench.state.text


def test_a_wrong_count_costs_one_part_and_never_shows_it_another_ones_picture(counting):
    bench, station = counting
    assert station.inspect() == [(1, None)]
    bench.camera.counter += 1
    assert station.inspect() == [(None, Reason.COUNTER_MISMATCH)]
    assert station.inspect() == [(3, None)]


class Seer:
    """Sees a part in every tenth picture."""

    def __init__(self):
        self.seen = 0

    def look(self, frame):
        self.seen += 1
        return (0,) if self.seen % 10 == 0 else ()

    def restart(self):
        """Nothing to forget."""


def test_a_camera_that_runs_freely_is_shown_now_and_then_and_triggers_as_ever(make_bench):
    bench = make_bench(spotter=Seer())
    shown = set()
    for number in range(100):
        bench.wish.renew(bench.clock.now_ns())
        bench.camera.send(at_ns=bench.clock.now_ns(), device_ns=1000 + number)
        bench.run_ms(20)
        seen = bench.peek.newest()
        shown |= {seen.generation} if seen is not None else set()

    assert len(bench.taken()) in (7, 8), "there are eight slots, and nobody released one"
    assert 6 <= len(shown) <= 9
    assert bench.camera.triggers == []


def test_a_picture_of_another_size_is_not_shown_and_breaks_nothing(make_bench):
    bench = make_bench()
    bench.look_ms(1500)
    before = bench.peek.newest()
    looks = bench.feeder._looks
    looks.show(replace(before, image=before.image[:5]), bench.clock.now_ns())

    assert bench.peek.newest().generation == before.generation
