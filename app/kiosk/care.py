"""What is done about what is seen of the page. Pure: no clock, no process, no pipe.

Trouble with the page is first met by loading it again; if it comes back soon, the browser is started again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import urlsplit

from app.clock import NS_PER_MS, NS_PER_S
from app.kiosk.tab import Answer
from app.processes import Restart

_REFUSED = 400
_ERROR_PAGE = "chrome-error:"
_CERTIFICATE = "ERR_CERT"


class Deed(Enum):
    """What is to be done."""

    NOTHING = "nothing"
    SHOW = "show"  # lead the page home
    WAIT = "wait"  # show that the box's pages are waited for
    AGAIN = "again"  # load what is shown once more
    RESTART = "restart"  # end the browser and start it


@dataclass(frozen=True, slots=True)
class Step:
    """A deed and its cause.

    Attributes:
        deed: What is to be done.
        why: Why, for a person to read; empty for what is only the usual course.
    """

    deed: Deed = Deed.NOTHING
    why: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long is waited for what.

    Attributes:
        start_s: A browser that was started has to say its first word within this.
        arrival_s: The page is there so long after it was led somewhere.
        answer_s: A page answers within this.
        undrawn_s: A page that drew before and is seen draws again within this.
        settle_s: Trouble again so soon after the page was loaded again means the browser.
        memory_mb: More than this in all its processes is too much; 0: any is right.
        untouched_s: For that it is started again only when nobody has touched it for so long.
        away_s: Nobody has touched it for so long: it is led home from other pages of the box.
        retry: When a page that could not be shown is tried again.
    """

    start_s: float = 30.0
    arrival_s: float = 10.0
    answer_s: float = 5.0
    undrawn_s: float = 30.0
    settle_s: float = 60.0
    memory_mb: float = 2_000.0
    untouched_s: float = 60.0
    away_s: float = 120.0
    retry: Restart = field(default_factory=lambda: Restart(first_ms=1_000.0, step_ms=1_000.0))


@dataclass(frozen=True, slots=True)
class Seen:
    """What is seen of the page at one moment.

    Attributes:
        is_up: The box's pages answer.
        is_gone: Its window was closed.
        is_crashed: Its process is gone.
        has_come: It has answered once since the browser was started.
        is_arriving: It is on its way.
        silent_ns: How long it has owed an answer.
        failure: Why it could not be led where it was to go.
        answer: What it has just said.
        memory_mb: What the browser holds.
    """

    is_up: bool = True
    is_gone: bool = False
    is_crashed: bool = False
    has_come: bool = True
    is_arriving: bool = False
    silent_ns: int = 0
    failure: str = ""
    answer: Answer | None = None
    memory_mb: float = 0.0


