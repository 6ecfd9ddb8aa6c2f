"""The process border of every command: what reaches it becomes one sentence and an exit code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import Any, cast

import typer
from typer.core import TyperGroup

from app.cli.console import complain, err
from app.errors import TaktError

CRASHED = 70
"""Exit code of a defect in Takt itself (`EX_SOFTWARE` of sysexits.h)."""
INTERRUPTED = 130

# typer bundles click or depends on it, by its version; its own BadParameter leads to the family in both.
_CommandLineError = cast("type[Exception]", typer.BadParameter.__base__)


class TaktGroup(TyperGroup):
    """The root of all commands."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Runs the command line and, unless told otherwise, ends the process with the documented exit code."""
        is_last_word = options.get("standalone_mode", True)
        options["standalone_mode"] = False
        if not is_last_word:
            return super().main(*args, **options)
        return sys.exit(_guarded(lambda: super(TaktGroup, self).main(*args, **options)))

    def invoke(self, ctx: Any) -> Any:
        """Runs the command; `--debug` adds the traceback to what goes wrong."""
        try:
            return super().invoke(ctx)
        except Exception:
            if ctx.params.get("debug"):
                err().print(traceback.format_exc(), markup=False, soft_wrap=True)
            raise


def print_help(ctx: typer.Context) -> None:
    """The callback of every group: named alone it shows its help."""
    if ctx.invoked_subcommand is None:
        # With rich, asking for the help prints it and returns an empty text.
        typer.echo(ctx.get_help(), nl=False)
        raise typer.Exit


def _guarded(run: Callable[[], Any]) -> int:
    try:
        code = run()
    except TaktError as error:
        complain(error)
        return error.exit_code
    except _CommandLineError as error:
        return _command_line_wrong(error)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has gone, as `head` does: nobody is left to tell.
        raise
    except Exception as error:  # noqa: BLE001 - the process border
        complain(
            f"stopped by a defect of its own, {type(error).__name__}: {error}; run it again as `takt --debug ...` and"
            " report the traceback to the project"
        )
        return CRASHED
    return code if isinstance(code, int) else 0


def _command_line_wrong(error: Exception) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        return 2
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "takt"
    message = str(cast("Any", error).format_message()).strip().rstrip(".")
    joint = " See" if message.endswith("?") else "; see"
    complain(f"{message[:1].lower()}{message[1:]}{joint} {command} --help")
    return 2
