"""The page before the real line: every process of `takt run`, parts on the twin, and a hand on the stop key."""

from __future__ import annotations

import os
import signal
from urllib.parse import urlsplit

import pytest

from tests.live.box import Box, line_file


@pytest.fixture
def box(tmp_path):
    made = Box([line_file(tmp_path / "line")], tmp_path / "box")
    yield made
    made.close()


def test_real_line_is_seen_running_stopped_dead_and_back(box, look, photograph):
    box.start()
    sight = look("1280x800")
    sight.go(box.url)
    sight.wait("document.querySelectorAll('#strip .tile').length === 12")
    sight.wait("document.querySelector('#verdict-word').textContent === 'REJECT'")
    sight.wait("document.querySelector('#frame img')")
    photograph(sight, "real-running")
    assert sight.text("#state-word") == "RUNNING"
    assert sight.text("#balance-words").startswith("Balanced")

    sight.page.locator("#stop").focus()
    sight.page.keyboard.down("Enter")
    sight.wait("document.body.dataset.state === 'STOPPED'")
    sight.page.keyboard.up("Enter")
    photograph(sight, "real-stopped")
    assert any("stopped by Operator" in latch.text for latch in box.status().latches)

    os.kill(box.pid("station"), signal.SIGKILL)
    sight.wait("document.body.dataset.live === 'no'")
    photograph(sight, "real-no-data")
    sight.wait("document.body.dataset.live === 'yes'")
    assert {urlsplit(url).netloc for url in sight.requests} == {urlsplit(box.url).netloc}
    assert sight.complaints == []
