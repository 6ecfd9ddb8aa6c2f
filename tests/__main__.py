"""Runs every test: `python -m tests`, which is what `make test` does.

Two processes side by side, as the tests of the rooms mostly compute and the others mostly wait for belts, browsers and
other processes; one after the other they would leave a core idle. Lines that move in real time come after them and have
the machine to themselves. Arguments go to all. Whoever names tests gets one process with these.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence

import pytest

from tests.groups import ROOT

ROOMS = ("tests/unit", "tests/test_house.py", "tests/packaging", "tests/replay")
ALONE = ("tests/live", "tests/unit/cli/test_cli_bench.py")
NOT_ROOMS = tuple(f"--ignore={each}" for each in ROOMS)
NOT_ALONE = tuple(f"--ignore={each}" for each in ALONE)


class Half:
    """One process, whose words are held back until it is its turn to speak.

    Args:
        arguments: For pytest.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        colour = ("--color=yes",) if sys.stdout.isatty() else ()
        command = [sys.executable, "-m", "pytest", *colour, *arguments]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.turn = threading.Event()
        self.held = bytearray()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        """Takes what it says, so that a full pipe does not hold it up."""
        while chunk := self.process.stdout.read1():
            self.held += chunk
            if self.turn.is_set():
                self.say()

    def say(self) -> None:
        """Passes on what was held back."""
        said, self.held = self.held, bytearray()
        sys.stdout.buffer.write(said)
        sys.stdout.buffer.flush()

    def finish(self) -> int:
        """Lets it speak until it has ended; its exit code."""
        self.turn.set()
        while True:
            try:
                self.reader.join()
                self.say()
                return self.process.wait()
            except KeyboardInterrupt:
                continue  # it has heard that too, and ends by itself


def worst(codes: Sequence[int]) -> int:
    """One exit code for all; that a part has no tests of those asked for matters only when none has."""
    told = [each for each in codes if each != pytest.ExitCode.NO_TESTS_COLLECTED] or list(codes)
    return next((each for each in told if each), 0)


def main(arguments: Sequence[str]) -> int:
    """Runs the tests.

    Returns:
        The exit code.
    """
    if any((ROOT / each.split("::")[0]).exists() for each in arguments if not each.startswith("-")):
        return Half(arguments).finish()
    halves = [ROOMS, NOT_ROOMS]
    codes = [each.finish() for each in [Half((*half, *NOT_ALONE, *arguments)) for half in halves]]
    if pytest.ExitCode.INTERRUPTED not in codes:
        codes.append(Half((*ALONE, *arguments)).finish())
    return worst(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
