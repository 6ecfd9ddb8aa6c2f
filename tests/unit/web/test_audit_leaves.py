"""The pages of the audit trail: each leads to the next one until the last row, and back."""

from __future__ import annotations

import re

import pytest

from app.clock import NS_PER_S, VirtualClock
from app.web.access.audit import Audit, AuditFilter, Leaf
from app.web.access.roles import Role
from app.web.store.database import Store
from app.web.texts import Texts, languages
from tests.groups import ROOT
from tests.unit.web.bench import lay_store

WRITES = re.compile(r"audit\.write\(\s*[\w.]+,\s*\"([a-z]+\.[a-z_]+)\"")
ROW = re.compile(r'<td class="number">(\d+)</td>')
OLDER = re.compile(r'href="([^"]*)">Older rows')


@pytest.fixture
def trail(tmp_path):
    lay_store(tmp_path)
    store = Store(tmp_path / "web")
    made = Audit(store, VirtualClock(NS_PER_S))
    for number in range(1, 8):
        made.write("anna" if number % 2 else "kim", "people.role", f"person {number}")
    yield made
    store.close()


@pytest.mark.parametrize(
    ("top", "leaf"),
    [
        (7, Leaf(7, 1, newer_before=0, oldest_before=4)),
        (4, Leaf(7, 1, newer_before=0, oldest_before=4)),
        (3, Leaf(7, 1, newer_before=7, oldest_before=4)),
    ],
)
def test_leaf_knows_its_neighbours(trail, top, leaf):
    assert trail.leaf(AuditFilter(), 3, top) == leaf


def test_leaf_of_a_filter_counts_only_what_it_chooses(trail):
    assert trail.leaf(AuditFilter(who="kim"), 2, 6) == Leaf(3, 2, newer_before=0, oldest_before=6)


def test_newer_page_ends_where_this_one_begins(trail):
    leaf = trail.leaf(AuditFilter(), 3, 3)
    newer = trail.rows(AuditFilter(), 3, leaf.newer_before)

    assert [each.row for each in newer] == [6, 5, 4]


def test_oldest_page_is_full_and_ends_with_the_first_row(trail):
    oldest = trail.rows(AuditFilter(), 3, trail.leaf(AuditFilter(), 3, 7).oldest_before)

    assert [each.row for each in oldest] == [3, 2, 1]


def test_leaf_of_nothing_is_empty(trail):
    assert trail.leaf(AuditFilter(who="nobody"), 3, 0) == Leaf(0, 0, 0, 0)


def test_pages_show_every_row_once_and_the_last_leads_nowhere(bench):
    bench.as_role(Role.QUALITY)
    for number in range(230):
        bench.context.audit.write("anna", "people.role", f"person {number}")
    url, seen = "/audit", []
    while url:
        page = bench.client.get(url).text
        seen += map(int, ROW.findall(page))
        link = OLDER.search(page)
        url = link.group(1).replace("&amp;", "&") if link else ""

    assert seen == list(range(len(seen), 0, -1))
    assert len(seen) > 230


def test_api_names_no_next_page_after_the_last_row(bench):
    bench.as_role(Role.QUALITY)
    rows = len(bench.client.get("/api/v1/audit").json["rows"])
    whole = bench.client.get(f"/api/v1/audit?limit={rows}").json

    assert (len(whole["rows"]), whole["next_before_row"]) == (rows, 0)


def test_export_holds_every_row_whatever_a_page_shows(bench):
    bench.as_role(Role.QUALITY)
    for number in range(1_100):
        bench.context.audit.write("anna", "people.role", f"person {number}")
    lines = bench.client.get("/api/v1/audit.jsonl").text.splitlines()

    assert len(lines) > 1_100


@pytest.mark.parametrize("language", languages())
def test_every_deed_of_the_line_and_the_machine_has_its_words(language):
    written = {
        kind
        for room in ("line", "machine", "reports", "access")
        for path in (ROOT / "app" / "web" / room).glob("*.py")
        for kind in WRITES.findall(path.read_text(encoding="utf-8"))
    }

    assert len(written) > 10
    assert sorted(f"deed.{each}" for each in written if f"deed.{each}" not in Texts(language).own) == []
