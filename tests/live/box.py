"""Real processes on a bus and a state folder of their own, with eyes and hands for a test.

Everything that is started here is ended here, however the test ends, and the bus folder goes with it.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from app.bus.block import BlockReader
from app.bus.commands import Reply, Request, ask
from app.bus.place import Place
from app.errors import BusError, TaktError
from app.processes import table
from app.record.readers import Records
from app.setup import load_setup, twin_line
from app.status import State, Status, decode_status
from app.support.supervised import BLOCK
from app.twin.control import tell_twin
from app.types import EventKind
from tests.groups import ROOT

PATIENCE_S = 90.0
"""Longest wait for anything: other tests may have the machine."""

LOOK_S = 0.01
SHM = Path("/dev/shm")

# A process that is killed every few seconds would otherwise wait for ten seconds before it is started again.
_WITHOUT_BACKOFF = """
from app.processes import Restart
Restart.delay_ms = lambda self, ends: self.first_ms
from app.cli import main
main()
"""

LESS_WORK = {
    'runtime = "auto"': 'runtime = "onnx"',
    'standby = "onnx"': 'standby = "none"',
    "threads = 2": "threads = 1",
}
"""Leaves more of the machine to the other processes of a test."""

NEVER_TIRED = {"consecutive_rejects = 5": "consecutive_rejects = 0", "reject_rate = 0.5": "reject_rate = 0"}
"""The line goes on however many parts are rejected."""

NEVER_HASTY = {"hold_ms = 100": "hold_ms = 1000"}
"""A machine that stalls for a moment does not stop a line whose test is about something else."""

AS_SHIPPED = {each: each for each in NEVER_HASTY}


def line_file(folder: Path, changes: Mapping[str, str] | None = None, name: str = "line.toml") -> Path:
    """The twin's own line with some of its words changed, and its recipe beside it."""
    text = twin_line().read_text(encoding="utf-8")
    for before, after in {**NEVER_HASTY, **(changes or {})}.items():
        assert before in text, f"the line has no {before!r} any more"
        text = text.replace(before, after)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    shutil.copy(twin_line().parent / "recipe.toml", folder / "recipe.toml")
    return folder / name


