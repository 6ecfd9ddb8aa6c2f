"""The audit trail and the store that it lies in."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import threading

import pytest

from app.clock import NS_PER_S, VirtualClock
from app.errors import RecordError
from app.web.access.audit import Audit, AuditFilter, AuditRow
from app.web.access.audit_forms import csv_lines, json_lines, shown
from app.web.access.roles import Role
from app.web.store.database import FILE, Store
from tests.unit.web.bench import lay_store

FORMULA = '=HYPERLINK("http://evil.example")'


@pytest.fixture
def store(tmp_path):
    lay_store(tmp_path)
    made = Store(tmp_path / "web")
    yield made
    made.close()


@pytest.fixture
def clock():
    return VirtualClock(NS_PER_S)


@pytest.fixture
def trail(store, clock):
    made = Audit(store, clock)
    made.write("anna", "people.role", "kim", "operator", "lead", "new shift")
    made.write("kim", "review.label", "part 4", None, {"label": "escape"})
    made.write("anna", "people.remove", "alex")
    return made


def tamper(store, *statements):
    """What somebody with the file could do, once they have taken the triggers away."""
    store.close()
    connection = sqlite3.connect(store.path)
    for each in ("audit_keeps_update", "audit_keeps_delete", "audit_keeps_order"):
        connection.execute(f"DROP TRIGGER {each}")
    for each in statements:
        connection.execute(each)
    connection.commit()
    connection.close()


def test_rows_are_kept_in_order_and_verify(trail):
    rows = trail.rows(AuditFilter())

    assert [(each.row, each.who, each.what) for each in rows] == [
        (3, "anna", "people.remove"),
        (2, "kim", "review.label"),
        (1, "anna", "people.role"),
    ]
    assert trail.verify().is_sound
    assert trail.verify().rows == 3


@pytest.mark.parametrize(
    ("chosen", "rows"),
    [
        (AuditFilter(who="kim"), [2]),
        (AuditFilter(what="people.role"), [1]),
        (AuditFilter(what="people."), [3, 1]),
        (AuditFilter(words="SHIFT"), [1]),
        (AuditFilter(words="%"), []),
        (AuditFilter(from_us=2**60), []),
        (AuditFilter(to_us=1), []),
        (AuditFilter(who="' OR 1=1 --"), []),
    ],
    ids=str,
)
def test_filter_chooses(trail, chosen, rows):
    assert [each.row for each in trail.rows(chosen)] == rows


def test_pages_follow_each_other(trail):
    first = trail.rows(AuditFilter(), most=2)
    second = trail.rows(AuditFilter(), most=2, before_row=first[-1].row)

    assert [each.row for each in (*first, *second)] == [3, 2, 1]


@pytest.mark.parametrize(
    "statement", ["UPDATE audit SET who = 'x'", "DELETE FROM audit", "REPLACE INTO audit SELECT * FROM audit"]
)
def test_the_store_itself_refuses_every_change(trail, store, statement):
    with pytest.raises(RecordError), store.writing() as connection:
        connection.exec_driver_sql(statement)

    assert trail.verify().rows == 3


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE audit SET reason = 'other' WHERE row = 1", "row 1 is not as it was written"),
        ("UPDATE audit SET at_us = at_us + 1 WHERE row = 2", "row 2 is not as it was written"),
        ("DELETE FROM audit WHERE row = 2", "row 2 is missing"),
        ("DELETE FROM audit WHERE row = 3", "rows are missing at the end"),
        ("DELETE FROM audit", "rows are missing at the end"),
        ("DELETE FROM audit_head", "the head is gone"),
        (
            "INSERT INTO audit SELECT 4, at_us, who, what, about, before, after, reason, hash FROM audit WHERE row = 3",
            "row 4",
        ),
    ],
)
def test_what_somebody_changed_in_the_file_is_named(trail, store, statement, words):
    tamper(store, statement)

    found = trail.verify()

    assert not found.is_sound
    assert words in "; ".join(found.problems)


def test_row_is_written_with_what_it_is_about_or_not_at_all(store, trail):
    def fail():
        with store.writing():
            trail.write("anna", "people.add", "sam")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert trail.verify().rows == 3


def test_writers_at_once_make_one_chain(store, trail):
    threads = [threading.Thread(target=lambda: [trail.write("x", "y", "z") for _ in range(5)]) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert trail.verify().rows == 23
    assert trail.verify().is_sound


def test_another_process_writes_the_same_chain(store, trail, clock):
    other = Store(store.folder)
    Audit(other, clock).write("shell: root", "people.add", "sam")
    other.close()
    trail.write("anna", "people.add", "eve")

    assert trail.verify().is_sound


def test_words_that_no_file_can_hold_are_kept_as_well_as_can_be(trail):
    trail.write("a\ud800", "x", "y", {"z": "\ud800"}, reason="x" * 9_000)

    assert trail.verify().is_sound
    assert len(trail.rows(AuditFilter())[0].reason) == 2_000


def test_export_is_what_the_trail_says(trail):
    rows = [json.loads(line) for line in json_lines(trail.stream())]
    table = list(csv.reader(io.StringIO("".join(csv_lines(trail.stream())))))

    assert [each["row"] for each in rows] == [1, 2, 3]
    assert rows[1]["after"] == {"label": "escape"}
    assert table[0][:3] == ["row", "time", "who"]
    assert [line[2] for line in table[1:]] == ["anna", "kim", "anna"]


def test_spreadsheet_takes_no_word_for_a_formula(trail):
    trail.write(FORMULA, "x", FORMULA, reason="@SUM(A1)")
    line = list(csv.reader(io.StringIO("".join(csv_lines(trail.stream())))))[-1]

    assert (line[2], line[4], line[7]) == (f"'{FORMULA}", f"'{FORMULA}", "'@SUM(A1)")


def test_values_are_shown_in_words(trail):
    rows = [shown(each) for each in trail.rows(AuditFilter())]

    assert [(each.before, each.after) for each in rows] == [("", ""), ("", "label: escape"), ("operator", "lead")]


# On the page and in the API


def test_page_shows_hostile_words_only_as_words(bench):
    bench.as_role(Role.QUALITY)
    bench.context.audit.write(
        "<script>alert(1)</script>", "<img src=x>", "</td>", {"a": "<b>"}, reason="<svg onload=x>"
    )
    page = bench.client.get("/audit").text

    for each in ("<script>alert", "<img src=x>", "<b>", "<svg onload"):
        assert each not in page


def test_page_tells_roles_and_ways_in_in_its_language_and_names_as_they_were_written(bench):
    bench.as_role(Role.QUALITY)
    bench.context.audit.write("Anna", "people.role", "Kim", "operator", "lead", reason="new shift")
    bench.context.audit.write("Anna", "session.open", "password")
    bench.context.audit.write("Anna", "line.recipe", "1", "lead", "quality", reason="recipes of these names")
    page = bench.client.get("/audit?lang=de").text

    assert "<td>Passwort</td>" in page
    assert '<span class="quiet">Bedienung</span>' in page
    assert '<span class="quiet"><span lang="en">lead</span></span>' in page


@pytest.mark.parametrize(
    "query", ["before_row=x", "before_row=-1", "from=yesterday", f"words={'x' * 81}", f"before_row={10**30}"]
)
def test_filter_with_nonsense_is_told_in_words(bench, query):
    bench.as_role(Role.QUALITY)

    assert bench.client.get(f"/api/v1/audit?{query}").status_code == 400
    assert bench.client.get(f"/audit?{query}").status_code == 400


@pytest.mark.parametrize("query", ["from=0001-01-01", "to=9999-12-31", "from=&to=&words=", "what=nothing", "lang=de"])
def test_filter_at_the_edge_is_answered(bench, query):
    bench.as_role(Role.QUALITY)

    assert bench.client.get(f"/audit?{query}").status_code == 200


def test_files_carry_the_rows_that_the_filter_chooses(bench):
    bench.as_role(Role.QUALITY)
    bench.context.audit.write("kim", "review.label", "part 4")
    answer = bench.client.get("/api/v1/audit.jsonl?who=kim")

    assert answer.headers["Content-Disposition"] == 'attachment; filename="takt-audit.jsonl"'
    assert [json.loads(line)["about"] for line in answer.text.splitlines()] == ["part 4"]
    assert bench.client.get("/api/v1/audit.csv?who=kim").text.count("\n") == 2


def test_check_of_the_chain_is_answered(bench):
    bench.as_role(Role.QUALITY)

    assert bench.client.get("/api/v1/audit/verify").json["is_sound"]


# The store


def test_only_its_owner_reads_the_store(store):
    with store.writing():
        assert {oct(path.stat().st_mode & 0o777) for path in store.folder.iterdir()} == {"0o600"}
    assert oct(store.folder.stat().st_mode & 0o777) == "0o700"


def test_new_store_is_made_by_the_steps_for_its_owner_alone(tmp_path):
    made = Store(tmp_path / "new" / "web")
    with made.writing() as connection:
        tables = {row[0] for row in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")}
    made.close()

    assert {"people", "sessions", "tokens", "failures", "audit", "audit_head"} <= tables
    assert oct((tmp_path / "new" / "web").stat().st_mode & 0o777) == "0o700"


def test_reader_cannot_write(store):
    with pytest.raises(RecordError), store.reading() as connection:
        connection.exec_driver_sql("DELETE FROM people")


def test_what_raises_is_undone(store, clock):
    def fail():
        with store.writing() as connection:
            connection.exec_driver_sql("INSERT INTO audit_head VALUES (1, 1, x'00')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with store.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM audit_head").scalar() == 0


@pytest.mark.parametrize("content", [b"no database at all" * 100, b""], ids=["damaged", "empty"])
def test_file_that_is_no_store(tmp_path, content):
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / FILE).write_bytes(content)
    made = Store(folder)
    if content:
        with pytest.raises(RecordError, match="it is no store of people"), made.reading():
            pass
    else:
        with made.reading() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM people").scalar() == 0
    made.close()


def test_store_of_a_newer_version_is_refused(store):
    with store.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    store.close()
    with pytest.raises(RecordError, match=r"9999.*install"), store.reading():
        pass


def test_line_is_shown_also_where_the_store_is_broken(bench):
    bench.as_role(Role.ADMIN)
    bench.context.store.close()
    bench.context.store.path.write_bytes(b"no database at all" * 100)
    for each in bench.context.store.folder.glob("*-wal"):
        each.unlink()

    assert bench.client.get("/operator/").status_code == 200
    assert bench.client.get("/api/v1/status").status_code == 200
    assert bench.client.get("/users").status_code == 503
    assert bench.client.post("/api/v1/session", json={"name": "a", "password": "b"}).status_code == 503


def test_page_shows_what_changed_key_by_key_and_leaves_out_what_did_not():
    before, after = {"recipe": "A", "sha256": "1", "lot": "L"}, {"recipe": "B", "lot": "L", "planned": None}
    row = AuditRow(1, 0, "Ada", "line.recipe", "lane 1", json.dumps(before), json.dumps(after), "why", b"")

    found = shown(row)
    assert [(each.key, each.before, each.after) for each in found.changes] == [
        ("recipe", "A", "B"),
        ("sha256", "1", ""),
        ("planned", "", ""),
    ]
    assert found.raw == f"{json.dumps(before)} -> {json.dumps(after)}"


def test_row_that_changed_nothing_has_nothing_to_fold():
    row = AuditRow(1, 0, "Ada", "line.purge", "lane 1", "null", "null", "", b"")

    assert (shown(row).changes, shown(row).raw) == ((), "")
