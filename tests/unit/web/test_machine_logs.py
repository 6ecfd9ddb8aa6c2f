"""The pages of the log and of the support bundle: who sees them, what they say, and what they never say."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from datetime import timedelta

import pytest
from flask import Flask

from app.record.walltime import micros
from app.support.log_file import FOLDER, LogFile
from app.support.logs import LogFilter
from app.web.access.audit import AuditFilter
from app.web.access.roles import Role
from app.web.machine import bundle_pages
from app.web.machine.bundle_pages import BundleChild, add_bundle
from app.web.machine.log_pages import LogDesk
from tests.groups import ROOT
from tests.unit.web.people import machine

LINES = "/api/v1/machine/logs"
TEXT = "/api/v1/machine/logs.txt"
BUNDLE = "/api/v1/machine/support-bundle.zip"
PAGE = "/machine/logs"
HOSTILE = "</script><script>alert(1)</script>"


@pytest.fixture
def desk(bench):
    """A technician, and a log that can be written on."""
    log = LogFile(bench.state / FOLDER)
    bench.headers = bench.as_role(Role.TECHNICIAN)

    def say(process, text, ago=timedelta()):
        log.append(micros(bench.clock.wall() - ago), process, 1, text)

    bench.say = say
    yield bench
    log.close()


def asked(desk, **query):
    answer = desk.client.get(LINES, query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.json


def texts(said):
    return [each["text"] for each in said["lines"]]


def test_lines_are_told_newest_first_in_the_zone_of_the_box(desk):
    desk.say("web", "first")
    desk.say("station", "second, killed")
    said = asked(desk)
    at = desk.clock.wall().astimezone()

    assert texts(said) == ["second, killed", "first"]
    assert said["lines"][0]["level"] == "error"
    assert said["lines"][0]["time"] == f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}"
    assert (said["processes"], said["is_more"], said["trouble"]) == (["station", "web"], False, "")


def test_filter_and_cursor(desk):
    desk.say("web", "long ago", timedelta(hours=2))
    desk.say("web", "Cannot do that")
    desk.say("station", "ready")

    assert texts(asked(desk, process="web", minutes=60)) == ["Cannot do that"]
    assert texts(asked(desk, words="CANNOT")) == ["Cannot do that"]
    assert texts(asked(desk, level="warning")) == ["Cannot do that"]
    last = asked(desk)["lines"][0]["number"]
    assert texts(asked(desk, after=last)) == []
    desk.say("web", "news")
    assert texts(asked(desk, after=last)) == ["news"]
    assert asked(desk, most=1)["is_more"] is True


def test_empty_fields_of_the_form_choose_nothing(desk):
    desk.say("web", "something")

    assert texts(asked(desk, process="", words="", level="", minutes="")) == ["something"]


def test_box_that_has_said_nothing(desk):
    assert asked(desk)["lines"] == []
    assert desk.client.get(TEXT).status_code == 200


@pytest.mark.parametrize(
    "query", ["level=loud", "most=0", "most=99999", "after=-1", "after=x", "minutes=-5", f"words={'x' * 101}"]
)
def test_nonsense_is_refused_in_words(desk, query):
    answer = desk.client.get(f"{LINES}?{query}")

    assert answer.status_code == 400
    assert set(answer.json) == {"what", "mend"}


@pytest.mark.parametrize(
    "query", ["", "?level=loud", "?minutes=7", "?process=nobody&words=%00%22", f"?words={HOSTILE}"]
)
def test_page_comes_up_whatever_its_address_says(desk, query):
    answer = desk.client.get(f"{PAGE}{query}")

    assert answer.status_code == 200
    assert HOSTILE not in answer.text


def test_text_has_the_chosen_lines_oldest_first(desk):
    desk.say("web", "first")
    desk.say("web", "second")
    desk.say("station", "third")
    answer = desk.client.get(TEXT, query_string={"process": "web"})

    assert [each.rpartition(": ")[2] for each in answer.text.splitlines()[1:]] == ["first", "second"]
    assert answer.mimetype == "text/plain"
    assert 'filename="takt-log.txt"' in answer.headers["Content-Disposition"]


def test_secret_that_lies_in_the_file_is_not_told(desk):
    (desk.state / FOLDER / "takt.jsonl").write_text(
        json.dumps({"n": 1, "at": 1, "process": "PIN 482913", "lane": None, "text": "the code is ABCD-EF23-GH45"})
        + "\n"
    )

    for url in (LINES, TEXT, PAGE):
        content = desk.client.get(url).text
        assert "482913" not in content
        assert "ABCD-EF23" not in content


def test_time_that_makes_no_sense_is_shown_all_the_same(desk):
    for number in (10**18, 10**30, -(10**18)):
        (desk.state / FOLDER / "takt.jsonl").write_text(
            json.dumps({"n": 1, "at": number, "process": "web", "lane": None, "text": "odd"}) + "\n"
        )
        for url in (LINES, TEXT):
            assert desk.client.get(url).status_code == 200


def test_log_that_cannot_be_read_is_told(desk):
    (desk.state / FOLDER / "takt.jsonl").unlink(missing_ok=True)
    (desk.state / FOLDER / "takt.jsonl").mkdir()

    assert "directory" in asked(desk)["trouble"]


def test_journal_is_asked_only_where_takt_run_is_not_at_work(desk, monkeypatch):
    class Told:
        asked = 0

        def lines(self, _chosen):
            self.asked += 1
            return []

    journal = Told()
    logs = LogDesk(desk.context, journal)
    logs.hear(LogFilter())
    assert journal.asked == 1

    class Supervised:
        at_ns = desk.clock.now_ns()
        processes = ()

    monkeypatch.setattr("app.web.machine.log_pages.read_supervised", lambda _folder: Supervised)
    logs.hear(LogFilter())
    assert journal.asked == 1


@pytest.mark.parametrize("url", [PAGE, LINES, TEXT, BUNDLE])
@pytest.mark.parametrize("role", [Role.OPERATOR, Role.LEAD, Role.QUALITY])
def test_others_than_technicians_are_refused(bench, role, url):
    bench.as_role(role)

    assert bench.client.get(url).status_code == 403


@pytest.mark.parametrize("url", [LINES, TEXT, BUNDLE])
def test_machines_are_refused(bench, url):
    headers = machine(bench.context, "read", "review", "line")

    assert bench.app.test_client().get(url, headers=headers).status_code == 403


# The bundle


def script(desk, words):
    """The pages with a child of the bundle that runs a line of Python."""

    def command(days, pictures):
        return [sys.executable, "-c", words, str(days), str(pictures)]

    rule = next(each for each in desk.app.url_map.iter_rules() if each.rule == BUNDLE)
    views = _views(desk, command)
    desk.app.view_functions[rule.endpoint] = views


def _views(desk, command):
    other = Flask("other")
    add_bundle(other, desk.context, command)
    return other.view_functions["bundle"]


def test_bundle_is_passed_on_and_written_into_the_trail(desk):
    script(desk, "import sys; sys.stdout.buffer.write(b'PK' + bytes(300_000) + ' '.join(sys.argv[1:]).encode())")
    answer = desk.client.get(BUNDLE, query_string={"days": 3, "pictures": 5})
    (row,) = desk.context.audit.rows(AuditFilter(what="machine.bundle"))

    assert answer.status_code == 200
    assert (answer.data[:2], answer.data[-3:], len(answer.data)) == (b"PK", b"3 5", 300_005)
    assert answer.mimetype == "application/zip"
    assert json.loads(row.after) == {"days": 3, "pictures": 5}


def test_bundle_that_cannot_begin_is_told_in_words(desk):
    script(desk, "import sys; sys.exit('takt: no room for anything')")
    answer = desk.client.get(BUNDLE, headers={"Accept": "application/json"})

    assert answer.status_code == 503
    assert "no room for anything" in answer.json["what"]
    script(desk, "print('PK')")
    assert desk.client.get(BUNDLE).data == b"PK\n"


def test_bundle_that_breaks_off_is_no_whole_file(desk):
    script(desk, "import sys, os; os.write(1, b'PK'); sys.exit('went wrong')")

    with pytest.raises(OSError, match="went wrong"):
        desk.client.get(BUNDLE).get_data()


def test_one_bundle_at_a_time_and_the_next_once_its_page_has_gone(desk):
    script(desk, "import os, time; os.write(1, b'PK'); time.sleep(600)")
    first = desk.client.get(BUNDLE, buffered=False)
    second = desk.client.get(BUNDLE, headers={"Accept": "application/json"})
    first.close()
    third = desk.client.get(BUNDLE, buffered=False)

    assert (second.status_code, third.status_code) == (503, 200)
    third.close()


def test_child_that_falls_silent_or_takes_too_long_is_ended():
    ended = []
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    for limits in ({"limit_s": 600.0}, {"limit_s": 0.0}):
        child = BundleChild(command, lambda: ended.append(1), **limits)
        with pytest.raises(TimeoutError):
            child.read(0.05)
        child.close()
        child.close()
        assert child._process.returncode == -9

    assert ended == [1, 1]


SERVER = """
import sys, threading
from app.web.machine.bundle_pages import BundleChild
def serve():
    child = BundleChild(["sh", "-c", "echo $$; exec sleep 600"], lambda: None)
    print(child.read().decode(), end="", flush=True)
    threading.Event().wait()
threading.Thread(target=serve).start()
"""


def test_child_ends_with_the_pages_however_they_are_killed():
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    with server:
        watched = os.pidfd_open(int(server.stdout.readline()))
        try:
            server.kill()
            assert select.select([watched], [], [], 20)[0], "it lives on"
        finally:
            os.close(watched)
            server.kill()


def test_command_names_the_box_that_the_pages_are_of(bench):
    words = bundle_pages._command_of(bench.context)(7, 0)

    assert words[1:6] == ["-m", "app.cli", "support-bundle", "--out", "-"]
    assert str(bench.state) in words
    assert str(bench.place.root) in words


@pytest.mark.parametrize("query", ["days=0", "days=99", "pictures=-1", "pictures=5000", "days=x"])
def test_bundle_of_nonsense_is_refused(desk, query):
    assert desk.client.get(f"{BUNDLE}?{query}").status_code == 400
