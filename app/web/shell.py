"""What `desk.html` puts around every page: where one can go, the state of the line, who is here, and the language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from flask import Flask, current_app, request, url_for
from werkzeug.routing import BuildError

from app.errors import TaktError
from app.web.access.permissions import PERMISSIONS
from app.web.access.present import Person, person
from app.web.access.refusals import RefusedError
from app.web.access.roles import GIVEN, Role
from app.web.lane import Lane
from app.web.live import Live
from app.web.navigation import FROM_OPERATOR, NAVIGATION, Entry

SIGN_IN = "access.sign_in"
SIGN_OUT = "access.sign_out"


@dataclass(frozen=True, slots=True)
class Place:
    """One line of the navigation, for the one who looks at it.

    Attributes:
        key: Of its words.
        icon: The icon's name.
        url: Where it leads.
        is_here: It is the page that is shown, or the one that leads to it.
    """

    key: str
    icon: str
    url: str
    is_here: bool


@dataclass(frozen=True, slots=True)
class Shell:
    """What is around the page.

    Attributes:
        groups: The navigation: each group's key and places.
        lanes: The lanes; the first one's state stands at the top.
        person: Who is here; `None` where nobody has signed in.
        sign_in: Where one signs in; empty where there are no people.
        sign_out: Where one signs out.
    """

    groups: tuple[tuple[str, tuple[Place, ...]], ...]
    lanes: tuple[Lane, ...]
    person: Person | None
    sign_in: str
    sign_out: str


@dataclass(frozen=True, slots=True)
class Way:
    """A page that the operator's leads to.

    Attributes:
        key: Of its words.
        icon: The icon's name.
        url: Where it leads.
        roles: Whom it is shown to, by the words of the roles; empty: everybody, signed in or not.
    """

    key: str
    icon: str
    url: str
    roles: tuple[str, ...]


def put_around(app: Flask, live: Live) -> None:
    """Gives templates `shell()`, `ways()` and `in_language(code)`.

    Args:
        app: The application.
        live: What is known of the lanes.
    """

    def shell() -> Shell:
        who = _who()
        return Shell(_groups(who), tuple(live.lanes), who, _url(SIGN_IN, next=_here()), _url(SIGN_OUT))

    app.jinja_env.globals.update(shell=shell, ways=ways, in_language=in_language)


def ways() -> tuple[Way, ...]:
    """Where the operator's page leads. Who is there may change without a new page, so each tells whom it is for."""
    entries = {each.endpoint: each for _, places in NAVIGATION for each in places}
    found = ((entries[endpoint], PERMISSIONS[endpoint].role, _url(endpoint)) for endpoint in FROM_OPERATOR)
    return tuple(
        Way(f"nav.{each.endpoint}", each.icon, url, tuple(role.word for role in GIVEN if least and role >= least))
        for each, least, url in found
        if url
    )


def in_language(code: str) -> str:
    """The address of the present page in another language, with the rest of its query."""
    said = [(key, value) for key, value in request.args.items(multi=True) if key != "lang"]
    return f"{request.path}?{urlencode([*said, ('lang', code)])}"


def _here() -> str:
    return request.full_path.rstrip("?")


def _who() -> Person | None:
    """Who is here. An error page must come up also where that cannot be known."""
    try:
        return person()
    except (RefusedError, TaktError):
        return None


def _groups(who: Person | None) -> tuple[tuple[str, tuple[Place, ...]], ...]:
    role = who.role if who else Role.NONE
    found = ((name, _places(entries, role)) for name, entries in NAVIGATION)
    groups = tuple((name, places) for name, places in found if places)
    # The longest address that the page lies under: `/review/1/2/3` is under `/review/`.
    under = [each.url for _, places in groups for each in places if _is_under(each.url)]
    here = max(under, key=len, default="")
    return tuple((name, tuple(replace(each, is_here=each.url == here) for each in places)) for name, places in groups)


def _places(entries: Sequence[Entry], role: Role) -> tuple[Place, ...]:
    return tuple(
        Place(f"nav.{each.endpoint}", each.icon, url, is_here=False)
        for each in entries
        if (known := PERMISSIONS.get(each.endpoint)) and known.role <= role and (url := _url(each.endpoint))
    )


def _is_under(url: str) -> bool:
    return f"{request.path.rstrip('/')}/".startswith(f"{url.rstrip('/')}/")


def _url(endpoint: str, **values: Any) -> str:
    if endpoint not in current_app.view_functions:
        return ""
    try:
        return url_for(endpoint, **values)
    except BuildError:
        return ""
