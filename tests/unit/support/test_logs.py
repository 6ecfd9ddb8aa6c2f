"""The log: written, put aside, read newest first, followed by a cursor; and the journal's side of it."""

from __future__ import annotations

import errno
import json
import os
import resource
import select
import subprocess
import sys
from pathlib import Path

import pytest

from app.bus.place import Place
from app.cli.addresses import Address
from app.cli.run import Screen
from app.clock import SystemClock, VirtualClock
from app.support import log_file
from app.support.journal import journal_lines
from app.support.kept_log import KeptLog
from app.support.log_file import FILE, FOLDER, LogFile, lines_of
from app.support.log_lines import MOST_BYTES, LogFilter, LogLine, level_of, tidy
from app.support.log_writer import write_log
from app.support.logs import FileLog, Journal, read_logs
from tests.groups import ROOT

AT_US = 1_700_000_000_000_000


@pytest.fixture
def log(tmp_path):
    made = LogFile(tmp_path / FOLDER, file_bytes=2_000, files=3)
    yield made
    made.close()


def fill(log, count, process="web", first=0):
    for number in range(first, first + count):
        log.append(AT_US + number, process, None, f"line {number}")


def texts(lines):
    return [each.text for each in lines]


# The file


def test_lines_come_back_newest_first(log, tmp_path):
    fill(log, 5)

    assert texts(lines_of(tmp_path / FOLDER)) == ["line 4", "line 3", "line 2", "line 1", "line 0"]


def test_files_are_put_aside_and_the_oldest_goes(log, tmp_path):
    fill(log, 200)
    found = texts(lines_of(tmp_path / FOLDER))
    sizes = [path.stat().st_size for path in (tmp_path / FOLDER).glob(f"{FILE}*")]

    assert len(sizes) == 3
    assert max(sizes) <= 2_000
    assert found == [f"line {number}" for number in range(199, 199 - len(found), -1)]


def test_log_is_for_its_owner_alone(log, tmp_path):
    fill(log, 1)

    assert (tmp_path / FOLDER).stat().st_mode & 0o777 == 0o700
    assert (tmp_path / FOLDER / FILE).stat().st_mode & 0o777 == 0o600


def test_numbers_grow_when_the_clock_is_set_back_and_after_a_restart(log, tmp_path):
    fill(log, 2, first=100)
    log.append(AT_US - 9_000_000, "web", None, "an hour ago")
    log.close()
    again = LogFile(tmp_path / FOLDER)
    again.append(5, "web", None, "in 1970")
    again.close()
    numbers = [line.number for line in lines_of(tmp_path / FOLDER)]

    assert numbers == sorted(set(numbers), reverse=True)
    assert next(lines_of(tmp_path / FOLDER)).at_us == 5


def test_log_that_was_deleted_is_begun_anew(log, tmp_path):
    fill(log, 2)
    (tmp_path / FOLDER / FILE).unlink()
    fill(log, 1, first=7)

    assert texts(lines_of(tmp_path / FOLDER)) == ["line 7"]


def test_half_a_line_of_a_power_cut_spoils_no_other(log, tmp_path):
    fill(log, 1)
    log.close()
    with (tmp_path / FOLDER / FILE).open("ab") as file:
        file.write(b'{"n":17000')
    again = LogFile(tmp_path / FOLDER)
    fill(again, 1, first=1)
    again.close()

    assert texts(lines_of(tmp_path / FOLDER)) == ["line 1", "line 0"]


@pytest.mark.parametrize(
    "foreign",
    [
        b"",
        b"\0" * 5_000,
        b"[1]\n{}\nnull\n",
        b'{"n":"x","at":1,"process":"p","lane":null,"text":""}\n',
        b"[" * 50_000,
        b"\xff" * 99,
    ],
    ids=["nothing", "zeros", "json", "types", "deep", "bytes"],
)
def test_what_is_no_line_is_passed_over(tmp_path, foreign):
    (tmp_path / FILE).write_bytes(foreign)

    assert list(lines_of(tmp_path)) == []


