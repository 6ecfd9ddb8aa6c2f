"""What is around every page: where one can go, and how the page is chosen to look."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from app.web.access.permissions import PERMISSIONS
from app.web.access.roles import Role
from app.web.navigation import NAVIGATION
from app.web.texts import Texts

UI = Path(str(files("ui")))
ENTRIES = [entry for _, entries in NAVIGATION for entry in entries]


def places(page):
    """The addresses in the navigation of a page."""
    return re.findall(r'<li><a href="([^"]+)"', page.partition("<nav")[2].partition("</nav>")[0])


def test_every_row_has_its_words_its_icon_and_its_permission():
    words, icons = Texts().words, (UI / "templates" / "icons.html").read_text(encoding="utf-8")

    assert [each for each in ENTRIES if f"nav.{each.endpoint}" not in words] == []
    assert [each for each in ENTRIES if f'id="i-{each.icon}"' not in icons] == []
    assert [each for each in ENTRIES if each.endpoint not in PERMISSIONS] == []
    assert [name for name, _ in NAVIGATION if f"nav.group.{name}" not in words] == []


def test_every_row_leads_to_a_page(bench):
    assert [each for each in ENTRIES if each.endpoint not in bench.app.view_functions] == []


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.QUALITY, Role.ADMIN])
def test_everybody_is_shown_where_they_may_go_and_nothing_else(bench, role):
    bench.as_role(role)
    shown = places(bench.client.get("/api/").get_data(as_text=True))
    with bench.app.test_request_context():
        from flask import url_for

        allowed = [url_for(each.endpoint) for each in ENTRIES if PERMISSIONS[each.endpoint].role <= role]

    assert shown == allowed


def test_present_page_is_marked(bench):
    page = bench.client.get("/api/").get_data(as_text=True)

    assert re.findall(r'href="([^"]+)" aria-current="page"', page) == ["/api/"]


def test_who_has_not_signed_in_is_led_back_to_the_page_they_were_at(bench):
    page = bench.client.get("/api/?x=1").get_data(as_text=True)

    assert re.findall(r'<a class="button" href="[^"]*\?next=([^"]+)"', page) == ["/api/?x%3D1"]


def test_other_language_keeps_the_rest_of_the_address(bench):
    page = bench.client.get("/api/?lang=de&a=1&a=%22%3E%3Cscript%3E").get_data(as_text=True)

    assert 'href="/api/?a=1&amp;a=%22%3E%3Cscript%3E&amp;lang=en"' in page
    assert "<script>" not in page


@pytest.mark.parametrize("path", ["/nowhere", "/operator/99"])
def test_page_that_is_not_there_has_the_shell_around_it(bench, path):
    answer = bench.client.get(path, headers={"Accept-Language": "de"})
    page = answer.get_data(as_text=True)

    assert answer.status_code == 404
    assert "Diese Seite gibt es nicht" in page
    assert places(page)


def test_no_template_has_a_style_or_a_deed_of_its_own():
    inline = re.compile(r"\sstyle=|\son\w+=|<style|<script(?![^>]*\b(?:src|type=\"application/json\"))")
    found = {each.name: inline.findall(each.read_text(encoding="utf-8")) for each in (UI / "templates").rglob("*.html")}

    assert {name: each for name, each in found.items() if each} == {}


def test_both_schemes_say_the_same_colours():
    text = (UI / "static" / "takt.css").read_text(encoding="utf-8")
    light, dark = (
        set(re.findall(r"(--[\w-]+):", part)) for part in text.partition("* {")[0].split('[data-scheme="dark"]')
    )

    assert dark
    assert sorted(dark - light) == []
