"""A camera that fails is named, refused and opened again, and the loop goes on."""

from itertools import pairwise

import numpy as np
import pytest

from app.capture.condition import LONGEST_WAIT_NS
from app.clock import NS_PER_MS
from app.errors import MissingDriverError
from tests.unit.capture.feeder_bench import GONE, HEIGHT, WIDTH, FeederBench


@pytest.fixture
def make_bench(tmp_path):
    return lambda **changes: FeederBench(tmp_path, **changes)


def test_camera_is_opened_by_the_feeder_which_gives_a_sign_of_life_just_before(make_bench):
    bench = make_bench()
    seen = []
    bench.camera.open = lambda: seen.append(len(bench.states))
    bench.feeder.step()
    assert seen[0] >= 1
    assert bench.states[0].text == "camera 'top' is being opened; wait for it"
    assert bench.state.text == ""


def test_absent_camera_is_tried_again_with_growing_pauses_and_a_sentence_that_counts(make_bench):
    bench = make_bench()
    bench.camera.opens_with = GONE
    tries_ns = []
    while len(tries_ns) < 7:
        before = bench.camera.opens
        bench.feeder.step()
        if bench.camera.opens > before:
            tries_ns.append(bench.clock.now_ns())
    pauses_ms = [(b - a) / NS_PER_MS for a, b in pairwise(tries_ns)]
    assert pauses_ms == [100, 200, 400, 800, 1000, 1000]
    bench.run_ms(101)
    assert bench.state.text == (
        "camera 'top' is gone; check its cable; it is opened again by itself, tried 6 times so far"
    )
    assert bench.state.is_away


def test_signs_of_life_go_on_while_the_camera_is_away(make_bench):
    bench = make_bench()
    bench.camera.opens_with = GONE
    bench.run_ms(5000)
    gaps = [b - a for a, b in pairwise(bench.reported_ns)]
    assert max(gaps) <= 110 * NS_PER_MS
    assert max(bench.waited_s) * 1e9 <= LONGEST_WAIT_NS


def test_camera_that_fails_is_closed_and_opened_again_and_proves_itself_before_it_is_back(make_bench):
    bench = make_bench().open()
    bench.ask()
    assert len(bench.taken()) == 1
    bench.camera.grabs_with = GONE
    bench.feeder.step()
    assert (bench.camera.closes, bench.state.is_away) == (1, True)
    bench.camera.grabs_with = None
    bench.camera.answers = False
    bench.run_ms(300)
    assert bench.camera.opens == 2
    assert bench.state.is_away, "it is open and has shown nothing yet"
    bench.camera.answers = True
    bench.run_ms(300)
    assert (bench.state.text, bench.state.is_away, bench.state.reopened) == ("", False, 1)
    assert bench.taken() == [], "the picture that proves it is nobody's"
    bench.ask()
    assert len(bench.taken()) == 1


def test_camera_that_opens_and_never_answers_is_opened_again_and_again(make_bench):
    bench = make_bench(silent_ms=500).open()
    bench.camera.grabs_with = GONE
    bench.feeder.step()
    bench.camera.grabs_with = None
    bench.camera.answers = False
    bench.run_ms(6000)
    assert bench.camera.opens >= 4
    assert bench.state.is_away
    assert "has sent nothing for 0." in bench.state.text


def test_trigger_that_fails_loses_the_camera_and_not_the_process(make_bench):
    bench = make_bench().open()
    bench.camera.triggers_with = GONE
    bench.ask()
    assert "is gone" in bench.state.text
    bench.camera.triggers_with = None
    bench.run_ms(300)
    assert bench.state.text == ""


def test_triggers_for_an_absent_camera_are_not_answered_when_it_is_back(make_bench):
    bench = make_bench().open()
    bench.camera.grabs_with = GONE
    bench.feeder.step()
    bench.camera.grabs_with = None
    bench.triggers.send(bench.clock.now_ns(), 1)
    bench.run_ms(500)
    assert bench.state.text == ""
    assert bench.taken() == []


