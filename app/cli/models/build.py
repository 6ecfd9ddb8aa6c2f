"""`takt models build`: which model of a package on which runtime is the fastest that is right on this device."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.console import complain, err, one_line, print_json
from app.cli.options import Json, StateDir, state_folder
from app.errors import PackageError, UsageError

if TYPE_CHECKING:
    from app.config import ModelSettings
    from app.detect.building import OnStep
    from app.detect.building_record import RoleBuild
    from app.detect.choose import Candidate
    from app.detect.manifest import Role
    from app.detect.package import Package

ROLES: tuple[Role, ...] = ("standby", "accelerator")
DEFAULT_THREADS = 2

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME|DIR",
        help="A package by its name, a folder with a separator in its path, or active; NAME:MODEL for one model only."
        " By default what the line names, else active.",
    ),
]
LineFile = Annotated[
    Path | None, typer.Option("--line", metavar="FILE", help="Take package and threads from the settings of a line.")
]
RoleName = Annotated[str, typer.Option("--role", metavar="ROLE", help="Only accelerator, or only standby.")]
OneRuntime = Annotated[str, typer.Option("--runtime", metavar="NAME", help="Only on this runtime.")]
SomeThreads = Annotated[
    int, typer.Option("--threads", min=0, max=64, help="Threads of one inference; 0: those of the line, else 2.")
]
Pictures = Annotated[
    int, typer.Option("--pictures", min=10, max=100_000, help="Pictures that each candidate is timed on.")
]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be built, checked before anything is compiled.

    Attributes:
        package: Its first model.
        candidates: What may be possible here, by role; a role that was not asked for, or has none, has no entry.
        needed: Roles without which the command has failed.
        threads: Of one inference.
        rounds: Turns of each candidate.
    """

    package: Package
    candidates: dict[Role, tuple[Candidate, ...]]
    needed: tuple[Role, ...]
    threads: int
    rounds: int


def build(
    name: Name = "",
    *,
    line: LineFile = None,
    role: RoleName = "",
    runtime: OneRuntime = "",
    threads: SomeThreads = 0,
    pictures: Pictures = 200,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Compile a package for this device, time every model on every runtime, and choose the fastest that is right.

    The accelerator's models are tried on TensorRT and on ONNX Runtime's two ways to a GPU, the standby's on OpenVINO
    and ONNX Runtime. Each is proven by the golden frames of the package, held against its most exact model on ONNX
    Runtime, and timed in turns with the others, from the picture in memory to detections. A station with
    model.runtime = auto takes what was chosen, as long as device and libraries are the same: run it again after
    updates, on a machine that does nothing else. Exit code 5 when no standby passes, or no accelerator that was asked
    for.
    """
    folder = state_folder(state)
    plan = planned(name, folder, line, role, runtime, threads, pictures)
    found, path = _built(plan, folder)
    if as_json:
        print_json(_as_data(plan, found, path))
    else:
        from app.cli.models import built

        built.show(plan.package, found, path)
    for wanted in plan.needed:
        if not found[wanted].passed:
            raise PackageError(
                f"no model of package {plan.package.name} is fit to be the {wanted} on this device",
                "mend what the reasons name, or use another package",
            )


def planned(name: str, state: Path, line: Path | None, role: str, runtime: str, threads: int, pictures: int) -> Plan:
    """What a command line asks for.

    Raises:
        UsageError: There is no such role, or nothing to try.
        ConfigError: The line cannot be read, or there is no such runtime.
        PackageError: There is no such package, or it is broken.
    """
    from app.detect.building import candidates_for
    from app.detect.building_timing import TURN
    from app.detect.runtimes import check_runtime
    from app.detect.zoo import ACTIVE, chosen_package, find_package, split_variant, zoo_folder

    if role and role not in ROLES:
        raise UsageError(f"there is no role {role!r}", f"name one of {', '.join(ROLES)}, or leave --role out")
    if runtime:
        check_runtime(runtime)
    settings = _settings(line)
    wanted = name or (settings.package if settings else ACTIVE)
    _, variant = split_variant(wanted)
    package = find_package(chosen_package(wanted, state), zoo_folder())
    threads = threads or (settings.threads if settings else DEFAULT_THREADS)
    roles = [each for each in ROLES if role in ("", each)]
    if settings and settings.accelerator == "none" and not role:
        roles.remove("accelerator")
    tried = {each: candidates_for(package, each, runtime, variant) for each in roles}
    candidates = {each: found for each, found in tried.items() if found}
    if not candidates:
        raise UsageError(
            f"{runtime or 'no runtime'} runs no model of {package.name} as {' or '.join(roles)}",
            "leave --runtime, --role or the model out",
        )
    needed = [each for each in candidates if role or each == "standby"]
    return Plan(package, candidates, tuple(needed), threads, -(-pictures // TURN))


def _settings(line: Path | None) -> ModelSettings | None:
    if line is None:
        return None
    from app.config import load_line

    settings = load_line(line).model
    if settings.runtime != "auto":
        complain(
            f"{line} names model.runtime = {settings.runtime}, so that the station does not use what is measured here;"
            " set model.runtime = auto if it should"
        )
    return settings


def _built(plan: Plan, state: Path) -> tuple[dict[Role, RoleBuild], Path]:
    from app.capture.pictures import read_picture
    from app.clock import SystemClock
    from app.detect.building import Order, build_role
    from app.detect.building_file import build_path, make_folder, write_build
    from app.detect.building_key import key_of
    from app.detect.engine_folder import ENGINES, Keeping

    make_folder(state)
    clock = SystemClock()
    found: dict[Role, RoleBuild] = {}
    notes: list[str] = []
    with ExitStack() as opened:
        on_step = _bar(opened)
        for role, candidates in plan.candidates.items():
            order = Order(
                role=role,
                candidates=candidates,
                key=key_of(role, plan.threads),
                at=clock.wall(),
                threads=plan.threads,
                rounds=plan.rounds,
                read=read_picture,
                clock=clock,
                keeping=Keeping(state / ENGINES, notes.append),
                on_step=on_step,
            )
            found[role] = build_role(plan.package, order)
            write_build(state, plan.package, role, found[role])
    for note in dict.fromkeys(notes):
        complain(note)
    return found, build_path(state, plan.package)


def _bar(opened: ExitStack) -> OnStep:
    """A bar on stderr that names what is being done; nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        return lambda _what, _done, _steps: None
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    bar = opened.enter_context(Progress(*columns, console=err(), transient=True))
    task = bar.add_task("", total=1)
    shown = ""

    def on_step(what: str, done: int, steps: int) -> None:
        nonlocal shown
        # Each name is shown at least once, however soon the next one follows.
        bar.update(task, description=one_line(what), completed=done, total=steps, refresh=what != shown)
        shown = what

    return on_step


def _as_data(plan: Plan, found: dict[Role, RoleBuild], path: Path) -> dict[str, Any]:
    from app.detect.building_record import role_data

    return {
        "package": plan.package.name,
        "version": plan.package.version,
        "file": str(path),
        "roles": {role: {"chosen": _chosen(each), **role_data(each)} for role, each in found.items()},
    }


def _chosen(found: RoleBuild) -> dict[str, str] | None:
    best = found.chosen
    return {"variant": best.candidate.variant, "runtime": best.candidate.runtime} if best else None
