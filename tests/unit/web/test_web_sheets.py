"""The style sheets of a page come as one answer, which a browser keeps for as long as nothing of it has changed."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from app.config import UiSettings
from app.web.access.roles import Role
from app.web.sheets import Sheets

UI = Path(str(files("ui")))


def head(page):
    """What stands in the head of a page that it is not painted without."""
    text = page.get_data(as_text=True).partition("</head>")[0]
    return re.findall(r'<link rel="stylesheet" href="([^"]+)"', text), re.findall(r'<script src="([^"]+)"', text)


def test_operators_page_waits_for_one_sheet_and_one_script(bench):
    sheets, scripts = head(bench.client.get("/operator/"))

    assert (len(sheets), scripts) == (1, ["/static/js/scheme.js"])


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/operator/", ["takt", "components", "kit", "access", "operator", "alarms", "line"]),
        ("/sign-in", ["takt", "components", "kit", "access"]),
        ("/figures/", ["takt", "components", "kit", "desk", "alarms", "access"]),
    ],
)
def test_sheet_of_a_page_holds_its_files_in_their_order(bench, path, names):
    bench.as_role(Role.ADMIN)
    stranger = bench.app.test_client()
    (first, *_), _ = head(stranger.get(path))
    text = stranger.get(first).get_data(as_text=True)
    at = [text.find((UI / "static" / f"{name}.css").read_text("utf-8")) for name in names]

    assert -1 not in at
    assert at == sorted(at)
    assert ":root { --mm: 4px; }" in text


def test_sheet_is_kept_for_good_by_the_address_that_names_what_it_holds(bench):
    (address,), _ = head(bench.client.get("/operator/"))
    answer = bench.client.get(address)
    bare = bench.client.get(address.partition("?")[0])

    assert answer.mimetype == "text/css"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert (bare.data, bare.headers["Cache-Control"]) == (answer.data, "no-cache")


def test_sheet_that_the_browser_has_is_not_sent_again(bench):
    bare = bench.client.get("/sheets/takt.css")
    again = bench.client.get("/sheets/takt.css", headers={"If-None-Match": bare.headers["ETag"]})

    assert (again.status_code, again.data) == (304, b"")


def test_another_screen_is_another_address():
    small, large = (Sheets(UI / "static", UiSettings(pixels_per_mm=each)).text("screen") for each in (4.0, 5.5))

    assert large[0] == ":root { --mm: 5.5px; }\n"
    assert small[1] != large[1]


@pytest.mark.parametrize(
    "joined", ["nothing", "takt+takt", "takt+", "+", "../config", "..%2F..%2Fapp", "takt+%00", "a" * 9000]
)
def test_sheet_that_is_none_is_not_there(bench, joined):
    assert bench.client.get(f"/sheets/{joined}.css").status_code == 404
