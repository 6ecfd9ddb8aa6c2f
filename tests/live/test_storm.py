"""Whatever dies, the line is safe and nothing is unaccounted."""

import json
import signal

import pytest

from app.types import EventKind
from tests.live.audit import audit
from tests.live.box import AS_SHIPPED
from tests.live.storm import Storm

KILLS, STOPS = 2, 1
LONG = 100
PROMISE_S = 2.0
PATIENCE_S = 5.0


@pytest.fixture
def rounds(is_long):
    """How often each process is killed, and how often it is suspended."""
    return (LONG, LONG) if is_long else (KILLS, STOPS)


def test_whatever_is_killed_or_suspended_the_line_is_safe_and_nothing_is_unaccounted(make_box, rounds, tmp_path):
    box = make_box(AS_SHIPPED, is_patient=False)
    box.start()
    storm = Storm(box, seed=3)
    for turn in range(max(rounds)):
        for number, often in zip((signal.SIGKILL, signal.SIGSTOP), rounds, strict=True):
            if turn < often:
                storm.strike_station(number)
                storm.strike_capture(number)
                storm.strike_bystanders(number)

    code, took_s = box.stop()

    figures = {"stop_s": took_s, "late_ms": storm.witness.late_ms, "resets": storm.resets, **storm.figures}
    figures["ends"] = audit(box, storm.witness)
    (tmp_path / "figures.json").write_text(json.dumps(figures, indent=1))
    assert code == 0
    assert took_s < PATIENCE_S
    assert _purged_epochs(box) == list(range(1, sum(rounds) + 2))
    assert _reasons_of_unseen(box) <= {"NO_FRAME", "PURGED", "COUNTER_MISMATCH", "AMBIGUOUS_FRAME", "DETECTOR_FAILED"}


def _purged_epochs(box):
    """The epochs whose belt was purged from end to end."""
    begun = {each.event.epoch for each in box.entries(EventKind.PURGE_STARTED)}
    return sorted(begun & {each.event.epoch for each in box.entries(EventKind.PURGE_ENDED)})


def _reasons_of_unseen(box):
    """Why parts were rejected that no detector judged."""
    return {reason for each in box.parts() if each.total_ms is None and each.verdict for reason in each.reasons}
