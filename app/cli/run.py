"""`takt run`: the line at work, with every process of it."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from app.cli.console import complain, err, one_line, out
from app.cli.options import Bus, Json, StateDir, state_folder

if TYPE_CHECKING:
    from app.bus.place import Place
    from app.cli.addresses import Address
    from app.cli.lanes import LaneView
    from app.config import Line
    from app.processes import Process
    from app.supervisor import Ending, Supervisor
    from app.support.kept_log import KeptLog
    from app.support.supervised import ChildStatus

NAME = "takt run"
"""By which its own words stand in the log."""

PATIENCE_S = 60.0
"""What is not up after so long is told once; the wait goes on."""

SHOW_S = 0.25

Lines = Annotated[
    list[Path] | None,
    typer.Option("--line", metavar="FILE", help="A line.toml, once per lane; by default the twin's own line."),
]
Port = Annotated[
    int | None,
    typer.Option("--port", min=0, max=65_535, help="Serve the pages here instead of at ui.port; 0: any free port."),
]


def run(
    *,
    line: Lines = None,
    bus: Bus = None,
    state: StateDir = None,
    port: Port = None,
    as_json: Json = False,
) -> None:
    """Run the line: the station of each lane, its cameras, the recorder and the pages.

    Without --line it runs the simulated line, with a machine in software in place of belt, sensors and gate. Prints the
    address of the page once it answers and every station shows itself; then says how the line is, until Ctrl-C ends
    it. With --json one line tells the addresses. Exit code 0 when it was asked to end, that of the process which cannot
    start as things are, 11 when another `takt run` has this bus.
    """
    from app.bus.place import default_place
    from app.cli.addresses import settled
    from app.clock import SystemClock
    from app.processes import table
    from app.setup import load_setup, twin_line
    from app.support.kept_log import KeptLog
    from app.support.log_file import FOLDER

    lines = {path.absolute(): load_setup(path).line for path in line or [twin_line()]}
    rows = table(lines)
    place = default_place(bus.absolute() if bus else None)
    ui = next(iter(lines.values())).ui
    with place.hold("supervisor"):
        address = settled(ui.host, ui.port if port is None else port)
        folder = state_folder(state).absolute()
        with closing(KeptLog(folder / FOLDER, SystemClock())) as log:
            screen = Screen(lines, place, address, folder, log=log, as_json=as_json)
            more = [] if port is None else ["--port", str(address.port)]
            ending = screen.follow(_supervisor(rows, screen, more))
            screen.note(ending.sentence or "ended as it was asked to")
    if ending.sentence:
        complain(ending.sentence)
    raise typer.Exit(ending.exit_code)


def _supervisor(rows: Sequence[Process], screen: Screen, for_web: list[str]) -> Supervisor:
    from app.clock import SystemClock
    from app.processes import Kind
    from app.signs import watch_of
    from app.supervisor import Supervisor

    def command(row: Process) -> list[str]:
        return row.command(screen.place.root, screen.state, for_web if row.kind is Kind.WEB else [])

    return Supervisor(
        rows,
        screen.place,
        clock=SystemClock(),
        command=command,
        watch=lambda row: watch_of(row, screen.place, screen.address.reachable),
        say=screen.say,
        pause=time.sleep,
    )


class Screen:
    """What a person sees of a run; nothing of it holds the line up.

    Args:
        lines: The lanes by their files.
        place: The bus.
        address: Where the pages are.
        state: The state folder.
        log: Keeps what is said, for those who were not looking.
        as_json: Tell the addresses as JSON and nothing else on stdout.
    """

    def __init__(
        self,
        lines: Mapping[Path, Line],
        place: Place,
        address: Address,
        state: Path,
        *,
        log: KeptLog | None = None,
        as_json: bool = False,
    ) -> None:
        from app.cli.lanes import LaneReader

        self.place = place
        self.address = address
        self.state = state
        self._lines = lines
        self._log = log
        self._as_json = as_json
        self._readers = [LaneReader(place, each.line.lane) for each in lines.values()]
        self._live: Live | None = None
        self._since_s = time.monotonic()
        self._shown_s = 0.0
        self._is_up = self._has_complained = False
        self._states: dict[int, str] = {}

    def follow(self, supervisor: Supervisor) -> Ending:
        """Runs the supervisor and shows how it goes."""
        names = ", ".join(child.row.name for child in supervisor.children)
        self._print(err(), f"[dim]starting {escape(names)}[/]")
        self.note(f"starting {names}")
        try:
            return supervisor.run(lambda: self._look(supervisor))
        finally:
            self._end_live()
            for reader in self._readers:
                reader.close()

    def say(self, name: str, line: str) -> None:
        """Passes on what a process says, or what became of it."""
        if self._log:
            self._log.say(name, line)
        self._print(err(), f"[dim]{escape(name)}:[/] {escape(one_line(line))}")

    def note(self, words: str) -> None:
        """Keeps words of the run itself."""
        if self._log:
            self._log.say(NAME, words)

    def _look(self, supervisor: Supervisor) -> None:
        now_s = time.monotonic()
        if now_s - self._shown_s < SHOW_S:
            return
        self._shown_s = now_s
        trouble = self._log.trouble() if self._log else ""
        if trouble:
            self._print(err(), f"[dim]log:[/] {escape(one_line(trouble))}")
        views = [reader.read(time.monotonic_ns()) for reader in self._readers]
        if not self._is_up:
            self._wait(supervisor.statuses(), views, now_s)
        else:
            self._tell_changes(views)
            if self._live:
                with _whoever_reads():
                    self._live.update(self._lanes(views), refresh=True)

    def _wait(self, statuses: Sequence[ChildStatus], views: Sequence[LaneView], now_s: float) -> None:
        missing = [f"the station of lane {view.lane}" for view in views if view.status is None]
        missing += ["the page" for each in statuses if each.kind == "web" and not each.is_alive]
        if not missing:
            self._is_up = True
            self._show_up(statuses, views)
        elif now_s - self._since_s >= PATIENCE_S and not self._has_complained:
            self._has_complained = True
            complain(f"not up after {PATIENCE_S:.0f} s: {' and '.join(missing)}; it goes on trying")

    def _show_up(self, statuses: Sequence[ChildStatus], views: Sequence[LaneView]) -> None:
        if self._as_json:
            self._announce(views)
            return
        names = ", ".join(each.line.name for each in self._lines.values())
        self._print(out(), _table(statuses))
        self._print(out(), f"[bold]{escape(names)}[/]  open [bold]{escape(self.address.url)}[/]  Ctrl-C ends it")
        self._tell_setup()
        if sys.stdout.isatty():
            self._live = Live(self._lanes(views), console=out(), auto_refresh=False, transient=True)
            self._live.start(refresh=True)
        self._tell_changes(views)

    def _tell_setup(self) -> None:
        """While nobody can administer the box: with which code that is changed. Only here, and in no log."""
        from app.web.access.setup_code import SetupCode
        from app.web.store.database import FOLDER

        code = SetupCode(self.state / FOLDER).read()
        if code:
            where = self.address.url.rstrip("/")
            self._print(
                out(),
                f"Nobody has an account here yet: open [bold]{escape(where)}/setup[/], the code is [bold]{code}[/]",
            )

    def _announce(self, views: Sequence[LaneView]) -> None:
        document = {
            "url": self.address.url,
            "host": self.address.host,
            "port": self.address.port,
            "bus": str(self.place.root),
            "state": str(self.state),
            "pid": os.getpid(),
            "lanes": [
                {"lane": view.lane, "line": str(path), "state": view.state}
                for view, path in zip(views, self._lines, strict=True)
            ],
        }
        with _whoever_reads():
            sys.stdout.write(json.dumps(document) + "\n")
            sys.stdout.flush()

    def _tell_changes(self, views: Sequence[LaneView]) -> None:
        from app.cli.lanes import as_change

        for view in views:
            text = as_change(view)
            if self._states.get(view.lane) != text:
                self._states[view.lane] = text
                self.note(text)
                self._print(err() if self._as_json else out(), escape(text))

    def _lanes(self, views: Sequence[LaneView]) -> Group:
        from app.cli.lanes import as_line

        return Group(*(as_line(view) for view in views))

    def _end_live(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            with _whoever_reads():
                live.stop()

    def _print(self, console: Console, what: object) -> None:
        if self._live:
            console = self._live.console  # it keeps its lines below
        with _whoever_reads():
            console.print(what, soft_wrap=isinstance(what, str))


def _whoever_reads() -> AbstractContextManager[None]:
    """Lets the line go on when whoever read this has gone, as a closed terminal or `head` does."""
    # SystemExit is what rich makes of a broken pipe.
    return suppress(OSError, SystemExit)


def _table(statuses: Sequence[ChildStatus]) -> Table:
    table = Table(title="Processes", title_justify="left")
    table.add_column("name", style="bold", no_wrap=True)
    table.add_column("pid", justify="right")
    table.add_column("started again", justify="right")
    table.add_column("shows a sign of life")
    for each in statuses:
        table.add_row(
            escape(each.name), str(each.pid or "-"), str(each.restarts), "yes" if each.is_alive else "not yet"
        )
    return table
