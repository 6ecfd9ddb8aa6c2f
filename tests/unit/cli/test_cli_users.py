"""`takt users`: the people of a box from its own shell."""

import json

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.cli.run import Screen
from app.web.access import hashing
from app.web.access.setup_code import SetupCode
from tests.unit.cli.conftest import only_sentence
from tests.unit.web.bench import lay_store

PIN = "402975"
PASSWORD = "correct horse battery"


@pytest.fixture
def users(takt, tmp_path, monkeypatch):
    """The command, with hashes that cost nothing."""
    monkeypatch.setattr(hashing.Cost.__init__, "__defaults__", (1, 8))
    lay_store(tmp_path / "state")

    def run(*words, typed=""):
        return CliRunner(env=takt.env).invoke(app, ["users", *words], prog_name="takt", input=typed)

    return run


def people(users):
    return {each["name"]: each for each in json.loads(users("list", "--json").stdout)["people"]}


def test_box_without_people_says_how_to_begin(users):
    assert "takt users setup-code" in users("list").stdout


def test_person_is_added_with_what_they_sign_in_by(users):
    result = users(
        "add", "Anna", "--role", "quality", "--pin", "--password", "--by", "root", typed=f"{PIN}\n{PASSWORD}\n"
    )

    assert result.exit_code == 0, result.stderr
    assert people(users)["Anna"] == {
        "name": "Anna",
        "role": "quality",
        "has_pin": True,
        "has_password": True,
        "locked_s": 0,
    }
    assert PIN not in result.stdout + result.stderr


def test_role_pin_and_password_are_changed_and_taken_away(users):
    users("add", "Anna")
    users("role", "anna", "lead")
    users("pin", "anna", typed=f"{PIN}\n")
    users("password", "anna", typed=f"{PASSWORD}\n")
    assert (people(users)["Anna"]["role"], people(users)["Anna"]["has_password"]) == ("lead", True)

    users("password", "anna", "--none")

    assert (people(users)["Anna"]["has_pin"], people(users)["Anna"]["has_password"]) == (True, False)


def test_person_is_removed(users):
    users("add", "Anna")
    users("remove", "Anna")

    assert people(users) == {}


@pytest.mark.parametrize(
    ("words", "typed"),
    [
        (("add", "Anna"), ""),
        (("add", "a\nb\x00"), ""),
        (("add", "Kim", "--role", "boss"), ""),
        (("add", "Kim", "--pin"), "123456\n"),
        (("pin", "Anna"), "\n"),
        (("password", "Anna"), "short\n"),
        (("remove", "nobody"), ""),
        (("role", "nobody", "lead"), ""),
        (("unlock", "nobody"), ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_one_sentence(users, words, typed):
    users("add", "Anna")
    result = users(*words, typed=typed)

    assert result.exit_code == 2
    assert only_sentence(result.stderr)
    assert list(people(users)) == ["Anna"]


def test_every_change_is_in_the_trail_with_the_user_of_the_shell(users):
    users("add", "Anna", "--by", "root", "--reason", "new here")
    rows = json.loads(users("audit", "--json").stdout)["rows"]

    assert [(each["who"], each["what"], each["reason"]) for each in rows] == [("shell: root", "people.add", "new here")]
    assert "shell: root" in users("audit").stdout


def test_trail_is_checked_and_written_to_a_file(users, tmp_path):
    users("add", "Anna")
    users("remove", "Anna")
    target = tmp_path / "trail.jsonl"

    assert json.loads(users("audit", "--verify", "--json").stdout) == {"is_sound": True, "rows": 2, "problems": []}
    assert json.loads(users("audit", "--out", str(target), "--what", "people.add", "--json").stdout)["rows"] == 1
    assert json.loads(target.read_text())["about"] == "Anna"


@pytest.mark.parametrize(("words", "code"), [(("--out", "trail.txt"), 2), (("--state", "nowhere"), 12)])
def test_trail_that_cannot_be_had_is_one_sentence(users, words, code):
    result = users("audit", *words)

    assert result.exit_code == code
    assert only_sentence(result.stderr)


def test_code_is_shown_until_there_is_an_admin(users, tmp_path):
    code = json.loads(users("setup-code", "--json").stdout)["code"]
    assert code in users("setup-code").stdout
    assert SetupCode(tmp_path / "state" / "web").read() == code

    users("add", "Anna", "--role", "admin")

    assert users("setup-code").exit_code == 2
    assert SetupCode(tmp_path / "state" / "web").read() == ""


def test_run_tells_the_code_while_nobody_has_an_account(tmp_path, capsys):
    from app.bus.place import Place
    from app.cli.addresses import Address

    code = SetupCode(tmp_path / "web").make()
    screen = Screen({}, Place(tmp_path / "bus"), Address("127.0.0.1", 8080), tmp_path)
    screen._tell_setup()
    SetupCode(tmp_path / "web").forget()
    screen._tell_setup()

    said = capsys.readouterr().out
    assert said.count(code) == 1
    assert "http://127.0.0.1:8080/setup" in said
