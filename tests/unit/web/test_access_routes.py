"""Every route, for every role and none, against the one table of permissions."""

from __future__ import annotations

import pytest

from app.web.access.permissions import PERMISSIONS
from app.web.access.roles import Role
from tests.unit.web.people import machine

OPEN = "somebody who stands before the screen"


def rules_of(app):
    """Every endpoint with one of its addresses and each of its methods."""
    for rule in app.url_map.iter_rules():
        values = dict.fromkeys(rule.arguments, "1")
        with app.test_request_context():
            url = rule.build({**values, **(rule.defaults or {})}, append_unknown=False)
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield rule.endpoint, method, url[1] if url else f"/static/{rule.endpoint}"


def is_refused(answer):
    """The gate did not let it pass: what is behind the gate may say what it wants."""
    is_to_door = answer.status_code == 302 and answer.location.startswith("/sign-in?")
    return is_to_door or answer.status_code in (401, 403)


@pytest.fixture
def passing(bench, monkeypatch):
    """The pages with their views replaced by one that says it was reached, so that only the gate speaks."""
    for endpoint in bench.app.view_functions:
        bench.app.view_functions[endpoint] = lambda **_: ("reached", 200)
    return bench


def test_every_endpoint_has_a_row_and_every_row_an_endpoint(bench):
    endpoints = {rule.endpoint for rule in bench.app.url_map.iter_rules()}

    assert sorted(endpoints - set(PERMISSIONS)) == []
    assert sorted(set(PERMISSIONS) - endpoints) == []


def test_the_table_is_sorted():
    assert list(PERMISSIONS) == sorted(PERMISSIONS)


@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.word)
def test_each_route_lets_in_whom_the_table_names(bench, role):
    headers = {"Content-Type": "application/json"} if role is Role.NONE else bench.as_role(role)
    for endpoint in bench.app.view_functions:
        bench.app.view_functions[endpoint] = lambda **_: ("reached", 200)
    wrong = []
    for endpoint, method, url in rules_of(bench.app):
        answer = bench.client.open(url, method=method, headers={**headers, "X-Reason": "because"})
        permission = PERMISSIONS[endpoint]
        expected = "reached" if role >= permission.role else "refused"
        found = "refused" if is_refused(answer) else answer.text
        if found != expected:
            wrong.append(f"{method} {url} ({endpoint}): {answer.status_code} {found}")

    assert wrong == []


def test_endpoint_without_a_row_is_refused_to_everybody(bench):
    bench.app.add_url_rule("/forgotten", "forgotten", lambda: "reached")
    headers = bench.as_role(Role.ADMIN)

    assert bench.client.get("/forgotten", headers=headers).status_code == 403


@pytest.mark.parametrize("scopes", [("read",), ("review",), ("line",), ("read", "review", "line")], ids="+".join)
def test_machine_passes_where_a_scope_of_its_token_says_so(passing, scopes):
    headers = machine(passing.context, *scopes)
    reached = set()
    for endpoint, method, url in rules_of(passing.app):
        answer = passing.app.test_client().open(url, method=method, headers=headers)
        if not is_refused(answer):
            reached.add((endpoint, method))

    closed = {each for each in reached if PERMISSIONS[each[0]].role is not Role.NONE}
    for endpoint, method in closed:
        permission = PERMISSIONS[endpoint]
        needed = permission.scope or ("read" if method == "GET" else endpoint.partition(".")[0])
        assert needed in scopes, (endpoint, method)
        assert permission.role <= Role.QUALITY
        assert not permission.asks_again
        assert not endpoint.startswith("access.")


def test_page_leads_to_the_door_and_back(bench):
    answer = bench.client.get("/account?tab=1")

    assert (answer.status_code, answer.location) == (302, "/sign-in?next=/account?tab%3D1")


def test_api_says_that_nobody_is_signed_in(bench):
    answer = bench.client.get("/api/v1/session/all")

    assert answer.status_code == 401
    assert answer.headers["X-Asks"] == "sign-in"
    assert set(answer.json) == {"what", "mend"}
