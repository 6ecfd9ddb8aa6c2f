"""What is said of a request that failed: a page to whoever looks at one, `what` and `mend` to the API."""

from __future__ import annotations

import logging
from http import HTTPStatus

from flask import Flask, jsonify, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.wrappers import Response

from app.errors import BusError, CommandRefusedError, LineError, RecordError, TaktError, UsageError
from app.web.access.refusals import RefusedError
from app.web.languages import texts
from app.web.texts import ENGLISH

_CODES: tuple[tuple[type[TaktError], int], ...] = (
    (UsageError, 400),
    (CommandRefusedError, 403),
    (LineError, 503),
    (BusError, 503),
    (RecordError, 503),
)
_LOG = logging.getLogger(__name__)


def add_failures(app: Flask) -> None:
    """Has every failure told in words.

    Args:
        app: The application.
    """

    @app.errorhandler(TaktError)
    def refused(error: TaktError) -> Response:
        code = next((code for kind, code in _CODES if isinstance(error, kind)), 500)
        key, say = f"refused.{error.code}", texts()
        if not error.code or key not in say.own or say.language == ENGLISH:
            return _answer(code, error.what, error.mend, ENGLISH)
        return _answer(code, say(key, **error.values), say(f"{key}.mend", **error.values), say.language)

    @app.errorhandler(RefusedError)
    def unwelcome(error: RefusedError) -> Response:
        if not _is_of_api() and error.code == HTTPStatus.UNAUTHORIZED and request.method == "GET":
            return redirect(url_for("access.sign_in", next=request.full_path.rstrip("?")))
        say, code = texts(), error.code or 403
        is_told = error.key in say.words
        values = {**error.values, "seconds": error.wait_s}
        what = say(error.key, **values) if is_told else error.what
        known = next((key for key in (f"{error.key}.mend", f"error.{code}.mend") if key in say.words), "")
        is_own = is_told and (say.language != ENGLISH or not _is_of_api())
        mend = say(known, **values) if is_own and known else error.mend
        answer = _answer(code, what, mend, say.language if is_told else ENGLISH)
        answer.headers.update(error.more_headers)
        return answer

    @app.errorhandler(HTTPException)
    def wrong(error: HTTPException) -> Response:
        code, say = error.code or 500, texts()
        if error.response is not None or code < HTTPStatus.BAD_REQUEST:
            return error.get_response()
        known = f"error.{code}" if f"error.{code}" in say.words else "error.other"
        answer = _answer(code, say(known), say(f"{known}.mend"))
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return answer

    @app.errorhandler(Exception)
    def broken(error: Exception) -> Response:
        """The border of a request: the line does not depend on it, and the next one may go well."""
        _LOG.error("%s %s: %s", request.method, request.path, error, exc_info=error)
        say = texts()
        return _answer(500, say("error.500"), say("error.500.mend"))


def _answer(code: int, what: str, mend: str, language: str = "") -> Response:
    """The answer; its head says in which language the words are: by default in that of who reads."""
    if not _is_of_api():
        return make_response(render_template("error.html", title=what, mend=mend, said=language), code)
    answer = make_response(jsonify({"what": what, "mend": mend}), code)
    answer.headers["Content-Language"] = language or texts().language
    return answer


def _is_of_api() -> bool:
    return request.path.startswith("/api/")
