"""A source in a process of its own: it answers, hangs, crashes and talks nonsense, and nobody waits for it."""

import sys

import pytest

from app.clock import NS_PER_MS
from app.health.apart import ENDING_MS, ApartHealth, reader_command
from app.health.health import Health, encode_health
from tests.unit.health.jetson_tree import lay_out

LONG_MS = 60_000.0
ANSWER = encode_health(Health("nvml", 5, device="a card")).decode()
ANSWERING = f"import sys\nfor _ in sys.stdin:\n    print({ANSWER!r}, flush=True)\n"
SILENT = "import sys\nfor _ in sys.stdin: pass\n"
DEAF = "import signal\nsignal.pause()\n"
CRASHING = "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"
BABBLING = "import sys\nfor _ in sys.stdin:\n    print('{', flush=True)\n"


@pytest.fixture
def apart():
    opened = []

    def start(script, **options):
        options = {"deadline_ms": LONG_MS, "hung_ms": LONG_MS, **options}
        source = ApartHealth("nvml", [sys.executable, "-c", script], **options)
        opened.append(source)
        return source

    yield start
    for source in opened:
        source.close()


def test_a_reading_comes_through_as_it_is(apart):
    source = apart(ANSWERING)

    assert source.read() == Health("nvml", 5, device="a card")
    assert source.read() == Health("nvml", 5, device="a card")


def test_a_real_reader_reads_the_files_below_its_root(tmp_path):
    source = ApartHealth("jetson", reader_command("jetson", lay_out(tmp_path)), deadline_ms=LONG_MS)
    health = source.read()
    source.close()

    assert health.power_mode == "MAXN_SUPER"
    assert health.at_ns > 0


def test_an_answer_that_is_not_there_in_time_is_not_waited_for(apart):
    source = apart(SILENT, deadline_ms=1.0)

    health = source.read()

    assert health.device is None
    assert health.remarks[0].startswith("no answer for")


@pytest.mark.parametrize("script", [SILENT, DEAF])
def test_a_reader_that_hangs_is_killed(apart, script):
    source = apart(script, deadline_ms=1.0, hung_ms=0.0)

    health = source.read()

    assert "the reader was killed" in health.remarks[0]
    assert source._dying.wait(60) == -9


def test_while_a_killed_reader_is_still_there_none_is_started(apart, monkeypatch):
    source = apart(SILENT, deadline_ms=1.0, hung_ms=0.0)
    source.read()
    assert source._dying.wait(60) == -9
    monkeypatch.setattr(source._dying, "poll", lambda: None)

    assert source.read().remarks == ("the reader is ending",)
    source._killed_ns -= 2 * round(ENDING_MS * NS_PER_MS)
    assert "cannot be ended" in source.read().remarks[0]
    assert source._child is None


def test_a_late_answer_is_taken_once_it_is_there(apart):
    source = apart(ANSWERING, deadline_ms=0.0)

    readings = iter(source.read, None)

    assert next(each for each in readings if each.device).device == "a card"


def test_a_reader_that_crashes_is_told_and_started_again_after_a_while(apart):
    source = apart(CRASHING)
    said = []
    for _ in range(3):
        said += source.read().remarks
        if source._dying is not None:
            source._dying.wait(60)

    assert said == ["the reader has ended"] * 2 + ["the reader ended again and again; it is started later"]


def test_a_reader_that_cannot_be_started_is_told():
    source = ApartHealth("nvml", ["/nowhere/python"])

    assert source.read().remarks == ("the reader cannot be started: No such file or directory",)


def test_what_is_no_reading_is_told_and_the_reader_replaced(apart):
    source = apart(BABBLING)

    assert "cannot be read" in source.read().remarks[0]
    assert source._child is None


def test_closing_ends_the_process_and_a_reading_starts_another(apart):
    source = apart(ANSWERING)
    source.read()
    child = source._child
    source.close()
    source.close()

    assert child.wait(60) == -9
    assert source.read().device == "a card"
