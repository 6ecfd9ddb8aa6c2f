"""Reads one source in a process of its own: `python -m app.health.reader nvml | jetson | none ROOT`.

Each line on stdin asks for one reading, which is answered by one line of JSON. It ends when stdin is closed, also while
a driver holds the reading up.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from queue import SimpleQueue

from app.health.health import Health, encode_health
from app.health.sources import bare_source


def serve(name: str, root: Path) -> None:
    """Answers until nobody asks any more."""
    asked: SimpleQueue[None] = SimpleQueue()
    threading.Thread(target=_read, args=(name, root, asked), daemon=True).start()
    for _ in sys.stdin:
        asked.put(None)
    # Not by the usual way, which waits for the thread: it may never come back from the driver.
    os._exit(0)


def _read(name: str, root: Path, asked: SimpleQueue[None]) -> None:
    source = bare_source(name, root)
    while True:
        asked.get()
        try:
            health = source.read()
        except Exception as error:  # noqa: BLE001 - the border of this process: what nobody thought of becomes a remark
            health = Health(name, remarks=(f"reading failed: {type(error).__name__}: {error}",))
        sys.stdout.write(encode_health(health).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]))
