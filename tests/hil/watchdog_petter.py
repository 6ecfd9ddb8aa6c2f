"""Pets a watchdog as the station does, and can be killed, stopped, wedged or ended properly.

`python -m tests.hil.watchdog_petter /dev/watchdog 10`. It says `{"is_petting": true, "timeout_s": ...}` on a line of
its own once it pets. SIGTERM ends it properly: the watchdog is stopped. SIGUSR1 wedges its verdict thread, which goes
on living and does nothing any more: the line thread runs on and must not pet. SIGKILL and SIGSTOP are the kernel's.
"""

import json
import signal
import sys
import threading
import time
from pathlib import Path

from app.clock import NS_PER_MS
from app.reject.kernel_watchdog import KernelWatchdog
from app.reject.watchdog import Heartbeat

WORKERS = ("trigger", "verdict", "output")
TOGGLE_MS = 20
ROUND_S = 0.005


class Petter:
    """A line thread and a verdict thread, and the heartbeat between them."""

    def __init__(self, device, timeout_s):
        self.is_ended = threading.Event()
        self.is_wedged = threading.Event()
        self.heartbeat = Heartbeat(WORKERS, TOGGLE_MS * NS_PER_MS)
        self.watchdog = KernelWatchdog(Path(device), timeout_s)

    def judge(self):
        while not self.is_ended.is_set():
            if not self.is_wedged.is_set():
                self.heartbeat.progress("verdict")
            self.is_ended.wait(ROUND_S)

    def run(self):
        verdict = threading.Thread(target=self.judge, name="verdict", daemon=True)
        verdict.start()
        is_said = False
        while not self.is_ended.is_set():
            self.heartbeat.progress("trigger")
            self.heartbeat.progress("output")
            now_ns = time.monotonic_ns()
            if self.heartbeat.should_toggle(now_ns):
                self.watchdog.pet(now_ns)
                if not is_said:
                    is_said = True
                    tell(is_petting=True, timeout_s=self.watchdog.timeout_s, name=self.watchdog.identity)
            self.is_ended.wait(ROUND_S)
        verdict.join()
        self.watchdog.close(is_safe=True)
        tell(is_petting=False)


def tell(**said):
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def main():
    petter = Petter(sys.argv[1], int(sys.argv[2]))
    signal.signal(signal.SIGTERM, lambda *_: petter.is_ended.set())
    signal.signal(signal.SIGUSR1, lambda *_: petter.is_wedged.set())
    petter.run()


if __name__ == "__main__":
    main()
