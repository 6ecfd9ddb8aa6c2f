"""The process table as systemd units: the same rows as `takt run`, for a box that starts by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.processes import Kind, Process, cores_of
from app.realtime import FIFO

TARGET = "takt.target"
RESTART_STEPS_SINCE = 254
"""The version of systemd that knows RestartSteps; older ones wait equally long each time."""

_LEAST_RESTART_MS = 100
_RESTART_STEPS = 5
_MEMORY = Path("/dev/shm")  # noqa: S108 - what ProtectSystem leaves writable
_STATES = Path("/var/lib")

_OUT_OF_MEMORY = {Kind.STATION: -900, Kind.RECORDER: -500, Kind.CAPTURE: -500, Kind.ACCELERATOR: -500}
"""Whom the kernel spares when memory runs out."""

_STATEFUL = (Kind.STATION, Kind.RECORDER, Kind.ACCELERATOR, Kind.WEB)

# Nothing here forbids code that is written and then run: the runtimes compile their kernels that way.
_HARDENING = """\
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectHostname=yes
RestrictNamespaces=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
DevicePolicy=closed
UMask=0007"""


@dataclass(frozen=True, slots=True)
class Box:
    """Where and how the units run.

    Attributes:
        program: The command `takt`.
        bus: Where the processes meet.
        state: The state folder.
        user: Who they run as, and in which group.
        cores: The cores of the box.
        systemd: Its version of systemd.
    """

    program: Path
    bus: Path
    state: Path
    user: str
    cores: tuple[int, ...]
    systemd: int


def unit_name(row: Process) -> str:
    """The file name of a row's unit."""
    return f"takt-{row.name}.service"


def units(rows: Sequence[Process], box: Box) -> dict[str, str]:
    """Every unit of a box by its file name.

    Args:
        rows: The table.
        box: The box.
    """
    return {TARGET: _target(rows), **{unit_name(row): _service(row, rows, box) for row in rows}}


def _target(rows: Sequence[Process]) -> str:
    wanted = "\n".join(f"Wants={unit_name(row)}" for row in rows)
    return f"[Unit]\nDescription=Takt, the whole station\n{wanted}\n\n[Install]\nWantedBy=multi-user.target\n"


def _service(row: Process, rows: Sequence[Process], box: Box) -> str:
    # Units end in the reverse order of their start: those that end later have to be started before.
    after = [unit_name(each) for each in rows if each.stop.order > row.stop.order]
    sections = {
        "Unit": [
            f"Description=Takt, {row.name}",
            f"PartOf={TARGET}",
            *([f"After={' '.join(after)}"] if after else []),
            "StartLimitIntervalSec=0",
        ],
        "Service": [
            "Type=notify",
            # Until its first sign of life; with that the process shortens it to what its row says.
            f"WatchdogSec={row.watchdog.start_ms:.0f}ms",
            "WatchdogSignal=SIGKILL",
            f"User={box.user}",
            f"Group={box.user}",
            "ExecStart=" + " ".join(_quoted(word) for word in [str(box.program), *row.words(box.bus, box.state)]),
            *_restarting(row, box),
            *_scheduling(row, cores_of(row, rows, box.cores)),
            *_reaching(row, box),
            _HARDENING,
        ],
        "Install": [f"WantedBy={TARGET}"],
    }
    return "\n".join("\n".join([f"[{title}]", *lines, ""]) for title, lines in sections.items())


def _restarting(row: Process, box: Box) -> list[str]:
    lines = ["Restart=always", f"RestartSec={max(row.restart.first_ms, _LEAST_RESTART_MS):.0f}ms"]
    if box.systemd >= RESTART_STEPS_SINCE:
        lines += [f"RestartSteps={_RESTART_STEPS}", f"RestartMaxDelaySec={row.restart.longest_ms:.0f}ms"]
    return [*lines, "KillMode=mixed", f"TimeoutStopSec={row.stop.limit_ms:.0f}ms"]


def _scheduling(row: Process, cores: Sequence[int]) -> list[str]:
    priority = max(each.priority for each in row.threads.values())
    nice = min(each.nice for each in row.threads.values())
    lines = [f"LimitRTPRIO={priority}"] if priority else ["RestrictRealtime=yes"]
    main = row.threads.get("main")
    if main and main.policy == FIFO:
        # A station sets its two threads itself; here every thread of the process would have the same.
        lines += ["CPUSchedulingPolicy=fifo", f"CPUSchedulingPriority={main.priority}", "CPUSchedulingResetOnFork=yes"]
    lines += [f"Nice={nice}"] if nice else []
    lines += [f"CPUAffinity={' '.join(map(str, cores))}"] if cores else []
    lines += ["LimitMEMLOCK=infinity"] if row.is_memory_locked else []
    lines += [f"OOMScoreAdjust={_OUT_OF_MEMORY[row.kind]}"] if row.kind in _OUT_OF_MEMORY else []
    return lines


def _reaching(row: Process, box: Box) -> list[str]:
    """What it may touch beside itself: folders, devices, other machines."""
    lines = []
    writes = [] if box.bus.is_relative_to(_MEMORY) else [box.bus]
    if row.kind in _STATEFUL and box.state.parent == _STATES:
        lines.append(f"StateDirectory={box.state.name}")
    elif row.kind in _STATEFUL:
        writes.append(box.state)
    lines += [f"ReadWritePaths={' '.join(_quoted(str(path)) for path in writes)}"] if writes else []
    lines += [f"DeviceAllow={device} rw" for device in row.devices]
    lines += ["SupplementaryGroups=systemd-journal"] if row.kind is Kind.WEB else []  # the page of the log
    if row.needs_network:
        return [*lines, "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK"]
    return [*lines, "PrivateNetwork=yes", "RestrictAddressFamilies=AF_UNIX"]


def _quoted(word: str) -> str:
    # % begins one of systemd's own words and $ a variable.
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{word}"' if not word or set(word) & set(" \t;'\"\\") else word
