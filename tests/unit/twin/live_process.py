"""A twin, or a box on its pins, as a process of its own: `python live_process.py twin|box FOLDER LINE OPTIONS`."""

import json
import select
import signal
import sys
from pathlib import Path

from app.bus.place import Place
from app.clock import NS_PER_MS, SystemClock
from app.config import load_line
from app.reject.gpio import open_line
from app.twin.link import LinkFactory
from app.twin.live import LiveTwin, live_scenario
from app.twin.parts import Piece


class Blank:
    """Parts without end and without pictures; every tenth is bad."""

    def __getitem__(self, index):
        return Piece(f"part-{index}.png", index % 10 == 0, lambda: None)


def stopping():
    asked = []
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_: asked.append(True))
    return lambda: bool(asked)


def twin(place, line, options):
    is_stopping = stopping()
    machine = LiveTwin(
        line,
        place,
        Blank(),
        live_scenario(line, options.get("parts_per_min", 300)),
        seed=3,
        death=options.get("death", "float"),
    )
    say(state="ready")
    machine.run(is_stopping)
    machine.close()


def box(place, line, options):
    """Toggles the permit, holds the gates as told, and says at the end what it has seen.

    After `run_ms` it drops the permit, and goes on until the belt has stood still for a while.
    """
    is_stopping = stopping()
    clock = SystemClock()
    factory = LinkFactory(place, line.line.lane, clock)
    io = open_line(line, clock, factory)
    for destination, is_rejecting in options.get("gates", {}).items():
        io.set_gate(destination, is_rejecting, clock.now_ns())
    say(state="ready")
    end_ns = clock.now_ns() + options["run_ms"] * NS_PER_MS if "run_ms" in options else None
    edges, faults, due_ns = [], [], clock.now_ns()
    while not is_stopping():
        select.select([factory], [], [], max(0, due_ns - clock.now_ns()) / 1e9)
        factory.pump()
        edges += io.edges()
        faults += io.tick(clock.now_ns())
        now_ns = clock.now_ns()
        if end_ns is not None and now_ns > end_ns:
            io.drop_permit()
            if now_ns - max(end_ns, io.encoder.read(now_ns).at_ns) > 500 * NS_PER_MS:
                break
        elif now_ns >= due_ns:
            io.toggle_permit(now_ns)
        if now_ns >= due_ns:
            due_ns = now_ns + round(line.permit.toggle_ms * NS_PER_MS)
    reading = io.encoder.read(0)
    say(
        state="done",
        count=reading.count,
        missed=reading.missed,
        lost=[factory.lost_edges, factory.lost_writes, io.lost_edges],
        faults=faults,
        parts=[edge.count for edge in edges if edge.input == "part" and edge.is_active],
        part_ns=[edge.at_ns for edge in edges if edge.input == "part"],
    )
    io.close()
    factory.close()


def say(**what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    job, folder, file, text = sys.argv[1:]
    {"twin": twin, "box": box}[job](Place(Path(folder)), load_line(Path(file)), json.loads(text))
