"""The real web server as a process: what `takt process web` runs, with the lanes named on the command line."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from app.bus.place import Place
from app.clock import SystemClock
from app.config import UiSettings
from app.web.lane import Lane
from app.web.server import open_server


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("bus", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--lanes", type=int, default=1)
    parser.add_argument("--pixels-per-mm", type=float, default=4.0)
    said = parser.parse_args()
    lanes = [Lane(n + 1, "Demo line" if n == 0 else f"Demo line {n + 1}", 5.0, ("top",)) for n in range(said.lanes)]
    ui = UiSettings(pixels_per_mm=said.pixels_per_mm)
    server = open_server(Place(said.bus), lanes, ui, SystemClock(), port=said.port)
    signal.signal(signal.SIGTERM, lambda *_: server.stop())
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    server.run()


if __name__ == "__main__":
    main()
