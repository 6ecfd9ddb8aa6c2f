"""People, machines and the first set-up, by the API that the pages use."""

from __future__ import annotations

import logging

import pytest

from app.clock import NS_PER_S
from app.errors import UsageError
from app.web.access.names import checked_name, checked_password, checked_pin
from app.web.access.pages import local_path
from app.web.access.roles import Role
from app.web.access.setting_up import prepare_setup
from tests.unit.web.people import PASSWORD, PIN, add_person, machine

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def admin(bench):
    return {**bench.as_role(Role.ADMIN), "X-Reason": "because"}


def names(answer):
    return [each["name"] for each in answer.json["people"]]


def post(bench, headers, url, **said):
    return bench.client.post(f"/api/v1/{url}", json=said, headers=headers)


# What may be a name, a PIN, a password


@pytest.mark.parametrize("pin", ["402975", "1357924680", "00112233"[::-1] + "9"])
def test_pin_without_a_pattern_is_taken(pin):
    assert checked_pin(pin) == pin


@pytest.mark.parametrize(
    "pin",
    [
        "",
        "12345",
        "123456",
        "987654",
        "111111",
        "121212",
        "246802",
        "123123",
        "1234567890123",
        "40297a",
        "\uff14\uff10\uff12\uff19\uff17\uff15",
    ],
)
def test_pin_that_is_guessed_first_is_refused(pin):
    with pytest.raises(UsageError) as refused:
        checked_pin(pin)

    assert not pin or pin not in str(refused.value)


@pytest.mark.parametrize("password", ["correct horse battery", "Tür-am-Ende-links", "x7!k2#m9@p"])
def test_password_of_some_length_is_taken(password):
    assert checked_password(password, "anna") == password


@pytest.mark.parametrize(
    "password", ["", "short", "password1234", "aaaaaaaaaaaa", "Anna Anna Anna", "1234567890", "x" * 129]
)
def test_password_that_is_guessed_first_is_refused(password):
    with pytest.raises(UsageError):
        checked_password(password, "Anna")


@pytest.mark.parametrize(
    "name", ["", "   ", "x" * 41, "a\nb\x00", "\u202eanna", "shell: root", "machine press", "a\u200bb"]
)
def test_name_that_could_deceive_is_refused(name):
    with pytest.raises(UsageError):
        checked_name(name)


def test_name_is_kept_without_needless_blanks():
    assert checked_name("  Anna   Müller ") == "Anna Müller"


# People


def test_admin_adds_changes_and_removes(bench, admin):
    assert "Kim" in names(post(bench, admin, "people/add", name="Kim", role="operator", pin=PIN))
    assert "Kim" in names(post(bench, admin, "people/role", name="kim", role="quality"))
    assert bench.context.access.people.find("kim").role is Role.QUALITY
    assert post(bench, admin, "people/secret", name="Kim", kind="pin", secret="").status_code == 200
    assert bench.context.access.people.find("kim").pin is None
    assert "Kim" not in names(post(bench, admin, "people/remove", name="Kim"))
    deeds = [each["what"] for each in bench.client.get("/api/v1/audit?words=Kim").json["rows"]]
    assert deeds == ["people.remove", "people.pin", "people.role", "people.add"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("people/add", {"name": "ADMIN ONE", "role": "lead"}),
        ("people/add", {"name": "kim", "role": "none"}),
        ("people/add", {"name": "kim", "role": "lead", "pin": "123456"}),
        ("people/role", {"name": "nobody", "role": "lead"}),
        ("people/secret", {"name": "nobody", "kind": "pin", "secret": PIN}),
        ("people/secret", {"name": "admin one", "kind": "hash", "secret": PIN}),
        ("people/remove", {"name": "nobody"}),
        ("people/remove", {}),
        ("people/unlock", {"name": "nobody"}),
    ],
)
def test_what_cannot_be_done_is_told(bench, admin, url, said):
    answer = post(bench, admin, url, **said)

    assert (answer.status_code, set(answer.json)) == (400, {"what", "mend"})


@pytest.mark.parametrize(("url", "said"), [("people/remove", {}), ("people/role", {"role": "lead"})])
def test_only_admin_stays(bench, admin, url, said):
    assert "only admin" in post(bench, admin, url, name="admin one", **said).json["what"]
    add_person(bench.context, "second", Role.ADMIN)
    assert post(bench, admin, url, name="admin one", **said).status_code == 200


