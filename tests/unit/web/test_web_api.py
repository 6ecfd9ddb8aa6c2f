"""The JSON contract, and who may use it."""

from __future__ import annotations

import json
import threading
from urllib.parse import quote

import pytest

from app.bus.commands import CommandServer, Reply
from app.web.guard import HEADERS
from tests.unit.web.bench import Bench, messages

PAGES = [
    "/operator/",
    "/operator/1",
    "/sheets/takt+screen.css",
    "/static/operator.css",
    "/api/v1/status",
    "/api/v1/health",
    "/nowhere",
]


class Desk:
    """A station's desk that answers one command."""

    def __init__(self, path, reply):
        self.server = CommandServer(path)
        self.reply = reply
        self.requests = []
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        import select

        if select.select([self.server], [], [], 20)[0]:
            for received in self.server.receive():
                self.requests.append(received.request)
                self.server.answer(received, self.reply)

    def close(self):
        self.thread.join()
        self.server.close()


def stop(bench, lane=1, body="{}", **headers):
    given = {"Content-Type": "application/json", "Origin": "http://localhost", **headers}
    return bench.client.post(f"/api/v1/lanes/{lane}/stop", data=body, headers={k: v for k, v in given.items() if v})


def test_status_is_the_lane_that_was_asked_for(two_lanes):
    two_lanes.publish(lane=2, lot="B")
    two_lanes.look()

    assert two_lanes.client.get("/api/v1/status?lane=2").json["status"]["lot"] == "B"
    assert two_lanes.client.get("/api/v1/status").json["lane"] == 1


@pytest.mark.parametrize("query", ["lane=9", "lane=x", "lane=", "lane=-1"])
@pytest.mark.parametrize("path", ["status", "parts", "stream"])
def test_unknown_lane_is_no_page(bench, path, query):
    answer = bench.client.get(f"/api/v1/{path}?{query}")

    assert (answer.status_code, set(answer.json)) == (404, {"what", "mend"})


@pytest.mark.parametrize(("limit", "count"), [("2", 2), ("0", 0), ("12", 3)])
def test_parts_are_newest_first_up_to_a_limit(bench, limit, count):
    for number in (1, 2, 3):
        bench.judged(number)
    bench.look()

    parts = bench.client.get(f"/api/v1/parts?limit={limit}").json["parts"]

    assert [part["part"] for part in parts] == [3, 2, 1][:count]


@pytest.mark.parametrize("limit", ["-3", "x", "99", "", "1e3"])
def test_limit_that_makes_no_sense_is_one_clear_error(bench, limit):
    answer = bench.client.get(f"/api/v1/parts?limit={limit}")

    assert answer.status_code == 400
    assert answer.json["what"].startswith("limit: ")


def test_stream_begins_with_everything_and_goes_on_with_what_is_new(bench):
    bench.publish()
    bench.judged(1)
    bench.look()
    answer = bench.client.get("/api/v1/stream", buffered=False)
    chunks = answer.response
    assert next(chunks).startswith(b"retry: ")

    first = messages(next(chunks))
    bench.judged(2)
    bench.look(later_ms=25)
    second = messages(next(chunks))
    chunks.close()

    assert [name for name, _ in first] == ["parts", "status"]
    assert [said["part"] for name, said in second if name == "part"] == [2]
    assert answer.mimetype == "text/event-stream"
    assert bench.live.hub.count == 0


def test_stream_asked_for_by_head_takes_no_place(bench):
    assert bench.client.head("/api/v1/stream").status_code == 200
    assert bench.live.hub.count == 0


def test_page_too_many_is_told_to_come_back(bench):
    pages = [bench.live.hub.subscribe(1) for _ in range(8)]
    answer = bench.client.get("/api/v1/stream")

    assert len(pages) == 8
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_health_is_bad_when_nobody_looks_any_more(bench):
    bench.look()
    assert bench.client.get("/api/v1/health").status_code == 200

    bench.clock.advance_to(bench.clock.now_ns() + 3_000_000_000)

    assert bench.client.get("/api/v1/health").status_code == 503


# Previews


@pytest.mark.parametrize("camera", ["top", "side 2", "../../etc/passwd", "a%2Fb"])
def test_preview_is_served_under_the_name_that_the_page_is_told(bench, camera):
    bench.event("VERDICT", 1, destination="pass", route="pass", reasons="", text="")
    bench.event("JUDGED", 1, camera=camera, exposure=0)
    bench.look()
    file = bench.live.parts(1)["parts"][0]["pictures"][0]["file"]
    bench.preview(file)

    answer = bench.client.get(f"/api/v1/previews/{quote(file.removesuffix('.jpg'), safe='')}.jpg")

    assert (answer.status_code, answer.mimetype, answer.data) == (200, "image/jpeg", b"\xff\xd8jpeg")
    answer.close()


@pytest.mark.parametrize(
    "name",
    [
        "../lane1.ring",
        "..%2flane1.ring",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e%2flane1",
        "lane1-1-1-../../x",
        "lane1-1-1-..%2f..%2fsecret",
        "lane1-1-1-%00",
        "....//secret",
        "/etc/passwd",
        "secret",
        "lane1-1-1-top",
    ],
)
def test_no_path_leads_out_of_the_previews(bench, name):
    (bench.place.root / "secret.jpg").write_bytes(b"secret")
    (bench.place.previews() / "secret.jpg").write_bytes(b"secret")

    answer = bench.client.get(f"/api/v1/previews/{name}.jpg")

    assert answer.status_code in (404, 308)
    assert answer.data != b"secret"


