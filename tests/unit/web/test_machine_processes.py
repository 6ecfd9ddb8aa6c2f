"""The processes: who sees them, what may be started again and when, and that it is the one that was meant."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from app.bus.block import BlockWriter
from app.status import State
from app.support.processes import Line, Use, read_use
from app.support.supervised import BLOCK, BLOCK_BYTES, ChildStatus, End, Supervised, encode_supervised
from app.web.access.audit import AuditFilter
from app.web.access.roles import Role
from app.web.application import create_app
from app.web.machine.process_pages import add_processes, hindrance_of
from tests.unit.web.people import machine

URL = "/api/v1/machine/processes"
USE = Use(5, 1, 7, 1, 1, 1, ())


def process(kind, lane=None, pid=5, use=USE):
    return Line(kind, kind, lane, pid, 1, True, 0, "", use)


@pytest.fixture
def sleeper():
    """A process of ours that waits; it stands for one of the table."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield child
    child.kill()
    child.wait()
    child.stdin.close()


class Supervising:
    """What `takt run` would tell of processes that this test has started."""

    def __init__(self, bench):
        self.bench = bench
        self.block = BlockWriter(bench.place.root / BLOCK, BLOCK_BYTES)
        self.ends = ()

    def tell(self, pid, name="web", kind="web", lane=None, parent=0):
        now_ns = self.bench.clock.now_ns()
        child = ChildStatus(name, kind, lane, pid, now_ns - 10**9, True, 1.0, 1, "SIGKILL")
        self.block.write(encode_supervised(Supervised(now_ns, parent or os.getpid(), (child,), self.ends)))

    def close(self):
        self.block.close()


@pytest.fixture
def supervising(bench):
    made = Supervising(bench)
    yield made
    made.close()


@pytest.fixture
def ask(bench):
    """Asks for a new start as somebody of a role."""

    def asked(name, pid, started, role=Role.TECHNICIAN, reason="it hangs"):
        headers = {**bench.as_role(role), **({"X-Reason": reason} if reason else {})}
        return bench.client.post(f"{URL}/restart", json={"name": name, "pid": pid, "started": started}, headers=headers)

    return asked


# The list


def test_list_tells_what_takt_run_tells_and_what_the_kernel_adds(bench, supervising, sleeper):
    supervising.ends = (End("web", 1, "<i>SIGKILL</i>"),)
    supervising.tell(sleeper.pid)
    bench.as_role(Role.LEAD)
    found = bench.client.get(URL).json
    [web] = found["processes"]

    assert (found["started_by"], found["trouble"]) == ("takt run", "")
    assert (web["pid"], web["is_alive"], web["restarts"], web["last_exit"]) == (sleeper.pid, True, 1, "SIGKILL")
    assert (web["for_ms"], web["hindrance"]) == (1000, "")
    assert web["memory_bytes"] > 0
    assert web["scheduling"]
    assert found["ends"][0]["how"] == "<i>SIGKILL</i>"


def test_without_anybody_who_tells_the_list_is_empty_and_says_why(bench):
    bench.as_role(Role.LEAD)
    found = bench.client.get(URL).json

    assert found["processes"] == []
    assert found["trouble"]


@pytest.mark.parametrize(("role", "status"), [(Role.OPERATOR, 403), (Role.LEAD, 200), (Role.TECHNICIAN, 200)])
def test_lead_and_technician_see_the_page(bench, role, status):
    bench.as_role(role)
    page = bench.client.get("/machine/processes")

    assert page.status_code == status
    assert ("/processes/restart" in page.text) == (role is Role.TECHNICIAN)


# What may be started again


@pytest.mark.parametrize("kind", ["web", "accelerator"])
@pytest.mark.parametrize("state", ["RUNNING", "STOPPED", ""])
def test_what_the_line_does_not_depend_on_may_at_any_time(kind, state):
    assert hindrance_of(process(kind), {1: state}) == ""


@pytest.mark.parametrize("kind", ["capture", "station"])
@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({1: "STOPPED", 2: "RUNNING"}, ""),
        ({1: "RUNNING", 2: "STOPPED"}, "line_runs"),
        ({1: "NO_CAMERA"}, "line_runs"),
        ({1: "PURGING"}, "line_runs"),
        ({1: ""}, "line_unknown"),
        ({2: "STOPPED"}, "line_unknown"),
        ({}, "line_unknown"),
    ],
)
def test_what_a_lane_depends_on_may_while_that_lane_is_stopped(kind, states, expected):
    assert hindrance_of(process(kind, 1), states) == expected


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({1: "STOPPED", 2: "STOPPED"}, ""),
        ({1: "STOPPED", 2: "RUNNING"}, "line_runs"),
        ({1: "STOPPED", 2: ""}, "line_unknown"),
        ({}, "line_unknown"),
    ],
)
def test_recorder_may_while_every_lane_is_stopped(states, expected):
    assert hindrance_of(process("recorder"), states) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (process("twin", 1), "twin"),
        (process(""), "unknown"),
        (process("agent"), "unknown"),
        (process("web", pid=0, use=None), "down"),
        (process("web", use=None), "hidden"),
    ],
)
def test_others_may_not(line, expected):
    assert hindrance_of(line, {1: "STOPPED"}) == expected


