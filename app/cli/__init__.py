"""The command `takt`: thin commands, each a few lines over the rooms that do the work.

Every command takes `--json`, tells each error in one sentence on stderr, and ends with an exit code that
`docs/commands.md` lists. Only light modules are imported here; a command imports the rooms it needs when it runs, so
that `takt --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from app import __version__
from app.cli import (
    bench,
    certificate,
    demo,
    doctor,
    export,
    inspect,
    kiosk,
    ledger,
    line,
    models,
    process,
    replay,
    run,
    support,
    units,
    users,
)
from app.cli.camera.commands import group as camera_group
from app.cli.group import TaktGroup, print_help
from app.cli.plugins import add_groups, find_plugins

EXIT_CODES = """Exit codes: 0 done, 1 not in order, 2 command line, 3 settings, 4 picture or data, 5 model package,
6 missing library, 7 camera, 8 inference, 9 line, 10 a part was rejected, or two models differ (only where asked for),
11 bus, 12 record, 70 defect in Takt, 130 interrupted."""


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"takt {__version__}")
        raise typer.Exit


def _root(
    ctx: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001 - its callback has acted
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[  # noqa: ARG001 - TaktGroup reads it
        bool, typer.Option("--debug", envvar="TAKT_DEBUG", help="Show the traceback of whatever goes wrong.")
    ] = False,
) -> None:
    """Takt, an inspection station in a box: a camera looks at every part, a detector judges it, the gate rejects it."""
    print_help(ctx)


def _build() -> typer.Typer:
    root = typer.Typer(
        name="takt",
        cls=TaktGroup,
        callback=_root,
        invoke_without_command=True,
        epilog=" ".join(EXIT_CODES.split()),
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    root.command("run")(run.run)
    root.command("demo")(demo.demo)
    root.command("inspect")(inspect.inspect)
    root.command("replay")(replay.replay)
    root.command("bench")(bench.bench)
    root.command("doctor")(doctor.doctor)
    root.command("units")(units.units)
    root.command("export")(export.export)
    root.command("support-bundle")(support.support_bundle)
    root.command("kiosk")(kiosk.kiosk)
    root.command("process", hidden=True)(process.process)

    own = {"camera": camera_group, "ledger": ledger.group, "line": line.group, "models": models.group}
    own["users"] = users.group
    own["certificate"] = certificate.group
    add_groups(root, own, find_plugins())
    return root


app = _build()


def main() -> None:
    """Runs the command line of this process."""
    try:
        try:
            app(prog_name="takt")
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has gone, as `head` does; what is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
