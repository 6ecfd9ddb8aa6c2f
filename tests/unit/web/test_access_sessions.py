"""Signing in and out: cookies, fixation, idleness, CSRF, giving the secret again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.clock import NS_PER_S
from app.config import UiSettings
from app.web.access.roles import Role
from app.web.access.sessions import LONGEST_S
from app.web.application import create_app
from tests.unit.web.people import PASSWORD, PIN, add_person, sign_in

JSON = {"Content-Type": "application/json"}


def later(bench, seconds):
    bench.clock.advance_to(bench.clock.now_ns() + round(seconds * NS_PER_S))


def cookie_of(answer):
    return next(each for each in answer.headers.getlist("Set-Cookie") if "takt" in each.partition("=")[0])


def secret_of(answer):
    return cookie_of(answer).partition("=")[2].partition(";")[0]


def me(client):
    return client.get("/api/v1/session").json["name"]


@pytest.fixture
def anna(bench):
    return add_person(bench.context, "Anna Müller", Role.QUALITY)


def test_name_and_password_sign_in(bench, anna):
    answer = bench.client.post("/api/v1/session", json={"name": " anna müller", "password": PASSWORD})

    assert answer.status_code == 200
    assert (answer.json["name"], answer.json["role"], answer.json["idle_s"]) == ("Anna Müller", "quality", 1800)
    assert me(bench.client) == "Anna Müller"


def test_pin_signs_in_for_a_shorter_time(bench, anna):
    answer = bench.client.post("/api/v1/session", json={"name": "Anna Müller", "pin": PIN})

    assert answer.json["idle_s"] == 180


@pytest.mark.parametrize(
    "said",
    [
        {"name": "Anna Müller", "password": "wrong"},
        {"name": "Anna Müller", "pin": "000000"},
        {"name": "Anna Müller", "pin": PASSWORD},
        {"name": "Anna Müller", "password": PIN},
        {"name": "Nobody", "password": PASSWORD},
    ],
    ids=str,
)
def test_what_does_not_agree_is_refused_in_the_same_words(bench, anna, said):
    answer = bench.client.post("/api/v1/session", json=said)

    assert answer.status_code == 401
    kind = "PIN" if "pin" in said else "password"
    assert answer.json["what"] == f"Name and {kind} do not agree."
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("said", [{"name": "x"}, {"name": "x", "pin": "1", "password": "2"}, {}, {"name": 1}, {"a": 1}])
def test_nonsense_is_a_bad_request(bench, said):
    assert bench.client.post("/api/v1/session", json=said).status_code == 400


def test_cookie_cannot_be_read_by_scripts_nor_sent_by_other_pages(bench, anna):
    answer = bench.client.post("/api/v1/session", json={"name": "Anna Müller", "password": PASSWORD})
    cookie = cookie_of(answer)

    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


def test_cookie_over_https_is_for_https_only(bench, anna):
    said = {"name": "Anna Müller", "password": PASSWORD}
    answer = bench.client.post("/api/v1/session", json=said, base_url="https://localhost")
    cookie = cookie_of(answer)

    assert cookie.startswith("__Host-takt=")
    assert "Secure" in cookie.split("; ")


def test_store_holds_no_secret_that_a_browser_holds(bench, anna):
    answer = bench.client.post("/api/v1/session", json={"name": "Anna Müller", "password": PASSWORD})
    bench.context.store.close()
    content = b"".join(path.read_bytes() for path in bench.context.store.folder.iterdir())

    for secret in (secret_of(answer), answer.json["csrf"], PASSWORD, PIN):
        assert secret.encode() not in content


def test_signing_in_makes_a_new_session_and_ends_the_former(bench, anna):
    first = bench.client.post("/api/v1/session", json={"name": "Anna Müller", "password": PASSWORD})
    second = bench.client.post("/api/v1/session", json={"name": "Anna Müller", "password": PASSWORD})
    thief = bench.app.test_client()
    thief.set_cookie("takt", secret_of(first))

    assert secret_of(first) != secret_of(second)
    assert me(thief) == ""
    assert me(bench.client) == "Anna Müller"


def test_session_that_somebody_planted_is_not_taken_over(bench, anna):
    bench.client.set_cookie("takt", "planted" * 6)
    answer = bench.client.post("/api/v1/session", json={"name": "Anna Müller", "password": PASSWORD})

    assert secret_of(answer) != "planted" * 6


def test_signing_out_ends_the_session_itself(bench):
    headers = bench.as_role(Role.OPERATOR)
    thief = bench.app.test_client()
    thief.set_cookie("takt", bench.client.get_cookie("takt").value)
    assert me(thief) == "operator one"

    answer = bench.client.post("/api/v1/session/end", headers=headers)

    assert answer.status_code == 200
    assert me(thief) == ""
    assert bench.client.get_cookie("takt") is None


@pytest.mark.parametrize(("by", "idle_s"), [("pin", 180), ("password", 1800)])
def test_who_does_nothing_is_signed_out(bench, by, idle_s):
    bench.as_role(Role.OPERATOR, by=by)
    later(bench, idle_s - 1)
    assert me(bench.client) == "operator one"

    later(bench, 1)

    assert me(bench.client) == ""


def test_settings_say_after_how_long(bench):
    add_person(bench.context, "kim")
    ui = UiSettings(sign_out_s=30)
    sessions = type(bench.context.access.sessions)(bench.context.store, bench.clock, ui)
    context = replace(bench.context, access=replace(bench.context.access, sessions=sessions))
    client = create_app(context).test_client()
    sign_in(client, context, name="kim", by="pin")

    later(bench, 30)

    assert me(client) == ""


def test_what_a_page_asks_by_itself_keeps_nobody_signed_in(bench):
    bench.as_role(Role.OPERATOR, by="pin")
    for _ in range(18):
        later(bench, 10)
        bench.client.get("/api/v1/session/all")

    assert me(bench.client) == ""


def test_who_touches_the_page_stays(bench):
    headers = bench.as_role(Role.OPERATOR, by="pin")
    for _ in range(10):
        later(bench, 100)
        assert bench.client.post("/api/v1/session/alive", headers=headers).status_code == 200


def test_no_session_outlives_a_shift(bench):
    headers = bench.as_role(Role.OPERATOR)
    for _ in range(LONGEST_S // 1000):
        later(bench, 1000)
        bench.client.post("/api/v1/session/alive", headers=headers)
    later(bench, 1000)

    assert me(bench.client) == ""


def test_clock_that_was_set_back_signs_nobody_out(bench):
    bench.as_role(Role.OPERATOR)
    bench.clock._epoch = bench.clock._epoch.replace(year=2020)

    assert me(bench.client) == "operator one"


def test_new_role_holds_at_once(bench):
    bench.as_role(Role.OPERATOR, name="kim")
    bench.context.access.people.set_role("kim", Role.ADMIN, by="test")

    assert bench.client.get("/api/v1/session").json["role"] == "admin"


def test_person_who_was_removed_is_gone_at_once(bench):
    bench.as_role(Role.OPERATOR, name="kim")
    bench.context.access.people.remove("kim", by="test")

    assert me(bench.client) == ""


def test_new_pin_ends_every_session(bench):
    bench.as_role(Role.OPERATOR, name="kim")
    bench.context.access.people.set_secret("kim", "pin", "583017", by="test")

    assert me(bench.client) == ""


# Commands


@pytest.mark.parametrize("token", ["", "wrong", "ü", "0" * 64])
def test_command_without_the_token_of_the_page_is_refused(bench, token):
    bench.as_role(Role.OPERATOR)
    answer = bench.client.post(
        "/api/v1/session/end", headers={**JSON, "X-CSRF": token.encode("utf-8").decode("latin-1")}
    )

    assert answer.status_code == 403
    assert me(bench.client) == "operator one"


def test_token_of_another_session_is_refused(bench):
    other = bench.as_role(Role.OPERATOR, name="kim")
    bench.client.delete_cookie("takt")
    bench.as_role(Role.OPERATOR, name="alex")

    assert bench.client.post("/api/v1/session/end", headers=other).status_code == 403


def test_page_carries_the_token(bench):
    headers = bench.as_role(Role.OPERATOR)

    assert f'data-csrf="{headers["X-CSRF"]}"' in bench.client.get("/account").text


def test_page_from_elsewhere_cannot_sign_anybody_in(bench, anna):
    said = {"name": "Anna Müller", "password": PASSWORD}
    answer = bench.client.post("/api/v1/session", json=said, headers={"Origin": "http://evil.example"})

    assert answer.status_code == 403


# What has consequences


@pytest.fixture
def admin(bench):
    return bench.as_role(Role.ADMIN)


def add(bench, headers, reason="new in the shift"):
    more = {"X-Reason": reason} if reason else {}
    return bench.client.post("/api/v1/people/add", json={"name": "Kim", "role": "lead"}, headers={**headers, **more})


def test_who_has_just_signed_in_needs_only_a_reason(bench, admin):
    assert add(bench, admin, "").headers["X-Asks"] == "reason"
    assert add(bench, admin).status_code == 200


def test_who_signed_in_a_while_ago_gives_the_secret_again(bench, admin):
    later(bench, 121)
    first = add(bench, admin)
    wrong = bench.client.post("/api/v1/session/confirm", json={"secret": "wrong"}, headers=admin)
    second = add(bench, admin)
    right = bench.client.post("/api/v1/session/confirm", json={"secret": PIN}, headers=admin)
    third = add(bench, admin)

    assert (first.status_code, first.headers["X-Asks"]) == (428, "again")
    assert (wrong.status_code, second.status_code) == (401, 428)
    assert (right.status_code, third.status_code) == (200, 200)


def test_reason_is_kept_as_it_was_said(bench, admin):
    add(bench, admin, "gr%C3%B6%C3%9Fere%20Schicht")
    newest = bench.client.get("/api/v1/audit").json["rows"][0]

    assert (newest["what"], newest["about"], newest["reason"]) == ("people.add", "Kim", "größere Schicht")


@pytest.mark.parametrize("reason", ["x" * 201, "a%0Ab", "a%00b", "%E2%80%AEb"])
def test_reason_that_is_no_line_of_text_is_refused(bench, admin, reason):
    assert add(bench, admin, reason).status_code == 400
