"""The supervisor over real processes: small ones, which end, hang or refuse as they are told."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from app import supervisor
from app.bus.beat import beat_path
from app.bus.block import BlockReader
from app.bus.place import Place
from app.clock import SystemClock
from app.config import load_line
from app.processes import Restart, Sign, Stop, Watchdog, row_of, table
from app.setup import twin_line
from app.signs import watch_of
from app.supervisor import status_path
from tests.groups import ROOT

DEADLINE_S = 30
PROMISE_S = 2.0
ROWS = table({Path("/line.toml"): load_line(twin_line())})
QUICK = Restart(first_ms=0, step_ms=20, longest_ms=50)

# Beats until it is told to end, and notes when that was.
PRELUDE = """
import os, signal, sys, time
alive, notes, name = sys.argv[1:4]
beats = os.open(alive, os.O_RDWR | os.O_CREAT)
def note(word):
    with open(notes, "a") as file:
        print(name, word, file=file)
def end(*_):
    note("asked")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
def beat():
    os.pwrite(beats, time.monotonic_ns().to_bytes(8, "little"), 0)
def go_on():
    note("up")
    while True:
        beat()
        time.sleep(0.02)
"""
GOOD = f"{PRELUDE}\ngo_on()"
DEAF = f"{PRELUDE}\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ngo_on()"
SILENT = f"{PRELUDE}\nnote('up')\ntime.sleep(1000)"
LOUD = f"{PRELUDE}\n[print('line', n) for n in range(500)]\ngo_on()"


def refusing(code):
    return f"{PRELUDE}\nprint('takt: pin 4 is taken; free it', file=sys.stderr)\nsys.exit({code})"


class Works:
    """A supervisor over dummies, and what became of it."""

    def __init__(self, folder: Path):
        self.place = Place(folder / "bus")
        self.notes = folder / "notes"
        self.notes.touch()
        self.said = []
        self.supervisor = None
        self.max_age_ms, self.start_ms = 10_000, 20_000

    def build(self, **scripts):
        """A supervisor over the rows that are named, each with its script."""
        rows = [replace(self.row(name), name=name) for name in scripts]

        def command(row):
            words = [str(beat_path(self.place.root, row.name)), str(self.notes), row.name]
            return [sys.executable, "-S", "-c", scripts[row.name], *words]

        self.supervisor = supervisor.Supervisor(
            rows,
            self.place,
            clock=SystemClock(),
            command=command,
            watch=lambda row: watch_of(row, self.place, ("127.0.0.1", 1)),
            say=lambda name, line: self.said.append(f"{name}: {line}"),
            pause=time.sleep,
        )
        return self.supervisor

    def row(self, name):
        row = row_of(ROWS, name)
        watchdog = Watchdog(Sign.BEAT, self.max_age_ms, start_ms=self.start_ms)
        return replace(row, watchdog=watchdog, restart=QUICK)

    def run(self, until=lambda: True, on_look=lambda: None, **scripts):
        """Runs until something is so, then ends it."""
        runner = self.supervisor or self.build(**scripts)
        limit = time.monotonic() + DEADLINE_S

        def look():
            on_look()
            assert time.monotonic() < limit, self.said
            if until():
                runner.stop()

        return runner.run(look)

    def noted(self):
        return [line.split() for line in self.notes.read_text().splitlines()]

    def count(self, name, word):
        return self.noted().count([name, word])

    def child(self, name):
        return next(each for each in self.supervisor.children if each.row.name == name)

    def are_up(self, *names):
        return all(self.child(name).watch.is_alive for name in names)


@pytest.fixture
def works(tmp_path):
    return Works(tmp_path)


def is_there(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(is_so):
    limit = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_a_station_that_is_killed_is_started_again_at_once(works):
    ends = []

    def kill():
        child = works.child("station")
        if works.are_up("station") and not ends:
            ends.append(child.pid)
            os.kill(child.pid, signal.SIGKILL)

    works.run(lambda: ends and works.count("station", "up") == 2, kill, station=GOOD)

    assert works.child("station").starts == 2
    assert "station: ended: SIGKILL; starts again at once" in works.said


def test_a_process_that_hangs_is_killed_and_started_again(works):
    works.max_age_ms = 600
    stopped = []

    def hang():
        if works.are_up("recorder") and not stopped:
            stopped.append(works.child("recorder").pid)
            os.kill(stopped[0], signal.SIGSTOP)

    works.run(lambda: works.count("recorder", "up") == 2, hang, recorder=GOOD)

    assert not is_there(stopped[0])
    assert any("hung, no sign of life for 0." in line for line in works.said)


def test_a_process_that_never_shows_itself_is_killed(works):
    works.start_ms = 300

    works.run(lambda: works.count("capture", "up") == 2, capture=SILENT)

    assert any("hung" in line for line in works.said)


def test_a_crash_loop_is_summarised(works):
    works.run(lambda: works.child("web").starts > 10, web=f"{PRELUDE}\nprint('boom')\nsys.exit(70)")

    told = [line for line in works.said if "ended" in line]
    assert [line.split(":")[1].strip() for line in told] == [
        "ended",
        "ended 2 times, the last time",
        "ended 3 times, the last time",
        "ended 4 times, the last time",
        "ended 8 times, the last time",
    ]
    assert works.said.count("web: boom") == 1


def test_one_process_that_crashes_leaves_the_others_alone(works):
    works.run(
        lambda: works.child("web").starts > 3 and works.are_up("station"), station=GOOD, web="import os; os.abort()"
    )

    assert works.child("station").starts == 1


def test_the_station_is_asked_first_and_has_ended_before_the_others_are(works):
    ending = works.run(lambda: works.are_up("recorder", "station", "web"), recorder=GOOD, station=GOOD, web=GOOD)

    asked = [name for name, word in works.noted() if word == "asked"]
    assert asked[0] == "station"
    assert sorted(asked) == ["recorder", "station", "web"]
    assert (ending.exit_code, ending.sentence) == (0, "")


def test_nobody_outlasts_it_even_if_nobody_listens(works):
    names = ("recorder", "station", "web")
    ending = works.run(lambda: works.are_up(*names), **dict.fromkeys(names, DEAF))

    assert not any(child.is_running for child in works.supervisor.children)
    assert ending.exit_code == 1
    assert "station did not end when asked to" in ending.sentence


def test_a_suspended_station_is_ended_too(works):
    pids = []

    def suspend():
        if works.are_up("station") and not pids:
            pids.append(works.child("station").pid)
            os.kill(pids[0], signal.SIGSTOP)

    ending = works.run(lambda: bool(pids), suspend, station=GOOD)

    assert works.count("station", "asked") == 1
    assert ending.exit_code == 0


def test_what_a_child_has_started_ends_with_it(works):
    script = f"""{PRELUDE}
