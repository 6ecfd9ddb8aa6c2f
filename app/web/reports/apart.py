"""Work that is streamed to a page, by a thread of its own: behind everything else, no faster than it is read."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue

_NICE = 15
_WAIT_S = 0.5
_SILENT_S = 60.0
_PIECES = 8


class Apart:
    """Pieces of a stream, made by a thread of low priority.

    Args:
        pieces: Makes them, in the thread.
        let_go: Called when it ends, however that comes about.

    Raises through its iterator whatever the thread has raised.
    """

    def __init__(self, pieces: Iterable[bytes], let_go: threading.Semaphore | None = None) -> None:
        self._pieces = pieces
        self._let_go = let_go
        self._queue: Queue[bytes | BaseException | None] = Queue(_PIECES)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="export", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            piece = self._queue.get(timeout=_SILENT_S)
        except Empty:
            self.close()
            raise TimeoutError("the export does not get on") from None
        if piece is None:
            raise StopIteration
        if isinstance(piece, BaseException):
            # The page must not take half a file for a whole one: the connection ends without its last piece.
            raise piece
        return piece

    def close(self) -> None:
        """Ends the thread; called by the server when the page is gone. Idempotent."""
        self._stop.set()

    def _run(self) -> None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        try:
            for piece in self._pieces:
                if piece and not self._put(piece):
                    return
            self._put(None)
        except BaseException as error:  # noqa: BLE001 - the thread's border: whoever reads gets it
            self._put(error)
        finally:
            if self._let_go is not None:
                self._let_go.release()

    def _put(self, piece: bytes | BaseException | None) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(piece, timeout=_WAIT_S)
            except Full:
                continue
            return True
        return False
