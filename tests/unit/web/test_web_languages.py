"""Which language a page speaks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.config import UiSettings
from app.errors import ConfigError
from app.web.application import create_app
from app.web.languages import COOKIE, Languages

GERMAN = 'lang="de"'
ENGLISH = 'lang="en"'


def page(client, **options):
    return client.get("/operator/", **options).get_data(as_text=True)


def test_page_is_english_where_nobody_wishes_anything(bench):
    assert ENGLISH in page(bench.client)


@pytest.mark.parametrize(
    ("wish", "expected"),
    [("de", GERMAN), ("de-AT,de;q=0.9,en;q=0.5", GERMAN), ("fr,en;q=0.5", ENGLISH), ("fr", ENGLISH), (";;,=", ENGLISH)],
)
def test_browser_gets_what_it_prefers_of_what_there_is(bench, wish, expected):
    assert expected in page(bench.client, headers={"Accept-Language": wish})


def test_language_of_the_address_counts_and_is_remembered(bench):
    assert GERMAN in page(bench.client, query_string={"lang": "de"})
    assert GERMAN in page(bench.client, headers={"Accept-Language": "en"})
    assert bench.client.get_cookie(COOKIE).http_only


@pytest.mark.parametrize("nonsense", ["xx", "../../etc/passwd", "de\r\nSet-Cookie: a=b", ""])
def test_nonsense_in_the_address_changes_nothing(bench, nonsense):
    answer = bench.client.get("/operator/", query_string={"lang": nonsense})

    assert ENGLISH in answer.get_data(as_text=True)
    assert COOKIE not in str(answer.headers.getlist("Set-Cookie"))


def test_language_of_the_box_counts_more_than_the_browser_and_less_than_the_choice(bench):
    context = replace(bench.context, ui=UiSettings(language="de"))
    client = create_app(context).test_client()

    assert GERMAN in page(client, headers={"Accept-Language": "en"})
    assert ENGLISH in page(client, query_string={"lang": "en"})


def test_language_of_the_box_that_does_not_exist_is_one_clear_error():
    with pytest.raises(ConfigError, match="no texts in the language 'xx'"):
        Languages("xx")


def test_refusals_speak_the_language_too(bench):
    answer = bench.client.get("/api/v1/nothing", headers={"Accept-Language": "de"})

    assert answer.json["what"] == "Diese Seite gibt es nicht"