def test_preview_that_is_a_link_out_of_the_folder_needs_a_name_of_ours(bench):
    (bench.place.root / "secret.jpg").write_bytes(b"secret")

    assert bench.client.get("/api/v1/previews/link.jpg").status_code == 404


# Commands


def test_stop_is_passed_on_to_the_station_and_acknowledged_by_sequence(bench):
    desk = Desk(bench.place.commands(1), Reply(ok=True, epoch=3, sequence=77))
    answer = stop(bench, body=json.dumps({"by": "Operator"}))
    desk.close()

    assert (answer.status_code, answer.json) == (200, {"is_done": True, "epoch": 3, "sequence": 77})
    assert [(each.command, each.by) for each in desk.requests] == [("stop", "Operator at 127.0.0.1")]


def test_refusal_of_the_station_is_passed_on(bench):
    desk = Desk(bench.place.commands(1), Reply(ok=False, what="the line is not running", mend="nothing to stop"))
    answer = stop(bench)
    desk.close()

    assert (answer.status_code, answer.json["what"]) == (409, "the line is not running")


def test_stop_without_a_station_says_so(bench):
    answer = stop(bench)

    assert answer.status_code == 503
    assert "no station answers" in answer.json["what"]
    assert "takt run" in answer.json["mend"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "https://localhost"},
        {"Origin": None, "Sec-Fetch-Site": "cross-site"},
        {"Origin": None, "Sec-Fetch-Site": "same-site"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": None},
    ],
)
def test_command_that_another_page_could_send_is_refused(bench, headers):
    assert stop(bench, **headers).status_code == 403


def test_command_of_a_program_without_an_origin_is_taken(bench):
    assert stop(bench, Origin=None).status_code == 503


@pytest.mark.parametrize(
    "body", ['{"by": ""}', '{"by": "x\\u0000"}', '{"by": 7}', '{"who": "me"}', '{"by": "%s"}' % ("x" * 41)]
)
def test_command_that_makes_no_sense_is_named(bench, body):
    answer = stop(bench, body=body)

    assert answer.status_code == 400
    assert answer.json["what"]


def test_command_to_a_lane_that_is_not_there_is_no_page(bench):
    assert stop(bench, lane=9).status_code == 404


def test_huge_command_is_refused(bench):
    assert stop(bench, body=json.dumps({"by": "x" * 100_000})).status_code in (400, 413)


@pytest.mark.parametrize("path", ["/api/v1/lanes/1/stop", "/api/v1/status"])
def test_wrong_method_is_told(bench, path):
    answer = bench.client.put(path, json={}, headers={"Origin": "http://localhost"})

    assert (answer.status_code, bool(answer.json["what"])) == (405, True)


# Who may ask, and what the browser may do


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_carries_the_headers(bench, path):
    answer = bench.client.get(path)

    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    answer.close()


def test_policy_allows_nothing_inline_and_nothing_from_elsewhere():
    policy = HEADERS["Content-Security-Policy"]

    assert "unsafe" not in policy
    assert "default-src 'self'" in policy
    assert "http" not in policy


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]:8080", "192.168.7.20", "LOCALHOST."])
def test_box_answers_to_its_addresses_and_names(bench, host):
    assert bench.client.get("/api/v1/status", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "x@y", "a:b:c"])
def test_name_that_somebody_pointed_at_this_box_gets_no_answer(bench, host):
    assert bench.client.get("/api/v1/status", headers={"Host": host}).status_code in (400, 403)


def test_failure_in_a_request_tells_nothing_of_the_inside(bench, monkeypatch):
    monkeypatch.setattr(bench.live, "status", lambda lane: 1 / 0)
    answer = bench.client.get("/api/v1/status")

    assert answer.status_code == 500
    assert "zero" not in answer.text


# Pages


def test_home_leads_to_the_operator(bench):
    answer = bench.client.get("/")

    assert (answer.status_code, answer.location) == (302, "/operator/")


def test_page_carries_no_inline_code_or_style(bench):
    page = bench.client.get("/operator/").text

    assert "<style" not in page
    assert " style=" not in page
    assert " on" not in page.split("<body")[1].split(">")[0]
    assert page.count("<script") == page.count("<script src=") + page.count('<script type="module" src=') + 1
    assert '<script type="application/json"' in page


def test_hostile_name_of_a_line_is_only_shown(tmp_path):
    from app.web.application import create_app
    from app.web.lane import Lane

    bench = Bench(tmp_path / "bus")
    lane = Lane(1, "</script><script>alert(1)</script>", 5.0)
    bench.live._watches[1].lane = lane
    page = create_app(bench.context).test_client().get("/operator/").text
    bench.close()

    assert "<script>alert" not in page


def test_lanes_have_keys_where_there_are_several(two_lanes, tmp_path):
    one = Bench(tmp_path / "other")
    alone = one.client.get("/operator/").text
    one.close()

    assert two_lanes.client.get("/operator/2").text.count("data-lane=") == 2
    assert alone.count("data-lane=") == 0


def test_page_of_a_lane_that_is_not_there_is_told_in_words(bench):
    answer = bench.client.get("/operator/9")

    assert answer.status_code == 404
    assert "There is no such page" in answer.text
