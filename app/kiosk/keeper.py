"""Keeps the operator's page on the screen: starts the browser, looks after its page each second, starts it again."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from app.bus.notify import Notifier
from app.child import Backoff
from app.clock import NS_PER_S, Clock
from app.ending import ending_on_signals
from app.errors import ConfigError
from app.kiosk.browser import Browser
from app.kiosk.care import Care, Deed, Limits, Seen, Step
from app.kiosk.profile import Profile
from app.kiosk.tab import Tab
from app.kiosk.waiting import WAITING
from app.processes import Restart

LOOK_S = 0.2
"""The browser is looked after so often; a wish to end is heard as soon."""

SILENCE_MS = 20_000
"""So long may the kiosk itself be silent towards systemd."""

RESTART = Restart()
_ASK_NS = NS_PER_S
_WEIGH_NS = 5 * NS_PER_S
_UP_NS = 5 * NS_PER_S // 2
_PATIENCE_NS = 4 * NS_PER_S
_EARLY_ENDS = 4
"""After so many short lives one after the other the profile itself is what may be broken."""


class Server(Protocol):
    """Whoever serves the pages, seen from outside."""

    def look(self, now_ns: int) -> object:
        """Anything that differs from the last time if it has answered since."""


@dataclass(frozen=True, slots=True)
class Said:
    """Something that a person should read.

    Attributes:
        event: `started`, `waiting`, `shown`, `again`, `restarting` or `ended`.
        words: One line.
        pid: The browser's first process; 0 where there is none.
    """

    event: str
    words: str
    pid: int


class _Life:
    """What belongs to one life of the browser."""

    def __init__(self, browser: Browser, care: Care, now_ns: int) -> None:
        self.browser = browser
        self.tab = Tab(browser.pipe, now_ns)
        self.care = care
        self.since_ns = now_ns
        self.memory_mb = 0.0
        self.is_told = False
        self.closed_ns = 0
        self.ask_ns = now_ns
        self.weigh_ns = now_ns + _WEIGH_NS


class Keeper:
    """Keeps one page on the screen.

    Args:
        url: The page.
        limits: How long is waited for what.
        profile: The browser's folder; the caller holds it.
        start: Starts a browser at the page that waits.
        has_screen: Whether there is a screen to show it on.
        server: Whoever serves the page.
        clock: Time.
        say: Takes what a person should read.
        notifier: Told that the kiosk lives.
    """

    def __init__(  # noqa: PLR0913 - an argument per thing that a test puts in its place
        self,
        url: str,
        limits: Limits,
        profile: Profile,
        *,
        start: Callable[[], Browser],
        has_screen: Callable[[], bool],
        server: Server,
        clock: Clock,
        say: Callable[[Said], None],
        notifier: Notifier,
    ) -> None:
        self._url = url
        self._limits = limits
        self._profile = profile
        self._start = start
        self._has_screen = has_screen
        self._server = server
        self._clock = clock
        self._say_on = say
        self._notifier = notifier
        self._backoff = Backoff(RESTART)
        self._life: _Life | None = None
        self._due_ns = 0
        self._seen: object = server.look(clock.now_ns())
        self._up_ns = -_UP_NS
        self._said = ""
        self._is_wanted = True

    def run(self) -> None:
        """Works until `stop` is called or a signal asks to end, and ends the browser within two seconds.

        Raises:
            ConfigError: The browser cannot be started at all, or the screen is gone.
        """
        with ending_on_signals(self.stop):
            try:
                while self._is_wanted:
                    self._look()
                    self._notifier.alive()
                    self._rest()
            finally:
                if self._life:
                    self._life.browser.end()
                    self._say("ended", "the browser was ended, as it was asked to", self._life.browser.pid)
                self._notifier.close()

    def stop(self) -> None:
        """Asks `run` to end; may be called by a signal handler."""
        self._is_wanted = False

    def _look(self) -> None:
        now_ns = self._clock.now_ns()
        if self._life is None:
            if now_ns >= self._due_ns:
                self._begin(now_ns)
            return
        life = self._life
        life.tab.hear(now_ns)
        if life.browser.has_ended:
            self._restart(f"it ended: {life.browser.how}")
            return
        if life.browser.pipe.is_closed:
            # It is ending, as a rule; how will be known in a moment.
            life.closed_ns = life.closed_ns or now_ns
            if now_ns - life.closed_ns > NS_PER_S:
                self._restart("it has closed its control pipe")
            return
        if now_ns >= life.ask_ns:
            life.ask_ns = now_ns + _ASK_NS
            life.tab.ask(now_ns)
        if now_ns >= life.weigh_ns:
            life.weigh_ns = now_ns + _WEIGH_NS
            life.memory_mb = life.browser.memory_mb()
        step = life.care.look(self._see(life, now_ns), now_ns)
        self._do(life, step, now_ns)

    def _see(self, life: _Life, now_ns: int) -> Seen:
        tab = life.tab
        return Seen(
            is_up=not life.care.is_home_wanted and self._is_up(now_ns),
            is_gone=tab.is_gone,
            is_crashed=tab.is_crashed,
            has_come=tab.has_come,
            is_arriving=tab.is_arriving,
            silent_ns=tab.silent_ns(now_ns),
            failure=tab.failure,
            answer=tab.answer(),
            memory_mb=life.memory_mb,
        )

    def _is_up(self, now_ns: int) -> bool:
        seen = self._server.look(now_ns)
        if seen != self._seen:
            self._seen, self._up_ns = seen, now_ns
        return now_ns - self._up_ns < _UP_NS

    def _do(self, life: _Life, step: Step, now_ns: int) -> None:
        pid = life.browser.pid
        if step.deed is Deed.RESTART:
            self._restart(step.why)
        elif step.deed is Deed.WAIT:
            life.tab.lead(WAITING, now_ns)
            self._say("waiting", f"{step.why}; it is tried again", pid)
        elif step.deed is not Deed.NOTHING:
            life.tab.lead(self._url if life.care.is_home_wanted else WAITING, now_ns)
            if step.why:
                self._say("again", f"{step.why}; it is loaded again", pid)
        elif life.care.is_shown:
            self._say("shown", f"shows {self._url}", pid)
        elif not life.is_told and not life.care.is_home_wanted and now_ns - life.since_ns > _PATIENCE_NS:
            life.is_told = True
            self._say("waiting", f"{self._url} does not answer yet; it is waited for", pid)

    def _begin(self, now_ns: int) -> None:
        if not self._has_screen():
            raise ConfigError(
                "there is no screen to show the page on any more, or never was",
                "start its compositor or X server, and this with it",
            )
        if self._backoff.ends and self._backoff.ends % _EARLY_ENDS == 0:
            self._profile.clear()
        self._profile.tidy()
        try:
            browser = self._start()
        except ConfigError as error:
            if self._backoff.ends == 0:
                raise  # it never ran: a person has to mend that
            self._due_ns = self._backoff.ended(now_ns, now_ns)
            self._say("restarting", f"{error}", 0)
            return
        self._life = _Life(browser, Care(self._url, self._limits, now_ns), now_ns)
        self._say("started", f"started the browser, process {browser.pid}", browser.pid)

    def _restart(self, why: str) -> None:
        assert self._life is not None
        life, self._life = self._life, None
        life.browser.end(is_gentle=False)
        now_ns = self._clock.now_ns()
        self._due_ns = self._backoff.ended(now_ns, life.since_ns)
        wait_s = (self._due_ns - now_ns) / NS_PER_S
        self._say("restarting", f"{why}; the browser starts again in {wait_s:g} s", life.browser.pid)

    def _say(self, event: str, words: str, pid: int) -> None:
        """Tells a person, but not the same again."""
        if words == self._said:
            return
        self._said = words
        self._notifier.describe(words)
        self._say_on(Said(event, words, pid))

    def _rest(self) -> None:
        if not self._is_wanted:
            return
        if self._life is None or self._life.browser.pipe.is_closed:
            time.sleep(LOOK_S)  # a closed pipe would wake it at once, again and again
        else:
            select.select([self._life.browser.pipe], [], [], LOOK_S)
