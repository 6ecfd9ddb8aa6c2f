"""Commands that other packages bring, by the entry-point group `takt.commands`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import typer
from typer.models import CommandInfo

import app as rooms
from app.cli.group import print_help
from app.errors import TaktError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # the same library under its older name

GROUP = "takt.commands"
DISTRIBUTION = "takt-inspect"


def find_plugins() -> tuple[EntryPoint, ...]:
    """Every plug-in, sorted by name; those of this checkout too where Takt runs without being installed."""
    found = {each.name: each for each in _of_checkout(Path(rooms.__file__).parent.parent / "pyproject.toml")}
    found.update((each.name, each) for each in entry_points(group=GROUP))
    return tuple(found[name] for name in sorted(found))


def add_groups(root: typer.Typer, own: dict[str, typer.Typer], plugins: Iterable[EntryPoint]) -> None:
    """Adds groups of commands to the root, each group of our own joined with the plug-in of the same name.

    A plug-in never replaces a command of ours, and one that does not load takes none of the others with it.

    Args:
        root: The root of all commands.
        own: Our groups by name.
        plugins: The plug-ins.
    """
    brought: dict[str, typer.Typer] = {}
    problems: dict[str, str] = {}
    for plugin in plugins:
        try:
            brought[plugin.name] = load_plugin(plugin)
        except TaktError as error:
            problems[plugin.name] = str(error)
    for name in sorted({*own, *brought}):
        parts = [each for each in (own.get(name), brought.get(name)) if each is not None]
        root.add_typer(_joined(parts, problems.get(name)), name=name)


def load_plugin(plugin: EntryPoint) -> typer.Typer:
    """Loads a plug-in.

    Raises:
        TaktError: It does not load, or is no Typer application.
    """
    mend = "install its package again, or remove it"
    try:
        loaded = plugin.load()
    except Exception as error:  # foreign code may raise anything
        raise TaktError(f"the plug-in {plugin.name} ({plugin.value}) does not load: {error}", mend) from error
    if not isinstance(loaded, typer.Typer):
        raise TaktError(f"the plug-in {plugin.name} ({plugin.value}) is no Typer application", mend)
    return loaded


def _joined(parts: list[typer.Typer], problem: str | None) -> typer.Typer:
    group = typer.Typer(
        help=parts[0].info.help, epilog=problem, invoke_without_command=True, callback=print_help, no_args_is_help=False
    )
    names: set[str] = set()
    for part in parts:
        fresh = [each for each in part.registered_commands if _name(each) not in names]
        names |= {_name(each) for each in fresh}
        group.registered_commands += fresh
        group.registered_groups += part.registered_groups
    return group


def _name(command: CommandInfo) -> str:
    if command.name:
        return command.name
    return command.callback.__name__.replace("_", "-") if command.callback else ""


def _of_checkout(pyproject: Path) -> tuple[EntryPoint, ...]:
    try:
        project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return ()
    if project.get("name") != DISTRIBUTION:
        return ()
    values = project.get("entry-points", {}).get(GROUP, {})
    return tuple(EntryPoint(name, value, GROUP) for name, value in values.items())