def wait_until(is_so: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Looks again and again until it is so.

    Raises:
        AssertionError: It never was.
    """
    end_s = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < end_s, f"not within {patience_s:g} s: {what}"
        time.sleep(LOOK_S)


def gone_ns(pid: int, patience_s: float = 10.0) -> int:
    """Waits until a process has ended, whoever its parent is; when that was seen."""
    with suppress(ProcessLookupError):
        life = os.pidfd_open(pid)
        try:
            assert select.select([life], [], [], patience_s)[0], f"process {pid} does not end"
        finally:
            os.close(life)
    return time.monotonic_ns()


class Box:
    """The processes of some lines.

    Args:
        lines: A line.toml for each lane.
        folder: For the state folder and what the processes say.
        is_patient: Keep the waits of the table before a process starts again.
        program: The module that `start_row` runs in place of `takt`.
    """

    def __init__(
        self, lines: Sequence[Path], folder: Path, *, is_patient: bool = True, program: str = "app.cli"
    ) -> None:
        self.lines = tuple(lines)
        self.folder = folder
        self.state_folder = folder / "state"
        self.place = Place(Path(tempfile.mkdtemp(prefix="takt-test-live-", dir=SHM if SHM.is_dir() else None)))
        self.url = ""
        self.rows: dict[str, subprocess.Popen] = {}
        self._is_patient = is_patient
        self._program = program
        self._run: subprocess.Popen | None = None
        self._said = folder / "said.txt"

    # Starting and ending

    def start(self, *words: str) -> None:
        """Starts `takt run` and waits until it tells the address of the page."""
        command = ["-m", "app.cli"] if self._is_patient else ["-c", _WITHOUT_BACKOFF]
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._said.open("ab") as said, (self.folder / "told.json").open("wb") as told:
            files = [word for line in self.lines for word in ("--line", str(line))]
            self._run = subprocess.Popen(
                [sys.executable, *command, "run", *files, *self._where(), "--port", "0", "--json", *words],
                stdout=told,
                stderr=said,
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                env=self._environment(),
            )
        wait_until(self._is_told, "takt run tells its address")
        self.url = json.loads((self.folder / "told.json").read_text())["url"]

    def start_row(self, kind: str, *words: str, lane: int = 1, prepare: Callable[[], None] | None = None) -> None:
        """Starts one row of the table as a child of the test, as a systemd unit does.

        Args:
            kind: What it does.
            *words: More words for it.
            lane: Its lane, where it has one.
            prepare: Called in the child before it becomes that process.
        """
        rows = table({path: load_setup(path).line for path in self.lines})
        row = next(each for each in rows if each.kind.value == kind and each.lane in (None, lane))
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._said.open("ab") as said:
            self.rows[row.name] = subprocess.Popen(
                [sys.executable, "-m", self._program, *row.words(self.place.root, self.state_folder), *words],
                stdout=said,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                env=self._environment(),
                preexec_fn=prepare,  # noqa: PLW1509 - this process has one thread
            )

    def start_rows(self, *kinds: str) -> None:
        """Starts these rows and waits until the line runs."""
        for kind in kinds:
            self.start_row(kind)
            if kind == "twin":
                wait_until((self.place.root / "twin1.control").exists, f"the machine is there: {self.words}")
        wait_until(self.is_running, f"the line runs: {self.words}")

    def stop(self) -> tuple[int, float]:
        """Asks `takt run` to end; its exit code, and how many seconds that took."""
        assert self._run is not None
        asked_s = time.monotonic()
        self._run.send_signal(signal.SIGTERM)
        code = self._run.wait(PATIENCE_S)
        took_s = time.monotonic() - asked_s
        self._run = None
        return code, took_s

    def freeze_supervisor(self) -> None:
        """From now on nobody starts again what dies."""
        assert self._run is not None
        self._run.send_signal(signal.SIGSTOP)

    def crash(self) -> None:
        """Everything dies at once, as when the power goes; the bus stays as it is."""
        assert self._run is not None
        self._kill_all()
        self._run.wait(PATIENCE_S)
        self._run = None

    def close(self) -> None:
        """Ends whatever still runs and takes the bus away. Idempotent."""
        if self._run is not None:
            with suppress(AssertionError, subprocess.TimeoutExpired):
                self._run.send_signal(signal.SIGTERM)
                self._run.wait(5)
        self._kill_all()
        for process in (*self.rows.values(), *([self._run] if self._run else [])):
            process.wait(PATIENCE_S)
        self._run = None
        self.rows.clear()
        shutil.rmtree(self.place.root, ignore_errors=True)

    @property
    def words(self) -> str:
        """What the processes have said."""
        return self._said.read_text(errors="replace") if self._said.exists() else ""

    # Looking

    def children(self) -> dict[str, dict]:
        """What the supervisor says of each process, by its name."""
        said = _read(self.place.root / BLOCK)
        return {each["name"]: each for each in json.loads(said)["processes"]} if said else {}

    def pid(self, name: str) -> int:
        """The process of a row; 0 while there is none."""
        if name in self.rows:
            return self.rows[name].pid if self.rows[name].poll() is None else 0
        return self.children().get(name, {}).get("pid", 0)

    def status(self, lane: int = 1) -> Status | None:
        """What the station said last."""
        said = _read(self.place.status(lane))
        return decode_status(said) if said else None

    def is_running(self, lane: int = 1) -> bool:
        """The line runs, by a status of now."""
        status = self.status(lane)
        is_fresh = status is not None and time.monotonic_ns() - status.at_ns < 1_000_000_000
        return is_fresh and status.state in (State.RUNNING, State.DEGRADED)

    def is_whole(self) -> bool:
        """Every process is there and has shown a sign of life."""
        children = self.children()
        return bool(children) and all(each["pid"] and each["is_alive"] for each in children.values())

    def truth(self, recent: int = 0, lane: int = 1) -> dict:
        """How the machine is."""
        return self.tell("truth", lane=lane, recent=recent)

    def tell(self, command: str, lane: int = 1, **details: object) -> dict:
        """Gives an order to the machine."""
        return tell_twin(self.place, lane, command, timeout_s=10.0, **details)

    def ask(self, command: str, lane: int = 1, **details: object) -> Reply:
        """Asks something of the station."""
        return ask(self.place.commands(lane), Request(command=command, by="a test", **details))

    def entries(self, *kinds: EventKind, lane: int = 1, after_row: int = 0) -> list:
        """What the ledger has of these kinds, or of all."""
        records = Records(self.state_folder / "ledger")
        try:
            return [each for each in records.entries(lane, after_row) if not kinds or each.event.kind in kinds]
        finally:
            records.close()

    def parts(self, lane: int = 1) -> list:
        """Every part of the ledger."""
        records = Records(self.state_folder / "ledger")
        try:
            return list(records.parts(lane))
        finally:
            records.close()

    def takt(self, *words: object) -> subprocess.CompletedProcess:
        """Runs a command of `takt` on this box's folders."""
        return subprocess.run(
            [sys.executable, "-m", "app.cli", *map(str, words)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=self._environment(),
            timeout=PATIENCE_S,
            check=False,
        )

    # The person at the machine

    def run_on(self, lane: int = 1) -> bool:
        """Sees to it that the line runs: where it is latched, clears the belt by hand and resets.

        Returns:
            Whether somebody had to.
        """
        has_helped = False

        def is_on() -> bool:
            nonlocal has_helped
            status = self.status(lane)
            if status is not None and status.state is State.STOPPED and self.truth(lane=lane)["belt"]["is_still"]:
                self.tell("clear", lane=lane)
                with suppress(TaktError):
                    words = {"role": "lead", "reason": "belt cleared by hand", "is_cleared": True}
                    has_helped |= self.ask("reset", lane=lane, **words).ok
            return self.is_running(lane)

        wait_until(is_on, f"lane {lane} runs; it is {self.status(lane)}")
        return has_helped

    # How

    def _where(self) -> list[str]:
        return ["--bus", str(self.place.root), "--state", str(self.state_folder)]

    def _environment(self) -> dict[str, str]:
        where = {"TAKT_BUS": str(self.place.root), "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "TERM": "dumb"}
        return {**os.environ, **where}

    def _is_told(self) -> bool:
        assert self._run is not None
        assert self._run.poll() is None, f"takt run ended with {self._run.returncode}: {self.words}"
        return b"\n" in (self.folder / "told.json").read_bytes()

    def _kill_all(self) -> None:
        for pid in self._pids_left():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            gone_ns(pid)

    def _pids_left(self) -> list[int]:
        """Every process that works on this bus, its parents first."""
        mine = str(self.place.root).encode()
        found = []
        for each in Path("/proc").iterdir():
            if each.name.isdecimal() and int(each.name) != os.getpid():
                with suppress(OSError):
                    if mine in (each / "cmdline").read_bytes():
                        found.append(int(each.name))
        return sorted(found)


def _read(path: Path) -> bytes | None:
    try:
        reader = BlockReader(path)
    except BusError:
        return None
    try:
        return reader.read()
    finally:
        reader.close()
