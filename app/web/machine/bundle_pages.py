"""The support bundle for download: `takt support-bundle` in a process of its own, passed on while it is made."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from flask import Blueprint, Response
from pydantic import BaseModel, ConfigDict, Field

from app.tied import tied
from app.web.access.present import somebody
from app.web.access.refusals import RefusedError
from app.web.context import Context
from app.web.openapi import asked, documented

ZIP = "application/zip"
PROGRAM: tuple[str, ...] = (sys.executable, "-m", "app.cli", "support-bundle")
"""What makes it."""

LIMIT_S = 600.0
_SILENT_S = 120.0
_FIRST_S = 90.0
_END_S = 30.0
_PIECE = 64 * 1024
_NICE = 15
_WORDS = 2_000
_DAYS, _PICTURES = 30, 100

Command = Callable[[int, int], Sequence[str]]
"""Makes the command line of days and pictures."""


class BundleQuery(BaseModel):
    """What is to be in it."""

    model_config = ConfigDict(frozen=True)

    days: int = Field(7, ge=1, le=_DAYS, description="logs of so many days")
    pictures: int = Field(0, ge=0, le=_PICTURES, description="so many of the newest rejects with their pictures")


class BundleChild:
    """The process that makes the bundle, for as long as the thread that has started it lives.

    What it writes is read as fast as the page takes it.

    Args:
        command: Its command line.
        let_go: Called once when it has ended, however that came about.
        limit_s: It is killed after so long.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(self, command: Sequence[str], let_go: Callable[[], object], limit_s: float = LIMIT_S) -> None:
        self._let_go: Callable[[], object] | None = None
        self._until_s = time.monotonic() + limit_s
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            # The thread of the server that passes it on starts it: it ends with the pages, however they end.
            tied(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._let_go = let_go
        with suppress(OSError):
            os.setpriority(os.PRIO_PGRP, self._process.pid, _NICE)

    def read(self, silent_s: float = _SILENT_S) -> bytes:
        """The next piece; empty at the end.

        Raises:
            OSError: It did not get on, or failed.
        """
        assert self._process.stdout is not None
        wait_s = min(silent_s, self._until_s - time.monotonic())
        handle = self._process.stdout.fileno()
        if wait_s <= 0 or not select.select([handle], [], [], wait_s)[0]:
            raise TimeoutError("the support bundle does not get on")
        piece = os.read(handle, _PIECE)
        if not piece and self._process.wait(_END_S):
            # The page must not take half a file for a whole one: the connection ends without its last piece.
            raise OSError(self._complaint())
        return piece

    def close(self) -> None:
        """Ends it with all that it has started; called by the server when the page is gone. Idempotent."""
        let_go, self._let_go = self._let_go, None
        if let_go is None:
            return
        try:
            if self._process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            for pipe in (self._process.stdout, self._process.stderr):
                if pipe is not None:
                    pipe.close()
        finally:
            let_go()

    def _complaint(self) -> str:
        assert self._process.stderr is not None
        return self._process.stderr.read(_WORDS).decode(errors="replace").strip().removeprefix("takt: ")


class _Passed:
    """The pieces of a child as the body of an answer."""

    def __init__(self, first: bytes, child: BundleChild) -> None:
        self._first = first
        self._child = child

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece, self._first = self._first, b""
        try:
            piece = piece or self._child.read()
        except BaseException:
            self.close()
            raise
        if not piece:
            self.close()
            raise StopIteration
        return piece

    def close(self) -> None:
        """Called by the server when the page is gone."""
        self._child.close()


def add_bundle(machine: Blueprint, context: Context, command: Command | None = None) -> None:
    """The download of the support bundle.

    Args:
        machine: The blueprint.
        context: What the pages work with.
        command: Makes the command line of the child; by default that of `takt support-bundle`.
    """
    turn = threading.BoundedSemaphore(1)
    command = command or _command_of(context)

    @machine.get("/api/v1/machine/support-bundle.zip")
    @documented(query=BundleQuery, errors=(503,), media=ZIP)
    def bundle() -> Response:
        """Everything that somebody far away needs to see what is wrong with this box, without secrets, as a ZIP file.

        It is written while it is collected, which may take a minute. One is made at a time.
        """
        wanted, who = asked(BundleQuery), somebody().name
        if not turn.acquire(blocking=False):
            raise RefusedError(503, "a support bundle is being collected", "wait until it is done", retry_s=30)
        try:
            context.audit.write(who, "machine.bundle", f"{wanted.days} d", None, wanted.model_dump())
            child = BundleChild(command(wanted.days, wanted.pictures), turn.release)
        except OSError as error:
            turn.release()
            raise RefusedError(503, f"it cannot be collected: {error}", "run takt support-bundle in a shell") from error
        except BaseException:
            turn.release()
            raise
        answer = Response(_Passed(_first(child), child), mimetype=ZIP, direct_passthrough=True)
        name = f"takt-support-{context.clock.wall():%Y%m%d-%H%M%S}.zip"
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        answer.headers["X-Accel-Buffering"] = "no"
        return answer


def _first(child: BundleChild) -> bytes:
    """Waits for the first piece: what cannot begin is told in words, and not by a broken download."""
    try:
        piece = child.read(_FIRST_S)
        if piece:
            return piece
        why = "it came to nothing"
    except OSError as error:
        why = str(error)
    except BaseException:
        child.close()
        raise
    child.close()
    raise RefusedError(503, f"it cannot be collected: {why}", "run takt support-bundle in a shell")


def _command_of(context: Context) -> Command:
    def command(days: int, pictures: int) -> list[str]:
        lines = [word for setup in context.setups for word in ("--line", str(setup.path))]
        where = ["--state", str(context.state), "--bus", str(context.place.root)]
        what = ["--out", "-", "--days", str(days), "--pictures", str(pictures)]
        return [*PROGRAM, *what, *where, *lines]

    return command
