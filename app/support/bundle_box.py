"""What a support bundle tells of the box: versions, machine, processes, checks, blocks of the bus, files, logs."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from app.bus.block import read_block
from app.config import load_line
from app.errors import BusError, TaktError
from app.latency import KEPT, LatencyLedger, mapped_ledger
from app.record import DOCUMENTS, PICTURES
from app.record.adopted import adopted
from app.record.documents import find
from app.record.walltime import micros
from app.support.bundle_order import (
    DOCTOR_S,
    Collected,
    Member,
    Order,
    child_said,
    json_member,
    rows_member,
    text_member,
    why,
)
from app.support.journal import journal_lines
from app.support.log_file import FOLDER, raw_lines
from app.support.log_lines import decode_line
from app.support.machine import read_machine, room_of, versions
from app.support.processes import Meter, Processes, of_takt_run, read_supervised
from app.support.units import Units

LOG_BYTES = 50_000_000
KERNEL_LINES = 1_000
_MOST_FILES = 5_000
_MOST_TEXT = 1_000_000
_JOURNAL_LINES = 50_000
_JOURNAL_S = 30.0
_BINS_MS = tuple(float(each) for each in np.geomspace(0.01, 1000, 51).round(5))


def box(order: Order) -> Collected:
    """Versions, libraries, the machine, its processes."""
    yield json_member("box/versions.json", dict(versions()))
    room = room_of(order.state)
    machine = asdict(read_machine()) | {"state_disk": asdict(room) if room else None}
    yield json_member("box/machine.json", machine)
    installed = sorted({f"{each.metadata['Name']}=={each.version}" for each in metadata.distributions()}, key=str.lower)
    yield text_member("box/libraries.txt", "\n".join(installed) + "\n")
    yield json_member("box/processes.json", asdict(processes_of(order)))


def kernel(_order: Order) -> Collected:
    """The end of the kernel's own log, where this user may read it."""
    program = shutil.which("dmesg")
    if program is None:
        yield ("box/kernel.txt", "there is no dmesg on this box")
        return
    lines = child_said([program, "--time-format", "iso"]).splitlines()[-KERNEL_LINES:]
    yield text_member("box/kernel.txt", "\n".join(lines) + "\n")


def checks(order: Order) -> Collected:
    """What `takt doctor` finds."""
    lines = [word for path in order.lines for word in ("--line", str(path))]
    said = child_said([*_takt(order), "doctor", "--json", *lines], DOCTOR_S, codes=(0, 1))
    yield json_member("doctor.json", json.loads(said))


def models(order: Order) -> Collected:
    """Which packages there are, with their hashes, and what was built of them."""
    said = child_said([*_takt(order), "models", "list", "--json", "--state", str(order.state)], DOCTOR_S, (0, 5))
    yield json_member("models/packages.json", json.loads(said))
    for path in sorted((order.state / "builds").glob("*.json")):
        try:
            yield text_member(f"models/builds/{path.name}", _short_text(path))
        except OSError as error:
            yield (f"models/builds/{path.name}", why(error))


def settings(order: Order) -> Collected:
    """The lanes' settings and recipes, as their files say and as somebody has chosen since."""
    for number, path in enumerate(order.lines, 1):
        folder = f"settings/{number}"
        try:
            yield text_member(f"{folder}/line.toml", _short_text(path))
            line = load_line(path)
            yield text_member(f"{folder}/recipe.toml", _short_text(path.parent / line.recipe))
            chosen = adopted(order.state, line.line.lane)
            if chosen is not None:
                yield json_member(f"{folder}/recipe-chosen.json", asdict(chosen))
                text = find(order.state / DOCUMENTS, chosen.sha256)
                lost = (f"{folder}/recipe-chosen.toml", "its text is not among the documents")
                yield text_member(f"{folder}/recipe-chosen.toml", text) if text is not None else lost
        except (OSError, TaktError) as error:
            yield (f"{folder} ({path})", why(error))


def status(order: Order) -> Collected:
    """What each process tells of itself, and the times of each stage."""
    if not order.bus.is_dir():
        yield ("bus", f"{order.bus} is not there: nothing has run since the box was started")
        return
    yield rows_member("bus/files.jsonl", _files(order.bus, most=1_000))
    for path in sorted([*order.bus.glob("*.status"), *order.bus.glob("*.camera")]):
        try:
            yield json_member(f"bus/{path.name}.json", json.loads(_block(path)))
        except (OSError, ValueError) as error:
            yield (f"bus/{path.name}", why(error))
    for path in sorted(order.bus.glob("lane*.latency")):
        try:
            yield json_member(f"bus/{path.name}.json", _latencies(path, order.stages))
        except (OSError, ValueError) as error:
            yield (f"bus/{path.name}", why(error))


