"""The process of a lane's machine, where it is simulated."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from app.bus.beat import Beat, beat_path
from app.entries.post import Post, StopFlag, closing
from app.realtime import enter
from app.setup import Setup
from app.twin.live import LiveTwin, live_parts


def run(setups: Sequence[Setup], post: Post) -> None:
    """Runs the machine of the first of the lanes.

    Raises:
        BusError: Another one runs here, or the bus cannot be used.
    """
    line = setups[0].line
    stop = StopFlag()
    with ExitStack() as opened:
        beat = closing(opened, Beat(beat_path(post.place.root, post.row.name), post.notifier))
        parts, _ = live_parts(seed=line.line.lane)
        twin = closing(opened, LiveTwin(line, post.place, parts))
        thread = post.row.threads["main"]
        enter(thread.policy, thread.priority, is_memory_locked=post.row.is_memory_locked)

        def is_stopping() -> bool:
            beat.beat()
            return stop.is_set()

        twin.run(is_stopping)
