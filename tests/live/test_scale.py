"""Many parts: a hundred a second at the twin, and a whole day in virtual time."""

import gc
import json
import time

import pytest

from app.record.verify import verify
from app.twin.live import live_scenario
from tests.live.box import wait_until
from tests.live.fast import PARTS_PER_MIN
from tests.live.shift import SMALL_PX, Shift, handles, resident_bytes

SHORT_S, LONG_S = 4.0, 60.0
SHORT_DAY, DAY = 600, 432_000
SHORT_QUARTERS = 4
MOST_GROWTH_BYTES = 24 << 20
"""Between the first quarter and the end: the pages of the ledger that SQLite keeps, and what the allocator has free."""

CLOSE_TOGETHER = {
    "v_min_mm_s = 300": "v_min_mm_s = 1500",
    "v_max_mm_s = 1000": "v_max_mm_s = 2500",
    "length_mm = 60": "length_mm = 10",
    "min_pitch_mm = 90": "min_pitch_mm = 15",
    "transfer_ms = 8.0": "transfer_ms = 3.0",
    # Sensors that see a part for longer than it takes the next one to come cannot tell them apart.
    "chute = { sensor = { pin = 23, debounce_ms = 1.0 }, from_mm = 0, to_mm = 150 }": "",
    "[exit]\nsensor = { pin = 24, debounce_ms = 1.0 }\nposition_mm = 650\ntolerance_mm = 30": "",
    "offset_mm = 10": "offset_mm = -20",
    "dwell_mm = 40": "dwell_mm = 60",
    "width_px = 640": f"width_px = {SMALL_PX}",
    "height_px = 640": f"height_px = {SMALL_PX}",
}


def test_no_trigger_is_missed_at_6000_parts_a_minute(make_box, is_long, tmp_path):
    box = make_box(CLOSE_TOGETHER, program="tests.live.fast")
    box.start_rows("twin", "capture", "recorder", "station")
    lasts_s = LONG_S if is_long else SHORT_S
    wait_until(lambda: box.status().tally.triggers > 0, "the first part comes")
    begun_s, first = time.monotonic(), box.status().tally.triggers
    wait_until(lambda: time.monotonic() - begun_s >= lasts_s, "the time goes by", 2 * lasts_s)
    rate = 60 * (box.status().tally.triggers - first) / (time.monotonic() - begun_s)

    box.ask("stop")

    wait_until(lambda: box.truth()["belt"]["is_still"], "the belt stands")
    wait_until(lambda: box.status().tally.triggers >= box.truth()["parts"], f"{box.status()} {box.truth()}", 5.0)
    truth, status = box.truth(), box.status()
    (tmp_path / "figures.json").write_text(json.dumps({"rate": rate, "truth": truth, "tally": str(status.tally)}))
    assert truth["lost_changes"] == 0
    assert status.tally.triggers == truth["parts"]
    assert status.tally.is_balanced
    assert [latch.cause for latch in status.latches] == ["OPERATOR"]


def test_the_line_of_that_test_really_runs_so_fast(make_box):
    from app.config import load_line

    line = load_line(make_box(CLOSE_TOGETHER).lines[0])
    scenario = live_scenario(line, PARTS_PER_MIN)

    assert 60 * scenario.speed_mm_s / scenario.pitch_mm == pytest.approx(PARTS_PER_MIN, rel=0.01)


def test_a_day_leaves_memory_and_handles_as_they_were_and_a_ledger_that_verifies(tmp_path, is_long):
    parts = DAY if is_long else SHORT_DAY
    shift = Shift(tmp_path)
    seen = []

    def note(triggers):
        if triggers >= parts * (len(seen) + 1) / SHORT_QUARTERS:
            seen.append((triggers, resident_bytes(), handles()))

    gc.collect()
    begun_s = time.monotonic()
    try:
        shift.run(parts, note)
        took_s = time.monotonic() - begun_s
        tally, counts = shift.station.status().tally, shift.machine.counts()
    finally:
        shift.close()

    found = verify(tmp_path / "state" / "ledger")
    size = sum(each.stat().st_size for each in (tmp_path / "state" / "ledger").rglob("*") if each.is_file())
    figures = {"quarters": seen, "bytes_per_part": size / tally.triggers, "parts_per_s": tally.triggers / took_s}
    (tmp_path / "figures.json").write_text(json.dumps(figures | {"tally": str(tally)}))
    assert found.is_sound, found.problems
    assert found.lanes[0].tallies == {"a day": tally}
    assert found.lanes[0].parts == tally.triggers >= parts
    assert abs(counts.parts - tally.triggers) <= 1  # one may be between the edge and its debounce
    assert counts.escapes == counts.overkill == 0
    assert len({count for _, _, count in seen}) == 1
    assert seen[-1][1] - seen[0][1] <= MOST_GROWTH_BYTES
