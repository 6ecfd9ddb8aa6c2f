"""How a camera is: the one sentence that people read, what is counted, and when it is closed and opened again.

A camera is *away* while it gives no frames: it is closed, or opened again and not proven yet. It is *flawed* while it
gives frames, or should, of which the last was refused. Both have a sentence; only a camera that is away has forgotten
what it was asked for.
"""

from __future__ import annotations

from app.capture.examine import Flaw, Refusal
from app.clock import NS_PER_MS, NS_PER_S
from app.status import Trouble

FIRST_WAIT_NS = 100 * NS_PER_MS
LONGEST_WAIT_NS = NS_PER_S
"""It is opened again so long after it was lost; the wait doubles until it has sent a good frame."""

MOST_UNANSWERED = 3
"""Triggers in a row without an answer: the camera is taken for gone."""

HELD_NS = NS_PER_S
"""The sentence about a refused frame stays so long, or nobody could read it."""


class Condition:
    """How one camera is. Pure: it is told the time.

    Args:
        name: The camera's name.
        is_watching: Its frames are what parts are seen by: while they are refused it is away.

    Attributes:
        is_away: It gives no frames now.
        is_lost: It was closed, or is about to be, and has not proven itself since.
        refused: Frames that were refused.
        reopened: How often it was opened again.
    """

    def __init__(self, name: str, *, is_watching: bool = False) -> None:
        self.is_away = True
        self.refused = 0
        self.reopened = 0
        self._is_watching = is_watching
        self._trouble, self._code = f"camera {name!r} is being opened; wait for it", Trouble.OPENING.value
        self.is_lost = False
        self._flaw: Flaw | None = None
        self._row = 0
        self._unanswered = 0
        self._attempts = 0
        self._pause_ns = FIRST_WAIT_NS
        self._due_ns = 0
        self._noted_ns = 0
        self._is_over = False

    @property
    def text(self) -> str:
        """What is wrong with it, and what is done about it; empty when nothing is."""
        if not self.is_lost or "again by itself" in self._trouble:
            return self._trouble
        often = f", tried {self._attempts} times so far" if self._attempts > 1 else ""
        return f"{self._trouble}; it is opened again by itself{often}"

    @property
    def code(self) -> str:
        """The same as a code of `Trouble`."""
        return self._code if self._trouble else ""

    def wait_ns(self, now_ns: int) -> int:
        """How long until it is to be opened; 0 for now."""
        return max(0, self._due_ns - now_ns)

    def lose(self, text: str, now_ns: int, code: str = Trouble.OTHER.value) -> None:
        """It is gone, or was given up.

        Args:
            text: What is wrong and how to mend it, in one sentence.
            now_ns: The time.
            code: The same as a code of `Trouble`.
        """
        self.is_away = self.is_lost = True
        self._trouble, self._code = text, code
        self._flaw, self._row, self._unanswered, self._is_over = None, 0, 0, False
        self._due_ns = now_ns + self._pause_ns
        self._pause_ns = min(2 * self._pause_ns, LONGEST_WAIT_NS)

    def try_again(self) -> None:
        """It is being opened; whatever comes of it."""
        if self.is_lost:
            self._attempts += 1

    def opened(self) -> None:
        """It has been opened, and where it had been lost, it must still prove itself by a good frame."""
        if self.is_lost:
            self.reopened += 1
            return
        self.is_away = False
        self._trouble = ""

    def trust(self) -> None:
        """It cannot be asked for a proof: parts come to it, and its sentence stays until its first good frame."""
        self.is_away = self.is_lost = False
        self._trouble += "; it was opened again and has sent no frame since"

    def blind(self, text: str) -> None:
        """It is open, and nobody sees the belt: no good frame has come for too long, perhaps as all were refused."""
        self.is_away, self._is_over = True, False
        if not self._trouble:
            self._trouble, self._code = text, Trouble.BLIND.value

    def good(self, now_ns: int) -> bool:
        """A good frame has come.

        Returns:
            Whether that brought it back.
        """
        self._flaw, self._row, self._unanswered, self._attempts = None, 0, 0, 0
        self._pause_ns = FIRST_WAIT_NS
        was_away = self.is_away
        self.is_away = self.is_lost = False
        self._is_over = True
        if was_away:
            self._trouble = ""
        self.settle(now_ns)
        return was_away

    def settle(self, now_ns: int) -> None:
        """Takes the sentence about a refused frame away, once good ones have come and it has been read."""
        if self._is_over and now_ns - self._noted_ns >= HELD_NS:
            self._trouble = ""

    def refuse(self, refusal: Refusal, now_ns: int, often: int = 1) -> bool:
        """A frame was refused.

        Args:
            refusal: Why.
            now_ns: The time.
            often: So many frames were, each for this reason.

        Returns:
            Whether the camera is to be closed and opened again.
        """
        self.refused += often
        self._row = self._row + often if refusal.flaw is self._flaw else often
        self._flaw = refusal.flaw
        self._noted_ns = now_ns
        self._is_over = False
        if self.is_lost and refusal.flaw is Flaw.DARK:
            # It works, and would not see more for being opened once more.
            self.is_lost, self.is_away = False, self._is_watching
        if not self.is_lost:
            self._trouble, self._code = refusal.text, refusal.code
        return 0 < refusal.flaw.reopens_after <= self._row

    def unanswered(self) -> bool:
        """A trigger has got no answer in time.

        Returns:
            Whether the camera is to be closed and opened again.
        """
        self._unanswered += 1
        return self._unanswered >= MOST_UNANSWERED

    def answered(self) -> None:
        """A frame has come, be it good or not."""
        self._unanswered = 0
