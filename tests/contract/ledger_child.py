"""A recorder as a process of its own: `python ledger_child.py BUS STATE [BYTES]`, ended by SIGTERM.

BYTES is the largest file that it may write, for a disk that is full.
"""

import resource
import signal
import sys
import threading
from pathlib import Path

from app.bus.place import Place
from app.config import StorageSettings
from app.record.recorder import Recorder

if __name__ == "__main__":
    bus, state, *limit = sys.argv[1:]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    recorder = Recorder(Place(Path(bus)), Path(state), {1: ("top",)}, StorageSettings())
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit[0]), resource.RLIM_INFINITY))
    recorder.run(stop)
