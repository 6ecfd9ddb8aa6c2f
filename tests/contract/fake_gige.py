"""GigE Vision cameras for tests, each a process of its own that speaks the protocol on the loopback interface.

Aravis' simulator listens only where an interface has an address, so there is one place for all of them, 127.0.0.1; a
lock lets one test at a time have it, across all test runs of a machine. Whoever holds a camera must not make another.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from app.capture.gige.bootstrap import Bootstrap

ADDRESS = "127.0.0.1"
PROGRAM = "arv-fake-gv-camera-0.8"
WIDTH_REGISTER, HEIGHT_REGISTER, PIXEL_FORMAT_REGISTER = 0x100, 0x104, 0x128
_TRIGGER_SOURCE_REGISTER, _TRIGGER_REGISTER = 0x304, 0x30C
_PAINTER = Path(__file__).with_name("painted_gige.py")
_WAIT_S = 20
_PAUSE_S = 0.02


class FakeGige:
    """The simulator of the package aravis-tools; killed and started as often as a test likes.

    Args:
        serial: Its serial number.
        arguments: More words for its command line, such as ("-r", "20"): so many packets of a thousand are lost.
    """

    def __init__(self, serial="TAKT01", arguments=()):
        self._serial = serial
        self._arguments = tuple(arguments)
        self._process = None
        path = Path(tempfile.gettempdir()) / f"takt-fake-gige-{os.getuid()}.lock"
        self._lock = path.open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.end()

    def command(self):
        return [shutil.which(PROGRAM), "-i", ADDRESS, "-s", self._serial, *self._arguments]

    def start(self):
        """Starts it and returns when it answers."""
        self._process = subprocess.Popen(self.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        asked = Bootstrap(ADDRESS)
        end_s = time.monotonic() + _WAIT_S
        while not asked.presence().is_there:
            assert self._process.poll() is None, f"the fake camera ended: {self._process.communicate()[0]}"
            assert time.monotonic() < end_s, "the fake camera does not answer"
            time.sleep(_PAUSE_S)

    def kill(self):
        """As a cut cable or a lost supply: it says nothing more."""
        self._process.kill()
        self._process.communicate()

    def stall(self, signal):
        """SIGSTOP makes it hang, SIGCONT lets it go on."""
        self._process.send_signal(signal)

    def end(self):
        if self._process is not None:
            self.kill()
        self._lock.close()


class PaintedGige(FakeGige):
    """A camera whose pictures and registers a test sets, by Aravis' simulator as a library.

    Args:
        folder: Where the next picture lies.
        serial: Its serial number.
    """

    def __init__(self, folder, serial="TAKT02"):
        super().__init__(serial)
        self._picture = folder / "gige-picture.bin"
        self._picture.write_bytes(bytes(2048 * 2048 * 3))
        self._world = np.memmap(self._picture, np.uint8, "r+")

    def command(self):
        return [sys.executable, str(_PAINTER), ADDRESS, self._serial, str(self._picture)]

    def paint(self, picture):
        """The next picture, as its bytes lie on the wire."""
        raw = np.frombuffer(picture.tobytes(), np.uint8)
        self._world[: raw.size] = raw

    def set_register(self, register, value):
        """Changes the camera from within."""
        self._process.stdin.write(f"{register:x} {value:x}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def pulse(self):
        """What a camera with a wire would do at an edge; the simulator knows no wires, only that register."""
        self.set_register(_TRIGGER_SOURCE_REGISTER, 1)
        self.set_register(_TRIGGER_REGISTER, 1)