def test_full_disk_leaves_no_half_line_and_the_log_goes_on(log, tmp_path, monkeypatch):
    fill(log, 1)

    def half(handle, said):
        return real(handle, said[: len(said) // 2])

    real = os.write
    monkeypatch.setattr(log_file.os, "write", half)
    with pytest.raises(OSError, match="no space"):
        fill(log, 1, first=1)
    monkeypatch.undo()
    fill(log, 1, first=2)

    assert texts(lines_of(tmp_path / FOLDER)) == ["line 2", "line 0"]


def test_two_writers_of_one_log_are_refused(log, tmp_path):
    with pytest.raises(BlockingIOError):
        LogFile(tmp_path / FOLDER)


# The writer


def said(*lines, process="web"):
    return [json.dumps([AT_US + number, process, None, line]).encode() for number, line in enumerate(lines)]


def test_writer_keeps_no_secret(tmp_path):
    key = ["-----BEGIN PRIVATE KEY-----", "MIGHAgEAMBMG", "-----END PRIVATE KEY-----"]
    write_log(tmp_path, said("the code is ABCD-EF23-GH45", *key, "PIN 482913", "all is well"), pytest.fail)
    content = (tmp_path / FILE).read_text()

    for secret in ("ABCD-EF23", "MIGHAgEAMBMG", "482913"):
        assert secret not in content
    assert "all is well" in content


def test_writer_says_once_why_lines_are_lost(tmp_path):
    (tmp_path / "file").write_text("in the way")
    told = []
    write_log(tmp_path / "file", said("one", "two", "three"), told.append)

    assert len(told) == 1
    assert "lost" in told[0]
    assert "the line is not affected" in told[0]


def test_writer_goes_on_once_there_is_room(tmp_path):
    folder = tmp_path / "log"
    folder.write_text("in the way")

    def lines():
        yield from said("lost")
        folder.unlink()
        yield from said("kept")

    write_log(folder, lines(), lambda _words: None)

    assert texts(lines_of(folder)) == ["kept"]


@pytest.mark.parametrize("raw", [b"", b"nonsense", b"[1,2]", b'{"a":1}', b"[null,null,null,null]", b"\xff\xfe"])
def test_writer_passes_over_what_it_does_not_know(tmp_path, raw):
    write_log(tmp_path, [raw, *said("after it")], pytest.fail)

    assert texts(lines_of(tmp_path)) == ["after it"]


def test_run_keeps_what_its_processes_say(tmp_path):
    log = KeptLog(tmp_path, SystemClock())
    log.say("station", "a lane of its own")
    log.say("lane2-station", "another \x1b[31mlane\x1b[0m\n of its own")
    log.say("web", "x" * 50_000)
    log.close()
    web, second, first = lines_of(tmp_path)

    assert (first.process, first.lane, first.text) == ("station", 1, "a lane of its own")
    assert (second.lane, second.text) == (2, "another lane  of its own")
    assert len(web.text) == MOST_BYTES
    assert log.lost == 0


def test_screen_of_a_run_keeps_what_it_prints(tmp_path, capsys):
    log = KeptLog(tmp_path / FOLDER, SystemClock())
    screen = Screen({}, Place(tmp_path / "bus"), Address("127.0.0.1", 8080), tmp_path, log=log)
    screen.say("web", "ready")
    screen.note("lane 1: RUNNING")
    log.close()

    assert [(each.process, each.text) for each in lines_of(tmp_path / FOLDER)] == [
        ("takt run", "lane 1: RUNNING"),
        ("web", "ready"),
    ]
    assert "web: ready" in capsys.readouterr().err


def test_run_goes_on_when_the_log_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    log = KeptLog(tmp_path / "file", VirtualClock())
    log.say("web", "into nothing")
    process = log._process
    select.select([process.stdout], [], [], 20)

    assert "lost" in log.trouble()
    assert log.trouble() == ""
    log.close()


def test_run_goes_on_when_the_writer_has_died(tmp_path):
    log = KeptLog(tmp_path, SystemClock())
    log._process.kill()
    log._process.wait()
    log.say("web", "into nothing")

    assert log.lost == 1
    log.close()
    log.say("web", "after the end")
    assert log.lost == 2


def test_run_never_waits_for_a_writer_that_hangs(tmp_path):
    log = KeptLog(tmp_path, SystemClock())
    os.kill(log._process.pid, 19)
    for _ in range(3_000):
        log.say("web", "x" * MOST_BYTES)

    assert 0 < log.lost < 3_000
    log._process.kill()
    log.close()


def test_real_full_disk_loses_lines_and_nothing_else(tmp_path):
    words = b"".join(line + b"\n" for line in said(*["x" * 500] * 20))
    done = subprocess.run(
        [sys.executable, "-m", "app.support.log_writer", str(tmp_path)],
        input=words,
        capture_output=True,
        cwd=ROOT,
        timeout=60,
        check=True,
        # Python ignores the signal that goes with it: the write fails as on a full disk.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, 3_000)),
    )

    assert done.stdout.count(b"\n") == 1
    assert len(list(lines_of(tmp_path))) == 5
    assert (tmp_path / FILE).read_bytes().endswith(b"\n")


# Reading


class Lines:
    def __init__(self, *lines, error=None):
        self.said, self.error = lines, error

    def lines(self, _chosen):
        yield from self.said
        if self.error:
            raise self.error


def line(number, text="words", process="web"):
    return LogLine(number, number, process, None, text, level_of(text))


def test_sources_are_merged_by_time():
    heard = read_logs([Lines(line(5), line(1)), Lines(line(4), line(2))], LogFilter())

    assert [each.number for each in heard.lines] == [5, 4, 2, 1]


def test_source_that_fails_is_told_and_the_others_are_read():
    broken = Lines(line(9), error=PermissionError(errno.EACCES, "no leave"))
    heard = read_logs([broken, Lines(line(4))], LogFilter())

    assert [each.number for each in heard.lines] == [9, 4]
    assert heard.trouble == "no leave"


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (LogFilter(), [4, 3, 2, 1]),
        (LogFilter(process="web"), [3, 1]),
        (LogFilter(words="TRACE"), [3]),
        (LogFilter(level="error"), [3]),
        (LogFilter(level="warning"), [4, 3]),
        (LogFilter(since_us=3), [4, 3]),
        (LogFilter(after=2), [4, 3]),
        (LogFilter(most=2), [4, 3]),
        (LogFilter(process="web", words="traceback", most=9), [3]),
        (LogFilter(process="nobody"), []),
    ],
)
def test_filter_chooses(chosen, expected):
    said = (
        line(4, "the camera is late", "capture-top"),
        line(3, "Traceback (most recent call last)"),
        line(2, "lane 1: RUNNING", "takt run"),
        line(1, "ready"),
    )
    heard = read_logs([Lines(*said)], chosen)

    assert [each.number for each in heard.lines] == expected
    assert heard.is_more == (chosen.most == 2)