def logs(order: Order) -> Collected:
    """What the processes have said in the last days."""
    since_us = micros(order.wall - timedelta(days=order.days))
    yield Member("logs/takt.jsonl", _log_lines(order.state / FOLDER, since_us))
    try:
        found = journal_lines(since_us, _JOURNAL_LINES, _JOURNAL_S)
    except OSError as error:
        yield ("logs/journal.jsonl", why(error))
        return
    yield rows_member("logs/journal.jsonl", (asdict(each) for each in found))


def files(order: Order) -> Collected:
    """The files of the state folder with their sizes; the pictures only counted."""
    os.scandir(order.state).close()  # says at once why nothing can be listed
    yield rows_member("state/files.jsonl", _files(order.state, counted=PICTURES))


def processes_of(order: Order) -> Processes:
    """The processes of the box, by whoever has started them."""
    meter, said = Meter(), read_supervised(order.bus)
    return of_takt_run(said, meter, order.now_ns) if said else Units(meter).read(order.now_ns)


def lines_at_work(found: Processes, root: Path = Path("/")) -> tuple[Path, ...]:
    """The files of the lanes, as the command lines of the stations at work name them.

    Args:
        found: The processes.
        root: Where `proc` is.
    """
    named: list[Path] = []
    for each in found.lines:
        try:
            words = (root / "proc" / str(each.pid) / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        named += [
            Path(os.fsdecode(value)) for word, value in pairwise(words) if word == b"--line" and each.kind == "station"
        ]
    return tuple(dict.fromkeys(named))


def _takt(order: Order) -> tuple[str, ...]:
    return order.takt or (sys.executable, "-m", "app.cli")


def _short_text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_MOST_TEXT).decode(errors="replace")


def _block(path: Path) -> bytes:
    said = read_block(path)
    if said is None:
        raise BusError(f"{path} holds nothing yet", "wait until its process has started")
    return said


def _latencies(path: Path, stages: tuple[str, ...]) -> dict[str, Any]:
    """Percentiles and a histogram of each stage."""
    known: LatencyLedger = mapped_ledger(path, stages, is_writing=False)
    said: dict[str, Any] = {"kept": KEPT, "bins_ms": _BINS_MS, "stages": {}}
    for stage in stages:
        times_ms = known.taken_ns(stage) / 1e6
        counts = np.bincount(np.searchsorted(_BINS_MS, times_ms, side="right"), minlength=len(_BINS_MS) + 1)
        said["stages"][stage] = asdict(known.of(stage)) | {"histogram": counts.tolist()}
    return said


def _log_lines(folder: Path, since_us: int) -> Iterator[bytes]:
    """The newest first, up to a bound."""
    taken = 0
    for raw in raw_lines(folder):
        line = decode_line(raw)
        if line is None:
            continue
        taken += len(raw)
        if line.at_us < since_us or taken > LOG_BYTES:
            return
        yield from rows_member("", [asdict(line)]).pieces


def _files(folder: Path, *, counted: str = "", most: int = _MOST_FILES) -> Iterator[dict[str, Any]]:
    """Each file with its size and time; a folder that is only counted, as one row."""
    listed = 0
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        name = str(place.relative_to(folder))
        if counted and name == counted:
            yield {"folder": name} | _sum(place)
            continue
        try:
            entries = sorted(os.scandir(place), key=lambda each: each.name)
        except OSError as error:
            yield {"folder": name, "unreadable": why(error)}
            continue
        for each in entries:
            if each.is_dir(follow_symlinks=False):
                waiting.append(Path(each.path))
                continue
            listed += 1
            if listed > most:
                yield {"left_out": f"everything after the first {most} files"}
                return
            yield {"file": str(Path(each.path).relative_to(folder))} | _facts(each)


def _facts(entry: os.DirEntry[str]) -> dict[str, Any]:
    try:
        known = entry.stat(follow_symlinks=False)
    except OSError as error:
        return {"unreadable": why(error)}
    return {"bytes": known.st_size, "changed": datetime.fromtimestamp(known.st_mtime, timezone.utc).isoformat()}


def _sum(folder: Path) -> dict[str, int]:
    count = size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                size += Path(place, name).lstat().st_size
            except OSError:
                continue
            count += 1
    return {"files": count, "bytes": size}
