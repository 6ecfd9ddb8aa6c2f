"""A thread that makes the calls which may hang, so that whoever wants them made does not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

_T = TypeVar("_T")


class Caller:
    """Makes calls one after the other on a daemon thread.

    A call that hangs is left behind with the thread: nobody can interrupt a library.

    Args:
        name: What the thread is called.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def post(self, work: Callable[[], _T]) -> Future[_T]:
        """Has a call made soon; its result or what it raises is in the future."""
        future: Future[_T] = Future()
        self._calls.put((future, work))
        return future

    def call(self, work: Callable[[], _T], limit_s: float, disown: Callable[[_T], None] | None = None) -> _T:
        """Has a call made and waits for it.

        Args:
            work: The call.
            limit_s: How long to wait.
            disown: What becomes of a result that comes after the limit; called on this thread.

        Raises:
            TimeoutError: It has not come back within the limit; it is left to itself.
            Exception: What the call raised.
        """
        future = self.post(work)
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        if done.wait(limit_s):
            return future.result()
        if disown is not None:
            future.add_done_callback(lambda late: None if late.exception() else disown(late.result()))
        raise TimeoutError

    def end(self) -> None:
        """Lets the thread end after what was posted. Idempotent."""
        self._calls.put(None)

    def _run(self) -> None:
        while (each := self._calls.get()) is not None:
            future, work = each
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001  (whoever asked for the call gets it)
                future.set_exception(error)
            # What a call leaves behind must not live on in this frame until the next one comes.
            del each, future, work
