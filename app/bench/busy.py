"""The busy neighbours, as processes of their own: `python -m app.bench.busy PARENT KIND ...`, until they are to end.

They import next to nothing, so that they are busy at once. Each writes as its last word how much it
has done: a neighbour that did nothing would prove nothing.
"""

from __future__ import annotations

import itertools
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress

from app.tied import tied

CHUNK_BYTES = 1 << 20
FILE_BYTES = 64 << 20
_LOOK = 50_000
_PAGES = ("/operator/", "/api/v1/status", "/api/v1/parts")


class _EndedError(Exception):
    """It was told to end."""


def compute(parent: int) -> dict[str, int]:
    """Computes without pause."""
    rounds = 0
    try:
        while os.getppid() == parent:
            for number in range(_LOOK):
                rounds += number & 1
    except _EndedError:
        pass
    return {"rounds": rounds}


def write(parent: int, folder: str) -> dict[str, int]:
    """Writes a file over and over, and has each megabyte on the disk before the next."""
    syncs, chunk = 0, os.urandom(CHUNK_BYTES)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            while os.getppid() == parent:
                if file.tell() >= FILE_BYTES:
                    file.seek(0)
                file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
                syncs += 1
    except _EndedError:
        pass
    return {"syncs": syncs, "bytes": syncs * CHUNK_BYTES}


def read_pages(parent: int, port: int, clients: int) -> dict[str, int]:
    """Opens the pages as so many browsers would, and then reads the stream that each keeps open."""
    received, streams = 0, selectors.DefaultSelector()
    try:
        for _ in range(clients):
            received += sum(_fetch(port, page) for page in _PAGES)
            streams.register(_ask(port, "/api/v1/stream"), selectors.EVENT_READ)
        while os.getppid() == parent and streams.get_map():
            for key, _ in streams.select(0.5):
                stream = key.fileobj
                assert isinstance(stream, socket.socket)
                said = stream.recv(1 << 16)
                received += len(said)
                if not said:
                    streams.unregister(stream)
    except _EndedError:
        pass
    return {"bytes": received, "streams": len(streams.get_map())}


def have_judged(parent: int, state: str, line: str, *packages: str) -> dict[str, int]:
    """Has other models judge the parts that are kept, as the pages do: one at a time, behind everything else."""
    parts = 0
    words = ["--state", state, "--line", line, "--lines"]
    try:
        for package in itertools.cycle(packages):
            if os.getppid() != parent:
                break
            asked = [sys.executable, "-m", "app.cli", "models", "opinion", package, *words]
            with subprocess.Popen(  # noqa: S603 - our own command
                tied(asked), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            ) as child:
                assert child.stdout is not None
                try:
                    for said in child.stdout:
                        parts += _is_judged(said)
                finally:
                    child.kill()
    except _EndedError:
        pass
    return {"parts": parts}


def _is_judged(said: bytes) -> bool:
    with suppress(ValueError):
        return json.loads(said).get("judged") is True
    return False


def _fetch(port: int, page: str) -> int:
    size = 0
    with _ask(port, page) as answer:
        while said := answer.recv(1 << 16):
            size += len(said)
    return size


def _ask(port: int, page: str) -> socket.socket:
    asking = socket.create_connection(("127.0.0.1", port), timeout=10)
    asking.sendall(f"GET {page} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: takt bench\r\n\r\n".encode())
    return asking


def _end(_number: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _EndedError


def main(words: Sequence[str]) -> None:
    """Does what the words say until SIGTERM, or until whoever started it is gone.

    Args:
        words: The id of whoever started it, then `cpu`, `disk FOLDER`, `web PORT CLIENTS` or
            `opinion STATE LINE PACKAGE ...`.
    """
    # As a word: whoever started it may have died before this line.
    parent, work = int(words[0]), list(words[1:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started it, who then ends it
    signal.signal(signal.SIGTERM, _end)
    match work:
        case ["cpu"]:
            done = compute(parent)
        case ["disk", folder]:
            done = write(parent, folder)
        case ["web", port, clients]:
            done = read_pages(parent, int(port), int(clients))
        case ["opinion", state, line, *packages]:
            done = have_judged(parent, state, line, *packages)
        case _:
            sys.exit(f"no such work: {' '.join(words)}")
    sys.stdout.write(json.dumps(done) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
