"""The rules of the house that a machine can check: arrows, sizes, names, lint and docs."""

from __future__ import annotations

import ast
import hashlib
import importlib
import re
import subprocess
import sys
from enum import Enum
from pathlib import Path

import pytest

import app
from app import config, recipe
from app.reject.stops import Alarm, StopCause
from app.types import EventKind, Outcome, Reason
from tests import reference
from tests.groups import ROOT

ROOMS = ("app", "models", "calibration", "ui", "deploy", "tests")
SOURCES = sorted(
    path
    for room in ROOMS
    for pattern in ("*.py", "*.js")
    for path in (ROOT / room).rglob(pattern)
    if "vendor" not in path.parts
)
PYTHON = [path for path in SOURCES if path.suffix == ".py"]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(path for room in ROOMS for path in (ROOT / room).rglob("*.md")),
    ]
)
MOST_LINES = 500
MOST_LINES_OF_A_FUNCTION = 80
FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "managers"}
PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".mp4", ".gif", ".webp", ".tif", ".tiff"}
# A link to a page or file of the project: not to the web, not to a heading of the same page.
LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")


def named(path):
    return str(path.relative_to(ROOT)) if isinstance(path, Path) else None


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def missing_from(page, words):
    """Which of the words do not stand in code type on a page."""
    text = text_of(page)
    return [word for word in words if f"`{word}`" not in text]


def values_of(kinds: type[Enum]):
    return [str(each.value) for each in kinds]


