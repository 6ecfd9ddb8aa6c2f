"""`takt users`: the people of a box, from its own shell. Writes the store that the pages read, while they run."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table

from app.cli import trail
from app.cli.console import out, print_json
from app.cli.hidden import read_secret
from app.cli.options import Json, StateDir, state_folder
from app.cli.person import By, person
from app.errors import UsageError

if TYPE_CHECKING:
    from app.web.access.people import Account, Kind
    from app.web.access.service import Access

group = typer.Typer(help="The people of this box: who may sign in on the pages, and as what.")

RoleWord = Literal["operator", "lead", "quality", "technician", "admin"]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The person, whatever the capitals.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; the audit trail keeps it.")]
NoneAnyMore = Annotated[bool, typer.Option("--none", help="Take it away instead.")]


@group.command("list")
def list_people(*, state: StateDir = None, as_json: Json = False) -> None:
    """List who may sign in, as what, and who is locked out."""
    with _opened(state) as access:
        accounts = access.people.all() if access.store.path.exists() else []
        locked = access.lockout.of([each.name for each in accounts]) if accounts else {}
    people = [{**_as_data(each), "locked_s": round(locked[each.name].wait_s)} for each in accounts]
    if as_json:
        print_json({"people": people})
    elif not people:
        out().print("Nobody has an account on this box yet: takt users setup-code, or takt users add NAME.")
    else:
        out().print(_table(people))


@group.command()
def add(
    name: Name,
    *,
    role: Annotated[RoleWord, typer.Option("--role", help="What they may.")] = "operator",
    has_pin: Annotated[bool, typer.Option("--pin", help="Ask for a PIN, for the touch screen.")] = False,
    has_password: Annotated[bool, typer.Option("--password", help="Ask for a password, for a desk.")] = False,
    by: By = "",
    reason: Reason = "",
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Add a person.

    PIN and password are typed without being shown, or come as lines on stdin, the PIN first. Without either the person
    cannot sign in until somebody gives them one.
    """
    from app.web.access.roles import Role

    pin = read_secret(f"PIN of {name}") if has_pin else ""
    password = read_secret(f"password of {name}") if has_password else ""
    with _opened(state) as access:
        made = access.people.add(name, Role.of(role), by=_who(by), pin=pin, password=password, reason=reason)
        if made.role is Role.ADMIN:
            access.setup_code.forget()
    _tell(_as_data(made), f"{made.name} is {made.role.word} now", as_json=as_json)


@group.command()
def remove(name: Name, *, by: By = "", reason: Reason = "", state: StateDir = None, as_json: Json = False) -> None:
    """Remove a person, and sign them out.

    What they did stays in the audit trail. The only admin stays.
    """
    _change(name, state, lambda access: access.people.remove(name, by=_who(by), reason=reason), "removed", as_json)


@group.command()
def role(
    name: Name,
    role: Annotated[RoleWord, typer.Argument(metavar="ROLE", help="operator, lead, quality, technician or admin.")],
    *,
    by: By = "",
    reason: Reason = "",
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Give a person another role, which holds from their next request."""
    from app.web.access.roles import Role

    def act(access: Access) -> None:
        access.people.set_role(name, Role.of(role), by=_who(by), reason=reason)

    _change(name, state, act, f"is {role} now", as_json)


@group.command()
def pin(
    name: Name,
    *,
    is_none: NoneAnyMore = False,
    by: By = "",
    reason: Reason = "",
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Give a person another PIN for the touch screen, and sign them out everywhere.

    It is typed without being shown, or comes as one line on stdin.
    """
    _set_secret(name, "pin", is_none=is_none, by=by, reason=reason, state=state, as_json=as_json)


@group.command()
def password(
    name: Name,
    *,
    is_none: NoneAnyMore = False,
    by: By = "",
    reason: Reason = "",
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Give a person another password, and sign them out everywhere.

    It is typed without being shown, or comes as one line on stdin.
    """
    _set_secret(name, "password", is_none=is_none, by=by, reason=reason, state=state, as_json=as_json)


@group.command()
def unlock(name: Name, *, by: By = "", state: StateDir = None, as_json: Json = False) -> None:
    """Let a person try again at once who has typed a wrong PIN or password too often."""

    def act(access: Access) -> None:
        known = access.people.named(name)
        with access.store.writing():
            access.lockout.unlock(known.name)
            access.audit.write(_who(by), "people.unlock", known.name)

    _change(name, state, act, "may try again", as_json)


@group.command("setup-code")
def setup_code(*, state: StateDir = None, as_json: Json = False) -> None:
    """Show the code with which the page /setup makes the first admin.

    Exit code 2 when the box has an admin already.
    """
    with _opened(state) as access:
        if not access.people.is_empty():
            raise UsageError("this box has an admin already", "sign in, or run: takt users password NAME")
        code = access.setup_code.make()
    if as_json:
        print_json({"code": code, "path": "/setup"})
    else:
        out().print(f"Open the page /setup of this box and give the code [bold]{code}[/]")


group.command("audit")(trail.audit)


def _set_secret(name: str, kind: Kind, *, is_none: bool, by: str, reason: str, state: Any, as_json: bool) -> None:
    secret = "" if is_none else read_secret(f"{'PIN' if kind == 'pin' else kind} of {name}")

    def act(access: Access) -> None:
        access.people.set_secret(name, kind, secret, by=_who(by), reason=reason)

    _change(name, state, act, f"has {'no' if is_none else 'a new'} {'PIN' if kind == 'pin' else kind}", as_json)


def _change(name: str, state: Any, act: Callable[[Access], None], done: str, as_json: bool) -> None:
    with _opened(state) as access:
        known = access.people.named(name)
        act(access)
        left = access.people.find(name)
    _tell(_as_data(left or known), f"{known.name}: {done}", as_json=as_json)


@contextmanager
def _opened(state: Any) -> Iterator[Access]:
    from app.clock import SystemClock
    from app.config import UiSettings
    from app.web.access.service import open_access
    from app.web.store.database import FOLDER, Store

    store = Store(state_folder(state) / FOLDER)
    try:
        yield open_access(store, SystemClock(), UiSettings())
    finally:
        store.close()


def _who(by: str) -> str:
    """In the trail a user of the shell is told apart from a person of the pages."""
    return f"shell: {person(by)}"


def _as_data(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "role": account.role.word,
        "has_pin": account.pin is not None,
        "has_password": account.password is not None,
    }


def _table(people: list[dict[str, Any]]) -> Table:
    table = Table(title="Users", title_justify="left")
    for column in ("name", "role", "PIN", "password", "locked"):
        table.add_column(column)
    for each in people:
        marks = ["yes" if each[key] else "-" for key in ("has_pin", "has_password")]
        table.add_row(escape(each["name"]), each["role"], *marks, f"{each['locked_s']} s" if each["locked_s"] else "-")
    return table


def _tell(data: dict[str, Any], words: str, *, as_json: bool) -> None:
    if as_json:
        print_json(data)
    else:
        out().print(escape(words), soft_wrap=True)
