"""The process that serves the pages."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing

from app.clock import SystemClock
from app.entries.post import Post, StopFlag, calm
from app.setup import Setup
from app.web.access.setting_up import prepare_setup
from app.web.context import Context, make_context
from app.web.lane import Lane
from app.web.secured import certificate_of
from app.web.server import WebServer, open_server
from app.web.store.database import FOLDER


def run(setups: Sequence[Setup], post: Post) -> None:
    """Serves the pages of all lanes.

    Raises:
        ConfigError: The address cannot be listened on.
        BusError: The bus cannot be used.
    """
    stop = StopFlag()
    lanes = [Lane.of(each.line) for each in setups]
    context = make_context(post.place, lanes, setups[0].line.ui, SystemClock(), post.state, setups=setups)
    server = open_server(context, port=post.port)
    _tell(server, context)
    calm(post)
    prepare_setup(context.access)

    def is_stopping() -> bool:
        post.notifier.alive()
        return stop.is_set()

    with closing(context):
        server.run(is_stopping)


def _tell(server: WebServer, context: Context) -> None:
    """Tells whoever started this process by what a person knows the box."""
    found = certificate_of(context.ui, context.state / FOLDER, context.clock.wall())
    if found:
        sys.stderr.write(f"HTTPS on port {server.secure_port}; certificate SHA-256 {found.fingerprint}\n")
        sys.stderr.flush()