# Arrows and lint


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "--quiet", "."),
        ("ruff", "format", "--check", "--quiet", "."),
        ("mypy", "--no-error-summary"),
        ("lint-imports", "--no-cache"),
    ],
    ids=["ruff-check", "ruff-format", "mypy", "lint-imports"],
)
def test_tool_finds_nothing(command):
    tool = Path(sys.executable).parent / command[0]
    run = subprocess.run([str(tool), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)

    code = run.returncode

    assert code == 0, run.stdout + run.stderr


def test_import_contracts_have_no_exceptions():
    assert "ignore_imports" not in text_of("pyproject.toml")


# Sizes and names


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_file_is_short(path):
    length = path.read_text(encoding="utf-8").count("\n")

    assert length <= MOST_LINES


@pytest.mark.parametrize("path", PYTHON, ids=named)
def test_functions_are_short(path):
    functions = (node for node in ast.walk(tree_of(path)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
    lengths = {each.name: each.end_lineno - each.lineno + 1 for each in functions}

    assert {name: length for name, length in lengths.items() if length > MOST_LINES_OF_A_FUNCTION} == {}


def test_no_folder_or_module_is_named_after_nothing():
    parts = {part for path in SOURCES for part in path.relative_to(ROOT).with_suffix("").parts}

    assert parts & FORBIDDEN_NAMES == set()


def test_errors_of_the_tree_stand_in_one_file():
    tree = {error.__name__ for error in reference.errors_of()}
    elsewhere = [
        f"{named(path)}: {node.name}"
        for path in PYTHON
        if path.parts[len(ROOT.parts)] != "tests" and path != ROOT / "app" / "errors.py"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef) and tree & {getattr(base, "id", "") for base in node.bases}
    ]

    assert elsewhere == []


def test_broad_except_says_why():
    silent = []
    for path in PYTHON:
        lines = path.read_text(encoding="utf-8").splitlines()
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ExceptHandler) and is_broad(node):
                around = lines[node.lineno - 2 : node.lineno + 1]
                is_passed_on = any(isinstance(each, ast.Raise) and each.exc is None for each in ast.walk(node))
                if not is_passed_on and not any("#" in line for line in around):
                    silent.append(f"{named(path)}:{node.lineno}")

    assert silent == []


def is_broad(handler):
    return handler.type is None or (
        isinstance(handler.type, ast.Name) and handler.type.id in ("Exception", "BaseException")
    )


# Pictures


def shipped_pictures():
    folders = [ROOT / room for room in (*ROOMS, "docs")]
    return [path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in PICTURES]


def test_no_shipped_picture_comes_from_the_data(data_dir):
    theirs = {
        hashlib.sha256(path.read_bytes()).digest() for path in data_dir.rglob("*") if path.suffix.lower() in PICTURES
    }
    copied = [named(path) for path in shipped_pictures() if hashlib.sha256(path.read_bytes()).digest() in theirs]

    assert theirs
    assert copied == []


def test_no_shipped_picture_is_a_recoding_of_the_data(data_dir):
    from app.capture.pictures import read_picture

    shipped = {path: read_picture(path) for path in shipped_pictures() if path.suffix.lower() in (".png", ".jpg")}
    shapes = {image.shape[:2] for image in shipped.values()}
    sources = [path for path in data_dir.rglob("*") if path.suffix.lower() in (".png", ".jpg", ".bmp")]
    theirs = {mark for path in sources if (mark := mark_of(read_picture(path), shapes)) is not None}

    assert [named(path) for path, image in shipped.items() if mark_of(image, shapes) in theirs] == []


def mark_of(image, shapes):
    """The coarse black and white of a picture, which a codec leaves as it is; `None` where it has none to compare."""
    import cv2

    if image.shape[:2] not in shapes:
        return None
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    is_light = cv2.resize(grey, (24, 24), interpolation=cv2.INTER_AREA) > 128
    return is_light.tobytes() if is_light.any() and not is_light.all() else None


# Docs


@pytest.mark.parametrize("page", reference.PAGES)
def test_generated_tables_are_up_to_date(page):
    text = text_of(page)
    is_up_to_date = text == reference.rendered(text)

    assert "<!-- generated:" in text
    assert is_up_to_date, "run: make docs"


@pytest.mark.parametrize("root", [config.Line, recipe.Recipe])
def test_every_setting_has_a_meaning(root):
    models = [each for _, each in reference.settings_of(root)] + [config.Input, config.Output]
    silent = [
        f"{model.__name__}.{name}"
        for model in models
        for name, field in model.model_fields.items()
        if not reference.meaning_of(field)
    ]

    assert silent == []


def test_every_command_and_option_has_a_meaning():
    silent = [
        f"{path} {parameter.name}"
        for path, command in reference.commands_of(reference.root_command())
        for parameter in [command, *command.params]
        if not getattr(parameter, "help", None) and parameter.name != "help"
    ]

    assert silent == []


def test_every_exit_code_of_the_help_is_documented():
    codes = re.findall(r"\b(\d+) ", importlib.import_module("app.cli").EXIT_CODES)
    text = text_of("docs/commands.md")

    assert codes
    assert [code for code in codes if f"| {code} |" not in text] == []


def test_every_environment_variable_is_documented():
    read = {
        name
        for path in PYTHON
        if "tests" not in path.parts
        for name in re.findall(r'"(TAKT_[A-Z]+)"', path.read_text())
    }

    assert read
    assert missing_from("docs/commands.md", sorted(read)) == []


def documented_events():
    """The keys of `data` that docs/ledger-events.md gives each event."""
    rows = re.findall(r"^\| `([A-Z_]+)` \|.*\|([^|]*)\|$", text_of("docs/ledger-events.md"), re.MULTILINE)
    return {kind: set(re.findall(r"`(\w+)`", keys)) for kind, keys in rows}


def test_every_ledger_event_is_documented():
    assert sorted(documented_events()) == sorted(values_of(EventKind))


def test_every_key_that_an_event_carries_is_documented():
    documented = documented_events()
    undocumented = [
        f"{kind}: {key}"
        for path in (ROOT / "app" / "reject").glob("*.py")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        for kind in kinds_of(node)
        for key in (each.arg for each in node.keywords if each.arg)  # not those of a mapping that is spread
        if key not in documented[kind]
    ]

    assert undocumented == []


def kinds_of(call):
    """The kind of event that a call writes, if it writes one."""
    return [
        EventKind[each.attr].value
        for each in call.args[:1]
        if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id == "EventKind"
    ]


def test_every_cause_of_a_stop_and_every_alarm_is_documented():
    assert missing_from("docs/operator.md", [*values_of(StopCause), *values_of(Alarm)]) == []


def test_every_reason_and_outcome_is_documented():
    assert missing_from("docs/quality.md", [*values_of(Reason), *values_of(Outcome)]) == []


def test_every_room_and_module_stands_in_the_architecture():
    text = text_of("docs/architecture.md")
    rooms = {path.relative_to(ROOT).parts[:2] for path in (ROOT / "app").rglob("*.py") if path.name != "__init__.py"}
    names = {"/".join(parts) + ("" if parts[1].endswith(".py") else "/") for parts in rooms}

    assert sorted(name for name in names if f"`{name}`" not in text) == []


def test_changelog_names_this_version():
    assert f"## [{app.__version__}]" in text_of("CHANGELOG.md")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page):
    targets = LINK.findall(page.read_text(encoding="utf-8"))

    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_named_make_targets_exist(page):
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    named_targets = set(re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8")))

    assert named_targets - targets == set()


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "adr").glob("0*.md")), ids=named)
def test_decision_tells_its_costs(page):
    text = page.read_text(encoding="utf-8")

    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert "**Cost:**" in text
