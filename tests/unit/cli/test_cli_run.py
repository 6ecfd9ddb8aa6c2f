"""`takt run` over dummies: what it refuses, what it prints when all is up, how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.bus.block import BlockReader
from app.bus.place import Place
from app.cli import addresses, lanes
from app.clock import NS_PER_S, SystemClock
from app.errors import ConfigError, UsageError
from app.status import State, Status
from app.types import Tally
from tests.groups import ROOT
from tests.unit.cli.conftest import only_sentence

DEADLINE_S = 30

# Stands in for every process of the table: a station that shows itself, a page that answers, others that beat.
DUMMY = """
import os, sys, threading, time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from app.bus.beat import Beat, beat_path
from app.bus.block import BlockWriter
from app.bus.place import Place
from app.status import State, Status, encode_status
from app.types import Tally
kind, bus, port = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass
if kind == "web":
    HTTPServer(("127.0.0.1", port), Page).serve_forever()
block = BlockWriter(Place(bus).status(1), 10_000) if kind == "station" else None
beat = Beat(beat_path(bus, kind if kind != "capture" else "capture-top"))
begun = time.monotonic()
while True:
    beat.beat()
    if block:
        now = time.monotonic_ns()
        is_stopped = (bus / "stop").exists()
        state, why = (State.STOPPED, "stopped by Ann") if is_stopped else (State.RUNNING, "")
        block.write(encode_status(Status(state, why, now, now, Tally(3, 2, 1, 0, 0), "lot", speed_mm_s=500)))
    time.sleep(0.02)
"""

TAKT_RUN = f"""
import sys
from app.processes import Process
def command(row, bus, state, more=()):
    return [sys.executable, "-c", {DUMMY!r}, row.kind.value, str(bus), str(more[-1]) if more else "0"]
Process.command = command
from app.cli import main
main()
"""


class Run:
    """`takt run` in a process of its own."""

    def __init__(self, folder, *words, stdout=subprocess.PIPE):
        self.bus = folder / "bus"
        env = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "TERM": "xterm", "COLUMNS": "120"}
        command = [sys.executable, "-c", TAKT_RUN, "run", "--bus", self.bus, "--state", folder / "state", "--port", "0"]
        self.process = subprocess.Popen(
            [*map(str, command), *words], env=env, cwd=ROOT, stdout=stdout, stderr=subprocess.PIPE, text=True
        )

    def line(self, word=""):
        """The next line of stdout with a word in it."""
        while line := self.process.stdout.readline():
            if word in line:
                return line.strip()
        pytest.fail(f"it ended without {word!r}: {self.process.stderr.read()}")

    def status(self):
        """What its supervisor says of the processes."""
        reader = BlockReader(self.bus / "supervisor.status")
        try:
            return json.loads(reader.read())
        finally:
            reader.close()

    def end(self, number=signal.SIGINT):
        """Its exit code."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)


def wait_until(is_so):
    limit = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < limit
        time.sleep(0.01)


@pytest.fixture
def run(tmp_path):
    running = []

    def start(*words):
        running.append(Run(tmp_path, *words))
        return running[-1]

    yield start
    for each in running:
        each.process.kill()
        each.process.wait()
        each.process.stdout.close()
        each.process.stderr.close()


def test_json_tells_the_addresses_in_one_line_once_all_is_up(run):
    running = run("--json")

    document = json.loads(running.line())

    assert document["url"] == f"http://127.0.0.1:{document['port']}/"
    assert document["bus"] == str(running.bus)
    assert document["pid"] == running.process.pid
    assert [(each["lane"], each["state"]) for each in document["lanes"]] == [(1, "RUNNING")]


def test_the_address_can_be_opened_as_soon_as_it_is_told(run):
    document = json.loads(run("--json").line())

    with socket.create_connection((document["host"], document["port"]), timeout=5) as page:
        page.sendall(b"GET / HTTP/1.0\r\n\r\n")
        said = page.recv(100)

    assert b" 204 " in said


def test_a_pipe_gets_the_table_the_address_and_a_line_per_change_of_state(run):
    running = run()

    assert "station" in running.line("station")
    assert "http://127.0.0.1:" in running.line("open")
    assert running.line("lane") == "lane 1: RUNNING"
    (running.bus / "stop").touch()
    assert running.line("lane") == "lane 1: STOPPED, stopped by Ann"