import subprocess
note(subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(1000)"]).pid)
go_on()"""
    works.run(lambda: works.are_up("capture"), capture=script)

    grandchild = int(next(word for _, word in works.noted() if word.isdigit()))
    wait_until(lambda: not is_there(grandchild))


def test_a_station_that_cannot_start_as_things_are_ends_all_with_its_sentence(works):
    ending = works.run(lambda: False, recorder=GOOD, station=refusing(9))

    assert (ending.exit_code, ending.sentence) == (9, "pin 4 is taken; free it")
    assert not any("pin 4" in line for line in works.said)
    assert not any(child.is_running for child in works.supervisor.children)


def test_pages_that_cannot_start_do_not_hold_the_line_up(works):
    works.run(lambda: works.child("web").starts > 2 and works.are_up("station"), station=GOOD, web=refusing(2))

    assert works.child("station").starts == 1
    assert "web: takt: pin 4 is taken; free it" in works.said
    assert any(line.startswith("web: ended: exit code 2; starts again") for line in works.said)


def test_a_station_that_has_lived_and_then_refuses_is_tried_again(works):
    script = f"""{PRELUDE}
lives = open(notes).read().count("up")
if lives == 0:
    note("up")
    beat()
    sys.exit(70)
if lives == 1:
    note("up")
    print("takt: pin 4 is taken; free it", file=sys.stderr)
    sys.exit(9)
go_on()"""

    ending = works.run(lambda: works.count("station", "up") == 3 and works.are_up("station"), station=script)

    assert ending.exit_code == 0
    assert "station: takt: pin 4 is taken; free it" in works.said


def test_a_command_that_does_not_exist_is_told_and_tried_again(works):
    runner = works.build(web=GOOD)
    works.child("web")._command = ["/nowhere/takt"]

    works.run(lambda: works.child("web").starts > 1)

    assert any("could not be started" in line for line in works.said)
    assert runner.statuses()[0].pid == 0


def test_what_a_child_says_carries_its_name_and_a_flood_is_cut(works):
    works.run(lambda: works.are_up("web") and any("line 0" in line for line in works.said), web=LOUD)

    lines = [line for line in works.said if line.startswith("web: line")]
    assert lines[0] == "web: line 0"
    assert len(lines) < 50


def test_what_systemd_tells_the_supervisor_is_not_told_to_its_children(works, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    monkeypatch.setenv("WATCHDOG_USEC", "1000")
    monkeypatch.setenv("TAKT_NOTED", "yes")
    asking = f"{PRELUDE}\nprint('told', os.environ.get('NOTIFY_SOCKET'), os.environ['TAKT_NOTED'])\ngo_on()"
    works.run(lambda: works.are_up("web") and any("told" in line for line in works.said), web=asking)

    assert "web: told None yes" in works.said


def test_how_the_processes_are_can_be_read_from_the_bus(works):
    seen = []

    def read():
        if works.are_up("station", "web"):
            seen.append(json.loads(BlockReader(status_path(works.place)).read()))

    works.run(lambda: seen and all(each["is_alive"] for each in seen[-1]["processes"]), read, station=GOOD, web=GOOD)

    station = seen[-1]["processes"][0]
    assert seen[-1]["pid"] == os.getpid()
    assert (station["name"], station["kind"], station["lane"], station["restarts"]) == ("station", "station", 1, 0)
    assert station["pid"] > 0
    final = json.loads(BlockReader(status_path(works.place)).read())
    assert [(each["pid"], each["last_exit"]) for each in final["processes"]] == [(0, "stopped"), (0, "stopped")]


def test_an_error_of_whoever_looks_on_leaves_no_process_behind(works):
    def fail():
        if works.are_up("station"):
            raise RuntimeError("the screen broke")

    with pytest.raises(RuntimeError, match="the screen broke"):
        works.run(lambda: False, fail, station=GOOD)

    assert not any(child.is_running for child in works.supervisor.children)


# A supervisor in a process of its own, to be killed

ALONE = """
import sys
from pathlib import Path
from tests.unit.test_supervisor import GOOD, Works
works = Works(Path(sys.argv[1]))
def look():
    if works.are_up("station", "web"):
        (works.notes.parent / "pids").write_text(" ".join(str(each.pid) for each in works.supervisor.children))
ending = works.build(station=GOOD, web=GOOD).run(look)
sys.exit(ending.exit_code)
"""


@pytest.fixture
def alone(tmp_path):
    """A supervisor of two dummies in a process of its own, and their process ids."""
    process = subprocess.Popen([sys.executable, "-c", ALONE, str(tmp_path)], cwd=ROOT)
    pids = tmp_path / "pids"
    try:
        wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
        yield process, [int(pid) for pid in pids.read_text().split()]
    finally:
        process.kill()
        process.wait()


def test_children_die_with_a_supervisor_that_is_killed_and_the_station_in_order(alone, tmp_path):
    process, pids = alone

    process.kill()

    wait_until(lambda: not any(is_there(pid) for pid in pids))
    words = (tmp_path / "notes").read_text().splitlines()
    assert "station asked" in words
    assert "web asked" not in words


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_order(alone, number):
    process, pids = alone
    process.send_signal(number)
    code = process.wait(DEADLINE_S)

    assert code == 0
    assert not any(is_there(pid) for pid in pids)


def test_the_limits_of_the_table_add_up_to_less_than_the_promise():
    limits = {row.stop.order: row.stop for row in ROWS}

    assert limits[0] == Stop(order=0, limit_ms=1000, is_clean_orphan=True)
    assert sum(each.limit_ms for each in limits.values()) <= 800 * PROMISE_S
