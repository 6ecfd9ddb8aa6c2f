"""A line of the log: when which process said what, how it is written down, and which lines somebody wants. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

MOST_BYTES = 1_900
"""Of the words of a line: with its frame it goes through a pipe as a whole, however it has to be escaped."""

MOST_LINES = 5_000
"""So many lines at once, at most."""

Level = Literal["error", "warning", "info"]
LEVELS: tuple[Level, ...] = ("error", "warning", "info")

# Terminals take these for commands; pages and files take them for line ends or for another direction of writing.
_COMMANDS = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
_UNSEEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")

_ERROR = re.compile(
    r"(?i)\b(?:error|exception|traceback|fatal|panic|critical|segmentation fault|killed|hung|defect of its own)\b"
    r"|exit code [1-9]|^takt: "
)
_ERROR_NAMES = re.compile(r"\bSIG(?:KILL|SEGV|ABRT|BUS|FPE|ILL)\b|[a-z]Error\b|\bSTOPPED\b|\bNO[ _](?:CAMERA|DATA)\b")
_WARNING = re.compile(
    r"(?i)\b(?:warn(?:ing)?|cannot|could not|failed|fails|refused|lost|late|timed? ?out|no sign of life|retry|not"
    r" granted|not allowed|more lines|does not|degraded)\b"
)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line.

    Attributes:
        number: Larger than that of every line before it, across restarts; a cursor.
        at_us: When it was heard, in microseconds since 1970 UTC.
        process: Who said it, by the name in the process table.
        lane: Its lane; `None` where it has none.
        text: The words, without control characters.
        level: How bad it is, by its words or as the system's journal has it.
    """

    number: int
    at_us: int
    process: str
    lane: int | None
    text: str
    level: Level


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which lines; what is empty does not choose.

    Attributes:
        process: Said by this process.
        words: With these letters in them, capitals or not.
        level: At least as bad as this.
        since_us: Not before this moment.
        after: Only lines whose number is larger.
        most: So many of the newest.
    """

    process: str = ""
    words: str = ""
    level: Level = "info"
    since_us: int = 0
    after: int = 0
    most: int = 200

    def takes(self, line: LogLine) -> bool:
        """Whether a line is wanted."""
        return (
            line.number > self.after
            and line.at_us >= self.since_us
            and self.process in ("", line.process)
            and LEVELS.index(line.level) <= LEVELS.index(self.level)
            and self.words.casefold() in line.text.casefold()
        )


def level_of(text: str) -> Level:
    """How bad a line is, by its words."""
    if _ERROR.search(text) or _ERROR_NAMES.search(text):
        return "error"
    return "warning" if _WARNING.search(text) else "info"


def tidy(text: str, most: int = MOST_BYTES) -> str:
    """A text as one line that can be shown anywhere, of a bounded length."""
    text = _UNSEEN.sub(" ", _COMMANDS.sub("", text)).strip()
    encoded = text.encode()
    return text if len(encoded) <= most else encoded[: most - 3].decode(errors="ignore") + "..."


def encode_line(line: LogLine) -> bytes:
    """A line as the file has it: a JSON object and a line end."""
    said = {"n": line.number, "at": line.at_us, "process": line.process, "lane": line.lane, "text": line.text}
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def decode_line(said: bytes) -> LogLine | None:
    """A line of the file; `None` where it is none, as after a power cut."""
    try:
        found: dict[str, Any] = json.loads(said)
        number, at_us, lane = found["n"], found["at"], found["lane"]
        process, text = str(found["process"]), str(found["text"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if type(number) is not int or type(at_us) is not int or not (lane is None or type(lane) is int):
        return None
    text = tidy(text)
    return LogLine(number, at_us, tidy(process, 100), lane, text, level_of(text))
