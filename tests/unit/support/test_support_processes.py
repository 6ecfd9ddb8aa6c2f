"""What is known of the processes of a box, and that only the one that was meant is asked to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from app.bus.block import BlockWriter
from app.clock import NS_PER_S
from app.errors import DataError
from app.support.processes import Meter, ask_to_end, kind_of, of_takt_run, read_supervised, read_use
from app.support.supervised import (
    BLOCK,
    BLOCK_BYTES,
    ChildStatus,
    End,
    Supervised,
    decode_supervised,
    encode_supervised,
)
from app.support.units import LIMIT_S, Units

NOW = 1_000 * NS_PER_S


def child(pid=0, name="web", kind="web", lane=None, **more):
    said = {"since_ns": NOW - NS_PER_S, "is_alive": True, "age_ms": 1.0, "restarts": 2, "last_exit": "SIGKILL"}
    return ChildStatus(name=name, kind=kind, lane=lane, pid=pid, **{**said, **more})


@pytest.fixture
def sleeper():
    """A process of ours that waits."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()
    process.stdin.close()


# What takt run tells


def test_what_takt_run_tells_is_read_as_it_was_told():
    said = Supervised(5, 6, (child(7), child(8, "capture-top", "capture", 1)), (End("web", 3, "exit code 0"),))

    assert decode_supervised(encode_supervised(said)) == said


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"at_ns":1}', b'{"at_ns":1,"pid":2,"processes":[{}]}', b"\xff"])
def test_words_of_another_version_are_one_clear_error(data):
    with pytest.raises(DataError, match="takt run"):
        decode_supervised(data)


def test_words_on_the_bus_are_read_and_absent_ones_are_none(tmp_path):
    assert read_supervised(tmp_path) is None

    writer = BlockWriter(tmp_path / BLOCK, BLOCK_BYTES)
    assert read_supervised(tmp_path) is None

    said = Supervised(5, 6, (child(7),))
    writer.write(encode_supervised(said))
    assert read_supervised(tmp_path) == said

    writer.write(b"nonsense")
    assert read_supervised(tmp_path) is None
    writer.close()


def test_ends_come_newest_first_and_old_words_say_so():
    said = Supervised(NOW - 5 * NS_PER_S, 6, (child(),), (End("web", 3, "a"), End("recorder", 4, "b")))
    found = of_takt_run(said, Meter(), NOW)

    assert [each.name for each in found.ends] == ["recorder", "web"]
    assert found.trouble == "takt run has not told anything for 5 s"
    assert of_takt_run(said, Meter(), said.at_ns).trouble == ""


def test_number_of_a_process_that_is_somebody_elses_by_now_tells_nothing(sleeper):
    ours, theirs = (
        of_takt_run(Supervised(NOW, parent, (child(sleeper.pid),)), Meter(), NOW) for parent in (os.getpid(), 1)
    )

    assert ours.lines[0].use is not None
    assert theirs.lines[0].use is None


# What a process uses


def test_use_of_a_process_is_read():
    use = read_use(os.getpid())

    assert use is not None
    assert use.memory_bytes > 1 << 20
    assert use.threads >= 1
    assert use.scheduling
    assert use.parent == os.getppid()


