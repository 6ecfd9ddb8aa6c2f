"""Benches that close themselves."""

from __future__ import annotations

import pytest

from tests.unit.web.bench import Bench


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path / "bus")
    yield made
    made.close()


@pytest.fixture
def two_lanes(tmp_path):
    made = Bench(tmp_path / "bus", lanes=(1, 2))
    yield made
    made.close()
