"""The process that serves the pages."""

from __future__ import annotations

from collections.abc import Sequence

from app.clock import SystemClock
from app.entries.post import Post, StopFlag, calm
from app.setup import Setup
from app.web.lane import Lane
from app.web.server import open_server


def run(setups: Sequence[Setup], post: Post) -> None:
    """Serves the pages of all lanes.

    Raises:
        ConfigError: The address cannot be listened on.
        BusError: The bus cannot be used.
    """
    stop = StopFlag()
    lanes = [Lane.of(each.line) for each in setups]
    server = open_server(post.place, lanes, setups[0].line.ui, SystemClock(), port=post.port)
    calm(post)

    def is_stopping() -> bool:
        post.notifier.alive()
        return stop.is_set()

    server.run(is_stopping)
