"""The process that writes ledger and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from app.bus.beat import Beat, beat_path
from app.entries.post import Post, StopFlag, calm, closing
from app.record.recorder import Recorder
from app.setup import Setup


def run(setups: Sequence[Setup], post: Post) -> None:
    """Writes the ledger of all lanes, and keeps pictures.

    Raises:
        BusError: The bus cannot be used.
    """
    stop = StopFlag()
    with ExitStack() as opened:
        beat = closing(opened, Beat(beat_path(post.place.root, post.row.name), post.notifier))
        cameras = {each.line.line.lane: [camera.name for camera in each.line.cameras] for each in setups}
        recorder = Recorder(post.place, post.state, cameras, setups[0].line.storage)
        calm(post)
        recorder.run(stop, beat.beat)
