"""One child process at a time: how long it waits, what of its words is told, how its end is put."""

import pytest

from app.child import Backoff, Words, in_words
from app.clock import NS_PER_MS, NS_PER_S
from app.processes import Restart

RULE = Restart(first_ms=0, step_ms=500, longest_ms=4000, reset_s=30)


def waits(lives_s):
    """The waits after lives of so many seconds, in ms."""
    backoff, now_ns, found = Backoff(RULE), 0, []
    for life_s in lives_s:
        since_ns, now_ns = now_ns, now_ns + round(life_s * NS_PER_S)
        due_ns = backoff.ended(now_ns, since_ns)
        found.append((due_ns - now_ns) / NS_PER_MS)
        now_ns = due_ns
    return found


def test_the_first_end_costs_nothing_and_a_crash_loop_more_each_time():
    assert waits([0.1] * 6) == [0, 500, 1000, 2000, 4000, 4000]


def test_a_long_life_makes_up_for_what_was_before():
    assert waits([0.1, 0.1, 0.1, 30, 0.1]) == [0, 500, 1000, 0, 500]


def test_a_life_just_too_short_does_not():
    assert waits([0.1, 29.9, 29.9]) == [0, 500, 1000]


@pytest.mark.parametrize(
    ("code", "words"), [(0, "exit code 0"), (3, "exit code 3"), (-9, "SIGKILL"), (-11, "SIGSEGV"), (-99, "signal 99")]
)
def test_an_end_is_put_in_words(code, words):
    assert in_words(code) == words


def test_what_is_said_for_the_first_time_is_told_as_often_as_it_is_said():
    words = Words()

    assert [words.passes("hot", 1, 0) for _ in range(3)] == [True] * 3


def test_what_an_earlier_life_said_is_not_told_again():
    words = Words()
    words.passes("out of paper", 1, 0)

    assert not words.passes("out of paper", 2, 0)
    assert words.passes("out of ink", 2, 0)


def test_after_a_long_life_it_is_news_again():
    words = Words()
    words.passes("out of paper", 1, 0)
    words.forget()

    assert words.passes("out of paper", 2, 0)


def test_a_flood_is_cut_and_counted_and_trickles_on():
    words = Words()
    told = sum(words.passes(f"line {n}", 1, n * NS_PER_MS) for n in range(1000))

    assert told < 30
    assert words.left_out == 1000 - told
    assert words.passes("later", 1, 60 * NS_PER_S)
