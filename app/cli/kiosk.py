"""`takt kiosk`: the operator's page full screen on this machine's own screen, and kept there."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from app.cli.console import err, one_line
from app.cli.options import StateDir, state_folder

if TYPE_CHECKING:
    from app.kiosk.browser import Browser
    from app.kiosk.keeper import Said
    from app.kiosk.profile import Profile

_PAGE = "operator/"
_PORTS = {"http": 80, "https": 443}


def kiosk(  # noqa: PLR0913 - an argument per option
    *,
    url: Annotated[
        str, typer.Option(metavar="URL", help="The page; by default the operator's, at ui.port of --line.")
    ] = "",
    line: Annotated[
        Path | None, typer.Option("--line", metavar="FILE", help="The line.toml that says where the pages are served.")
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="With https://: the certificate whose key is trusted; by default the box's own."
        ),
    ] = None,
    browser: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The Chromium to use; by default that of this machine.")
    ] = None,
    profile: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the browser's own files; by default one in $XDG_RUNTIME_DIR."),
    ] = None,
    memory_mb: Annotated[
        int, typer.Option(min=0, help="With more than this it starts again, once nobody touches it; 0: any is right.")
    ] = 2_000,
    away_s: Annotated[
        float, typer.Option(min=5, help="Untouched for so long, it goes back from other pages of the box.")
    ] = 120.0,
    flag: Annotated[list[str] | None, typer.Option(metavar="FLAG", help="Another flag for Chromium.")] = None,
    state: StateDir = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each event as one line of JSON instead of text.")
    ] = False,
) -> None:
    """Show the operator's page full screen on this machine's own screen, and keep it there.

    Starts Chromium in kiosk mode, under Wayland or X, and looks after its page each second: one that is hung, has
    crashed, was led elsewhere or shows an error is loaded again, and if that does not help the browser is started
    again. Until the pages answer the screen says NO DATA. Runs until it is asked to end; deploy/kiosk has the unit that
    starts it with the box.
    """
    from app.bus.notify import Notifier
    from app.clock import SystemClock
    from app.kiosk.care import Limits
    from app.kiosk.flags import check_user, checked, find_browser, platform_of, screen_flags
    from app.kiosk.keeper import SILENCE_MS, Keeper
    from app.kiosk.profile import Profile, default_folder
    from app.kiosk.screen import is_there
    from app.kiosk.tree import adopt_orphans
    from app.signs import Page

    more = tuple(flag or ())
    url = url or _page_of(line)
    parts = checked(url)
    check_user(os.getuid(), more)
    pem = (certificate or _own_certificate(state)) if parts.scheme == "https" else None
    folder = Profile((profile or default_folder(os.environ, os.getuid())).absolute())
    program, platform = find_browser(browser), platform_of(os.environ, more)
    start = _starter(url, program, folder, pem, [*screen_flags(platform), *more])
    notifier = Notifier.of(os.environ, SILENCE_MS)
    assert parts.hostname, "checked"
    server = Page(parts.hostname, parts.port or _PORTS[parts.scheme])
    with folder.held(), closing(server):
        keeper = Keeper(
            url,
            Limits(memory_mb=memory_mb, away_s=away_s),
            folder,
            start=start,
            has_screen=lambda: is_there(platform, os.environ),
            server=server,
            clock=SystemClock(),
            say=_tell_json if as_json else _tell,
            notifier=notifier,
        )
        adopt_orphans()
        notifier.ready()
        keeper.run()


def _page_of(line: Path | None) -> str:
    """The operator's page, in the clear: what stays on this machine needs no certificate."""
    from app.cli.addresses import Address
    from app.setup import load_setup, twin_line

    ui = load_setup(line or twin_line()).line.ui
    return Address(ui.host, ui.port).url + _PAGE


def _own_certificate(state: Path | None) -> Path:
    from app.web.certificate import CERTIFICATE
    from app.web.store.database import FOLDER

    return state_folder(state) / FOLDER / CERTIFICATE


def _starter(
    url: str, program: Path, profile: Profile, certificate: Path | None, more: Sequence[str]
) -> Callable[[], Browser]:
    """What starts a browser; refuses at once what can never work."""
    from app.kiosk.browser import Browser
    from app.kiosk.flags import command
    from app.kiosk.pins import pin_of
    from app.kiosk.waiting import WAITING

    if certificate:
        pin_of(certificate)

    def start() -> Browser:
        # Read each time: the box may have got another key since.
        pin = pin_of(certificate) if certificate else ""
        words = command(program, profile.folder, url, WAITING, pin=pin, more=more)
        return Browser(words, profile.environ(os.environ), is_only_child=True)

    return start


def _tell(said: Said) -> None:
    with suppress(OSError, SystemExit):  # whoever read this has gone; the screen goes on
        err().print(f"[dim]kiosk:[/] {escape(one_line(said.words))}", soft_wrap=True)


def _tell_json(said: Said) -> None:
    with suppress(OSError):
        sys.stdout.write(json.dumps({"event": said.event, "words": said.words, "pid": said.pid}) + "\n")
        sys.stdout.flush()
