"""A station's outputs on kernel GPIO, held as the station holds them, by a process that is about to come to grief.

Runs in the guest: `python -m tests.hil.permit_station`. The gate is on, and the permit is toggled as long as a verdict
thread makes progress. SIGUSR1 wedges that thread. SIGTERM ends the line properly. SIGKILL and SIGSTOP are the kernel's.
"""

from __future__ import annotations

import signal
import threading
import time

from app.clock import NS_PER_MS, NS_PER_S, SystemClock
from app.config import Line
from app.reject.gpio import open_line
from app.reject.gpiod_factory import GpiodFactory
from app.reject.watchdog import Heartbeat

TOGGLE_MS = 20
HOLD_MS = 200
ROUND_S = 0.005


def settings():
    return Line.model_validate(
        {
            "encoder": {"driver": "virtual", "counts_per_mm": 2, "speed_mm_s": 500},
            "belt": {"running": {"pin": "RUNNING"}},
            "trigger": {"sensor": {"pin": "PART"}},
            "gate": [{"kind": "diverter", "output": {"pin": "GATE1"}, "refresh_ms": 10_000}],
            "permit": {"output": {"pin": "PERMIT"}, "toggle_ms": TOGGLE_MS, "hold_ms": HOLD_MS},
        }
    )


def main():
    ended, wedged = threading.Event(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGUSR1, lambda *_: wedged.set())
    clock = SystemClock()
    factory = GpiodFactory(consumer="takt-hil", clock=clock, is_pumped=True)
    line = open_line(settings(), clock, factory)
    heartbeat = Heartbeat(("verdict", "output"), TOGGLE_MS * NS_PER_MS)

    def judge():
        while not ended.is_set():
            if not wedged.is_set():
                heartbeat.progress("verdict")
            time.sleep(ROUND_S)

    threading.Thread(target=judge, daemon=True).start()
    due_ns = 0
    line.set_gate("reject", False, clock.now_ns())  # a diverter is energised to pass: off is what is safe
    while not ended.is_set():
        now_ns = clock.now_ns()
        heartbeat.progress("output")
        if heartbeat.should_toggle(now_ns):
            line.toggle_permit(now_ns)
        if now_ns >= due_ns:
            due_ns = now_ns + NS_PER_S
            line.set_gate("reject", False, now_ns)
        time.sleep(ROUND_S)
    line.close()
    factory.close()


if __name__ == "__main__":
    main()
