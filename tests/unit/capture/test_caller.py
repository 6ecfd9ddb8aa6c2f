"""Calls that may hang are made on a thread that may be left behind; frames wait in an inbox."""

import select
import threading

import numpy as np
import pytest

from app.capture.caller import Caller
from app.capture.inbox import Inbox
from app.errors import CameraError
from app.types import Frame

SOON_S = 10.0


@pytest.fixture
def caller():
    caller = Caller("test calls")
    yield caller
    caller.end()


@pytest.fixture
def inbox():
    inbox = Inbox(2)
    yield inbox
    inbox.close()


def frame(number):
    return Frame(np.zeros((2, 2), np.uint8), "top", 0, counter=number)


def is_readable(inbox):
    return bool(select.select([inbox], [], [], 0)[0])


def test_call_returns_what_was_called(caller):
    assert caller.call(lambda: 7, SOON_S) == 7


def test_call_raises_what_was_raised(caller):
    with pytest.raises(ZeroDivisionError):
        caller.call(lambda: 1 // 0, SOON_S)


def test_calls_are_made_in_order(caller):
    made = []
    futures = [caller.post(lambda n=n: made.append(n)) for n in range(20)]
    for future in futures:
        future.result(SOON_S)

    assert made == list(range(20))


def test_call_that_hangs_is_left_and_its_result_is_disowned(caller):
    goes_on, is_disowned = threading.Event(), threading.Event()
    disowned = []

    def hang():
        goes_on.wait(SOON_S)
        return "late"

    def disown(result):
        disowned.append(result)
        is_disowned.set()

    with pytest.raises(TimeoutError):
        caller.call(hang, 0.01, disown)
    goes_on.set()

    assert is_disowned.wait(SOON_S)
    assert disowned == ["late"]


def test_frames_are_taken_oldest_first(inbox):
    inbox.put(frame(1))
    inbox.put(frame(2))

    assert [inbox.take(0).counter, inbox.take(0).counter, inbox.take(0)] == [1, 2, None]


def test_oldest_frame_goes_when_one_too_many_comes(inbox):
    for number in (1, 2, 3):
        inbox.put(frame(number))

    assert (inbox.take(0).counter, inbox.dropped) == (2, 1)


def test_descriptor_is_readable_while_something_waits(inbox):
    empty = is_readable(inbox)
    inbox.put(frame(1))
    inbox.put(frame(2))
    full = is_readable(inbox)
    inbox.take(0)
    half = is_readable(inbox)
    inbox.take(0)

    assert (empty, full, half, is_readable(inbox)) == (False, True, True, False)


def test_failure_is_said_after_what_waits_and_for_ever(inbox):
    inbox.put(frame(1))
    inbox.fail(CameraError("first", "mend"))
    inbox.fail(CameraError("second", "mend"))

    assert inbox.take(0).counter == 1
    for _ in range(2):
        with pytest.raises(CameraError, match="first"):
            inbox.take(0)
        assert is_readable(inbox)


def test_error_in_place_of_a_frame_is_said_once(inbox):
    inbox.put(CameraError("another size", "mend"))

    with pytest.raises(CameraError, match="another size"):
        inbox.take(0)
    assert inbox.take(0) is None