def test_three_triggers_without_an_answer_open_it_again_and_two_do_not(make_bench):
    bench = make_bench().open()
    bench.camera.answers = False
    for _ in range(2):
        bench.ask()
        bench.run_ms(60)
    bench.camera.answers = True
    bench.ask()
    bench.camera.answers = False
    for _ in range(2):
        bench.ask()
        bench.run_ms(60)
    assert bench.state.text == ""
    bench.ask()
    bench.run_ms(60)
    assert "does not answer, 3 triggers in a row gave no frame" in bench.state.text
    assert bench.camera.closes == 1


def test_driver_that_hears_nothing_although_it_runs_freely_is_opened_again(make_bench):
    bench = make_bench(trigger="free", silent_ms=500).open()
    bench.camera.heard_ns = bench.clock.now_ns()
    bench.run_ms(450)
    assert bench.state.text == ""
    bench.run_ms(200)
    assert "has sent nothing for 0.6 s" in bench.state.text or "for 0.5 s" in bench.state.text


def test_dark_frame_is_refused_counted_and_named_and_the_camera_stays_open(make_bench):
    bench = make_bench().open()
    bench.camera.level = 1
    for _ in range(20):
        bench.ask()
    assert bench.taken() == []
    assert (bench.state.refused, bench.state.is_away, bench.camera.closes) == (20, False, 0)
    assert "refused as dark, its mean grey is 1.0 where dark_level asks for 2" in bench.state.text


def test_sentence_of_a_refused_frame_can_be_read_before_a_good_one_clears_it(make_bench):
    bench = make_bench().open()
    bench.camera.level = 1
    bench.ask()
    bench.camera.level = 90
    bench.ask()
    assert len(bench.taken()) == 1
    assert "dark" in bench.state.text
    bench.run_ms(1100)
    assert bench.state.text == ""


def test_sentence_of_a_refused_frame_stays_while_no_good_one_comes(make_bench):
    bench = make_bench().open()
    bench.camera.level = 1
    bench.ask()
    bench.run_ms(5000)
    assert "dark" in bench.state.text


