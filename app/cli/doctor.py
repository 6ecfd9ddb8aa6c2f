"""`takt doctor`: what is wrong with this box."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

import dataclasses
import os
import resource
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from app.cli.console import out, print_json, progress
from app.cli.options import Json, state_folder

if TYPE_CHECKING:
    from app.cli.checks import Finding
    from app.config import Line
    from app.health import Health
    from app.processes import Process

NEEDED = ("numpy", "opencv-python", "pydantic", "gpiozero", "rich", "typer")
OPTIONAL = ("openvino", "gpiod", "tensorrt", "onnx", "torch", "pycocotools", "nvidia-ml-py", "pycuda", "cuda-bindings")
OPENCV_NAMES = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
RUNTIMES = ("onnxruntime", "onnxruntime-gpu")
HEALTH_LIMIT_MS = 15_000.0
"""A driver that was not used since the start may take seconds for its first answer."""

STEPS = ("onnx", "openvino", "health", "tensorrt")
STYLES = {"ok": "[green]● ok[/]", "warn": "[yellow]▲ warn[/]", "bad": "[bold red]◆ bad[/]"}


def doctor(
    *,
    line: Annotated[
        list[Path] | None,
        typer.Option("--line", metavar="FILE", help="A line.toml, once per lane; by default the twin's own line."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Look for what is wrong with this box, and say how to mend it.

    Tries Python and libraries, one real inference on each runtime (in a process of its own, as a library that does not
    fit may crash), the accelerator with its driver, heat, clock and power mode, pins and cameras, real-time scheduling,
    locked memory, disk, cores and what disturbs them, and what the processes of `takt run` would find: what they are
    granted, the bus and who is at work on it, the state folder, and how the pages are reached, with the fingerprint of
    their certificate. Where stations run: what judges there, why and since when, and how the accelerator that they use
    is. Changes nothing.
    Exit code 0 when nothing is bad, 1 otherwise; warnings do not count.
    """
    from app.config import load_line
    from app.processes import table
    from app.setup import twin_line

    lines = {path: load_line(path) for path in line or [twin_line()]}
    rows = table(lines)
    with progress("looking", len(STEPS)) as step:
        sections = [[*_software()], [*_probed(step)]]
        health = _health(step)
        sections += [[*_accelerator(health, step)], [*_machine()], [*_cores(rows, lines.values())], [*_places()]]
        sections[-1] += _pages(lines.values())
        sections += [[*_at_work(lines.values())]]
    findings = [each for section in sections for each in section]
    if as_json:
        said = {
            "ok": not _is_bad(findings),
            "findings": [dataclasses.asdict(each) for each in findings],
            "accelerator": dataclasses.asdict(health),
        }
        print_json(said)
    else:
        _show(sections)
    if _is_bad(findings):
        raise typer.Exit(1)


def _software() -> Iterator[Finding]:
    from app.cli import checks

    yield checks.check_python(checks.python_version())
    needed = checks.installed_versions(NEEDED)
    if needed["opencv-python"] is None:
        # Any of its four distributions brings the same module.
        others = checks.installed_versions(OPENCV_NAMES)
        needed["opencv-python"] = next((version for version in others.values() if version), None)
    yield from checks.check_packages(needed, checks.installed_versions(OPTIONAL))
    yield checks.check_one_onnxruntime(checks.installed_versions(RUNTIMES))
    yield checks.check_plugins(_broken_plugins())


def _probed(step: Callable[[str], None]) -> Iterator[Finding]:
    from app.cli import checks
    from app.cli.probe import gpu_providers, probe

    said = probe("onnx")
    step("onnx")
    yield checks.check_runtime("Inference, ONNX Runtime", said, is_needed=True)
    listed = [str(each) for each in said.get("providers", ())]
    if gpu_providers(listed):
        yield checks.check_runtime("ONNX Runtime, GPU", probe("providers"), is_needed=False)
    elif listed:
        absent = {"absent": "this build has no provider for an NVIDIA GPU"}
        yield checks.check_runtime("ONNX Runtime, GPU", absent, is_needed=False)
    is_there = checks.installed_versions(["openvino"])["openvino"] is not None
    said = probe("openvino") if is_there else {"absent": "OpenVINO is not installed"}
    step("openvino")
    yield checks.check_runtime("Inference, OpenVINO", said, is_needed=False)


def _accelerator(health: Health, step: Callable[[str], None]) -> Iterator[Finding]:
    from app.cli import checks
    from app.cli.accelerator_checks import check_accelerator, check_tensorrt
    from app.cli.probe import probe
    from app.health.sources import cards, has_driver

    yield from check_accelerator(health, cards(), has_driver=has_driver())
    if health.source != "none":
        yield checks.check_runtime("CUDA", probe("cuda"), is_needed=False)
    yield check_tensorrt(probe("tensorrt"), health.source)
    step("tensorrt")