def test_share_of_a_core_is_that_between_two_looks(tmp_path):
    rate = os.sysconf("SC_CLK_TCK")
    folder = tmp_path / "proc" / "42"
    (folder / "task" / "42").mkdir(parents=True)

    def run(ticks):
        words = ["S", "1", *["0"] * 9, str(ticks), "0", "0", "0", "0", "5", "3", "0", "777", "0", "10", *["0"] * 15]
        line = f"42 (a) b) ({') ' * 3}) {' '.join([*words, '80', '1'])}\n"
        (folder / "stat").write_text(line)
        (folder / "task" / "42" / "stat").write_text(line)

    meter = Meter(tmp_path)
    run(0)
    first = meter.read(42, NOW)
    run(rate)
    early = meter.read(42, NOW + NS_PER_S // 4)
    second = meter.read(42, NOW + 2 * NS_PER_S)

    assert (first.started, first.threads, first.parent) == (777, 3, 1)
    assert first.scheduling == ("FIFO 80",)
    assert (first.cpu_share, early.cpu_share, second.cpu_share) == (None, None, 0.5)


@pytest.mark.parametrize("text", ["", "42", "42 (x)", "42 (x) S", "42 (x) S a b c", ")))", "\x00" * 100])
def test_garbled_facts_of_a_process_are_not_known(tmp_path, text):
    (tmp_path / "proc" / "42").mkdir(parents=True)
    (tmp_path / "proc" / "42" / "stat").write_text(text)

    assert read_use(42, tmp_path) is None


def test_process_that_is_not_there_is_not_known(tmp_path):
    assert read_use(42, tmp_path) is None


# Asking one to end


def test_process_that_was_meant_is_asked_to_end(sleeper):
    use = read_use(sleeper.pid)

    assert ask_to_end(sleeper.pid, use.started, os.getpid())
    assert sleeper.wait(10) == -signal.SIGTERM


def test_another_process_with_its_number_is_left_alone(sleeper):
    use = read_use(sleeper.pid)

    assert not ask_to_end(sleeper.pid, use.started + 1, os.getpid())
    assert not ask_to_end(sleeper.pid, use.started, 1)
    assert sleeper.poll() is None


def test_process_that_has_ended_is_not_asked(sleeper):
    use = read_use(sleeper.pid)
    sleeper.kill()
    sleeper.wait()

    assert not ask_to_end(sleeper.pid, use.started, None)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("station", ("station", 1)),
        ("lane2-station", ("station", 2)),
        ("capture-top", ("capture", 1)),
        ("lane12-capture-web:cam", ("capture", 12)),
        ("recorder", ("recorder", None)),
        ("web", ("web", None)),
        ("twins", ("", None)),
        ("", ("", None)),
        ("lane2-", ("", None)),
    ],
)
def test_name_of_a_row_says_what_it_does(name, expected):
    assert kind_of(name) == expected


# Units of systemd

SHOWN = """\
Id=takt-web.service
MainPID={pid}
ActiveState=active
SubState=running
NRestarts=3
Result=signal
ExecMainStatus=9
ExecMainStartTimestampMonotonic=5000000

MainPID=0
Id=takt-lane2-capture-top.service
ActiveState=activating
SubState=auto-restart
NRestarts=1
Result=exit-code
ExecMainStatus=6
ExecMainExitTimestampMonotonic=7000000

Id=sshd.service
MainPID=1

Id=takt-<script>.service
MainPID=99999999999999999999999
"""


@pytest.fixture
def under_systemd(tmp_path):
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    return tmp_path


def test_units_are_read_as_systemd_tells_them(under_systemd):
    found = Units(Meter(), lambda: SHOWN.format(pid=os.getpid()), under_systemd).read(NOW)

    web, capture = found.lines
    assert found.started_by == "systemd"
    assert (web.name, web.kind, web.pid, web.is_alive, web.restarts) == ("web", "web", os.getpid(), True, 3)
    assert (web.since_ns, web.last_exit) == (5 * NS_PER_S, "signal")
    assert web.use is not None
    assert (capture.lane, capture.pid, capture.is_alive, capture.since_ns) == (2, 0, False, 7 * NS_PER_S)
    assert capture.last_exit == "exit-code, exit code 6"


def test_systemd_is_asked_no_more_often_than_the_answer_grows_old(under_systemd):
    asked = []

    def ask():
        asked.append(1)
        return SHOWN.format(pid=0)

    units = Units(Meter(), ask, under_systemd)
    for at_ns in (NOW, NOW + NS_PER_S, NOW + 3 * NS_PER_S):
        units.read(at_ns)

    assert len(asked) == 2


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError("there is no systemctl on this box"), "there is no systemctl"),
        (subprocess.TimeoutExpired("systemctl", LIMIT_S), "does not answer within 3 s"),
        (subprocess.CalledProcessError(1, "systemctl"), "cannot be asked"),
    ],
)
def test_systemd_that_cannot_be_asked_is_said_so(under_systemd, error, words):
    def ask():
        raise error

    found = Units(Meter(), ask, under_systemd).read(NOW)

    assert found.lines == ()
    assert words in found.trouble


def test_without_takt_run_and_systemd_nobody_tells(tmp_path):
    found = Units(Meter(), lambda: pytest.fail("nobody is to be asked"), tmp_path).read(NOW)

    assert (found.started_by, found.lines) == ("", ())
    assert "neither takt run nor systemd" in found.trouble
