"""Fifty pages are open: each is up to date, and neither the line nor the server grows or slows for it."""

import json
from itertools import pairwise

import numpy as np
import pytest

from app.types import EventKind
from tests.live.box import wait_until
from tests.live.readers import Readers

PAGES = 50
SHORT_S, LONG_S = 8.0, 600.0
BEFORE_S = 120.0
"""The line with one page, for comparison."""
MOST_GROWTH_BYTES = 8 << 20


@pytest.fixture
def readers(make_box):
    made = Readers()
    yield made
    made.close()


def resident_bytes(pid):
    with open(f"/proc/{pid}/status") as status:  # noqa: PTH123 - a line of a file that is none
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS:"))


def p99_us(entries):
    return float(np.percentile([each.event.data["total_us"] for each in entries], 99))


def test_fifty_pages_are_up_to_date_and_the_server_stays_as_large_as_it_was(make_box, readers, is_long, tmp_path):
    lasts_s = LONG_S if is_long else SHORT_S
    box = make_box()
    box.start()
    box.run_on()
    readers.add(box.url, 1)
    readers.read_for(min(lasts_s / 2, BEFORE_S))
    before_row = box.entries()[-1].row
    readers.add(box.url, PAGES - 1)
    readers.read_for(lasts_s / 2)
    half = resident_bytes(box.pid("web"))
    readers.read_for(lasts_s / 2)
    full = resident_bytes(box.pid("web"))

    box.ask("stop")
    wait_until(lambda: box.truth()["belt"]["is_still"], "the belt stands")

    def is_told():
        readers.read_for(0.1)
        judged = [each.event.part_id for each in box.entries(EventKind.VERDICT)]
        return judged and all(each.parts and each.parts[-1] >= max(judged) for each in readers.all)

    wait_until(is_told, f"all are told of the last part: {[each.parts[-1:] for each in readers.all]}")
    judged = box.entries(EventKind.JUDGED)
    alone = [each for each in judged if each.row <= before_row]
    crowd = [each for each in judged if each.row > before_row]
    figures = {"growth_bytes": full - half, "parts": len(judged), "p99_ratio": p99_us(crowd) / p99_us(alone)}
    (tmp_path / "figures.json").write_text(json.dumps(figures))
    print(figures)  # noqa: T201 - shown by pytest -s
    assert all(each.is_open for each in readers.all)
    assert all(b == a + 1 for each in readers.all for a, b in pairwise(each.parts))
    assert full - half < MOST_GROWTH_BYTES
