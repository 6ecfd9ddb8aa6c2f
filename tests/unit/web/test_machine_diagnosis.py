"""The diagnostics: what counts as fine, as worth a look, as wrong; who may see it; and that nothing is a failure."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from app.bus.block import BlockWriter
from app.clock import NS_PER_S, SystemClock
from app.config import StorageSettings, UiSettings
from app.health.health import Health
from app.health.report import BLOCK as REPORT
from app.health.report import BLOCK_BYTES as REPORT_BYTES
from app.health.report import Report, encode_report
from app.record.health import BLOCK, BLOCK_BYTES, RecorderStatus, encode_health
from app.status import AcceleratorStatus, CameraStatus, State, StopReason
from app.support.checks import Checks
from app.support.machine import Machine, Room, Ticks, Wall, Zone
from app.support.processes import Line, Processes
from app.support.supervised import End
from app.web.access.audit import AuditFilter
from app.web.access.roles import Role
from app.web.application import create_app
from app.web.certificate import Certificate
from app.web.machine import diagnosis_box as box
from app.web.machine import diagnosis_line as line
from app.web.machine.diagnosis_answers import MAIN, DiagnosisAnswer
from app.web.machine.diagnosis_pages import add_diagnosis
from app.web.machine.diagnosis_readings import Readings
from app.web.texts import Texts
from tests.unit.web.people import machine as machine_headers

URL = "/api/v1/machine/diagnosis"
NOW = datetime(2026, 8, 3, 12, 0, tzinfo=timezone.utc)
SOUND = Machine(
    zones=(Zone("cpu", 50.0, 90.0, 100.0),),
    ticks=Ticks(100, 0, 900),
    load=0.5,
    memory_total_bytes=8 << 30,
    memory_available_bytes=4 << 30,
    swap_used_bytes=0,
    uptime_s=3600.0,
    wall=Wall(is_synchronised=True, error_ms=1.5),
)
WORDS = Texts().words


def is_said(area):
    """Every figure and sentence of an area has its words."""
    keys = [f"diagnosis.area.{area.key}"]
    keys += [f"diagnosis.fact.{each.key}" for each in area.facts]
    keys += [f"diagnosis.says.{each.key}" for each in area.remarks]
    assert [key for key in keys if key not in WORDS] == []
    for each in area.remarks:
        WORDS[f"diagnosis.says.{each.key}"].format(**each.values)
    return area


def fact(area, key):
    return next(each for each in area.facts if each.key == key)


def remarks(area):
    return [each.key for each in area.remarks]


@pytest.fixture
def view(bench):
    """Gives what the pages know of a lane whose station tells some things."""

    def told(**status):
        bench.publish(**status)
        bench.look()
        return bench.live.status(1)

    return told


# The line


def test_line_that_runs_is_fine(view):
    area = is_said(line.line_area([view(is_permitted=True, speed_mm_s=500.0)]))

    assert (area.level, area.remarks) == ("fine", [])
    assert fact(area, "state").value == "state.RUNNING"


def test_every_latch_of_a_stopped_line_is_said(view):
    latches = (StopReason("BIN_FULL", "a bin is full", 1), StopReason("JAM", "<b>jam</b>", 2))
    area = is_said(line.line_area([view(state=State.STOPPED, why="a bin is full", latches=latches)]))

    assert area.level == "wrong"
    assert [each.values["why"] for each in area.remarks] == ["a bin is full", "<b>jam</b>"]


def test_station_that_is_silent_is_wrong_and_nothing_old_is_shown_as_new(bench, view):
    view()
    bench.look(later_ms=1500)
    views = [bench.live.status(1)]

    assert is_said(line.line_area(views)).level == "wrong"
    assert is_said(line.camera_area(views)).level == "unknown"
    assert is_said(line.judging_area(views)).level == "unknown"
    assert line.slowest(views)[0] is None


@pytest.mark.parametrize(
    ("camera", "level", "said"),
    [
        (CameraStatus("top", "", 10_000, 1, 3, 2), "fine", []),
        (CameraStatus("top", "", 10_000, 1, 20, 2), "look", ["frames_lost"]),
        (CameraStatus("top", "it is gone", 10_000, 1), "wrong", ["camera"]),
        (CameraStatus("top"), "fine", []),
    ],
)
def test_camera_that_loses_pictures_is_looked_at(view, camera, level, said):
    area = is_said(line.camera_area([view(cameras=(camera,))]))

    assert (area.level, remarks(area)) == (level, said)


@pytest.mark.parametrize(
    ("phase", "why", "level"), [("trusted", "", "fine"), ("proving", "it is proven", "look"), ("parked", "no", "wrong")]
)
def test_accelerator_that_does_not_judge_says_why(view, phase, why, level):
    status = AcceleratorStatus(phase, why, 1, "tensorrt", "openvino", 2, 1, asks_mm_s=300.0 if why else None)
    area = is_said(line.judging_area([view(accelerator=status)]))

    assert area.level == level
    assert remarks(area) == (["accelerator", "slower"] if why else [])


def test_build_that_is_not_used_is_told_with_its_reason(view):
    why = ["a build is stale; run: takt models build", "parity missed"]
    area = is_said(line.judging_area([view(unused=tuple(why))]))

    assert (area.level, [each.values["why"] for each in area.remarks]) == ("fine", why)


def test_verdicts_over_the_budget_are_looked_at(bench, view):
    for part in range(1, 30):
        bench.judged(part, total_us=9_000)
    area = is_said(line.judging_area([view(budget_ms=5.0)]))

    assert (area.level, remarks(area)) == ("look", ["late"])
    assert line.slowest([bench.live.status(1)]) == (9.0, 5.0)


def test_recorder_that_is_silent_is_wrong(view):
    assert is_said(line.recorder_area([view()])).level == "wrong"


def test_recorder_tells_its_rows_its_lag_and_its_trouble(bench, view):
    block = BlockWriter(bench.place.root / BLOCK, BLOCK_BYTES)
    said = RecorderStatus(bench.clock.now_ns(), backlog_bytes=2048, rows=7, policy="all is kept")
    block.write(encode_health(said))
    sound = is_said(line.recorder_area([view()]))
    block.write(encode_health(replace(said, at_ns=said.at_ns + 1, error="the disk is gone")))
    broken = is_said(line.recorder_area([view(ring_share=0.7)]))
    block.close()

    assert sound.level == "fine"
    assert (fact(sound, "rows").value, fact(sound, "backlog").value) == (7, 2048)
    assert (broken.level, remarks(broken)) == ("wrong", ["recorder", "ring"])


@pytest.mark.parametrize(
    ("words", "level"),
    [
        ("SCHED_FIFO 80; core 2, 3; memory locked; collector off", "fine"),
        ("SCHED_OTHER, as SCHED_FIFO 80 is not permitted (LimitRTPRIO)", "look"),
        ("SCHED_FIFO 80; memory not locked, the limit is 8 MiB", "look"),
        ("", "unknown"),
    ],
)
def test_what_the_system_has_not_granted_is_looked_at(view, words, level):
    area = is_said(box.cores_area(SOUND, None, line.granted_facts([view(scheduling=words)])))

    assert fact(area, "granted").level == level


# The box


@pytest.mark.parametrize(
    ("zone", "level"),
    [
        (Zone("cpu", 84.0, 90.0, 100.0), "fine"),
        (Zone("cpu", 86.0, 90.0, 100.0), "look"),
        (Zone("cpu", 96.0, 90.0, 100.0), "wrong"),
        (Zone("cpu", 84.0), "fine"),
        (Zone("cpu", 85.0), "look"),
        (Zone("cpu", 95.0), "wrong"),
    ],
)
def test_warmth_counts_by_where_the_box_slows_itself_down(zone, level):
    assert is_said(box.heat_area(replace(SOUND, zones=(zone,)), None)).level == level


def test_accelerator_that_is_slowed_is_looked_at_and_its_temperature_followed(bench, view):
    health = Health("nvml", 1, "GPU", temperature_c=83.0, clock_mhz=900.0, power_w=40.0, throttling=("power cap",))
    block = BlockWriter(bench.place.root / REPORT, REPORT_BYTES)
    now_ns = bench.clock.now_ns()
    block.write(encode_report(Report(now_ns, now_ns, is_serving=True, serves=(), health=health)))
    device = view()["accelerator"]
    block.close()
    area = is_said(box.heat_area(SOUND, device))

    assert (area.level, remarks(area)) == ("look", ["throttling"])
    assert box.warmest(SOUND, device) == 83.0
    assert box.warmest(SOUND, {**device, "age_ms": 9e9}) == 50.0
    assert box.warmest(Machine(), None) is None


def test_box_without_a_sensor_is_not_known():
    assert is_said(box.heat_area(Machine(), None)).level == "unknown"


def test_time_that_other_machines_take_is_looked_at():
    before, now = Ticks(100, 0, 900), Ticks(140, 10, 950)
    area = is_said(box.cores_area(replace(SOUND, ticks=now), before))

    assert area.level == "look"
    assert (fact(area, "busy").value, fact(area, "stolen").value) == (0.4, 0.1)


def test_first_look_knows_no_share_yet():
    area = is_said(box.cores_area(SOUND, None))

    assert (area.level, fact(area, "busy").value) == ("fine", None)


@pytest.mark.parametrize(
    ("free", "bus", "level"),
    [
        (4 << 30, 1 << 30, "fine"),
        (700 << 20, 1 << 30, "look"),
        (100 << 20, 1 << 30, "wrong"),
        (4 << 30, 1 << 20, "wrong"),
    ],
)
def test_memory_that_runs_out_is_said(free, bus, level):
    machine = replace(SOUND, memory_available_bytes=free)

    assert is_said(box.memory_area(machine, Room(2 << 30, bus))).level == level


def disk(free_gb, days=10.0, ledger_gb=1.0, **more):
    growth = box.Growth(round(ledger_gb * 1e9), days) if days else None
    storage = StorageSettings(pictures_gb=20, min_free_gb=1.0)
    return box.Disk(Room(10**12, round(free_gb * 1e9)), growth, more.get("pictures_gb", 15.0), storage)


def test_disk_lasts_until_ledger_and_pictures_have_taken_what_may_be_taken():
    # 26 GB free, 1 must stay, pictures may grow by 5: 20 are left, and the ledger takes 0.1 a day.
    assert box.days_left(disk(26)) == pytest.approx(200)
    assert box.days_left(disk(4)) == 0
    assert box.days_left(disk(26, days=0)) is None


@pytest.mark.parametrize(
    ("found", "level", "said"),
    [
        (disk(26), "fine", []),
        (disk(26, days=0), "fine", ["disk_unknown"]),
        (disk(6.5), "look", ["disk_soon"]),
        (disk(1.5), "look", ["disk"]),
        (disk(0.5), "wrong", ["disk"]),
        (replace(disk(26), room=None), "unknown", ["disk_unknown"]),
    ],
)
def test_disk_that_fills_is_said_in_time(found, level, said):
    area = is_said(box.disk_area(found))

    assert (area.level, remarks(area)) == (level, said)


@pytest.mark.parametrize(("is_synchronised", "level"), [(True, "fine"), (False, "look"), (None, "unknown")])
def test_clock_that_nobody_keeps_is_looked_at(is_synchronised, level):
    machine = replace(SOUND, wall=Wall(is_synchronised))

    assert is_said(box.time_area(machine, NOW, 1000.0)).level == level


def certificate(days, *, is_own=True):
    begins = NOW - timedelta(days=1)
    return Certificate(Path("a"), Path("b"), "AB:CD", ("x",), begins, NOW + timedelta(days=days), is_own)


@pytest.mark.parametrize(
    ("ui", "found", "level"),
    [
        (UiSettings(), None, "fine"),
        (UiSettings(host="0.0.0.0"), None, "look"),
        (UiSettings(https_port=8443), None, "unknown"),
        (UiSettings(https_port=8443), certificate(500), "fine"),
        (UiSettings(https_port=8443), certificate(30), "fine"),
        (UiSettings(https_port=8443), certificate(30, is_own=False), "look"),
        (UiSettings(https_port=8443), certificate(-1), "wrong"),
    ],
)
def test_pages_that_can_be_read_on_their_way_are_looked_at(ui, found, level):
    assert is_said(box.https_area(ui, found, NOW)).level == level


def test_process_that_is_down_is_wrong_and_late_ends_are_shown():
    def process(name, pid):
        return Line(name, name, None, pid, 1, bool(pid), 1, "")

    ends = (End("web", 90 * NS_PER_S, "SIGKILL"), End("web", -(10**15), "long ago"))
    found = Processes("takt run", (process("web", 0), process("recorder", 5)), ends)
    area = is_said(box.processes_area(found, 100 * NS_PER_S))

    assert (area.level, fact(area, "running").value, fact(area, "restarts").value) == ("wrong", 1, 2)
    assert [each.value for each in area.facts if each.key == "ended"] == ["web: SIGKILL"]
    assert is_said(box.processes_area(Processes("", trouble="nobody tells"), 1)).level == "unknown"


# The API


def test_box_on_which_nothing_runs_has_every_area_and_no_failure(bench):
    bench.as_role(Role.LEAD)
    bench.look()
    answer = bench.client.get(URL)

    assert answer.status_code == 200
    found = DiagnosisAnswer.model_validate_json(answer.data)
    assert [each.key for each in found.areas] == list(MAIN)
    assert [is_said(each).main for each in found.areas] == list(MAIN.values())


def test_figures_of_the_box_come_with_those_of_the_line(bench, tmp_path, monkeypatch):
    folder = tmp_path / "box" / "proc"
    folder.mkdir(parents=True)
    (folder / "uptime").write_text("5.5 1\n")
    readings = Readings(bench.context, tmp_path / "box")
    monkeypatch.setattr("app.web.machine.pages.Readings", lambda _context: readings)
    bench.app = create_app(bench.context)
    bench.client = bench.app.test_client()
    bench.as_role(Role.LEAD)
    bench.publish(state=State.DEGRADED, why="the standby judges", code="LATE")
    bench.look()
    areas = {each["key"]: each for each in bench.client.get(URL).json["areas"]}

    assert areas["line"]["remarks"][0]["values"] == {"cause": "DEGRADED", "why": "the standby judges", "code": "LATE"}
    assert next(each["value"] for each in areas["time"]["facts"] if each["key"] == "uptime") == 5500


@pytest.mark.parametrize(("role", "status"), [(Role.OPERATOR, 403), (Role.LEAD, 200), (Role.TECHNICIAN, 200)])
def test_lead_and_technician_see_the_page(bench, role, status):
    bench.as_role(role)
    page = bench.client.get("/machine/")

    assert page.status_code == status
    assert ('id="run"' in page.text) == (role is Role.TECHNICIAN)


def test_machine_reads_and_never_runs_the_checks(bench):
    headers = machine_headers(bench.context, "read", "review", "line")
    client = bench.app.test_client()

    assert client.get(URL, headers=headers).status_code == 200
    assert client.post("/api/v1/machine/checks", headers=headers).status_code == 403


# All checks


@pytest.fixture
def checking(bench, monkeypatch):
    """A bench whose checks are a small program."""
    said = {"findings": [{"topic": "<img src=x>", "level": "odd", "text": "t", "mend": "m"}]}
    made = Checks([sys.executable, "-c", f"print({json.dumps(json.dumps(said))})"], {}, SystemClock(), 30.0)

    def add(machine, context, readings):
        add_diagnosis(machine, context, readings, made)

    monkeypatch.setattr("app.web.machine.pages.add_diagnosis", add)
    bench.app = create_app(bench.context)
    bench.client = bench.app.test_client()
    bench.checks = made
    return bench


def test_checks_are_run_once_and_their_result_is_kept(checking):
    technician = checking.as_role(Role.TECHNICIAN, "Tina")
    assert checking.client.get("/api/v1/machine/checks").json["phase"] == "never"

    started = checking.client.post("/api/v1/machine/checks", headers=technician)
    checking.checks.wait(30)
    found = checking.client.get("/api/v1/machine/checks").json

    assert started.status_code == 200
    assert (found["phase"], found["by"]) == ("done", "Tina")
    assert found["checks"] == [{"topic": "<img src=x>", "level": "warn", "text": "t", "mend": "m"}]
    assert [each.who for each in checking.context.audit.rows(AuditFilter(what="machine.run_checks"))] == ["Tina"]


def test_second_run_beside_the_first_is_refused(checking, monkeypatch):
    technician = checking.as_role(Role.TECHNICIAN)
    monkeypatch.setattr(checking.checks, "start", lambda _by: False)

    assert checking.client.post("/api/v1/machine/checks", headers=technician).status_code == 409


def test_lead_may_not_run_them(checking):
    assert checking.client.post("/api/v1/machine/checks", headers=checking.as_role(Role.LEAD)).status_code == 403
