"""What the tests of `takt camera` stand on: a bus of its own, a camera in memory, a line with it."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from types import MappingProxyType

from app.capture import drivers
from app.setup import twin_line
from tests.groups import ROOT
from tests.unit.cli.camera.fake_camera import ADDRESS, HEIGHT, WIDTH, Device, FakeCamera
from tests.unit.cli.conftest import Terminal

TWIN_CAMERA = twin_line().read_text().partition("[[camera]]")[2].partition("[model]")[0]
"""What the twin's line says of its camera, between its own heading and the next."""


class Command:
    """A command in a process of its own, at work."""

    def __init__(self, child):
        self._child = child

    def wait_for(self, folder):
        """Returns when it has written something there."""
        end_s = time.monotonic() + 60
        while not (folder.is_dir() and any(folder.glob("*.png"))):
            assert self._child.poll() is None, self._child.communicate()
            assert time.monotonic() < end_s, "it writes nothing"
            time.sleep(0.01)

    def interrupt(self):
        """As Ctrl-C; returns its exit code."""
        self._child.send_signal(signal.SIGINT)
        return self._child.wait(timeout=60)


class CameraTerminal(Terminal):
    """A command line whose commands may be left at work."""

    @contextmanager
    def started(self, *words):
        env = {**os.environ, **self.env, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "app.cli", *map(str, words)]
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            try:
                yield Command(child)
            finally:
                # By its own door, so that the camera is let go and not only forgotten.
                child.send_signal(signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    child.communicate(timeout=60)
                child.kill()


def terminal(tmp_path):
    """A command line whose bus nobody else has."""
    env = {"TAKT_BUS": str(tmp_path / "bus"), "TAKT_STATE": str(tmp_path / "state"), "NO_COLOR": "1", "TERM": "dumb"}
    return CameraTerminal(env)


def plugged(monkeypatch):
    """A camera at its address, behind the driver `gige`."""
    device = Device()
    fake = {**drivers.DRIVERS, "gige": (FakeCamera.__module__, FakeCamera.__name__)}
    monkeypatch.setattr(drivers, "DRIVERS", MappingProxyType(fake))
    monkeypatch.setattr(FakeCamera, "devices", {ADDRESS: device})
    return device


def unplugged(monkeypatch):
    """The same driver, and no camera anywhere."""
    plugged(monkeypatch)
    monkeypatch.setattr(FakeCamera, "devices", {})


def searched(monkeypatch):
    """What each driver's search gives, or raises; a test fills it in."""
    world = {"gige": (), "opencv": (), "csi": ()}

    def find(driver):
        if isinstance(world[driver], Exception):
            raise world[driver]
        return world[driver]

    monkeypatch.setattr(drivers, "find_cameras", find)
    return world


def camera_line(folder, text=""):
    """A line.toml with one camera `side`, with further keys; a key that is there already is replaced.

    Returns:
        The file.
    """
    keys = {
        "name": '"side"',
        "driver": '"gige"',
        "source": f'"{ADDRESS}"',
        "position_mm": "150",
        "width_px": str(WIDTH),
        "height_px": str(HEIGHT),
        "exposure_ms": "0.5",
    }
    keys.update(tuple(part.strip() for part in row.split("=", 1)) for row in text.splitlines())
    table = "".join(f"{key} = {value}  # why {key}\n" for key, value in keys.items())
    folder.mkdir(exist_ok=True)
    path = folder / "line.toml"
    path.write_text(twin_line().read_text().replace(TWIN_CAMERA, f"\n{table}\n"))
    return path
