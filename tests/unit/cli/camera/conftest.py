"""A command line, a line.toml with cameras, and cameras that need no hardware."""

import pytest

from tests.unit.cli.camera.camera_bench import camera_line, plugged, searched, terminal


@pytest.fixture
def cli(tmp_path):
    return terminal(tmp_path)


@pytest.fixture
def device(monkeypatch):
    return plugged(monkeypatch)


@pytest.fixture
def line(tmp_path):
    return lambda text="": camera_line(tmp_path / "site", text)


@pytest.fixture
def searches(monkeypatch):
    return searched(monkeypatch)
