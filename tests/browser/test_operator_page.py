"""The operator's page in a real browser."""

from __future__ import annotations

import signal
from itertools import pairwise
from urllib.parse import urlsplit

import pytest

from tests.browser.conftest import PART, SIZES

KEY_MM = 20
GAP_MM = 3
LEAST_CONTRAST = 4.5
PIXELS_PER_MM = 4.0
KIOSKS = ["1280x800", "1920x1080"]
SCHEMES = ["light", "dark"]
STATES = {
    "running": {"status": {"state": "RUNNING"}},
    "degraded": {
        "status": {
            "state": "DEGRADED",
            "why": "the standby judges: openvino did not answer within 4 ms",
            "for_s": 75,
            "failovers": 31,
            "is_challenge_due": True,
        },
        "recorder": {"policy": "pictures of passes are not kept: 0.80 GB free, below 1 GB; for 30 days"},
    },
    "purging": {"status": {"state": "PURGING", "why": "the belt is purged, 612 mm to go", "for_s": 2}},
    "no-camera": {
        "status": {"state": "NO_CAMERA", "why": "camera top: the device is gone", "for_s": 9},
        "cameras": [["top", "the device is gone", 41, 1, 0]],
        "tally": {"triggers": 1204, "passed": 1180, "rejected": 20, "lost": 1, "in_flight": 1},
    },
    "stopped": {
        "status": {"state": "STOPPED", "why": "part 43 was not seen in its chute", "for_s": 12, "is_permitted": False},
        "latches": [
            ["MISSED_REJECT", "part 43 was not seen in its chute", 43],
            ["BAD_AT_EXIT", "part 43 reached the exit", 43],
        ],
    },
}


def measured(sight):
    """Loads what measures; not through the page, whose policy forbids it."""
    from tests.groups import ROOT

    sight.page.evaluate((ROOT / "tests" / "browser" / "measure.js").read_text(encoding="utf-8"))
    return sight.page


def show(stand, sight, picture=4, **said):
    """Lets the line rest at one part, so that a picture of the page holds still."""
    before = stand.rest(sight)
    stand.tell(**said)
    stand.tell(judge={"picture": picture})
    sight.wait(f"{PART} === {before + 1}")
    sight.wait("document.querySelector('#frame').dataset.part === document.querySelector('#judged').dataset.part")
    sight.wait("document.querySelector('#frame img')")


# Live


@pytest.mark.parametrize("size", SIZES)
def test_parts_arrive_live_on_one_screen(stand, look, photograph, size):
    sight = look(size)
    sight.go(stand.url)
    sight.wait("document.querySelectorAll('#strip .tile').length === 12")
    first = sight.part()
    sight.wait(f"{PART} >= {first + 5}")
    show(stand, sight)
    photograph(sight, size)

    page = sight.page
    inner = page.evaluate("[innerWidth, innerHeight, document.documentElement.scrollWidth, document.body.scrollHeight]")
    assert inner[2] <= inner[0]
    assert inner[3] <= inner[1]
    assert page.locator("#verdict-word").inner_text() == "REJECT"
    assert page.locator("#last-reject-part").inner_text() == f"Part {sight.part()}"
    assert page.locator("#balance-words").inner_text().startswith("Balanced")
    assert sight.complaints == []
    assert {urlsplit(url).netloc for url in sight.requests} == {f"127.0.0.1:{stand.port}"}


@pytest.mark.parametrize("size", KIOSKS)
def test_box_lies_where_the_defect_is(stand, look, size):
    sight = look(size)
    sight.go(stand.url)
    before = stand.rest(sight)
    box = [160, 480, 64, 32]
    stand.tell(judge={"picture": 1, "found": [["short", 0.91, box]]})
    sight.wait(f"{PART} === {before + 1} && document.querySelector('#frame').dataset.part.endsWith('-{before + 1}')")
    sight.wait("document.querySelector('#frame .box.DEFECT')")

    page = sight.page
    image = page.locator("#frame img").bounding_box()
    drawn = page.locator("#frame .box .edge").evaluate(
        "e => { const m = e.getScreenCTM(); const b = e.getBBox();"
        " return [b.x * m.a + m.e, b.y * m.d + m.f, b.width * m.a, b.height * m.d]; }"
    )
    side = min(image["width"], image["height"])
    left = image["x"] + (image["width"] - side) / 2
    top = image["y"] + (image["height"] - side) / 2
    expected = [left + box[0] * side / 640, top + box[1] * side / 640, box[2] * side / 640, box[3] * side / 640]
    assert drawn == pytest.approx(expected, abs=1)
    assert "short" in sight.text("#findings")
    assert "0.91" in sight.text("#findings")
    assert "bottom left" in sight.text("#findings")
    assert page.locator("#frame .box text").text_content() == "short 0.91"


