"""`takt doctor`: what is wrong with this box."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

import dataclasses
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.markup import escape
from rich.table import Table

from app.cli.console import out, print_json, progress
from app.cli.options import Json, state_folder

if TYPE_CHECKING:
    from app.cli.checks import Finding

NEEDED = ("numpy", "opencv-python", "pydantic", "gpiozero", "rich", "typer")
OPTIONAL = ("openvino", "gpiod", "tensorrt", "onnx", "torch", "pycocotools")
OPENCV_NAMES = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
RUNTIMES = ("onnxruntime", "onnxruntime-gpu")
PROBES = (("Inference, ONNX Runtime", "onnx"), ("Inference, OpenVINO", "openvino"), ("TensorRT", "tensorrt"))
STYLES = {"ok": "[green]● ok[/]", "warn": "[yellow]▲ warn[/]", "bad": "[bold red]◆ bad[/]"}


def doctor(
    *,
    as_json: Json = False,
) -> None:
    """Look for what is wrong with this box, and say how to mend it.

    Tries Python and libraries, one real inference on each runtime (in a process of its own, as a library that does not
    fit may crash), pins and cameras, real-time scheduling, locked memory, disk and cores, and what the processes of
    `takt run` would find: what they are granted, the bus and who is at work on it, the state folder. Changes nothing.
    Exit code 0 when nothing is bad, 1 otherwise; warnings do not count.
    """
    with progress("looking", len(PROBES)) as step:
        findings = [*_software(), *_probed(step), *_machine(), *_places()]
    if as_json:
        print_json({"ok": not _is_bad(findings), "findings": [dataclasses.asdict(each) for each in findings]})
    else:
        _show(findings)
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


def _probed(step: object) -> Iterator[Finding]:
    from app.cli import checks
    from app.cli.probe import probe

    assert callable(step)
    for topic, name in PROBES:
        if name == "openvino" and checks.installed_versions(["openvino"])["openvino"] is None:
            said = {"absent": "OpenVINO is not installed"}
        else:
            said = probe(name)
        step(name)
        yield checks.check_runtime(topic, said, is_needed=name == "onnx")


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


def _places() -> Iterator[Finding]:
    from app.bus.place import default_place
    from app.cli import process_checks as checks
    from app.config import load_line
    from app.processes import table
    from app.realtime import effective_capabilities, throttle
    from app.record import LEDGER
    from app.record.database import FILE
    from app.setup import twin_line

    capabilities = effective_capabilities()
    _, priority = resource.getrlimit(resource.RLIMIT_RTPRIO)
    _, locked = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    rows = table({twin_line(): load_line(twin_line())})
    highest = checks.highest_priority(priority, capabilities)
    yield checks.check_table(rows, highest, locked, capabilities, sorted(os.sched_getaffinity(0)))
    yield checks.check_throttle(throttle())
    bus = default_place(make=False).root
    yield checks.check_bus(bus, *checks.room_at(bus))
    yield checks.check_holders(bus, checks.holders_at(bus))
    state = state_folder(None)
    ledger = state / LEDGER / FILE
    size = ledger.stat().st_size if ledger.is_file() else None
    yield checks.check_state(state, is_writable=checks.is_writable(state), ledger=ledger, ledger_bytes=size)


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


def _show(findings: list[Finding]) -> None:
    table = Table(title="This box", title_justify="left")
    table.add_column("", no_wrap=True)
    table.add_column("what", style="bold", no_wrap=True)
    table.add_column("found")
    table.add_column("mend")
    for each in findings:
        table.add_row(STYLES[each.level.value], escape(each.topic), escape(each.text), escape(each.mend))
    console = out()
    console.print(table)
    counts = {level: sum(each.level == level for each in findings) for level in STYLES}
    console.print(f"{counts['bad']} bad, {counts['warn']} to mind, {counts['ok']} in order")
