"""Runs in the guest: obeys the host over a virtio serial port, one JSON object a line each way.

`run` runs a program to its end and answers with its exit code and what it wrote; `start` leaves it running and answers
with its process id and the file that takes what it writes. The first line after a boot says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PORTS = Path("/sys/class/virtio-ports")
NAME = "takt.agent"
KEPT_CHARACTERS = 60_000


def open_port():
    port = next(each.name for each in PORTS.iterdir() if (each / "name").read_text().strip() == NAME)
    return Path("/dev", port).open("r+b", buffering=0)


def run(argv, environ, timeout_s):
    """Runs a program; a group of its own, so that nothing of it is left behind."""
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environ, text=True
    ) as process:
        try:
            said, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
            said += f"\ntakt: stopped after {timeout_s} s"
        return {"code": process.returncode, "said": said[-KEPT_CHARACTERS:]}


def start(argv, environ, number):
    said = Path(f"/tmp/started-{number}")
    with said.open("wb") as file:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environ)
    return {"pid": process.pid, "said": str(said)}, process


def main():
    started = []  # kept, so that the children that have ended are reaped when the next one is started
    with open_port() as port:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()

        def tell(**said):
            port.write(json.dumps(said).encode() + b"\n")

        tell(boot=boot, uptime_s=float(Path("/proc/uptime").read_text().split()[0]), python=sys.version.split()[0])
        while line := port.readline():
            asked = json.loads(line)
            environ = {**os.environ, **asked.get("environ", {})}
            try:
                if asked["do"] == "run":
                    answer = run(asked["argv"], environ, asked["timeout_s"])
                else:
                    answer, process = start(asked["argv"], environ, asked["number"])
                    started.append(process)
            except OSError as error:
                answer = {"code": 127, "said": str(error)}
            started = [each for each in started if each.poll() is None]
            tell(number=asked["number"], **answer)


if __name__ == "__main__":
    main()