def test_part_without_a_picture_says_why(stand, look):
    sight = look()
    sight.go(stand.url)
    stand.rest(sight)
    stand.tell(judge={"reason": "NO_FRAME", "text": "no frame within 40 ms"})
    sight.wait("document.querySelector('#findings').textContent.includes('No picture in time')")

    sight.wait("document.querySelector('#frame').textContent.includes('No picture')")
    assert "no frame within 40 ms" in sight.text("#findings")
    assert sight.text("#verdict-word") == "REJECT"


def test_page_before_the_first_part_says_what_will_come(make_stand, look, photograph):
    stand = make_stand(period=0)
    sight = look()
    sight.go(stand.url)

    assert "No part yet" in sight.text("#judged")
    assert "Parts appear here" in sight.text("#strip")
    assert sight.text("#state-word") == "RUNNING"
    photograph(sight, "empty")


def test_account_that_does_not_balance_is_loud(stand, look):
    sight = look()
    sight.go(stand.url)
    stand.tell(pause=True, tally={"triggers": 10, "passed": 5, "rejected": 2, "lost": 0, "in_flight": 1})
    sight.wait("document.querySelector('#balance').classList.contains('wrong')")

    assert sight.text("#balance-words") == "NOT BALANCED: 2 parts unaccounted for"
    assert [sight.text(f"#tally-{each}") for each in ("triggers", "passed", "rejected", "lost", "in_flight")] == [
        "10",
        "5",
        "2",
        "0",
        "1",
    ]


def test_stop_shows_its_first_cause_and_what_to_do(stand, look):
    sight = look()
    sight.go(stand.url)
    stand.tell(**STATES["stopped"])
    sight.wait("document.body.dataset.state === 'STOPPED'")

    causes = sight.page.locator("#stops-list li")
    assert causes.count() == 2
    assert "first" in causes.first.inner_text()
    assert "Find the part" in causes.first.inner_text()
    assert sight.page.locator(".banner [data-screen=reset]").is_visible()


def test_degraded_says_why_and_since_when(stand, look):
    sight = look()
    sight.go(stand.url)
    stand.tell(**STATES["degraded"])
    sight.wait("document.body.dataset.state === 'DEGRADED'")

    assert "openvino did not answer" in sight.text("#state-said")
    assert sight.text("#state-since").startswith("since ")
    assert sight.text("#state-since").endswith("1 min")


def test_part_that_somebody_touches_is_held_and_let_go(stand, look):
    sight = look()
    sight.go(stand.url)
    sight.wait("document.querySelectorAll('#strip .tile').length >= 4")
    last = stand.rest(sight)
    tile = sight.page.locator("#strip .tile").nth(2)
    number = tile.inner_text().strip()
    tile.tap()
    sight.wait("!document.querySelector('#held').hidden")
    stand.tell(judge={"picture": 1})
    sight.wait(f"document.querySelector('#strip .mark').textContent.trim() === '{last + 1}'")

    assert sight.text("#part-number") == f"Part {number}"
    assert sight.page.locator(".tile[aria-pressed=true]").inner_text().strip() == number
    sight.page.locator("#back").tap()
    sight.wait(f"document.querySelector('#part-number').textContent === 'Part {last + 1}'")
    assert sight.page.locator("#held").is_hidden()


def test_lanes_are_chosen_by_keys_that_say_how_each_is(make_stand, look, photograph):
    stand = make_stand(lanes=2)
    sight = look()
    sight.go(stand.url)
    stand.stations[2].tell(status={"state": "PURGING", "why": "the belt is purged"})
    sight.wait("document.querySelector('[data-lane=\"2\"] .lane-word').textContent === 'PURGING'")
    photograph(sight, "lanes")

    sight.page.locator('[data-lane="2"]').tap()
    sight.page.wait_for_url("**/operator/2")
    sight.wait("document.body.dataset.state === 'PURGING'")

    assert sight.text("#line") == "Demo line 2"
    assert sight.complaints == []


# NO DATA


def lose(sight, how):
    """The ms of wall time between what a test did and NO DATA on the page, and how late the page's timers were."""
    page = measured(sight)
    page.evaluate("measure.watch()")
    at_ms = how()
    sight.wait("measure.lostAt > 0")
    lost_at_ms, latest_ms = page.evaluate("[measure.lostAt, measure.latest]")
    return lost_at_ms - at_ms, latest_ms


@pytest.mark.parametrize(("who", "number"), [("station", "SIGKILL"), ("station", "SIGSTOP"), ("web", "SIGSTOP")])
def test_page_goes_no_data_within_a_second(own_stand, look, photograph, who, number):
    sight = look()
    sight.go(own_stand.url)
    sight.wait("document.querySelectorAll('#strip .tile').length >= 3")

    after_ms, late_ms = lose(sight, lambda: getattr(own_stand, who).send(getattr(signal, number)))

    assert after_ms <= 1000 + late_ms
    assert sight.text("#state-word") == "NO DATA"
    assert sight.page.locator("#veil").evaluate("e => getComputedStyle(e).opacity") == "1"
    assert "What you see is old" in sight.text("#veil")
    assert sight.page.locator("main").evaluate("e => getComputedStyle(e).filter") == "grayscale(1)"
    photograph(sight, f"no-data-{who}")