def test_locked_person_is_seen_and_unlocked(bench, admin):
    add_person(bench.context, "kim")
    other = bench.app.test_client()
    for _ in range(5):
        other.post("/api/v1/session", json={"name": "kim", "pin": "111222"})
    kim = next(each for each in bench.client.get("/api/v1/people").json["people"] if each["name"] == "kim")
    assert (kim["failures"], kim["locked_s"]) == (5, 5)

    post(bench, admin, "people/unlock", name="kim")

    assert other.post("/api/v1/session", json={"name": "kim", "pin": PIN}).status_code == 200


def test_admin_signs_somebody_out(bench, admin):
    add_person(bench.context, "kim")
    other = bench.app.test_client()
    other.post("/api/v1/session", json={"name": "kim", "pin": PIN})

    post(bench, admin, "people/sign-out", name="kim")

    assert other.get("/api/v1/session").json["name"] == ""


def test_own_pin_is_changed_by_who_knows_it(bench):
    headers = bench.as_role(Role.OPERATOR)
    wrong = post(bench, headers, "session/secret", kind="pin", current="nonsense", secret="583017")
    right = post(bench, headers, "session/secret", kind="pin", current=PIN, secret="583017")

    assert (wrong.status_code, right.status_code) == (401, 200)
    assert bench.client.get("/api/v1/session").json["name"] == "operator one"
    assert bench.client.post("/api/v1/session", json={"name": "operator one", "pin": "583017"}).status_code == 200


def test_nothing_secret_is_ever_answered(bench, admin):
    said = bench.client.get("/api/v1/people").text + bench.client.get("/users").text + bench.client.get("/audit").text

    for each in ("argon2", PASSWORD, PIN):
        assert each not in said


def test_names_are_shown_only_on_the_screen_of_the_box(bench):
    add_person(bench.context, "Zoë")
    here = bench.client.get("/sign-in", environ_base={"REMOTE_ADDR": "127.0.0.1"}).text
    assert "Zoë" not in here  # nobody administers the box yet: it leads to the set-up
    add_person(bench.context, "admin", Role.ADMIN)

    assert "Zoë" in bench.client.get("/sign-in", environ_base={"REMOTE_ADDR": "127.0.0.1"}).text
    assert "Zoë" not in bench.client.get("/sign-in", environ_base={"REMOTE_ADDR": "192.0.2.7"}).text


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil", "javascript:x", "/a\nb", "/sign-in?next=/"]
)
def test_door_leads_nowhere_but_into_this_box(path):
    assert local_path(path) == "/"


def test_door_leads_back():
    assert local_path("/review?part=1") == "/review?part=1"


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("path", ["/sign-in", "/account", "/users", "/users/tokens", "/audit", "/operator/"])
def test_pages_come_up_in_both_languages_without_inline_code(bench, admin, path, language):
    answer = bench.client.get(f"{path}?lang={language}")

    assert answer.status_code == 200
    assert " style=" not in answer.text
    assert " onclick" not in answer.text


# The first set-up


def test_box_without_people_tells_a_code_to_its_owner(bench):
    assert prepare_setup(bench.context.access)
    path = bench.context.access.setup_code.path

    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert len(path.read_text().strip()) == 14
    assert bench.client.get("/sign-in").location == "/setup"


def test_code_makes_the_first_admin_and_is_gone(bench):
    prepare_setup(bench.context.access)
    code = bench.context.access.setup_code.read()
    said = {"code": code.lower().replace("-", " "), "name": "Anna", "password": PASSWORD}
    answer = bench.client.post("/api/v1/setup", json=said)

    assert (answer.status_code, answer.json["role"]) == (200, "admin")
    assert bench.context.access.setup_code.read() == ""
    assert bench.client.post("/api/v1/setup", json=said).status_code == 409
    assert bench.client.get("/setup").location == "/sign-in"


def test_wrong_codes_are_counted(bench):
    prepare_setup(bench.context.access)
    said = {"code": "AAAA-AAAA-AAAA", "name": "Anna", "password": PASSWORD}
    codes = [bench.client.post("/api/v1/setup", json=said).status_code for _ in range(6)]

    assert codes == [403] * 5 + [429]


