"""The page of the diagnostics, and its API under `/api/v1/machine`."""

from __future__ import annotations

from flask import Blueprint, Response, render_template

from app.bus.place import VARIABLE
from app.clock import NS_PER_MS
from app.support.checks import Check, Checks, Phase, doctor_command
from app.support.machine import room_of
from app.tied import tied
from app.web.access.present import person, somebody
from app.web.access.refusals import RefusedError
from app.web.access.roles import Role
from app.web.context import Context
from app.web.machine import diagnosis_box as box
from app.web.machine import diagnosis_line as line
from app.web.machine.diagnosis_answers import MAIN, Area, CheckAnswer, ChecksAnswer, DiagnosisAnswer
from app.web.machine.diagnosis_readings import Readings
from app.web.openapi import documented, told

_STATE_VARIABLE = "TAKT_STATE"
_US_PER_MS = 1000
_LEVELS = ("ok", "warn", "bad")


def add_diagnosis(machine: Blueprint, context: Context, readings: Readings, checks: Checks | None = None) -> None:
    """Adds the diagnostics.

    Args:
        machine: The blueprint.
        context: What they work with.
        readings: What the box says of itself.
        checks: The checks of `takt doctor`; by default those of this box's lines.
    """
    doctor = checks or _checks(context)

    @machine.get("/machine/")
    def diagnosis() -> str:
        who = person()
        may_check = who is not None and who.role >= Role.TECHNICIAN
        return render_template("machine/diagnosis.html", may_check=may_check, keys=list(MAIN))

    @machine.get("/api/v1/machine/diagnosis")
    @documented(answer=DiagnosisAnswer, errors=(503,))
    def diagnosed() -> Response:
        """How the box is: each area with its state, its figures, and what is to be done.

        What cannot be read is null. Nothing of this asks a driver or a station: it is what they have told.
        """
        views = [context.live.status(lane.number) for lane in context.live.lanes]
        temperature_c = box.warmest(readings.machine()[0], views[0]["accelerator"])
        p99_ms, budget_ms = line.slowest(views)
        areas = _areas(context, readings, views)
        return told(DiagnosisAnswer(areas=areas, temperature_c=temperature_c, p99_ms=p99_ms, budget_ms=budget_ms))

    @machine.get("/api/v1/machine/checks")
    @documented(answer=ChecksAnswer)
    def checked() -> Response:
        """What `takt doctor` found when it was last run from these pages, or how far it is."""
        return told(_checks_answer(doctor, context))

    @machine.post("/api/v1/machine/checks")
    @documented(answer=ChecksAnswer, errors=(409,))
    def run_checks() -> Response:
        """Runs all checks of `takt doctor` beside the line, at low priority. They change nothing."""
        who = somebody()
        if not doctor.start(who.name):
            raise RefusedError(409, "the checks run already", "wait until they have ended")
        context.audit.write(who.name, "machine.run_checks", "this box")
        return told(_checks_answer(doctor, context))


def _areas(context: Context, readings: Readings, views: list[dict[str, object]]) -> list[Area]:
    machine, before = readings.machine()
    device = views[0]["accelerator"]
    recorder = views[0]["recorder"]
    assert device is None or isinstance(device, dict)
    assert recorder is None or isinstance(recorder, dict)
    now, now_ns = context.clock.wall(), context.clock.now_ns()
    return [
        line.line_area(views),
        line.camera_area(views),
        line.judging_area(views),
        line.recorder_area(views),
        box.processes_area(readings.processes(), now_ns),
        box.heat_area(machine, device),
        box.cores_area(machine, before, line.granted_facts(views)),
        box.memory_area(machine, room_of(context.place.root)),
        box.disk_area(readings.disk(recorder)),
        box.time_area(machine, now, readings.up_ms()),
        box.https_area(context.ui, readings.certificate(), now),
        box.versions_area(readings.versions()),
    ]


def _checks(context: Context) -> Checks:
    environment = {VARIABLE: str(context.place.root), _STATE_VARIABLE: str(context.state)}
    # The checks' own thread starts the doctor and waits for its end.
    command = tied(doctor_command([setup.path for setup in context.setups]))
    return Checks(command, environment, context.clock)


def _checks_answer(checks: Checks, context: Context) -> ChecksAnswer:
    last = checks.last
    is_running = last.phase is Phase.RUNNING
    for_ms = (context.clock.now_ns() - last.started_ns) / NS_PER_MS if is_running else last.took_ms
    return ChecksAnswer(
        phase=last.phase.value,
        at_ms=last.at_us / _US_PER_MS,
        for_ms=for_ms,
        limit_ms=checks.limit_s * 1000,
        by=last.by,
        checks=[_check(each) for each in last.checks],
        trouble=last.trouble,
    )


def _check(found: Check) -> CheckAnswer:
    level = found.level if found.level in _LEVELS else "warn"
    return CheckAnswer.model_validate({"topic": found.topic, "level": level, "text": found.text, "mend": found.mend})
