"""The permit is toggled only while every worker makes progress."""

import pytest

from app.reject.watchdog import Heartbeat

MS = 1_000_000
WORKERS = ("trigger", "verdict", "output")


@pytest.fixture
def heartbeat():
    return Heartbeat(WORKERS, toggle_ns=20 * MS)


def all_progress(heartbeat):
    for name in WORKERS:
        heartbeat.progress(name)


def test_heartbeat_toggles_once_all_workers_have_made_progress(heartbeat):
    all_progress(heartbeat)

    assert heartbeat.should_toggle(0)


@pytest.mark.parametrize("idle", WORKERS)
def test_one_idle_worker_stops_the_heartbeat(heartbeat, idle):
    for name in WORKERS:
        if name != idle:
            heartbeat.progress(name)

    assert not heartbeat.should_toggle(100 * MS)


@pytest.mark.parametrize("idle", WORKERS)
def test_progress_before_a_toggle_does_not_count_for_the_next(heartbeat, idle):
    all_progress(heartbeat)
    heartbeat.should_toggle(0)
    for name in WORKERS:
        if name != idle:
            heartbeat.progress(name)

    assert not heartbeat.should_toggle(100 * MS)


def test_heartbeat_waits_for_the_toggle_time(heartbeat):
    all_progress(heartbeat)
    heartbeat.should_toggle(5 * MS)
    all_progress(heartbeat)

    assert not heartbeat.should_toggle(25 * MS - 1)
    assert heartbeat.should_toggle(25 * MS)


def test_asking_too_early_spends_no_progress(heartbeat):
    all_progress(heartbeat)
    heartbeat.should_toggle(0)
    all_progress(heartbeat)
    heartbeat.should_toggle(1 * MS)

    assert heartbeat.should_toggle(20 * MS)


def test_late_progress_toggles_as_soon_as_it_is_asked(heartbeat):
    heartbeat.should_toggle(100 * MS)
    all_progress(heartbeat)

    assert heartbeat.should_toggle(100 * MS + 1)


def test_it_is_due_a_toggle_time_after_the_last_toggle(heartbeat):
    all_progress(heartbeat)
    heartbeat.should_toggle(7 * MS)

    assert heartbeat.next_due_ns() == 27 * MS


def test_it_is_due_at_once_before_the_first_question(heartbeat):
    assert heartbeat.next_due_ns() == 0


def test_after_asking_in_vain_it_is_due_again_before_the_relay_could_drop(heartbeat):
    heartbeat.should_toggle(100 * MS)

    assert heartbeat.next_due_ns() == 105 * MS


def test_it_is_never_due_at_the_instant_it_was_asked_in_vain():
    heartbeat = Heartbeat(("line",), toggle_ns=1)
    heartbeat.should_toggle(100)

    assert heartbeat.next_due_ns() == 101


def test_asking_early_leaves_the_due_time(heartbeat):
    all_progress(heartbeat)
    heartbeat.should_toggle(0)
    heartbeat.should_toggle(1 * MS)

    assert heartbeat.next_due_ns() == 20 * MS


def test_worker_without_progress_for_the_limit_is_named(heartbeat):
    heartbeat.stalled(5 * MS, 50 * MS)
    heartbeat.progress("trigger")
    heartbeat.progress("output")
    heartbeat.should_toggle(15 * MS)

    assert heartbeat.stalled(55 * MS - 1, 50 * MS) == ()
    assert heartbeat.stalled(55 * MS, 50 * MS) == ("verdict",)


def test_progress_is_dated_when_the_heartbeat_is_asked(heartbeat):
    heartbeat.stalled(5 * MS, 50 * MS)
    all_progress(heartbeat)
    heartbeat.should_toggle(15 * MS)

    assert heartbeat.stalled(65 * MS - 1, 50 * MS) == ()
    assert heartbeat.stalled(65 * MS, 50 * MS) == WORKERS


def test_progress_ends_a_stall(heartbeat):
    heartbeat.stalled(5 * MS, 50 * MS)
    heartbeat.progress("verdict")

    assert heartbeat.stalled(65 * MS, 50 * MS) == ("trigger", "output")


def test_nobody_is_stalled_when_first_looked_at(heartbeat):
    assert heartbeat.stalled(10**12, 1) == ()


def test_unknown_worker_is_refused(heartbeat):
    with pytest.raises(KeyError):
        heartbeat.progress("stranger")


def test_heartbeat_of_nobody_is_refused():
    with pytest.raises(ValueError, match="at least one worker"):
        Heartbeat((), toggle_ns=1)
