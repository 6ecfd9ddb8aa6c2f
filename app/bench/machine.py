"""The machine of a run as a process: `python -m app.bench.machine LINE BUS PARTS_PER_MIN`.

The twin of the process table sends as many parts as suits its line; this one sends as many as it is told.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from app.bus.beat import Beat, beat_path
from app.bus.place import Place
from app.errors import TaktError
from app.processes import Kind, row_of, table
from app.realtime import enter
from app.setup import load_setup
from app.twin.live import LiveTwin, live_parts, live_scenario


def run(path: Path, place: Place, parts_per_min: float) -> None:
    """Runs it until it is told to stop.

    Args:
        path: The line's file.
        place: Where the box finds it.
        parts_per_min: How many parts it sends.

    Raises:
        TaktError: The line cannot be run, or the bus cannot be used.
    """
    told: list[int] = []
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda number, _frame: told.append(number))
    line = load_setup(path).line
    row = row_of(table({path: line}), Kind.TWIN.value, line.line.lane)
    with ExitStack() as opened:
        beat = Beat(beat_path(place.root, row.name))
        opened.callback(beat.close)
        parts, _ = live_parts(seed=line.line.lane)
        twin = LiveTwin(line, place, parts, live_scenario(line, parts_per_min))
        opened.callback(twin.close)
        thread = row.threads["main"]
        enter(thread.policy, thread.priority, is_memory_locked=row.is_memory_locked)

        def is_stopping() -> bool:
            beat.beat()
            return bool(told)

        twin.run(is_stopping)


def main(words: Sequence[str]) -> int:
    """Runs it by the words of a command line, and says on stderr why it cannot.

    Returns:
        The exit code.
    """
    line, bus, parts_per_min = words
    try:
        run(Path(line), Place(Path(bus)), float(parts_per_min))
    except TaktError as error:
        sys.stderr.write(f"takt: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
