"""The alarms of the past are those of every lane, told apart, chosen by lane, and paged through as one row."""

from __future__ import annotations

import pytest

from app.clock import SystemClock
from app.web.line.alarms import Alarms
from app.web.line.conditions import Condition, Priority
from app.web.store.database import FOLDER, Store

LANES = 2
EACH = 30
PAGE = 50
ROWS = "document.querySelectorAll('#rows tr').length"
NAMES = "[...document.querySelectorAll('#rows tr')].map((each) => each.children[1].textContent)"


@pytest.fixture
def two(make_stand):
    """Two lanes, in each of which something has gone wrong often; newest last, the lanes in turns."""
    stand = make_stand(lanes=LANES, period=1.0)
    store = Store(stand.state / FOLDER)
    alarms = Alarms(store, SystemClock())
    for number in range(LANES * EACH):
        condition = Condition(f"{number}", "DISK_LOW", Priority.MEDIUM, f"disk {number}")
        alarms.look(1 + number % LANES, [condition])
        alarms.look(1 + number % LANES, [])
        alarms.acknowledge(1 + number % LANES, None, "Ada")
    store.close()
    return stand


def test_history_goes_through_all_lanes_in_order(two, look, photograph):
    sight = look("1280x800", locale="de")
    sight.go(f"{two.base}/line/alarms?kind=DISK_LOW", is_live=False)
    sight.wait(f"{ROWS} === {PAGE}")
    photograph(sight, "1280x800-light-de", "alarms-of-all-lanes")
    assert set(sight.page.evaluate(NAMES)) == {"Demo line", "Demo line 2"}

    sight.page.locator("#older").click()
    sight.wait(f"{ROWS} === {LANES * EACH}")
    said = sight.page.locator("#rows td[lang=en]").all_inner_texts()
    assert said == [f"disk {number}" for number in reversed(range(LANES * EACH))]
    assert sight.page.locator("#older").is_hidden()
    assert sight.complaints == []


def test_history_of_one_lane_is_chosen_in_the_address(two, look):
    sight = look("1280x800")
    sight.go(f"{two.base}/line/alarms?lane=2&kind=DISK_LOW", is_live=False)
    sight.wait(f"{ROWS} === {EACH}")
    assert set(sight.page.evaluate(NAMES)) == {"Demo line 2"}

    sight.page.locator("#lane").select_option("1")
    sight.wait(f"{NAMES}[0] === 'Demo line'")
    assert "lane=1" in sight.page.url
