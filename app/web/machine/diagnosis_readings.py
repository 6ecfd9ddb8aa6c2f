"""What the diagnostics read, each thing no more often than it changes: many pages may ask once a second."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from app.clock import NS_PER_MS, NS_PER_S, Clock
from app.config import StorageSettings
from app.errors import ConfigError
from app.record import LEDGER
from app.record.figures import Figures
from app.record.walltime import US_PER_DAY
from app.support.machine import Machine, Ticks, read_machine, room_of, versions
from app.support.processes import Meter, Processes, of_takt_run, read_supervised
from app.support.units import Units
from app.web.certificate import Certificate, given_certificate, known_certificate
from app.web.context import Context
from app.web.machine.diagnosis_box import Disk, Growth
from app.web.store.database import FOLDER

SOON_NS = NS_PER_S // 2
SELDOM_NS = 60 * NS_PER_S
LEAST_DAYS = 1 / 24
"""A record of less than an hour tells nothing of how fast it grows."""

_T = TypeVar("_T")


class Kept(Generic[_T]):
    """A reading that is taken anew only once it is old. Any thread may ask.

    Args:
        read: Takes it.
        clock: Time.
        age_ns: How old it may grow.
    """

    def __init__(self, read: Callable[[], _T], clock: Clock, age_ns: int) -> None:
        self._read = read
        self._clock = clock
        self._age_ns = age_ns
        self._order = threading.Lock()
        self._at_ns = 0
        self._value: tuple[_T] | None = None

    def get(self) -> _T:
        """The reading."""
        with self._order:
            now_ns = self._clock.now_ns()
            if self._value is None or now_ns - self._at_ns >= self._age_ns:
                self._value, self._at_ns = (self._read(),), now_ns
            return self._value[0]


class Readings:
    """Everything that the diagnostics show and no station tells.

    Args:
        context: What the pages work with.
        root: Where `proc`, `sys` and `run` are.
    """

    def __init__(self, context: Context, root: Path = Path("/")) -> None:
        self._context = context
        self._root = root
        self._ticks: tuple[Ticks | None, Ticks | None] = (None, None)
        self._began_ns = context.clock.now_ns()
        self._meter = Meter(root)
        self._units = Units(self._meter, root=root)
        clock = context.clock
        self._machine = Kept(self._read_machine, clock, SOON_NS)
        self._versions = Kept(lambda: versions(root), clock, SELDOM_NS)
        self._growth = Kept(self._read_growth, clock, SELDOM_NS)
        self._certificate = Kept(self._read_certificate, clock, SELDOM_NS)

    def machine(self) -> tuple[Machine, Ticks | None]:
        """The box, and what its cores had done at the look before."""
        return self._machine.get(), self._ticks[0]

    def versions(self) -> tuple[tuple[str, str], ...]:
        """What is installed."""
        return self._versions.get()

    def certificate(self) -> Certificate | None:
        """The certificate that is served; `None` where there is none that can be used."""
        return self._certificate.get()

    def up_ms(self) -> float:
        """How long this process has served the pages."""
        return (self._context.clock.now_ns() - self._began_ns) / NS_PER_MS

    def disk(self, recorder: dict[str, Any] | None) -> Disk:
        """The disk of the record.

        Args:
            recorder: What the recorder tells of itself.
        """
        said = (recorder or {}).get("pictures_gb")
        lines = self._context.lines
        return Disk(
            room=room_of(self._context.state),
            growth=self._growth.get(),
            pictures_gb=float(said) if isinstance(said, (int, float)) else None,
            storage=lines[0].storage if lines else StorageSettings(),
        )

    def processes(self) -> Processes:
        """The processes of the table, whoever has started them."""
        now_ns = self._context.clock.now_ns()
        said = read_supervised(self._context.place.root)
        under_run = of_takt_run(said, self._meter, now_ns) if said else None
        if under_run is not None and not under_run.trouble:
            return under_run
        under_systemd = self._units.read(now_ns)
        return under_run if under_run is not None and not under_systemd.lines else under_systemd

    def _read_machine(self) -> Machine:
        machine = read_machine(self._root)
        self._ticks = (self._ticks[1], machine.ticks)
        return machine

    def _read_growth(self) -> Growth | None:
        folder = self._context.state / LEDGER
        figures = Figures(folder)
        try:
            span = figures.span()
        finally:
            figures.close()
        days = (span[1] - span[0]) / US_PER_DAY if span else 0.0
        return Growth(_bytes_in(folder), days) if days >= LEAST_DAYS else None

    def _read_certificate(self) -> Certificate | None:
        ui = self._context.ui
        try:
            if ui.certificate:
                return given_certificate(Path(ui.certificate), Path(ui.key))
            return known_certificate(self._context.state / FOLDER)
        except (ConfigError, OSError, ImportError):
            return None


def _bytes_in(folder: Path) -> int:
    """What the files of a folder take; those that vanish meanwhile count nothing."""
    total = 0
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(OSError):
                total += path.stat().st_size
    return total