# Starting one again


def test_process_is_asked_to_end_and_the_deed_is_in_the_trail(bench, supervising, sleeper, ask):
    supervising.tell(sleeper.pid)
    answer = ask("web", sleeper.pid, read_use(sleeper.pid).started)

    assert answer.status_code == 200
    assert sleeper.wait(10) == -signal.SIGTERM
    [row] = bench.context.audit.rows(AuditFilter(what="machine.restart"))
    assert (row.who, row.about, row.reason) == ("technician one", "web", "it hangs")


@pytest.mark.parametrize(("state", "status"), [(State.RUNNING, 409), (State.DEGRADED, 409), (State.STOPPED, 200)])
def test_station_only_while_its_line_is_stopped(bench, supervising, sleeper, ask, state, status):
    supervising.tell(sleeper.pid, "station", "station", 1)
    bench.publish(state=state)
    bench.look()

    assert ask("station", sleeper.pid, read_use(sleeper.pid).started).status_code == status
    assert (status == 200) == (bench.context.audit.rows(AuditFilter(what="machine.restart")) != [])


def test_station_whose_state_is_old_is_left_alone(bench, supervising, sleeper, ask):
    bench.publish(state=State.STOPPED)
    bench.look(later_ms=1500)
    supervising.tell(sleeper.pid, "station", "station", 1)

    answer = ask("station", sleeper.pid, read_use(sleeper.pid).started)
    assert answer.status_code == 409
    assert "not known" in answer.json["what"]
    assert sleeper.poll() is None


def test_process_that_is_another_by_now_is_left_alone(supervising, sleeper, ask):
    supervising.tell(sleeper.pid)
    started = read_use(sleeper.pid).started

    assert ask("web", sleeper.pid, started + 1).status_code == 409
    assert ask("web", sleeper.pid + 1, started).status_code == 409
    assert sleeper.poll() is None


def test_process_that_takt_run_has_not_started_is_left_alone(supervising, sleeper, ask):
    supervising.tell(sleeper.pid, parent=1)

    assert ask("web", sleeper.pid, read_use(sleeper.pid).started).status_code == 409
    assert sleeper.poll() is None


def test_name_that_is_not_in_the_list_is_unknown(supervising, sleeper, ask):
    supervising.tell(sleeper.pid)

    assert ask("../web", sleeper.pid, 1).status_code == 404


def test_pages_answer_before_their_own_process_ends(bench, supervising, monkeypatch):
    later = []
    monkeypatch.setattr(
        "app.web.machine.pages.add_processes",
        lambda machine, context, readings: add_processes(
            machine, context, readings, lambda seconds, deed: later.append((seconds, deed))
        ),
    )
    bench.app = create_app(bench.context)
    bench.client = bench.app.test_client()
    headers = {**bench.as_role(Role.TECHNICIAN), "X-Reason": "it is slow"}
    supervising.tell(os.getpid(), parent=os.getppid())
    body = {"name": "web", "pid": os.getpid(), "started": read_use(os.getpid()).started}

    assert bench.client.post(f"{URL}/restart", json=body, headers=headers).status_code == 200
    assert [seconds for seconds, _ in later] == [0.5]
    assert len(bench.context.audit.rows(AuditFilter(what="machine.restart"))) == 1


def test_it_asks_for_a_reason(supervising, sleeper, ask):
    supervising.tell(sleeper.pid)
    answer = ask("web", sleeper.pid, read_use(sleeper.pid).started, reason="")

    assert (answer.status_code, answer.headers["X-Asks"]) == (428, "reason")
    assert sleeper.poll() is None


def test_lead_and_machines_may_not(bench, supervising, sleeper, ask):
    supervising.tell(sleeper.pid)
    started = read_use(sleeper.pid).started
    headers = {**machine(bench.context, "read", "review", "line"), "X-Reason": "x"}
    body = {"name": "web", "pid": sleeper.pid, "started": started}

    assert ask("web", sleeper.pid, started, Role.LEAD).status_code == 403
    assert bench.app.test_client().post(f"{URL}/restart", json=body, headers=headers).status_code == 403
    assert bench.app.test_client().get(URL, headers=headers).status_code == 200
    assert sleeper.poll() is None
