"""The real web server as a process: what `takt process web` runs, with the lanes named on the command line."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from app.bus.place import Place
from app.clock import SystemClock
from app.config import UiSettings
from app.setup import load_setup
from app.web.access.setting_up import prepare_setup
from app.web.context import make_context
from app.web.lane import Lane
from app.web.server import open_server


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("bus", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--lanes", type=int, default=1)
    parser.add_argument("--pixels-per-mm", type=float, default=4.0)
    parser.add_argument("--line", type=Path)
    parser.add_argument("--https", action="store_true", help="by HTTPS as well; tells that port on a second line")
    said = parser.parse_args()
    lanes = [Lane(n + 1, "Demo line" if n == 0 else f"Demo line {n + 1}", 5.0, ("top",)) for n in range(said.lanes)]
    # Never night: a picture shall not look different in the evening.
    secure = 8443 if said.https else 0
    ui = UiSettings(pixels_per_mm=said.pixels_per_mm, https_port=secure, night_from="00:00", night_to="00:00")
    setups = [load_setup(said.line)] if said.line else []
    state = said.state or said.bus.parent / "state"
    context = make_context(Place(said.bus), lanes, ui, SystemClock(), state, setups=setups)
    prepare_setup(context.access)
    server = open_server(context, port=said.port, secure_port=0)
    signal.signal(signal.SIGTERM, lambda *_: server.stop())
    sys.stdout.write(f"{server.port}\n{server.secure_port}\n")
    sys.stdout.flush()
    server.run()


if __name__ == "__main__":
    main()
