"""`takt certificate verify | key`: is a lot's certificate as a box signed it, and the key by which others can tell."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from app.cli.console import complain, out, print_json, printable
from app.cli.files import check_outputs, write_whole
from app.cli.options import Json, StateDir, state_folder
from app.errors import DataError
from app.record import LEDGER

if TYPE_CHECKING:
    from app.web.reports.certificate import Checked

group = typer.Typer(help="Certificates of lots: check one anywhere, and write out the key of this box for that.")


@group.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The certificate, a PDF.")],
    *,
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="FILE", help="Public key of the box that it should come from."),
    ] = None,
    ledger: Annotated[
        Path | None,
        typer.Option("--ledger", metavar="DIR", help="Compare it with this ledger: a state folder, or its `ledger`."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a lot's certificate, without a network: not one byte of it was changed since a box signed it.

    Whose box that was only --key can tell. Exit code 1 when anything is wrong.
    """
    from app.web.reports.certificate import check, compare
    from app.web.reports.signing import read_public

    public = None if key is None else read_public(key)
    found = check(_content(file), public)
    if ledger is not None and found.is_sound:
        found = compare(found, _ledger(ledger))
    if as_json:
        print_json(_as_data(file, found))
    elif found.is_sound:
        _tell(found)
    if not found.is_sound:
        complain(f"{file} does not verify: {'; '.join(found.problems)}")
        raise typer.Exit(1)


@group.command()
def key(
    *,
    target: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it to a file; by default it is printed.")
    ] = None,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Write out the public key of this box, for those who check its certificates; it is made at the first use."""
    from app.web.reports.signing import Signer

    if target is not None:
        check_outputs([target], [])
    signer = Signer.of(state_folder(state))
    content = signer.public_pem()
    if target is not None:
        write_whole(target, content)
    if as_json:
        said = {"fingerprint": signer.name, "public_key": content.decode(), "out": str(target) if target else None}
        print_json(said)
    elif target is not None:
        out().print(f"[green]✓[/] public key {signer.name} in {escape(printable(target))}", soft_wrap=True)
    else:
        typer.echo(content.decode(), nl=False)


def _content(file: Path) -> bytes:
    from app.web.reports.certificate import MOST_BYTES

    try:
        if file.stat().st_size > MOST_BYTES:
            raise DataError(f"{file} is larger than any certificate", "name the PDF that the box made")
        return file.read_bytes()
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}", "check the path and its permissions") from error


def _ledger(folder: Path) -> Path:
    return folder / LEDGER if (folder / LEDGER).is_dir() else folder


def _as_data(file: Path, found: Checked) -> dict[str, Any]:
    return {
        "file": str(file),
        "is_sound": found.is_sound,
        "fingerprint": found.fingerprint,
        "is_known_key": found.is_known_key,
        "agrees_with_ledger": found.agrees,
        "problems": list(found.problems),
        "certificate": dict(found.payload),
    }


def _tell(found: Checked) -> None:
    said, console = found.payload, out()
    tally = said["tally"]
    console.print(
        f"[green]✓[/] Lot {escape(printable(said['lot']))} of {escape(printable(said['line']))}, lane {said['lane']}:"
        f" {tally['triggers']:,} triggers = {tally['passed']:,} passed + {tally['rejected']:,} rejected +"
        f" {tally['lost']:,} lost + {tally['in_flight']:,} in flight",
        soft_wrap=True,
    )
    console.print(f"  asked for by {escape(printable(said['by']))} on {said['at']}", soft_wrap=True)
    whose = "the key that was named" if found.is_known_key else "a key that nobody vouches for here; name it with --key"
    console.print(f"  signed with {found.fingerprint}, {whose}", soft_wrap=True)
    if found.agrees:
        console.print(f"  the ledger says the same, up to row {said['chain']['row']}")
