"""The processes of a box as a table: one row says what a process is, when it runs, and what becomes of it.

`takt run` starts the rows as its children and `takt units` writes the same rows as systemd units. Nothing here starts
anything.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import MappingProxyType

from app.config import CameraSettings, Line
from app.errors import ConfigError
from app.realtime import FIFO, OTHER

FEW_CORES = 4
"""Below this nothing is pinned: whoever is kept off a core has too little of the rest."""

LEAST_SHARE = 2
"""What a station wants for itself: its two threads, or a model's two."""


class Kind(str, Enum):
    """What a process does; the word after `takt process`."""

    TWIN = "twin"
    CAPTURE = "capture"
    RECORDER = "recorder"
    ACCELERATOR = "accelerator"
    STATION = "station"
    WEB = "web"


class Sign(str, Enum):
    """What shows that a process lives and is not hung."""

    STATUS = "status"
    BEAT = "beat"
    PAGE = "page"


@dataclass(frozen=True, slots=True)
class Scheduling:
    """How one thread shares the cores.

    Attributes:
        policy: `fifo` or `other`.
        priority: 1 .. 99 for `fifo`.
        nice: For `other`: how far it steps back.
    """

    policy: str = OTHER
    priority: int = 0
    nice: int = 0


@dataclass(frozen=True, slots=True)
class Watchdog:
    """When a process counts as hung: it is then killed and started again.

    Attributes:
        sign: What changes while it lives: its status block, its beat (`app.bus.beat`), or a page that answers.
        max_age_ms: No change for so long after the first one.
        start_ms: No change so long after its start.
    """

    sign: Sign
    max_age_ms: float
    start_ms: float


@dataclass(frozen=True, slots=True)
class Restart:
    """How long to wait before a process that has ended starts again.

    Attributes:
        first_ms: After it has lived for `reset_s` or more, or ends for the first time.
        step_ms: When it ends again soon; doubled each time.
        longest_ms: The longest wait.
        reset_s: A process that lived so long has proven itself.
    """

    first_ms: float = 250.0
    step_ms: float = 500.0
    longest_ms: float = 10_000.0
    reset_s: float = 30.0

    def delay_ms(self, ends: int) -> float:
        """The wait before the next start.

        Args:
            ends: How often it ended soon after its start since it last lived long, 0 for the first time.
        """
        if ends == 0:
            return self.first_ms
        # The factor must not grow with days of crashes; this one exceeds every wait that makes sense.
        return min(self.step_ms * (1 << min(ends - 1, 20)), self.longest_ms)


@dataclass(frozen=True, slots=True)
class Stop:
    """How a process is ended.

    Attributes:
        order: Those with the lowest go first, and all of one number together.
        limit_ms: After SIGTERM it may take so long, then it is killed.
        is_clean_orphan: When whoever started it dies it is asked to end, as it has something to put in order; others
            are killed.
    """

    order: int
    limit_ms: float
    is_clean_orphan: bool = False


@dataclass(frozen=True, slots=True)
class Process:
    """One row.

    Attributes:
        name: Unique in the box, and fit for file names.
        kind: What it does.
        entry: The words after `takt process`.
        lane: The lane it belongs to; `None` for one that serves the whole box.
        threads: How its threads are scheduled, by name; `main` for a process that has but one of its own.
        watchdog: When it is hung.
        restart: When it starts again.
        stop: How it ends.
        is_pinned: It has cores of its own where there are enough; the others keep off them.
        is_memory_locked: Its memory must not be swapped out.
        is_essential: When it refuses to start at all, the whole does not start.
        needs_network: It talks to other machines.
        devices: Kinds of devices that it opens, as systemd calls them.
    """

    name: str
    kind: Kind
    entry: tuple[str, ...]
    lane: int | None
    threads: Mapping[str, Scheduling]
    watchdog: Watchdog
    restart: Restart
    stop: Stop
    is_pinned: bool = False
    is_memory_locked: bool = False
    is_essential: bool = True
    needs_network: bool = False
    devices: tuple[str, ...] = ()

    def command(self, bus: Path, state: Path, more: Sequence[str] = ()) -> list[str]:
        """The command line that runs it with this interpreter."""
        return [sys.executable, "-m", "app.cli", *self.words(bus, state), *more]

    def words(self, bus: Path, state: Path) -> list[str]:
        """The words after `takt`."""
        return ["process", *self.entry, "--bus", str(bus), "--state", str(state)]


