"""Starts the accelerator's process again and again without loading its libraries each time: they are loaded once here.

`python -m tests.contract.accelerator_starter` reads a line of words for each start, forks, and runs them as the command
`takt` would. It says `started PID` and `ended PID CODE`. What it forks is killed with it.
"""

import atexit
import contextlib
import ctypes
import functools
import os
import select
import signal
import subprocess
import sys
import time

from tests.contract.bus_peers import PATIENCE_S, ROOT

_PR_SET_PDEATHSIG = 1


class Started:
    """A process that was started, or is about to be; the same words as `subprocess.Popen` has."""

    def __init__(self, starter, number, said):
        self.returncode = None
        self._starter = starter
        self._number = number
        self._said = said

    @property
    def is_there(self):
        """It has a process: until then it is only asked for."""
        return len(self._starter.pids) > self._number

    @property
    def pid(self):
        end = time.monotonic() + PATIENCE_S
        while not self.is_there:
            assert time.monotonic() < end, "nothing is started"
            self._starter.hear(0.05)
        return self._starter.pids[self._number]

    def poll(self):
        self._starter.hear(0)
        self.returncode = self._starter.ends.get(self._starter.pids[self._number]) if self.is_there else None
        return self.returncode

    def wait(self):
        end = time.monotonic() + PATIENCE_S
        while self.poll() is None:
            assert time.monotonic() < end, "it does not end"
            self._starter.hear(0.05)
        return self.returncode

    def send_signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def end(self):
        """Waits for its end: its exit code and what it said."""
        return self.wait(), self._said.read_text(encoding="utf-8")


class Starter:
    """The process that forks."""

    def __init__(self):
        self.ends = {}
        self.pids = []
        self._asked = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.contract.accelerator_starter"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        os.set_blocking(self._process.stdout.fileno(), False)
        self._tail = b""

    def start(self, said, words):
        """Has `takt WORDS...` started, and does not wait for it; what it says goes into the file `said`."""
        self._process.stdin.write("\x1f".join(map(str, (said, *words))).encode() + b"\n")
        self._process.stdin.flush()
        self._asked += 1
        return Started(self, self._asked - 1, said)

    def hear(self, wait_s):
        """Takes in what it has said."""
        if not select.select([self._process.stdout], [], [], wait_s)[0]:
            return
        *lines, self._tail = (self._tail + os.read(self._process.stdout.fileno(), 1 << 16)).split(b"\n")
        for line in lines:
            match line.decode().split():
                case ["started", pid]:
                    self.pids.append(int(pid))
                case ["ended", pid, code]:
                    self.ends[int(pid)] = int(code)

    def close(self):
        self._process.kill()
        self._process.communicate()


@functools.lru_cache(maxsize=1)
def starter():
    """One for all tests of this process."""
    one = Starter()
    atexit.register(one.close)
    return one


def _fork(said, words):
    parent = os.getpid()
    pid = os.fork()
    if pid:
        sys.stdout.write(f"started {pid}\n")
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, opened in ((0, os.open(os.devnull, os.O_RDONLY)), (2, os.open(said, os.O_WRONLY | os.O_CREAT, 0o600))):
        os.dup2(opened, number)
    os.dup2(2, 1)
    from app.cli import main as takt

    code = 1
    sys.argv = ["takt", *words]
    try:
        takt()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.stderr.flush()
        os._exit(code)


def _reap():
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            sys.stdout.write(f"ended {ended[0]} {os.waitstatus_to_exitcode(ended[1])}\n")


def main():
    import onnxruntime  # noqa: F401 - what every start would load

    with contextlib.suppress(ImportError):
        import openvino  # noqa: F401
    import app.cli.process
    import app.detect.sick
    import app.entries.accelerator  # noqa: F401

    read, write = os.pipe2(os.O_NONBLOCK)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    tail = b""
    while True:
        ready, _, _ = select.select([0, read], [], [])
        if read in ready:
            os.read(read, 4096)
            _reap()
        if 0 in ready:
            asked = os.read(0, 1 << 16)
            if not asked:
                return
            *lines, tail = (tail + asked).split(b"\n")
            for line in lines:
                said, *words = line.decode().split("\x1f")
                _fork(said, words)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
