"""What no log may show: every secret that the product gives out, and those of others by the words before them."""

from __future__ import annotations

import json
import secrets

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.support.redaction import HIDDEN, Redactor, clean, clean_value
from app.web.access.hashing import Cost, Hasher
from app.web.access.setup_code import SetupCode

COUNT = 200


def key_text():
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_set_up_code_as_takt_run_prints_it(tmp_path):
    for number in range(COUNT):
        code = SetupCode(tmp_path / str(number)).make()
        for said in (code, code.lower(), f"open http://box/setup, the code is {code}", f"the code is [{code}]"):
            assert code.casefold() not in clean(said).casefold()


def test_set_up_code_without_its_dashes(tmp_path):
    code = SetupCode(tmp_path).make().replace("-", " ")

    assert code not in clean(f"the code is {code}, said somebody")


def test_token_of_a_machine_keeps_only_its_public_part():
    for _ in range(COUNT):
        secret = secrets.token_urlsafe(32)
        said = clean(f"a machine came with takt_0123456789ab_{secret} and was let in")

        assert said == f"a machine came with takt_0123456789ab_{HIDDEN} and was let in"


def test_session_of_a_browser():
    without_digits = "LjVnAagEcsVihcclQApeztDswrRbDbr-NbTUVPGAGpc"
    for secret in (without_digits, *(secrets.token_urlsafe(32) for _ in range(COUNT))):
        for said in (f"takt={secret}", f"__Host-takt={secret}; Path=/", f"Set-Cookie: takt={secret}", f"<{secret}>"):
            assert secret not in clean(said)


def test_hash_of_a_pin_or_password():
    known = Hasher(Cost(passes=1, memory_kib=8)).make("some words in a row")

    assert known not in clean(f"stored {known}")
    assert known[-10:] not in clean(json.dumps({"pin": known}))


def test_private_key_of_the_box_whole_or_line_by_line():
    text = key_text()
    redactor = Redactor()
    lines = [redactor.line(line) for line in text.splitlines()]

    assert clean(f"before {text} after").split() == ["before", HIDDEN, "after"]
    assert set(lines) == {HIDDEN}
    assert redactor.line("the line runs") == "the line runs"


def test_line_of_a_key_without_its_head():
    body = max(key_text().splitlines(), key=len)

    assert clean(body) == HIDDEN


def test_key_that_never_ends_does_not_hide_everything_after_it():
    redactor = Redactor()
    redactor.line("-----BEGIN PRIVATE KEY-----")
    last = [redactor.line("the line runs") for _ in range(150)][-1]

    assert last == "the line runs"


@pytest.mark.parametrize(
    ("said", "hidden"),
    [
        ("PIN 482913 is wrong", "482913"),
        ("pin=482913", "482913"),
        ('"pin": "482913"', "482913"),
        ("the PIN is 482913", "482913"),
        ("password: hunter2 and more", "hunter2"),
        ("Passwort=geheim", "geheim"),
        ('{"password":"two words"}', "two words"),
        ("secret='abc def'", "abc def"),
        ("X-CSRF: 0123abcd", "0123abcd"),
        ("api_key = abcdef", "abcdef"),
        ("Authorization: Bearer abc.def", "abc.def"),
        ("authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("Cookie: a=b; takt=c", "takt=c"),
        ("rtsp://cam:s3cret@10.0.0.9/1 is silent", "s3cret"),
        ("rtsp://cam:a@b:c@10.0.0.9/1", "a@b:c"),
        ("https://host/x?token=abc&y=1", "abc"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "eyJzdWIiOiIxMjM0In0"),
    ],
)
def test_secret_by_the_word_before_it(said, hidden):
    assert hidden not in clean(said)
    assert HIDDEN in clean(said)


@pytest.mark.parametrize(
    "said",
    [
        "lane 1: RUNNING",
        "verdict: pass: it goes to the bin",
        "pin 17 on GPIO17 is held by another program",
        'pin = "GPIO17"',
        "recipe_sha256 " + "a3" * 32,
        "certificate SHA-256 1f:22:80:4c:91:aa:03",
        "part 1/1/12 rejected: DEFECT, code 12 of the sensor",
        'key = "/etc/takt/key.pem"',
        "serial number 4711-0815",
        "takt 0.1.0, exit code 1",
        "mail ann@example.org about lot L-2026-11",
        "ended 4 times, the last time: SIGKILL; starts again in 0.4 s",
    ],
)
def test_words_of_the_line_stay_as_they_are(said):
    assert clean(said) == said


def test_values_of_json_are_cleaned_at_every_depth():
    said = {"a": [{"password": "x", "n": 7}, "PIN 482913"], "token": "", "pin": 17, "scopes": ("read",)}

    assert clean_value(said) == {
        "a": [{"password": HIDDEN, "n": 7}, f"PIN {HIDDEN}"],
        "token": "",
        "pin": 17,
        "scopes": ["read"],
    }