def table(lines: Mapping[Path, Line]) -> tuple[Process, ...]:
    """The rows of a box, in the order in which they start.

    Args:
        lines: The lanes by the file that describes each.

    Raises:
        ConfigError: Two files describe the same lane, or there is none.
    """
    _check_lanes(lines)
    rows: list[Process] = []
    for path, line in lines.items():
        if _is_simulated(line):
            rows.append(_twin(path, line))
        rows += [_capture(path, line, camera) for camera in line.cameras]
    rows.append(_recorder(lines))
    if any(line.model.accelerator != "none" for line in lines.values()):
        rows.append(_accelerator(lines))
    rows += [_station(path, line) for path, line in lines.items()]
    rows.append(_web(lines))
    return tuple(rows)


def row_of(rows: Sequence[Process], kind: str, lane: int | None = None, camera: str = "") -> Process:
    """The row of one process.

    Args:
        rows: The table.
        kind: What it does.
        lane: Its lane; `None` where there is one.
        camera: The camera's name, for a capture process.

    Raises:
        ConfigError: The table has no such row.
    """
    for row in rows:
        is_lane = lane is None or row.lane in (None, lane)
        if row.kind.value == kind and is_lane and (not camera or row.name == name_of(row.kind, row.lane, camera)):
            return row
    raise ConfigError(
        f"this line has no process {kind!r}{f' for camera {camera!r}' if camera else ''}",
        f"use one of {', '.join(row.name for row in rows)}",
    )


def name_of(kind: Kind, lane: int | None, camera: str = "") -> str:
    """A row's name: that of lane 1 without its number, as most boxes have one lane."""
    prefix = f"lane{lane}-" if lane not in (None, 1) else ""
    # A colon stands for the blank, which neither a unit's name nor a prefix of a log line should have.
    return prefix + kind.value + (f"-{camera.replace(' ', ':')}" if camera else "")


