"""Activates a package again and again, each time struck down at another step: `python -m ... ROOT exit | full`.

Runs in a process of its own, as an audit hook cannot be taken out again. A step is whatever changes the disk: a file is
opened to be written, put onto the disk, renamed or removed, a folder made or removed. `exit` ends the process there, as
kill -9 or a power cut would; `full` says that no room is left. Prints one JSON object per strike.
"""

import errno
import json
import os
import shutil
import sys
from datetime import datetime, timezone
from pathlib import Path

from app.detect.proof import ProofReport
from app.detect.registry import Errand, activate
from app.errors import PackageError

EVENTS = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod")
NEEDS_ROOM = ("open", "os.rename", "os.mkdir", "fsync")
FRIDAY = datetime(2026, 11, 20, 14, 30, tzinfo=timezone.utc)


class Strike:
    """Counts the steps of one folder, and strikes at one of them."""

    def __init__(self, root, way, step):
        self.root, self.way, self.step = str(root), way, step
        self.seen = []
        self.is_armed = True

    def note(self, event, path):
        if not self.is_armed or not str(path).startswith(self.root):
            return
        if self.way == "full" and event not in NEEDS_ROOM:
            return
        self.seen.append(f"{event} {path}")
        if len(self.seen) != self.step:
            return
        if self.way == "exit":
            os._exit(9)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def audit(self, event, words):
        is_written = event == "open" and words[2] & (os.O_WRONLY | os.O_RDWR)
        if event in EVENTS or is_written:
            self.note(event, words[0])

    def fsync(self, handle):
        # Not done: no power is cut here, and some thousand of them take a minute.
        self.note("fsync", Path(f"/proc/self/fd/{handle}").readlink())


def proof(package):
    return ProofReport(package.name, package.onnx_sha256, "scripted", 1, 1, 0.0, 0.0)


def main(root, way):
    """Strikes at step 1, 2, ... of an activation, until one gets through."""
    step = 0
    while True:
        step += 1
        state = root / f"state-{step}"
        shutil.copytree(root / "state", state)
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            _struck(root, state, way, step, tell)
        os.close(tell)
        with os.fdopen(told) as reader:
            said = json.loads(reader.read() or "{}")
        _, status = os.waitpid(child, 0)
        print(json.dumps({"state": str(state), "code": os.waitstatus_to_exitcode(status), **said}), flush=True)  # noqa: T201 - the answer
        if said.get("is_through"):
            return


def _struck(root, state, way, step, tell):
    strike = Strike(state, way, step)
    os.fsync = strike.fsync
    sys.addaudithook(strike.audit)
    error = ""
    try:
        activate(state, root / "zoo", str(root / "elsewhere"), proof, Errand(FRIDAY, "ann"))
    except PackageError as problem:
        error = str(problem)
    strike.is_armed = False
    said = {"error": error, "is_through": len(strike.seen) < step, "at": strike.seen[-1], "steps": strike.seen}
    os.write(tell, json.dumps(said).encode())
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
