"""The page of the processes, and its API: how each runs, and starting one again where that is safe for the line.

A process is asked to end (SIGTERM), and whoever has started it starts it again, as after any other end. Pages and
accelerator may end at any time. What the line depends on may only while that line is stopped.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping

from flask import Blueprint, Response, render_template

from app.clock import NS_PER_MS
from app.status import State
from app.support.processes import Line, Processes, ask_to_end, read_supervised
from app.web.access.present import person, reason, somebody
from app.web.access.refusals import RefusedError
from app.web.access.roles import Role
from app.web.context import Context
from app.web.machine.diagnosis_line import is_fresh
from app.web.machine.diagnosis_readings import Readings
from app.web.machine.process_answers import EndAnswer, Hindrance, ProcessAnswer, ProcessesAnswer, Restart, Restarted
from app.web.openapi import documented, sent, told

ANY_TIME = ("web", "accelerator")
WHILE_STOPPED = ("capture", "recorder", "station")
ANSWER_FIRST_S = 0.5
"""The pages' own process ends so long after it was asked to: whoever asked gets the answer."""

Later = Callable[[float, Callable[[], object]], object]
"""Does something after so many seconds."""


def add_processes(machine: Blueprint, context: Context, readings: Readings, later: Later | None = None) -> None:
    """Adds the processes.

    Args:
        machine: The blueprint.
        context: What they work with.
        readings: Knows them.
        later: Does something later; by default a thread of its own.
    """
    put_off = later or _later

    @machine.get("/machine/processes")
    def processes() -> str:
        who = person()
        may_restart = who is not None and who.role >= Role.TECHNICIAN
        return render_template("machine/processes.html", may_restart=may_restart)

    @machine.get("/api/v1/machine/processes")
    @documented(answer=ProcessesAnswer, errors=(503,))
    def process_list() -> Response:
        """Every process of the table: whether it lives, since when, what it uses, and how it last ended."""
        return told(_answer(readings.processes(), line_states(context), context.clock.now_ns()))

    @machine.post("/api/v1/machine/processes/restart")
    @documented(answer=Restarted, body=Restart, errors=(404, 409, 503))
    def restart() -> Response:
        """Starts one process again: the one that the list has named, and no other that has its number by now.

        Pages and accelerator at any time; a camera's process, the recorder and a station only while their line is
        stopped (409).
        """
        wanted, who, found = sent(Restart), somebody(), readings.processes()
        line = next((each for each in found.lines if each.name == wanted.name), None)
        if line is None:
            raise RefusedError(404, f"there is no process {wanted.name!r}", "look at the list again")
        _check(line, wanted, line_states(context))
        said = read_supervised(context.place.root) if found.started_by == "takt run" else None
        parent = said.pid if said else None
        if line.pid == os.getpid():
            put_off(ANSWER_FIRST_S, lambda: ask_to_end(wanted.pid, wanted.started, parent))
        else:
            _end(wanted, parent)
        before = {"pid": line.pid, "kind": line.kind}
        context.audit.write(who.name, "machine.restart", line.name, before=before, reason=reason())
        return told(Restarted(name=line.name, pid=line.pid))


def line_states(context: Context) -> Mapping[int, str]:
    """The state of each lane that has told one within the last second."""
    views = [context.live.status(lane.number) for lane in context.live.lanes]
    return {view["lane"]: str(view["status"]["state"]) if is_fresh(view) else "" for view in views}


def hindrance_of(line: Line, states: Mapping[int, str]) -> Hindrance:
    """Why a process may not be started again now; empty where it may.

    Args:
        line: The process.
        states: The state of each lane; empty where it is not known.
    """
    if not line.pid:
        return "down"
    if line.use is None:
        return "hidden"
    if line.kind in ANY_TIME:
        return ""
    if line.kind not in WHILE_STOPPED:
        return "twin" if line.kind == "twin" else "unknown"
    concerned = [states.get(line.lane, "")] if line.lane is not None else list(states.values())
    if any(state == "" for state in concerned) or not concerned:
        return "line_unknown"
    return "" if all(state == State.STOPPED.value for state in concerned) else "line_runs"


def _check(line: Line, wanted: Restart, states: Mapping[int, str]) -> None:
    hindrance = hindrance_of(line, states)
    if hindrance in ("line_runs", "line_unknown"):
        what = "the line runs" if hindrance == "line_runs" else "it is not known whether the line is stopped"
        raise RefusedError(
            409, f"{what}: {line.name} may be started again only while it is stopped", "stop the line first"
        )
    if hindrance:
        whys = {"down": "does not run now", "hidden": "may not be looked at by the pages"}
        raise RefusedError(409, f"{line.name} {whys.get(hindrance, 'is not started again from here')}", "look again")
    if line.use is None or (line.pid, line.use.started) != (wanted.pid, wanted.started):
        raise RefusedError(409, f"{line.name} is another process by now", "look at the list again")


def _end(wanted: Restart, parent: int | None) -> None:
    try:
        was_it = ask_to_end(wanted.pid, wanted.started, parent)
    except PermissionError as error:
        raise RefusedError(
            409, f"{wanted.name} belongs to another user of this box", "let all processes run as one user"
        ) from error
    if not was_it:
        raise RefusedError(409, f"{wanted.name} has ended meanwhile", "look at the list again")


def _later(seconds: float, deed: Callable[[], object]) -> None:
    timer = threading.Timer(seconds, deed)
    timer.daemon = True
    timer.start()


def _answer(found: Processes, states: Mapping[int, str], now_ns: int) -> ProcessesAnswer:
    return ProcessesAnswer(
        started_by=found.started_by,
        trouble=found.trouble,
        processes=[_process(each, states, now_ns) for each in found.lines],
        ends=[EndAnswer(name=each.name, ago_ms=_age_ms(each.at_ns, now_ns), how=each.how) for each in found.ends],
    )


def _process(line: Line, states: Mapping[int, str], now_ns: int) -> ProcessAnswer:
    use = line.use
    return ProcessAnswer(
        name=line.name,
        kind=line.kind,
        lane=line.lane,
        pid=line.pid,
        started=use.started if use else 0,
        is_alive=line.is_alive,
        for_ms=_age_ms(line.since_ns, now_ns) if line.since_ns else None,
        restarts=line.restarts,
        last_exit=line.last_exit,
        cpu_share=use.cpu_share if use else None,
        memory_bytes=use.memory_bytes if use else None,
        threads=use.threads if use else None,
        scheduling=list(use.scheduling) if use else [],
        hindrance=hindrance_of(line, states),
    )


def _age_ms(at_ns: int, now_ns: int) -> float:
    return max(0, now_ns - at_ns) / NS_PER_MS