def test_a_station_that_falls_silent_is_told_as_no_data(run):
    running = run()
    running.line("lane 1: RUNNING")
    pid = next(each["pid"] for each in running.status()["processes"] if each["kind"] == "station")

    os.kill(pid, signal.SIGSTOP)

    assert running.line("lane") == "lane 1: NO DATA"
    assert running.line("lane") == "lane 1: RUNNING"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_asked_to(run, number):
    running = run("--json")
    running.line()
    pids = [each["pid"] for each in running.status()["processes"]]

    code = running.end(number)

    # Where the machine stood still for longer than the station may take to end, it says that it killed it.
    assert code == 0 or "did not end when asked to" in running.process.stderr.read()
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_a_terminal_keeps_one_line_that_lives(tmp_path):
    master, slave = os.openpty()
    running = Run(tmp_path, stdout=slave)
    os.close(slave)
    shown = b""
    try:
        while "● RUNNING".encode() not in shown:
            shown += os.read(master, 10_000)
        (running.bus / "stop").touch()
        while "◆ STOPPED".encode() not in shown:
            shown += os.read(master, 10_000)
        code = running.end()
    finally:
        running.process.kill()
        running.process.communicate()
        os.close(master)

    assert b"lane 1: STOPPED, stopped by Ann" in shown
    assert code == 0


def test_a_reader_that_goes_away_does_not_end_the_line(run):
    running = run()
    running.line("lane 1: RUNNING")
    running.process.stdout.close()
    running.process.stderr.close()
    (running.bus / "stop").touch()
    # Three of the times at which it says something.
    until_ns = time.monotonic_ns() + 3 * NS_PER_S // 4
    wait_until(lambda: running.status()["at_ns"] > until_ns)

    code = running.end()

    assert code == 0


# What is refused before anything starts


def test_a_second_run_on_the_same_bus_is_refused_and_names_the_first(takt, tmp_path):
    with Place(tmp_path / "bus").hold("supervisor"):
        result = takt.run("run", "--bus", tmp_path / "bus", "--port", 0)

    assert result.exit_code == 11
    assert f"process {os.getpid()}" in only_sentence(result.stderr)


def test_a_port_in_use_is_refused_with_who_has_it_and_what_to_do(takt, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        result = takt.run("run", "--bus", tmp_path / "bus", "--port", port)

    sentence = only_sentence(result.stderr)
    assert result.exit_code == 2
    assert f"port {port} on 127.0.0.1 is in use by process {os.getpid()}" in sentence
    assert "--port" in sentence


@pytest.mark.parametrize("words", [("--line", "nowhere.toml"), ("--line", "line.toml", "--line", "copy.toml")])
def test_settings_that_cannot_work_start_nothing(takt, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    for name in ("line.toml", "copy.toml", "recipe.toml"):
        source = "recipe.toml" if name == "recipe.toml" else "line.toml"
        (tmp_path / name).write_text((ROOT / "app/twin/line" / source).read_text())

    result = takt.run("run", "--bus", tmp_path / "bus", *words)

    assert result.exit_code == 3
    assert only_sentence(result.stderr)
    assert not (tmp_path / "bus").exists()


# Addresses


def test_any_address_is_reached_on_this_machine():
    assert addresses.Address("0.0.0.0", 80).url == "http://127.0.0.1:80/"
    assert addresses.Address("::", 80).url == "http://[::1]:80/"
    assert addresses.Address("line.example", 8080).reachable == ("line.example", 8080)


def test_port_nought_is_any_free_one():
    assert addresses.settled("127.0.0.1", 0).port > 0


def test_an_address_of_another_machine_is_a_wrong_setting():
    with pytest.raises(ConfigError, match=r"ui\.host"):
        addresses.settled("192.0.2.1", 0)


def test_who_listens_is_not_always_to_be_seen(tmp_path):
    assert addresses.holder_of(8080, tmp_path) == ""
    with socket.create_server(("127.0.0.1", 0)) as door, pytest.raises(UsageError, match="is in use"):
        addresses.settled("127.0.0.1", door.getsockname()[1])


# Lanes


def view(state=State.RUNNING, why="", tally=None):
    now_ns = SystemClock().now_ns()
    tally = tally or Tally(1200, 1100, 90, 2, 8)
    return lanes.LaneView(2, Status(state, why, now_ns, now_ns, tally, "lot", speed_mm_s=512.4))


def test_a_lane_fits_on_one_line():
    text = lanes.as_line(view()).plain

    assert text == "● RUNNING  lane 2  1,200 parts  1,100 passed  90 rejected  2 lost  8 in flight  512 mm/s"


def test_a_stopped_lane_says_why():
    assert lanes.as_line(view(State.STOPPED, "the bin is full")).plain.endswith("  the bin is full")
    assert lanes.as_change(view(State.STOPPED, "the bin is full")) == "lane 2: STOPPED, the bin is full"


def test_an_account_that_does_not_balance_is_told():
    assert "does not balance" in lanes.as_line(view(tally=Tally(3, 1, 1, 0, 0))).plain


def test_a_lane_without_a_station_has_no_data(tmp_path):
    reader = lanes.LaneReader(Place(tmp_path / "bus"), 3)

    assert lanes.as_line(reader.read(0)).plain == "◇ NO DATA  lane 3"
    reader.close()