def cores_of(row: Process, rows: Sequence[Process], available: Sequence[int]) -> tuple[int, ...]:
    """Where a process may run.

    With few cores nothing is pinned. Otherwise the stations have the upper half, each its own two or more where that
    suffices and all of it together where not, and everything else has the lower half, where most interrupts are served.

    Args:
        row: The process.
        rows: The table.
        available: The cores of this box.

    Returns:
        The cores, empty for any.
    """
    cores = sorted(available)
    if len(cores) < FEW_CORES:
        return ()
    others, own = cores[: len(cores) // 2], cores[len(cores) // 2 :]
    if not row.is_pinned:
        return tuple(others)
    lanes = [each.name for each in rows if each.is_pinned]
    share = len(own) // len(lanes)
    if share < LEAST_SHARE:
        return tuple(own)
    first = share * lanes.index(row.name)
    return tuple(own[first : first + share])


def _check_lanes(lines: Mapping[Path, Line]) -> None:
    if not lines:
        raise ConfigError("there is no line to run", "name a line.toml")
    owner: dict[int, Path] = {}
    for path, line in lines.items():
        lane = line.line.lane
        if lane in owner:
            raise ConfigError(
                f"lane {lane} is described by {owner[lane]} and by {path}", "give each file a line.lane of its own"
            )
        owner[lane] = path


def _is_simulated(line: Line) -> bool:
    return any(camera.driver == "twin" for camera in line.cameras)


def _threads(**threads: Scheduling) -> Mapping[str, Scheduling]:
    return MappingProxyType(threads)


def _files(lines: Mapping[Path, Line]) -> Iterator[str]:
    for path in lines:
        yield from ("--line", str(path))


def _twin(path: Path, line: Line) -> Process:
    """The machine itself, where it is simulated: it must not be late, or the line would look late."""
    return Process(
        name=name_of(Kind.TWIN, line.line.lane),
        kind=Kind.TWIN,
        entry=("twin", "--line", str(path)),
        lane=line.line.lane,
        threads=_threads(main=Scheduling(FIFO, 90)),
        watchdog=Watchdog(Sign.BEAT, max_age_ms=2_000, start_ms=30_000),
        restart=Restart(),
        stop=Stop(order=1, limit_ms=600),
    )


def _capture(path: Path, line: Line, camera: CameraSettings) -> Process:
    """One camera's driver, which may hang; it shows no sign of life while it opens its camera."""
    is_remote = "://" in camera.source
    is_device = camera.driver == "opencv" and not is_remote
    is_slow = camera.driver in ("gige", "csi", "opencv")
    return Process(
        name=name_of(Kind.CAPTURE, line.line.lane, camera.name),
        kind=Kind.CAPTURE,
        entry=("capture", "--line", str(path), "--camera", camera.name),
        lane=line.line.lane,
        threads=_threads(main=Scheduling(FIFO, 75)),
        watchdog=Watchdog(Sign.BEAT, max_age_ms=8_000 if is_slow else 2_000, start_ms=30_000),
        restart=Restart(longest_ms=2_000.0),
        stop=Stop(order=1, limit_ms=600),
        needs_network=is_remote or camera.driver == "gige",
        devices=("char-video4linux",) if is_device else (),
    )


def _station(path: Path, line: Line) -> Process:
    """The lane itself; only the permit relay watches over it, and it must be back within two seconds."""
    return Process(
        name=name_of(Kind.STATION, line.line.lane),
        kind=Kind.STATION,
        entry=("station", "--line", str(path)),
        lane=line.line.lane,
        threads=_threads(line=Scheduling(FIFO, 80), verdict=Scheduling(FIFO, 70)),
        watchdog=Watchdog(Sign.STATUS, max_age_ms=2_000, start_ms=60_000),
        # It has proven itself soon: a line that stands for seconds after its second end of the day is no better off.
        restart=Restart(first_ms=0.0, reset_s=5.0),
        stop=Stop(order=0, limit_ms=1_000, is_clean_orphan=True),
        is_pinned=True,
        is_memory_locked=True,
        devices=_station_devices(line),
    )


def _station_devices(line: Line) -> tuple[str, ...]:
    wanted = {
        "char-gpiochip": not _is_simulated(line),
        "char-counter": line.encoder.driver == "counter",
        line.watchdog.device: bool(line.watchdog.device),
    }
    return tuple(device for device, is_wanted in wanted.items() if is_wanted)


def _recorder(lines: Mapping[Path, Line]) -> Process:
    """The one writer of ledger and pictures; a disk that takes seconds to sync is slow and not hung."""
    return Process(
        name=name_of(Kind.RECORDER, None),
        kind=Kind.RECORDER,
        entry=("recorder", *_files(lines)),
        lane=None,
        threads=_threads(main=Scheduling(OTHER, nice=2)),
        watchdog=Watchdog(Sign.BEAT, max_age_ms=5_000, start_ms=60_000),
        restart=Restart(),
        stop=Stop(order=1, limit_ms=600, is_clean_orphan=True),
    )


def _accelerator(lines: Mapping[Path, Line]) -> Process:
    """The owner of the accelerator; stations judge by themselves while it is away. It may build engines for minutes."""
    return Process(
        name=name_of(Kind.ACCELERATOR, None),
        kind=Kind.ACCELERATOR,
        entry=("accelerator", *_files(lines)),
        lane=None,
        # Below the stations' verdicts: a standby that judges in its place must not wait for it.
        threads=_threads(serve=Scheduling(FIFO, 65)),
        watchdog=Watchdog(Sign.BEAT, max_age_ms=1_000, start_ms=900_000),
        restart=Restart(),
        stop=Stop(order=1, limit_ms=600),
        is_essential=False,
        is_memory_locked=True,
        devices=("char-nvidia*", "char-nvhost*", "char-nvmap*"),
    )


def _web(lines: Mapping[Path, Line]) -> Process:
    """The pages: the line does not notice whether they are there."""
    return Process(
        name=name_of(Kind.WEB, None),
        kind=Kind.WEB,
        entry=("web", *_files(lines)),
        lane=None,
        threads=_threads(main=Scheduling(OTHER, nice=5)),
        watchdog=Watchdog(Sign.PAGE, max_age_ms=5_000, start_ms=60_000),
        restart=Restart(first_ms=500.0, step_ms=1_000.0),
        stop=Stop(order=1, limit_ms=600),
        is_essential=False,
        needs_network=True,
    )
