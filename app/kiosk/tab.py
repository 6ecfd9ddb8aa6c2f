"""The one page of the browser, asked over the control pipe: is it there, does it draw, where is it.

Source: the Chrome DevTools Protocol, domains Target, Page and Runtime.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.kiosk.pipe import Message, Pipe

_QUESTION = """
new Promise((done) => {
  const told = (isDrawn) => done([
    location.href,
    performance.getEntriesByType("navigation")[0]?.responseStatus ?? 0,
    document.body?.dataset.live ?? "",
    isDrawn,
    document.visibilityState === "visible",
    navigator.userActivation?.isActive ?? false,
  ]);
  requestAnimationFrame(() => told(true));
  setTimeout(() => told(false), 1500);
})
"""
"""A screen that is switched off draws nothing: then the timer answers, and that is not a hung page."""

_NO_MENU = 'addEventListener("contextmenu", (event) => event.preventDefault(), true);'
"""A finger that rests on a picture would open the browser's menu, with `Save as` in it."""

_WORLD = "takt-kiosk"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the page says.

    Attributes:
        href: Its address.
        status: The HTTP status that it came with; 0 where there is none.
        live: What it says of its data: `yes`, `no`, or nothing.
        is_drawn: It has drawn a frame since it was asked.
        is_visible: The browser takes it to be seen.
        is_touched: Somebody has touched it in the last few seconds.
    """

    href: str
    status: int
    live: str
    is_drawn: bool
    is_visible: bool
    is_touched: bool


class Tab:
    """The page.

    Args:
        pipe: The pipe to its browser.
        now_ns: The time.

    Attributes:
        is_gone: Its window was closed.
        is_crashed: Its process is gone; until it is led somewhere.
        failure: Why it could not be led where it was last told to go; empty when it could.
    """

    def __init__(self, pipe: Pipe, now_ns: int) -> None:
        self.is_gone = self.is_crashed = False
        self.failure = ""
        self._pipe = pipe
        self._target = self._session = ""
        self._expected: dict[int, str] = {}
        self._asked_ns: int | None = now_ns  # its own coming counts as the first question
        self._answer: Answer | None = None
        self._has_come = False
        self._heading = ""
        pipe.send("Target.setDiscoverTargets", discover=True)
        pipe.send("Browser.setDownloadBehavior", behavior="deny")

    @property
    def has_come(self) -> bool:
        """It has answered once."""
        return self._has_come

    def hear(self, now_ns: int) -> None:
        """Takes what the browser has said."""
        for message in self._pipe.receive():
            if "id" in message:
                self._take(message, self._expected.pop(int(message["id"]), ""), now_ns)
            else:
                self._learn(str(message.get("method", "")), message, now_ns)

    @property
    def is_arriving(self) -> bool:
        """It is on its way to where it was led."""
        return "arrival" in self._expected.values()

    def ask(self, now_ns: int) -> None:
        """Asks for a sign of life, unless one is still awaited."""
        if self._session and self._asked_ns is None:
            self._asked_ns = now_ns
            self._send("answer", "Runtime.evaluate", expression=_QUESTION, awaitPromise=True, returnByValue=True)

    def silent_ns(self, now_ns: int) -> int:
        """How long an answer has been awaited, in ns."""
        return now_ns - self._asked_ns if self._asked_ns is not None else 0

    def answer(self) -> Answer | None:
        """The answer that has come since the last time."""
        found, self._answer = self._answer, None
        return found

    def lead(self, url: str, now_ns: int) -> None:
        """Leads it to an address. What it says until then does not count."""
        self._heading = url
        self.failure = ""
        self.is_crashed = False
        self._answer = None
        self._expected = {number: purpose for number, purpose in self._expected.items() if purpose == "session"}
        self._asked_ns = now_ns
        if self._session:
            self._go()

    def _go(self) -> None:
        self._send("arrival", "Page.navigate", url=self._heading)

    def _send(self, purpose: str, method: str, **parameters: Any) -> None:
        self._expected[self._pipe.send(method, self._session, **parameters)] = purpose

    def _take(self, message: Message, purpose: str, now_ns: int) -> None:
        result = message.get("result", {})
        if purpose == "session":
            self._attached(str(result.get("sessionId", "")), now_ns)
        elif purpose == "arrival":
            self.failure = str(result.get("errorText", "") or message.get("error", {}).get("message", ""))
            self._asked_ns = None
        elif purpose == "answer":
            self._asked_ns = None
            self._answer = _read(result.get("result", {}).get("value"))
            self._has_come = self._has_come or self._answer is not None

    def _attached(self, session: str, now_ns: int) -> None:
        self._session = session
        self._send("", "Page.enable")
        self._send("", "Page.setInterceptFileChooserDialog", enabled=True)
        self._send("", "Page.addScriptToEvaluateOnNewDocument", source=_NO_MENU, worldName=_WORLD)
        self._asked_ns = None
        if self._heading:
            self._asked_ns = now_ns
            self._go()

    def _learn(self, method: str, message: Message, now_ns: int) -> None:
        told = message.get("params", {})
        if method == "Target.targetCreated":
            self._meet(told.get("targetInfo", {}), now_ns)
        elif method == "Target.targetDestroyed":
            self.is_gone = self.is_gone or told.get("targetId") == self._target
        elif method == "Target.targetCrashed":
            self.is_crashed = self.is_crashed or told.get("targetId") == self._target
        elif method == "Page.javascriptDialogOpening":
            # It would hold the page up until somebody answers, and no page of ours asks that way.
            self._send("", "Page.handleJavaScriptDialog", accept=told.get("type") == "beforeunload")

    def _meet(self, info: Message, now_ns: int) -> None:
        if info.get("type") != "page":
            return
        name = str(info.get("targetId", ""))
        if not self._target:
            self._target = name
            self._asked_ns = now_ns
            number = self._pipe.send("Target.attachToTarget", targetId=name, flatten=True)
            self._expected[number] = "session"
        elif name != self._target:
            # Nothing may lie over the operator's page.
            self._pipe.send("Target.closeTarget", targetId=name)


def _read(value: object) -> Answer | None:
    """What was said, where it is what was asked for."""
    match value:
        case [str(href), int(status), str(live), bool(is_drawn), bool(is_visible), bool(is_touched)]:
            return Answer(href, status, live, is_drawn, is_visible, is_touched)
    return None