def test_page_comes_back_by_itself_when_the_station_does(own_stand, look):
    sight = look()
    sight.go(own_stand.url)
    own_stand.station.send(signal.SIGSTOP)
    sight.wait("document.body.dataset.live === 'no'")
    own_stand.station.send(signal.SIGCONT)
    sight.wait("document.body.dataset.live === 'yes'")

    own_stand.station.send(signal.SIGKILL)
    sight.wait("document.body.dataset.live === 'no'")
    own_stand.station.end()
    own_stand.start_station()
    sight.wait("document.body.dataset.live === 'yes'")
    sight.wait("document.querySelector('#judged').dataset.part?.startsWith('1-2-')")

    assert sight.text("#state-word") == "RUNNING"
    assert sight.complaints == []


def test_page_comes_back_by_itself_when_the_server_does(own_stand, look):
    sight = look()
    sight.go(own_stand.url)
    after_ms, late_ms = lose(sight, lambda: own_stand.web.send(signal.SIGKILL))
    own_stand.web.end()
    assert after_ms <= 1000 + late_ms
    assert "server does not answer" in sight.text("#veil")

    own_stand.start_web()
    sight.wait("document.body.dataset.live === 'yes'")

    before = sight.part()
    sight.wait(f"{PART} > {before}")
    # Only that the connection was refused while nobody was there.
    assert [each for each in sight.complaints if "ERR_" not in each] == []


def test_page_whose_script_hangs_veils_itself(stand, look):
    sight = look()
    sight.go(stand.url)
    debugger = sight.page.context.new_cdp_session(sight.page)
    opacity = "getComputedStyle(document.querySelector('#veil')).opacity"
    assert sight.page.evaluate(opacity) == "0"

    debugger.send("Debugger.enable")
    paused = []

    def note(said):
        paused.append(said)

    debugger.on("Debugger.paused", note)
    debugger.send("Debugger.pause")
    while not paused:
        debugger.send("Schema.getDomains")
    frame = paused[0]["callFrames"][0]["callFrameId"]
    seen = "0"
    while seen != "1":  # the test's own time-out ends this
        seen = debugger.send("Debugger.evaluateOnCallFrame", {"callFrameId": frame, "expression": opacity})["result"][
            "value"
        ]

    debugger.send("Debugger.resume")
    debugger.send("Debugger.disable")
    sight.wait(f"{opacity} === '0'")


def test_page_without_a_script_shows_no_data(stand, look):
    sight = look(java_script_enabled=False)
    sight.go(stand.url, is_live=False)

    assert "NO DATA" in sight.text("#veil")
    assert sight.page.locator("#veil").is_visible()


# The stop key


def test_stop_key_needs_to_be_held(stand, look):
    sight = look()
    sight.go(stand.url)
    box = sight.page.locator("#stop").bounding_box()
    sight.page.mouse.move(box["x"] + 20, box["y"] + 20)
    sight.page.mouse.down()
    sight.wait("document.querySelector('#stop').dataset.phase === 'holding'")
    sight.page.mouse.up()

    assert sight.text("#stop-hint") == "Press and hold"
    assert not [url for url in sight.requests if url.endswith("/stop")]


@pytest.mark.parametrize("way", ["finger", "keyboard"])
def test_stop_key_that_is_held_stops_the_line(stand, look, way):
    sight = look()
    sight.go(stand.url)
    box = sight.page.locator("#stop").bounding_box()
    if way == "finger":
        touch = sight.page.context.new_cdp_session(sight.page)
        points = [{"x": box["x"] + 40, "y": box["y"] + 40}]
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": points})
    else:
        sight.page.locator("#stop").focus()
        sight.page.keyboard.down("Enter")
    sight.wait("document.body.dataset.state === 'STOPPED'")

    assert "stopped by Operator at 127.0.0.1" in sight.text("#stops-list")
    sight.wait("document.querySelector('#notice').textContent.includes('The station has stopped the line')")
    assert sight.complaints == []


def test_stop_that_did_not_reach_the_station_is_loud(own_stand, look):
    sight = look()
    sight.go(own_stand.url)
    own_stand.station.send(signal.SIGKILL)
    sight.page.locator("#stop").focus()
    sight.page.keyboard.down(" ")
    sight.wait("document.querySelector('#stop').dataset.phase === 'failed'")

    assert "NOT STOPPED" in sight.text("#stop")
    assert "no station answers" in sight.text("#notice")
    assert "emergency stop" in sight.text("#notice")


