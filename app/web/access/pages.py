"""The pages of access: signing in, the first set-up, oneself, people, tokens, and the audit trail."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.web.access.around import Around, around
from app.web.access.audit_api import PAGE_ROWS, AuditQuery, add_audit_views
from app.web.access.audit_forms import shown
from app.web.access.people_api import add_people_views
from app.web.access.present import somebody
from app.web.access.roles import GIVEN
from app.web.access.session_api import add_session_views
from app.web.access.setting_up import is_waiting
from app.web.access.token_api import add_token_views
from app.web.access.tokens import MOST_DAYS, SCOPES
from app.web.context import Context
from app.web.openapi import asked

_FILTERS = ("who", "what", "words", "from", "to")


def make_access(context: Context) -> Blueprint:
    """Everything about who may come in.

    Args:
        context: What the pages work with.
    """
    access = Blueprint("access", __name__)
    add_session_views(access, context)
    add_people_views(access, context)
    add_token_views(access, context)
    add_audit_views(access, context)
    _add_doors(access, context)
    _add_rooms(access, context)
    _add_words(access, context)
    return access


def _add_doors(access: Blueprint, context: Context) -> None:
    @access.get("/sign-in")
    def sign_in() -> AnyResponse | str:
        if is_waiting(context.access):
            return redirect(url_for("access.set_up_page"))
        onward = local_path(request.args.get("next", ""))
        return render_template("access/sign_in.html", onward=onward, lanes=context.live.lanes)

    @access.get("/setup")
    def set_up_page() -> AnyResponse | str:
        if not is_waiting(context.access):
            return redirect(url_for("access.sign_in"))
        return render_template("access/setup.html", lanes=context.live.lanes)


def _add_rooms(access: Blueprint, context: Context) -> None:
    @access.get("/account")
    def account() -> str:
        own = context.access.people.named(somebody().name)
        return render_template("access/account.html", own=own)

    @access.get("/users")
    def users() -> str:
        return render_template("access/users.html", roles=[each.word for each in GIVEN])

    @access.get("/users/tokens")
    def machines() -> str:
        return render_template("access/machines.html", scopes=SCOPES, most_days=MOST_DAYS)

    @access.get("/audit")
    def trail() -> str:
        query = asked(AuditQuery)
        rows = context.audit.rows(query.chosen, PAGE_ROWS, query.before_row)
        given = {key: value for key, value in request.args.items() if key in _FILTERS and value}
        return render_template(
            "access/trail.html",
            rows=[shown(each) for each in rows],
            given=given,
            kinds=context.audit.kinds(),
            older=rows[-1].row if len(rows) == PAGE_ROWS else 0,
        )


def _add_words(access: Blueprint, context: Context) -> None:
    @access.app_template_global("around_access")
    def around_access() -> Around:
        return around(context.access)


def local_path(said: str) -> str:
    """A path of this box; `/` where it is none, so that nobody is led elsewhere after signing in."""
    is_local = said.startswith("/") and said[1:2] not in ("/", "\\") and said.isprintable() and "\\" not in said
    return said if is_local and not said.startswith("/sign-in") else "/"
