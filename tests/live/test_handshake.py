"""Permit and handshake lines as real lines, when the station is killed, suspended, wedged, stopped or ended."""

import itertools
import os
import signal
import socket
import struct
import tempfile
import time
from pathlib import Path

import pytest

from app.errors import DetectorError
from app.status import State
from tests.live.box import LOOK_S, wait_until

LINES = {"ready": 10, "fault": 11, "line_stop": 12, "heartbeat": 13}
STOPPED = 14
WIRED = "\n".join(f"{name} = {{ pin = {pin} }}" for name, pin in LINES.items())
CHANGES = {
    "[permit]": f"[handshake]\n{WIRED}\nstopped = {{ pin = {STOPPED} }}\nrefresh_ms = 800\n\n[permit]",
    # A busy machine that holds the station up for less is none of these tests' business.
    "refresh_ms = 100": "refresh_ms = 800",
    "hold_ms = 100": "hold_ms = 1000",
}
SAMPLES = 50


class Systemd:
    """Listens as systemd does, to all processes at once."""

    def __init__(self, folder):
        self.address = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(self.address)
        self._socket.setblocking(False)

    def alive(self):
        """The processes that have shown a sign of life since the last look."""
        pids = set()
        while True:
            try:
                said, told, _, _ = self._socket.recvmsg(4096, 256)
            except BlockingIOError:
                return pids
            if b"WATCHDOG=1" in said.split(b"\n"):
                pids.add(struct.unpack("3i", told[0][2][:12])[0])

    def close(self):
        self._socket.close()


class Device:
    """The watchdog's end of its device: what is written to it, and whether anybody has it open."""

    def __init__(self, folder):
        self.path = folder / "watchdog"
        os.mkfifo(self.path)
        self._pipe = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)

    def heard(self):
        """What was written since the last look; `None` if nobody has it open."""
        try:
            return os.read(self._pipe, 4096) or None
        except BlockingIOError:
            return b""

    def close(self):
        os.close(self._pipe)


@pytest.fixture
def device(tmp_path):
    device = Device(tmp_path)
    yield device
    device.close()


@pytest.fixture
def systemd(monkeypatch):
    with tempfile.TemporaryDirectory(prefix="takt-test-") as folder:
        systemd = Systemd(Path(folder))
        monkeypatch.setenv("NOTIFY_SOCKET", systemd.address)
        yield systemd
        systemd.close()


@pytest.fixture
def box(make_box, device):
    """A box whose line runs, and nobody starts again what dies."""
    watchdog = f'[watchdog]\ndevice = "{device.path}"\n\n[stops]'
    box = make_box({**CHANGES, "[stops]": watchdog}, program="tests.live.wedged")
    box.start_rows("twin", "capture", "recorder", "station")
    wait_until(lambda: outputs(box)["ready"], "the line is ready")
    return box


def outputs(box):
    return box.truth()["outputs"]


def says(box, *energised):
    """Whether these lines, and no others, are energised; the heartbeat says nothing by its level."""
    levels = outputs(box)
    return {name for name in LINES if levels[name]} - {"heartbeat"} == set(energised)


def is_all_off(box):
    levels = outputs(box)
    return not any(levels[name] for name in LINES)


def is_permitted(box):
    return box.truth()["permit"]["is_on"]


def changes_of_heartbeat(box):
    levels = []
    for _ in range(SAMPLES):
        levels.append(outputs(box)["heartbeat"])
        time.sleep(LOOK_S)
    return sum(before is not after for before, after in itertools.pairwise(levels))


def run_on(box):
    box.run_on()
    wait_until(lambda: says(box, "ready", "fault", "line_stop"), f"all is well: {outputs(box)}")


def test_lines_of_a_station_that_is_suspended_then_killed_and_at_last_ended(box, device):
    pid = box.pid("station")
    assert changes_of_heartbeat(box) > 0
    assert device.heard()

    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: not is_permitted(box), "the permit drops", 5.0)
    assert changes_of_heartbeat(box) == 0
    assert says(box, "ready", "fault", "line_stop")  # why no level is trusted

    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: says(box), f"what was not refreshed is dropped: {outputs(box)}", 5.0)
    wait_until(lambda: box.status().state is State.STOPPED, "and that is a fault")
    assert "OUTPUT_FAULT" in [latch.cause for latch in box.status().latches]
    run_on(box)

    os.kill(pid, signal.SIGKILL)
    box.rows["station"].wait(30)
    wait_until(lambda: not is_permitted(box), "the permit drops", 5.0)
    wait_until(lambda: says(box), f"the lines go where their resistors take them: {outputs(box)}", 5.0)
    assert changes_of_heartbeat(box) == 0
    assert b"V" not in device.heard()
    assert device.heard() is None  # closed and not stopped: it runs on

    box.start_row("station")
    run_on(box)
    wait_until(device.heard, "the watchdog is petted again")
    os.kill(box.pid("station"), signal.SIGTERM)
    assert box.rows["station"].wait(30) == 0
    assert is_all_off(box)
    assert device.heard().endswith(b"V")
    assert device.heard() is None


def test_lines_of_a_station_that_is_stopped_from_outside_and_then_wedged(systemd, box, device):
    box.tell("fault", kind="STOPPED")
    wait_until(lambda: says(box, "fault"), f"the line is stopped, and that is no fault: {outputs(box)}")
    wait_until(lambda: box.status().state is State.STOPPED, "the station says so")
    assert [latch.cause for latch in box.status().latches] == ["EXTERNAL_STOP"]
    assert changes_of_heartbeat(box) > 0
    box.tell("mend", kind="STOPPED")
    run_on(box)

    station, pid = box.rows["station"], box.pid("station")
    wait_until(lambda: pid in systemd.alive(), "systemd hears of the station")
    os.kill(pid, signal.SIGUSR1)
    wait_until(lambda: not is_permitted(box), "the permit drops")
    wait_until(lambda: is_all_off(box), f"all lines are let go: {outputs(box)}", 5.0)
    assert changes_of_heartbeat(box) == 0
    wait_until(lambda: box.status().state is State.STOPPED, "the line thread says so")

    systemd.alive()
    device.heard()
    alive, others = set(), {box.pid(name) for name in ("twin", "capture-top", "recorder")}
    wait_until(lambda: alive.update(systemd.alive()) or others <= alive, "systemd hears of all others")
    assert pid not in alive

    wait_until(lambda: station.poll() is not None, "the station ends, so that it can be started again")
    assert station.returncode == DetectorError.exit_code
    assert "the verdict thread has hung" in box.words
    assert device.heard() is None  # neither petted since nor stopped
