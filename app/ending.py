"""How a program that looks after others hears that it is to end."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ending_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """While it lasts, a signal that asks to end calls `stop`; in the main thread only.

    Args:
        stop: May be called at any moment, and more than once.
    """

    def end(_number: int, _frame: FrameType | None) -> None:
        stop()

    # What whoever started this program has it ignore, as nohup does, stays ignored.
    heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, end) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
