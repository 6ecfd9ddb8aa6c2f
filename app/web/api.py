"""The JSON contract of the pages, under `/api/v1`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request, send_from_directory
from pydantic import BaseModel, ConfigDict, Field

from app import __version__
from app.bus.commands import Request as Asking
from app.bus.commands import ask
from app.bus.place import Place
from app.web.answers import HealthAnswer, PartsAnswer, StatusAnswer, StopAnswer
from app.web.hub import Subscriber
from app.web.live import Live
from app.web.openapi import asked, documented, sent, told
from app.web.parts import SHOWN

RETRY_MS = 500
ANSWER_S = 2.0
QUIET_S = 5.0
_PREVIEW = re.compile(r"lane\d{1,3}-\d{1,19}-\d{1,19}-[A-Za-z0-9._%~-]{1,160}")


class Stop(BaseModel):
    """What the page sends when somebody has held the stop key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: str = Field("operator", min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$", description="who stops")


class OfLane(BaseModel):
    """Which lane."""

    lane: int | None = Field(None, ge=0, description="the lane's number; left out: the first")


class LastParts(OfLane):
    """How many parts of which lane."""

    limit: int = Field(SHOWN, ge=0, le=SHOWN, description="at most so many")


class Stream:
    """The body of one event stream. Ends with its page, with the server, or with whoever iterates it.

    Args:
        subscriber: Where its messages come from.
    """

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self._first = f"retry: {RETRY_MS}\n\n".encode()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        first, self._first = self._first, b""
        message = first or self._subscriber.next(QUIET_S)
        if message is None:
            raise StopIteration
        # A comment, where there is nothing to say: only who sends finds out that nobody is there any more.
        return message or b":\n\n"

    def close(self) -> None:
        """Called by the server when the page is gone."""
        self._subscriber.close()


def make_api(place: Place, live: Live) -> Blueprint:
    """The API.

    Args:
        place: Where the stations take commands and previews lie.
        live: What is known of the lanes.
    """
    api = Blueprint("api", __name__, url_prefix="/api/v1")
    _add_views(api, live)
    _add_stream(api, live)
    _add_previews(api, place)
    _add_commands(api, place, live)
    return api


def _add_views(api: Blueprint, live: Live) -> None:
    @api.get("/status")
    @documented(answer=StatusAnswer, query=OfLane, errors=(404,))
    def status() -> Response:
        """How a lane is now.

        Ages are in ms. A status older than 1 s counts as NO DATA.
        """
        return jsonify(live.status(_lane_asked(live)))

    @api.get("/parts")
    @documented(answer=PartsAnswer, query=LastParts, errors=(404,))
    def parts() -> Response:
        """The last parts of a lane, newest first."""
        known = live.parts(_lane_asked(live))
        return jsonify({**known, "parts": known["parts"][: asked(LastParts).limit]})

    @api.get("/health")
    @documented(answer=HealthAnswer, also=(503,))
    def health() -> tuple[Response, int]:
        """How the process that serves the pages does; status 503 when it no longer follows the line."""
        said = {
            "is_alive": live.is_alive,
            "version": __version__,
            "pages": live.hub.count,
            "updates_lost": live.hub.lost,
            "pages_refused": live.hub.refused,
            "events_missed": live.missed,
        }
        return jsonify(said), 200 if live.is_alive else 503


def _add_stream(api: Blueprint, live: Live) -> None:
    @api.get("/stream")
    @documented(query=OfLane, errors=(404, 503), media="text/event-stream")
    def stream() -> Response:
        """What happens on a lane, as server-sent events.

        `parts` and `status` come first and whenever the reader has fallen behind; then `part` for each part that is
        new or changed, and `status` at least every 0.2 s. Silence means that something is broken.
        """
        lane = _lane_asked(live)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        if request.method == "HEAD":
            return Response(status=200, mimetype="text/event-stream", headers=headers)
        subscriber = live.hub.subscribe(lane)
        if subscriber is None:
            return _refusal(503, "too many pages are open", "close one, and try again", {"Retry-After": "5"})
        return Response(Stream(subscriber), mimetype="text/event-stream", headers=headers, direct_passthrough=True)


def _add_previews(api: Blueprint, place: Place) -> None:
    @api.get("/previews/<string:name>.jpg")
    @documented(errors=(404,), media="image/jpeg")
    def preview(name: str) -> Response:
        """The small picture of one of the last parts."""
        if not _PREVIEW.fullmatch(name):
            abort(404)
        answer = send_from_directory(place.previews(), f"{name}.jpg", mimetype="image/jpeg", max_age=3600)
        answer.headers["Content-Disposition"] = "inline"
        return answer


def _add_commands(api: Blueprint, place: Place, live: Live) -> None:
    @api.post("/lanes/<int:lane>/stop")
    @documented(answer=StopAnswer, body=Stop, errors=(404, 409, 503))
    def stop(lane: int) -> Response:
        """Stops a lane.

        Anybody may who reaches the box. The answer comes when the stop stands in the ledger.
        """
        if lane not in _numbers(live):
            abort(404)
        by = f"{sent(Stop).by} at {request.remote_addr or 'this box'}"
        reply = ask(place.commands(lane), Asking(command="stop", by=by), ANSWER_S)
        if not reply.ok:
            return _refusal(409, reply.what, reply.mend)
        return told(StopAnswer(is_done=True, epoch=reply.epoch, sequence=reply.sequence))


def _numbers(live: Live) -> list[int]:
    return [lane.number for lane in live.lanes]


def _lane_asked(live: Live) -> int:
    """The lane that the query names; without one, the first."""
    numbers = _numbers(live)
    if "lane" not in request.args:
        return numbers[0]
    lane = request.args.get("lane", type=int)
    if lane not in numbers:
        abort(404)
    return lane


def _refusal(code: int, what: str, mend: str, headers: dict[str, Any] | None = None) -> Response:
    answer = jsonify({"what": what, "mend": mend})
    answer.status_code = code
    answer.headers.update(headers or {})
    return answer