class Care:
    """The rules over one life of the browser.

    Args:
        url: The page that is to be shown.
        limits: How long is waited.
        now_ns: When the browser was started.

    Attributes:
        is_shown: The page is there and answers.
        is_home_wanted: It was led home, and not to the page that waits.
    """

    def __init__(self, url: str, limits: Limits, now_ns: int) -> None:
        self.is_shown = False
        self.is_home_wanted = False
        self._home = urlsplit(url)
        self._limits = limits
        self._failures = 0
        self._due_ns = now_ns
        self._mended_ns: int | None = None
        self._drawn_ns: int | None = None
        self._touched_ns = now_ns

    def look(self, seen: Seen, now_ns: int) -> Step:
        """What is to be done now.

        Args:
            seen: What is seen.
            now_ns: The time.
        """
        self._remember(seen.answer, now_ns)
        for step in (self._life(seen, now_ns), self._memory(seen, now_ns)):
            if step.deed is not Deed.NOTHING:
                return step
        if not self.is_home_wanted:
            if seen.is_up and now_ns >= self._due_ns:
                self.is_home_wanted = True
                return Step(Deed.SHOW)
            return Step()
        if seen.failure:
            return self._failed(seen.failure, now_ns)
        return self._place(seen.answer, now_ns) if seen.answer else Step()

    def _remember(self, answer: Answer | None, now_ns: int) -> None:
        if answer and answer.is_touched:
            self._touched_ns = now_ns
        if answer and answer.is_drawn:
            self._drawn_ns = now_ns
        if answer and not answer.is_visible:
            self._drawn_ns = None

    def _life(self, seen: Seen, now_ns: int) -> Step:
        limits = self._limits
        silent_s = seen.silent_ns / NS_PER_S
        if seen.is_gone:
            return Step(Deed.RESTART, "its window was closed")
        if seen.is_crashed:
            return self._mended("the page has crashed", now_ns)
        if not seen.has_come:
            is_late = silent_s > limits.start_s
            return (
                Step(Deed.RESTART, f"it has not answered since its start {silent_s:.0f} s ago") if is_late else Step()
            )
        if silent_s > (limits.arrival_s if seen.is_arriving else limits.answer_s):
            return self._mended(f"the page gave no sign of life for {silent_s:.0f} s", now_ns)
        is_drawn = not seen.answer or self._drawn_ns is None or now_ns - self._drawn_ns <= limits.undrawn_s * NS_PER_S
        if not is_drawn:
            # A browser that never draws has a screen that is off: starting it again would go on for ever.
            return Step(Deed.RESTART, f"it has drawn nothing for {limits.undrawn_s:.0f} s")
        return Step()

    def _memory(self, seen: Seen, now_ns: int) -> Step:
        limit = self._limits.memory_mb
        if not limit or seen.memory_mb <= limit or not self._is_untouched(self._limits.untouched_s, now_ns):
            return Step()
        return Step(Deed.RESTART, f"it holds {seen.memory_mb:.0f} MB, more than {limit:.0f} MB")

    def _mended(self, why: str, now_ns: int) -> Step:
        self.is_shown = False
        if self._mended_ns is not None and now_ns - self._mended_ns < self._limits.settle_s * NS_PER_S:
            return Step(Deed.RESTART, f"{why}, though it was loaded again")
        self._mended_ns = now_ns
        return Step(Deed.AGAIN, why)

    def _failed(self, why: str, now_ns: int) -> Step:
        self.is_shown = self.is_home_wanted = False
        if _CERTIFICATE in why:
            # Which key it trusts a browser learns at its start only.
            return Step(Deed.RESTART, f"it does not trust the certificate of the pages ({why})")
        self._due_ns = now_ns + round(self._limits.retry.delay_ms(self._failures) * NS_PER_MS)
        self._failures += 1
        return Step(Deed.WAIT, f"the page cannot be shown: {why}")

    def _place(self, answer: Answer, now_ns: int) -> Step:
        here = urlsplit(answer.href)
        if answer.href.startswith(_ERROR_PAGE):
            return self._failed("the browser shows an error instead", now_ns)
        if (here.scheme, here.netloc) != (self._home.scheme, self._home.netloc):
            where = f"{here.scheme}://{here.netloc}" if here.netloc else f"{here.scheme}:"
            if not self.is_shown:
                return self._failed(f"its address leads to {where}", now_ns)
            self.is_shown = False
            return Step(Deed.SHOW, f"the page was led away to {where}")
        if answer.status >= _REFUSED:
            return self._failed(f"HTTP status {answer.status}", now_ns)
        self.is_shown = True
        self._failures = 0
        if here.path != self._home.path and self._is_untouched(self._limits.away_s, now_ns):
            self._touched_ns = now_ns  # a home that leads here itself is tried once in a while only
            self.is_shown = False
            return Step(Deed.SHOW, f"nobody has touched {here.path} for {self._limits.away_s:.0f} s")
        return Step()

    def _is_untouched(self, for_s: float, now_ns: int) -> bool:
        return now_ns - self._touched_ns >= for_s * NS_PER_S