def test_setup_with_a_weak_password_can_be_tried_again(bench):
    prepare_setup(bench.context.access)
    said = {"code": bench.context.access.setup_code.read(), "name": "Anna", "password": "short"}

    assert bench.client.post("/api/v1/setup", json=said).status_code == 400
    assert bench.client.post("/api/v1/setup", json={**said, "password": PASSWORD}).status_code == 200


def test_box_with_an_admin_has_no_code(bench):
    prepare_setup(bench.context.access)
    add_person(bench.context, "Anna", Role.ADMIN)

    assert not prepare_setup(bench.context.access)
    assert not bench.context.access.setup_code.path.exists()


# Machines


def test_token_is_told_once_and_lets_its_machine_in(bench, admin):
    made = post(bench, admin, "tokens/make", name="press 3", scopes=["read"], days=30).json["made"]
    others = bench.app.test_client()
    headers = {"Authorization": f"Bearer {made}"}

    assert made.startswith("takt_")
    assert made not in bench.client.get("/api/v1/tokens").text
    assert others.get("/api/v1/session", headers=headers).json["name"] == "machine press 3"


def test_token_ends_with_its_time(bench):
    headers = machine(bench.context, "read", days=1)
    bench.clock.advance_to(bench.clock.now_ns() + 24 * 3600 * NS_PER_S)

    assert bench.client.get("/api/v1/session", headers=headers).status_code == 401


def test_token_that_was_revoked_is_nothing(bench, admin):
    headers = machine(bench.context, "read")
    known = bench.client.get("/api/v1/tokens").json["tokens"][0]
    assert known["is_good"]

    assert not post(bench, admin, "tokens/revoke", id=known["id"]).json["tokens"][0]["is_good"]

    assert bench.app.test_client().get("/api/v1/session", headers=headers).status_code == 401


@pytest.mark.parametrize("token", ["", "takt_", "takt_000000000000_" + "A" * 43, "x" * 5000, "takt_\u00fc"])
def test_token_that_is_none_is_told_so(bench, token):
    answer = bench.client.get("/api/v1/session", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 401


@pytest.mark.parametrize(
    "said", [{"scopes": []}, {"scopes": ["admin"]}, {"days": 0}, {"days": 731}, {"name": "<b>"}, {"name": ""}]
)
def test_token_without_bounds_is_refused(bench, admin, said):
    assert (
        post(bench, admin, "tokens/make", **{"name": "press", "scopes": ["read"], "days": 1, **said}).status_code == 400
    )


def test_machine_that_asks_too_often_is_told_to_wait(bench):
    headers = machine(bench.context, "read")
    bench.as_role(Role.QUALITY)
    answers = [bench.app.test_client().get("/api/v1/session/all", headers=headers).status_code for _ in range(101)]

    assert answers[0] == 403
    assert answers[-1] == 429


def test_attempts_to_sign_in_are_counted_by_address(bench):
    said = {"name": "a", "password": "b"}
    answers = [bench.client.post("/api/v1/session", json={**said, "name": str(each)}) for each in range(11)]

    assert [each.status_code for each in answers] == [401] * 10 + [429]
    assert answers[-1].headers["Retry-After"] == "2"


def test_no_secret_is_logged(bench, admin, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    token = post(bench, admin, "tokens/make", name="press", scopes=["read"], days=1).json["made"]
    cookie = bench.client.get_cookie("takt").value
    monkeypatch.setattr(bench.context.access.hasher, "agrees", lambda *_: 1 / 0)
    bench.client.post("/api/v1/session", json={"name": "admin one", "password": PASSWORD})
    monkeypatch.setattr(bench.context.access.tokens, "find", lambda _: 1 / 0)
    bench.client.get("/api/v1/session/all", headers={"Authorization": f"Bearer {token}"})

    assert "division" in caplog.text
    for each in (PASSWORD, PIN, token, cookie, admin["X-CSRF"]):
        assert each not in caplog.text


def test_stopping_needs_nobody_and_is_never_held_up(bench):
    codes = {bench.client.post("/api/v1/lanes/9/stop", json={}).status_code for _ in range(80)}

    assert codes == {404}
