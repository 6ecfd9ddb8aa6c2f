import sys
import types
from importlib.metadata import EntryPoint

import pytest
import typer
from typer.testing import CliRunner

from app.cli.plugins import GROUP, add_groups, find_plugins, load_plugin
from app.errors import TaktError


@pytest.fixture
def brought(monkeypatch):
    """A package that brings the commands `train` and `list`."""
    module = types.ModuleType("brought_by_test")
    module.app = typer.Typer(help="Foreign.")
    module.number = 7

    @module.app.command()
    def train():
        typer.echo("foreign train")

    @module.app.command("list")
    def foreign_list():
        typer.echo("foreign list")

    monkeypatch.setitem(sys.modules, module.__name__, module)
    return EntryPoint("models", "brought_by_test:app", GROUP)


def own_group():
    group = typer.Typer(help="Ours.")

    @group.command("list")
    def own_list():
        typer.echo("own list")

    return group


def run(own, plugins, *words):
    root = typer.Typer()
    add_groups(root, own, plugins)
    return CliRunner().invoke(root, list(words))


def test_the_models_room_is_found_in_a_checkout():
    assert "models.commands:app" in {plugin.value for plugin in find_plugins()}


def test_a_plugin_joins_the_group_of_the_same_name(brought):
    assert run({"models": own_group()}, [brought], "models", "train").stdout == "foreign train\n"


def test_a_plugin_never_replaces_a_command_of_ours(brought):
    assert run({"models": own_group()}, [brought], "models", "list").stdout == "own list\n"


def test_a_plugin_with_a_name_of_its_own_is_a_group_of_its_own(brought):
    assert run({}, [EntryPoint("extra", brought.value, GROUP)], "extra", "list").stdout == "foreign list\n"


def test_a_plugin_that_does_not_load_takes_no_other_command_with_it():
    absent = EntryPoint("models", "no_such_module:app", GROUP)

    result = run({"models": own_group()}, [absent], "models", "list")

    assert result.stdout == "own list\n"


def test_the_help_of_a_group_says_which_plugin_does_not_load():
    absent = EntryPoint("models", "no_such_module:app", GROUP)

    assert "no_such_module" in run({"models": own_group()}, [absent], "models", "--help").stdout


@pytest.mark.parametrize("value", ["no_such_module:app", "brought_by_test:absent", "brought_by_test:number"])
def test_a_plugin_that_is_no_application_is_refused(brought, value):
    with pytest.raises(TaktError, match="plug-in models"):
        load_plugin(EntryPoint("models", value, GROUP))
