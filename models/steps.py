"""How far a command is: a bar on stderr."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class Steps:
    """A progress bar whose work changes its name as it goes.

    Each kind of work has a bar of its own, whose remaining time is not muddled by the one before.

    Args:
        is_shown: Draw it.
        keeps_done: Leave the bars of work that is done on the screen.
    """

    def __init__(self, *, is_shown: bool, keeps_done: bool = False) -> None:
        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        self._bar = Progress(*columns, console=Console(stderr=True), disable=not is_shown)
        self._keeps_done = keeps_done
        self._tasks: dict[str, TaskID] = {}
        self._last = ""

    def __enter__(self) -> Steps:  # noqa: PYI034  (Self is not in Python 3.10)
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def update(self, what: str, done: int, steps: int) -> None:
        """Shows what is being done and how far it is."""
        if what not in self._tasks:
            if self._last and not self._keeps_done:
                self._bar.update(self._tasks[self._last], visible=False)
            self._tasks[what] = self._bar.add_task(what, total=steps)
        self._last = what
        self._bar.update(self._tasks[what], completed=done, total=steps)