def test_cursor_gives_each_line_once_while_the_log_is_put_aside(log, tmp_path):
    source, after, seen = FileLog(tmp_path), 0, []
    for first in range(0, 120, 10):
        fill(log, 10, first=first)
        heard = read_logs([source], LogFilter(after=after))
        seen += texts(reversed(heard.lines))
        after = heard.lines[0].number
        assert read_logs([source], LogFilter(after=after)).lines == ()

    assert seen == [f"line {number}" for number in range(120)]


def test_secret_that_somebody_put_there_by_hand_does_not_leave():
    (found,) = read_logs([Lines(line(1, "PIN 482913"))], LogFilter()).lines

    assert "482913" not in found.text


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("ended: SIGKILL; starts again at once", "error"),
        ("ended: exit code 1; starts again in 0.1 s", "error"),
        ("ended: exit code 0; starts again in 0.1 s", "info"),
        ("lane 1: STOPPED, stopped by Ann", "error"),
        ("lane 1: DEGRADED, the accelerator is away", "warning"),
        ("takt: the ledger is held by process 7", "error"),
        ("sqlite3.OperationalError: locked", "error"),
        ("memory could not be locked", "warning"),
        ("lane 1: NO DATA", "error"),
        ("lane 1: RUNNING", "info"),
        ('lot <img onerror="x"> was opened', "info"),
    ],
)
def test_level_is_told_by_the_words(text, level):
    assert level_of(text) == level


