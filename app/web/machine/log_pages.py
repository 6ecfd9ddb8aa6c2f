"""The page of the log: what the processes have said, live, with filters that live in its address."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flask import Blueprint, Response, render_template, request

from app.clock import NS_PER_S
from app.errors import UsageError
from app.record.walltime import micros
from app.support.logs import FileLog, Heard, Journal, LogFilter, LogLine, LogSource, read_logs
from app.support.processes import read_supervised
from app.web.context import Context
from app.web.machine.log_answers import LogAnswer, LogLinesQuery, LogQuery, answer_of, local, time_of
from app.web.openapi import asked, documented, told

_OLD_NS = 5 * NS_PER_S
_MINUTES = (0, 15, 60, 480, 1440, 10_080)
_TEXT = "text/plain"


class LogDesk:
    """Reads what has been said, wherever it is.

    Args:
        context: What the pages work with.
        journal: Reads the system's journal; by default `journalctl`.
    """

    def __init__(self, context: Context, journal: LogSource | None = None) -> None:
        self._context = context
        self._file = FileLog(context.state)
        self._journal = journal or Journal(self.now_us)

    def now_us(self) -> int:
        """The present, in microseconds since 1970 UTC."""
        return micros(self._context.clock.wall())

    def hear(self, chosen: LogFilter) -> Heard:
        """The newest lines that a filter takes."""
        return read_logs(self._sources(), chosen)

    def processes(self, heard: Heard) -> list[str]:
        """Who may have said something: those at work, and those that have."""
        known = read_supervised(self._context.place.root)
        names = [each.name for each in known.processes] if known else []
        return list(dict.fromkeys([*names, *heard.processes]))

    def _sources(self) -> Sequence[LogSource]:
        """While `takt run` is at work, the journal has nothing to say, and asking it costs a process each time."""
        known = read_supervised(self._context.place.root)
        is_run = known is not None and self._context.clock.now_ns() - known.at_ns < _OLD_NS
        return (self._file,) if is_run else (self._file, self._journal)


def add_logs(machine: Blueprint, context: Context) -> None:
    """The page of the log, and its API.

    Args:
        machine: The blueprint.
        context: What the pages work with.
    """
    desk = LogDesk(context)

    @machine.get("/machine/logs")
    def logs() -> str:
        try:
            chosen, wrong = asked(LogQuery), ""
        except UsageError as error:
            chosen, wrong = LogQuery(process="", words="", level="info", minutes=0), error.what
        zone = local(desk.now_us()).strftime("%z")
        return render_template(
            "machine/logs.html",
            chosen=chosen,
            wrong=wrong,
            minutes=_MINUTES if chosen.minutes in _MINUTES else (*_MINUTES, chosen.minutes),
            zone=f"UTC{zone[:3]}:{zone[3:5]}",
        )

    @machine.get("/api/v1/machine/logs")
    @documented(answer=LogAnswer, query=LogLinesQuery)
    def log_lines() -> Response:
        """What the processes have said: the newest lines that a filter takes, or those after one that is known."""
        query = asked(LogLinesQuery)
        heard = desk.hear(query.chosen(desk.now_us(), after=query.after, most=query.most))
        lines = [answer_of(each) for each in heard.lines]
        processes = desk.processes(heard)
        return told(LogAnswer(lines=lines, processes=processes, is_more=heard.is_more, trouble=heard.trouble))

    @machine.get("/api/v1/machine/logs.txt")
    @documented(query=LogQuery, media=_TEXT)
    def log_text() -> Response:
        """The chosen lines as a text, the oldest first."""
        query = asked(LogQuery)
        heard = desk.hear(query.chosen(desk.now_us()))
        answer = Response(_as_text(heard, request.host), mimetype=_TEXT)
        answer.headers["Content-Disposition"] = 'attachment; filename="takt-log.txt"'
        return answer


def _as_text(heard: Heard, host: str) -> Iterator[str]:
    yield f"Log of Takt on {host}\n"
    if heard.trouble:
        yield f"Lines may be missing: {heard.trouble}\n"
    if heard.is_more:
        yield f"Only the newest {len(heard.lines)} lines\n"
    yield from map(_as_line, reversed(heard.lines))


def _as_line(line: LogLine) -> str:
    return f"{time_of(line)} {line.level:<7} {line.process}: {line.text}\n"