def _health(step: Callable[[str], None]) -> Health:
    from app.health import open_health

    source = open_health(deadline_ms=HEALTH_LIMIT_MS)
    try:
        return source.read()
    finally:
        source.close()
        step("health")


def _machine() -> Iterator[Finding]:
    from app.cli import checks
    from app.realtime import effective_capabilities

    root = Path("/")
    yield checks.check_gpio(root, checks.installed_versions(["gpiod"])["gpiod"])
    yield checks.check_cameras(root)
    yield checks.check_scheduler(checks.may_use_fifo())
    locked, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    yield checks.check_memory_lock(locked, effective_capabilities(root))
    state = state_folder(None)
    yield checks.check_disk(state, checks.free_bytes_at(state))
    yield checks.check_cores(len(os.sched_getaffinity(0)))
    yield checks.check_governor(root)


def _cores(rows: Sequence[Process], lines: Iterable[Line]) -> Iterator[Finding]:
    from app.cli import core_checks, process_checks
    from app.realtime import effective_capabilities, throttle

    root = Path("/")
    capabilities = effective_capabilities(root)
    _, priority = resource.getrlimit(resource.RLIMIT_RTPRIO)
    _, locked = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    cores = core_checks.cores_of_box(root)
    highest = process_checks.highest_priority(priority, capabilities)
    yield process_checks.check_table(rows, highest, locked, capabilities, cores)
    yield process_checks.check_throttle(throttle(root), max(map(process_checks.duty_of, lines)))
    own = core_checks.own_cores(rows, cores)
    yield core_checks.check_alone(root, own)
    yield core_checks.check_interrupts(root, own)
    yield core_checks.check_stolen(root)
    yield core_checks.check_huge_pages(root)


def _places() -> Iterator[Finding]:
    from app.bus.place import default_place
    from app.cli import process_checks as checks
    from app.record import LEDGER
    from app.record.database import FILE

    bus = default_place(make=False).root
    yield checks.check_bus(bus, *checks.room_at(bus))
    yield checks.check_holders(bus, checks.holders_at(bus))
    state = state_folder(None)
    ledger = state / LEDGER / FILE
    size = ledger.stat().st_size if ledger.is_file() else None
    yield checks.check_state(state, is_writable=checks.is_writable(state), ledger=ledger, ledger_bytes=size)


def _pages(lines: Iterable[Line]) -> Iterator[Finding]:
    from app.cli.checks import Finding, Level
    from app.cli.web_checks import check_https
    from app.clock import SystemClock
    from app.errors import ConfigError
    from app.web.certificate import given_certificate, known_certificate
    from app.web.store.database import FOLDER

    ui = next(iter(lines)).ui
    try:
        found = given_certificate(Path(ui.certificate), Path(ui.key)) if ui.certificate else None
    except ConfigError as error:
        yield Finding("HTTPS", Level.BAD, error.what, error.mend)
        return
    yield check_https(ui, found or known_certificate(state_folder(None) / FOLDER), SystemClock().wall())


def _at_work(lines: Iterable[Line]) -> Iterator[Finding]:
    from app.bus.place import default_place
    from app.cli.station_checks import check_stations
    from app.clock import SystemClock

    lanes = [line.line.lane for line in lines]
    yield from check_stations(default_place(make=False), lanes, SystemClock().now_ns())


def _broken_plugins() -> list[str]:
    from app.cli.plugins import find_plugins, load_plugin
    from app.errors import TaktError

    problems = []
    for plugin in find_plugins():
        try:
            load_plugin(plugin)
        except TaktError as error:
            problems.append(error.what)
    return problems


def _is_bad(findings: list[Finding]) -> bool:
    return any(each.level == "bad" for each in findings)


def _show(sections: list[list[Finding]]) -> None:
    table = Table(title="This box", title_justify="left")
    table.add_column("", no_wrap=True)
    table.add_column("what", style="bold", no_wrap=True)
    table.add_column("found")
    table.add_column("mend")
    for section in sections:
        for each in section:
            table.add_row(STYLES[each.level.value], escape(each.topic), escape(each.text), escape(each.mend))
        table.add_section()
    console = out()
    console.print(table)
    findings = [each for section in sections for each in section]
    counts = {level: sum(each.level == level for each in findings) for level in STYLES}
    console.print(f"{counts['bad']} bad, {counts['warn']} to mind, {counts['ok']} in order")