def test_dark_camera_that_was_opened_again_is_not_opened_once_more(make_bench):
    bench = make_bench().open()
    bench.camera.grabs_with = GONE
    bench.feeder.step()
    bench.camera.grabs_with = None
    bench.camera.level = 1
    bench.run_ms(5000)
    assert bench.camera.opens == 2
    assert not bench.state.is_away
    assert "dark" in bench.state.text


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda camera: camera.send(np.full((HEIGHT // 2, WIDTH), 90, np.uint8)), "of another format"),
        (lambda camera: camera.send(np.full((HEIGHT, WIDTH), 90, np.uint16)), "of another format"),
        (lambda camera: camera.send(counter=7), "repeated"),
        (lambda camera: camera.send(at_ns=camera.clock.now_ns() - 90 * NS_PER_MS), "not of its trigger"),
    ],
)
def test_third_frame_of_a_row_that_cannot_be_judged_opens_the_camera_again(make_bench, spoil, word):
    bench = make_bench().open()
    bench.ask()
    bench.run_ms(200)
    bench.camera.answers = False
    if word == "repeated":
        bench.camera.send(counter=7, at_ns=bench.clock.now_ns())
        bench.ask()
    bench.taken()
    for times in (1, 2, 3):
        spoil(bench.camera)
        bench.ask()
        assert bench.state.refused == times
        assert f"refused as {word}" in bench.state.text
        assert bench.state.is_away is (times == 3)
    assert bench.taken() == []


def test_camera_whose_clock_goes_back_is_opened_again_at_once(make_bench):
    bench = make_bench().open()
    bench.camera.answers = False
    for device_ns in (5000, 4000):
        bench.camera.send(device_ns=device_ns, at_ns=bench.clock.now_ns())
        bench.ask()
    assert len(bench.taken()) == 1
    assert "stamped backwards" in bench.state.text
    assert bench.state.is_away


def test_late_answer_is_refused_and_does_not_take_the_next_ones_place(make_bench):
    bench = make_bench().open()
    bench.camera.answers = False
    bench.ask()
    first_ns = bench.camera.triggers[0]
    bench.run_ms(60)
    bench.camera.send(at_ns=first_ns)  # the answer to a trigger that was given up
    bench.camera.answers = True
    bench.ask()
    frames = bench.taken()
    assert [frame.host_ns - bench.camera.triggers[-1] for frame in frames] == [NS_PER_MS]
    assert bench.state.refused == 1


def test_frame_that_nobody_asked_for_is_refused(make_bench):
    bench = make_bench().open()
    bench.ask()
    bench.taken()
    bench.run_ms(5)
    bench.camera.send()
    bench.feeder.step()
    assert bench.taken() == []
    assert "came when no trigger waited for it" in bench.state.text


def test_frames_that_the_driver_refuses_are_counted_and_named_and_ten_in_a_row_open_it_again(make_bench):
    bench = make_bench().open()
    bench.camera.answers = False
    for times in range(1, 11):
        bench.camera.refused += 1
        bench.camera.last_refusal = "camera 'top': block 5 came torn"
        bench.ask()
        assert bench.state.refused == times
        assert bench.state.text.startswith("camera 'top': block 5 came torn; check its cable")
        assert bench.state.is_away is (times == 10)


def test_wired_camera_sends_unasked_and_is_never_triggered(make_bench):
    bench = make_bench(trigger="wire").open()
    for _ in range(3):
        bench.camera.send()
        bench.feeder.step()
        bench.ask()
    assert len(bench.taken()) == 3
    assert bench.camera.triggers == []
    assert bench.state.text == ""


def test_wired_camera_cannot_prove_itself_and_is_trusted_until_its_next_part(make_bench):
    bench = make_bench(trigger="wire").open()
    bench.camera.grabs_with = GONE
    bench.feeder.step()
    bench.camera.grabs_with = None
    bench.run_ms(300)
    assert not bench.state.is_away
    assert "it was opened again and has sent no frame since" in bench.state.text
    bench.camera.send()
    bench.feeder.step()
    assert bench.state.text == ""
    assert len(bench.taken()) == 1


def test_missing_library_ends_the_process_as_waiting_mends_nothing(make_bench):
    bench = make_bench()
    bench.camera.opens_with = MissingDriverError("gige", "aravis", "gige")
    with pytest.raises(MissingDriverError):
        bench.feeder.run(lambda: False)
    assert bench.camera.closes == 1


def test_frame_flood_does_not_keep_it_from_its_triggers_and_signs_of_life(make_bench):
    bench = make_bench().open()
    for _ in range(100):
        bench.camera.send()
    bench.feeder.step()
    assert len(bench.camera.ready) > 50 or bench.camera.closes == 1


def test_driver_that_cannot_run_freely_is_said_so_where_it_must(make_bench):
    class Blind:
        def look(self, frame):
            return ()

        def restart(self):
            pass

    bench = make_bench(spotter=Blind())
    bench.camera.stream = None
    bench.feeder.step()
    assert "cannot run freely" in bench.state.text


def test_second_picture_of_a_camera_that_had_to_be_asked_twice_for_its_proof_is_passed_over(make_bench):
    bench = make_bench().open()
    bench.camera.grabs_with = GONE
    bench.feeder.step()
    bench.camera.grabs_with = None
    bench.camera.answers = False
    bench.run_ms(500)
    asked = list(bench.camera.triggers)
    assert len(asked) == 2
    for at_ns in asked:
        bench.camera.send(at_ns=at_ns)
    bench.run_ms(300)
    bench.camera.answers = True
    bench.ask()
    assert len(bench.taken()) == 1
    assert (bench.state.text, bench.state.refused) == ("", 0)


@pytest.mark.parametrize("is_again", [False, True])
def test_pictures_that_a_camera_took_before_its_first_trigger_answer_and_prove_nothing(make_bench, is_again):
    bench = make_bench().open()
    if is_again:
        bench.camera.grabs_with = GONE
        bench.feeder.step()
        bench.camera.grabs_with = None
        bench.camera.answers = False
        bench.run_ms(105)
        assert bench.camera.opens == 2
    for _ in range(3):
        bench.camera.send(at_ns=bench.clock.now_ns() - 300 * NS_PER_MS)
    bench.feeder.step()
    assert bench.taken() == []
    assert bench.state.refused == 0
    assert bench.state.is_away is is_again