# For everybody


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", KIOSKS)
def test_every_state_can_be_read_and_touched(stand, look, photograph, size, scheme):
    sight = look(size, scheme)
    sight.go(stand.url)
    sight.wait("document.querySelectorAll('#strip .tile').length >= 6")
    page = measured(sight)
    for name, said in STATES.items():
        show(stand, sight, 5 if name == "degraded" else 4, latches=[], recorder={"policy": ""}, cameras=[])
        stand.tell(**said)
        sight.wait(f"document.body.dataset.state === '{said['status']['state']}'")
        sight.wait("[...document.querySelectorAll('#frame text')].every(e => e.parentNode.querySelector('.ground'))")
        photograph(sight, f"{name}-{size}-{scheme}")

        faint = [each for each in page.evaluate("measure.texts()") if each["contrast"] < LEAST_CONTRAST]
        small = [
            each
            for each in page.evaluate("measure.keys()")
            if min(each["width"], each["height"]) < KEY_MM * PIXELS_PER_MM - 0.5
        ]
        assert faint == []
        assert small == []
        assert page.evaluate("measure.cutOff()") == []
        assert page.evaluate("document.body.scrollHeight <= innerHeight")
    assert sight.complaints == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_data_can_be_read(own_stand, look, scheme):
    sight = look(scheme=scheme)
    sight.go(own_stand.url)
    page = measured(sight)
    own_stand.station.send(signal.SIGKILL)
    sight.wait("document.body.dataset.live === 'no'")

    said = page.evaluate("measure.texts()")
    bold = [each for each in said if each["words"] == "NO DATA" or "What you see is old" in each["words"]]

    assert len(bold) >= 3
    assert min(each["contrast"] for each in bold) >= LEAST_CONTRAST


def test_keys_of_the_strip_are_apart(stand, look):
    sight = look()
    sight.go(stand.url)
    sight.wait("document.querySelectorAll('#strip .tile').length === 12")

    boxes = sight.page.evaluate(
        "[...document.querySelectorAll('#strip .tile')].map(e => e.getBoundingClientRect()).map(b => [b.left, b.right])"
    )

    assert all(right[0] - left[1] >= GAP_MM * PIXELS_PER_MM - 0.5 for left, right in pairwise(boxes))


@pytest.mark.parametrize("pixels_per_mm", [6.5])
def test_keys_grow_with_the_density_of_the_screen(make_stand, look, pixels_per_mm):
    stand = make_stand(pixels_per_mm=pixels_per_mm)
    sight = look("1920x1080")
    sight.go(stand.url)
    sight.wait("document.querySelectorAll('#strip .tile').length >= 3")

    keys = measured(sight).evaluate("measure.keys()")

    assert min(min(each["width"], each["height"]) for each in keys) >= KEY_MM * pixels_per_mm - 0.5


def test_everything_can_be_reached_by_keyboard_and_is_seen_there(stand, look):
    sight = look("1440x900")
    sight.go(stand.url)
    sight.wait("document.querySelectorAll('#strip .tile').length >= 2")
    stand.rest(sight)
    reached = []
    for _ in range(12):
        sight.page.keyboard.press("Tab")
        reached.append(
            sight.page.evaluate(
                "[document.activeElement.id || document.activeElement.className,"
                " getComputedStyle(document.activeElement).outlineStyle]"
            )
        )

    assert [name for name, _ in reached][:2] == ["skip", "stop"]
    assert "tile key" in [name for name, _ in reached]
    assert [name for name, outline in reached if outline != "solid"] == []


@pytest.mark.parametrize("size", ["1024x768", "768x1024", "390x844"])
def test_small_screens_scroll_downwards_only(stand, look, photograph, size):
    sight = look(size)
    sight.go(stand.url)
    show(stand, sight)
    photograph(sight, size)

    assert sight.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert measured(sight).evaluate("measure.cutOff()") == []


def test_hostile_words_are_only_shown(stand, look):
    sight = look()
    sight.go(stand.url)
    before = stand.rest(sight)
    evil = "<img src=x onerror=alert(1)>"
    stand.tell(status={"lot": evil, "why": evil, "state": "DEGRADED", "recipe": evil}, cameras=[["top", evil, 1, 1, 0]])
    stand.tell(latches=[["OPERATOR", evil], [evil, evil]])
    stand.tell(judge={"picture": 1, "found": [[evil, 0.91, [10, 20, 60, 60]]]})
    sight.wait(f"{PART} === {before + 1}")
    sight.wait("document.querySelector('#frame .box.DEFECT')")

    page = sight.page
    assert page.evaluate("document.querySelectorAll('img[src=x]').length") == 0
    assert evil in sight.text("#findings")
    assert evil in sight.text("#fact-lot")
    assert sight.complaints == []