def test_line_is_one_line_of_what_can_be_seen():
    assert tidy("a\x1b[2J\x1b]0;title\x07b\nc\u202ed\x00e\ud800f") == "ab c d e f"
    assert len(tidy("ä" * 5_000).encode()) <= MOST_BYTES


# The journal

ENTRIES = (
    {"__REALTIME_TIMESTAMP": "30", "_SYSTEMD_UNIT": "takt-lane2-station.service", "MESSAGE": "late", "PRIORITY": "6"},
    {"__REALTIME_TIMESTAMP": "20", "_SYSTEMD_UNIT": "takt-web.service", "MESSAGE": [80, 73, 78, 32, *b"482913", 255]},
    {"__REALTIME_TIMESTAMP": "20", "_SYSTEMD_UNIT": "takt-web.service", "MESSAGE": "two\nlines", "PRIORITY": "3"},
    {"__REALTIME_TIMESTAMP": "10", "_SYSTEMD_UNIT": "init.scope", "UNIT": "takt-web.service", "MESSAGE": "Started"},
    {"__REALTIME_TIMESTAMP": "no number", "MESSAGE": "x"},
    {"MESSAGE": None},
)


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Makes a program of the journal's name that says and does what a test wants."""

    def made(script):
        path = tmp_path / "bin" / "journalctl"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
        return path.parent

    return made


def test_journal_is_read_newest_first_and_without_secrets(program, tmp_path):
    (tmp_path / "said").write_text("".join(json.dumps(each) + "\n" for each in ENTRIES) + "no json\n")
    program(f'echo "$@" > {tmp_path}/asked; cat {tmp_path}/said')
    found = journal_lines(since_us=7_000_000)

    assert [(each.process, each.lane, each.level) for each in found] == [
        ("lane2-station", 2, "warning"),
        ("web", None, "info"),
        ("web", None, "error"),
        ("web", None, "error"),
        ("web", None, "info"),
    ]
    assert texts(found)[2:] == ["lines", "two", "Started"]
    assert "482913" not in texts(found)[1]
    assert [each.number for each in found] == sorted({each.number for each in found}, reverse=True)
    assert "--since=@7" in (tmp_path / "asked").read_text()


def test_journal_without_our_units_is_an_empty_one(program):
    program('echo "Failed to add filter for units: No data available" >&2; exit 1')

    assert journal_lines() == []


def test_journal_that_may_not_be_read_says_so(program):
    program('echo "No journal files were opened due to insufficient permissions." >&2; exit 1')

    with pytest.raises(OSError, match="insufficient permissions"):
        journal_lines()


def test_journal_that_hangs_is_given_up(program):
    program("exec sleep 60")

    with pytest.raises(TimeoutError):
        journal_lines(deadline_s=0.2)


def test_box_without_a_journal_has_an_empty_one():
    assert journal_lines(program="no-such-program") == []


def test_journal_is_not_asked_for_each_who_looks():
    asked = []
    clock = [0]

    def ask(since_us):
        asked.append(since_us)
        return [line(1)]

    journal = Journal(lambda: clock[0], ask)
    for at_us in (0, 1_000_000, 1_999_999, 2_000_000):
        clock[0] = at_us
        assert len(read_logs([journal], LogFilter()).lines) == 1

    assert asked == [0, 0]


def test_journal_that_does_not_answer_holds_up_one_who_looks_and_not_each():
    asked = []

    def ask(since_us):
        asked.append(since_us)
        raise TimeoutError("the journal did not answer within 5 s")

    journal = Journal(lambda: 7, ask)
    heard = [read_logs([journal], LogFilter(since_us=60_000_000 + number)) for number in range(3)]

    assert asked == [60_000_000]
    assert {each.trouble for each in heard} == {"the journal did not answer within 5 s"}


def test_log_that_is_not_there_is_an_empty_one(tmp_path):
    assert read_logs([FileLog(Path(tmp_path / "nowhere"))], LogFilter()).lines == ()
