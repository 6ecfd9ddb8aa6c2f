"""A change of recipe while the line runs: prepared elsewhere, taken up between two pictures, valid between two parts.

It is asked for in the line's thread and taken up in the one that judges, which alone uses the detector. What takes
long, reading the golden sample and laying it out, neither does (`Preparing`): taking a recipe up changes a pointer.
Parts that were triggered before keep the recipe that they were triggered under.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock
from typing import Protocol

from app.clock import NS_PER_S, Clock
from app.errors import CommandRefusedError, TaktError
from app.reject.tracking import Tracker
from app.verdicts import AtWork, Verdicts

RECIPE_ROLES = ("lead", "quality", "technician", "admin")
"""Who may change the recipe."""

PATIENCE_NS = 2 * NS_PER_S
"""So long a change waits for a moment in which no picture is expected; then it is made all the same."""

Size = tuple[int, int]
"""Height and width of the pictures that come."""

Prepare = Callable[[str, "Size | None"], AtWork]
"""Makes what judges by a recipe out of its text, and checks it against pictures of the size that come.

Raises ConfigError or DataError where it cannot work here.
"""


class Preparing(Protocol):
    """Who makes what judges by a recipe. One recipe at a time."""

    def begin(self, text: str, seen: Size | None) -> None:
        """Begins, in the line's thread: never waits.

        Args:
            text: The recipe, as its file would hold it.
            seen: The size of the pictures that come; `None`: none has come yet.

        Raises:
            CommandRefusedError: Nobody can prepare it now.
        """
        ...

    def result(self) -> AtWork | TaktError | None:
        """What judges by the recipe, or why nothing can; `None`: it is not ready yet.

        Called again and again in the thread that judges: no call may take longer than a part can wait.
        """
        ...


class AtOnce:
    """Prepares when it is asked for the result: for virtual time, where nobody waits meanwhile.

    Args:
        prepare: Makes what judges by a recipe.
    """

    def __init__(self, prepare: Prepare) -> None:
        self._prepare = prepare
        self._asked: tuple[str, Size | None] = ("", None)

    def begin(self, text: str, seen: Size | None) -> None:
        """Keeps what is asked for."""
        self._asked = (text, seen)

    def result(self) -> AtWork | TaktError | None:
        """Prepares it."""
        try:
            return self._prepare(*self._asked)
        except TaktError as error:
            return error


Answer = Callable[["int | TaktError"], None]
"""Told the ledger's sequence number of the change, or why there is none."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Somebody wants another recipe.

    Attributes:
        text: The recipe, as its file would hold it.
        by: Who.
        role: In what role.
        reason: Why.
    """

    text: str
    by: str
    role: str
    reason: str


class Changeover:
    """Takes up one recipe at a time.

    Args:
        preparing: Makes what judges by a recipe; `None` where recipes cannot change.
        verdicts: Who judges.
        tracker: The model of the belt.
        turn: Held by whoever uses the tracker.
        clock: The time.
    """

    def __init__(
        self, preparing: Preparing | None, verdicts: Verdicts, tracker: Tracker, turn: Lock, clock: Clock
    ) -> None:
        self._preparing = preparing
        self._verdicts = verdicts
        self._tracker = tracker
        self._turn = turn
        self._clock = clock
        self._waiting: tuple[Proposal, Answer, int] | None = None

    def propose(self, proposal: Proposal, answer: Answer) -> None:
        """Takes a proposal; in the line's thread.

        Args:
            proposal: What is wanted.
            answer: Called once, in the thread that judges.

        Raises:
            CommandRefusedError: The role may not, who or why is missing, another change waits, or there is nobody who
                could prepare it.
        """
        if self._preparing is None:
            what = "this station cannot change its recipe while it runs"
            raise CommandRefusedError(what, "start it anew with it", code="RECIPE_FIXED")
        if proposal.role not in RECIPE_ROLES:
            raise CommandRefusedError(
                f"role {proposal.role!r} may not change the recipe", f"ask one of: {', '.join(RECIPE_ROLES)}"
            )
        if not proposal.by.strip() or not proposal.reason.strip():
            raise CommandRefusedError("a change of recipe needs a name and a reason", "give both")
        if self._waiting is not None:
            raise CommandRefusedError("another change of recipe is under way", "wait for it", code="RECIPE_UNDER_WAY")
        self._preparing.begin(proposal.text, self._verdicts.seen)
        self._waiting = (proposal, answer, self._clock.now_ns())

    def rest(self) -> None:
        """Makes the change that waits, if it is ready and this is a moment for it; in the thread that judges."""
        if self._waiting is None or self._preparing is None:
            return
        proposal, answer, since_ns = self._waiting
        with self._turn:
            is_busy = self._tracker.awaits_frames
        if is_busy and self._clock.now_ns() - since_ns < PATIENCE_NS:
            return
        ready = self._preparing.result()
        if ready is None:
            return
        try:
            outcome = ready if isinstance(ready, TaktError) else self._take_up(ready, proposal)
        except TaktError as error:
            outcome = error
        self._waiting = None
        answer(outcome)

    def _take_up(self, at_work: AtWork, proposal: Proposal) -> int:
        with self._turn:
            first = self._tracker.adopt_recipe(
                at_work.recipe.name, at_work.sha256, proposal.by, proposal.role, proposal.reason
            )
            self._verdicts.adopt(replace(at_work, since_part=first), self._tracker.oldest_unjudged())
            return self._tracker.sequence
