"""The kernel's simulated GPIO chips, from the side of the machine. Runs in the guest, as root.

A chip is made in configfs. Its inputs are driven by pulling lines up or down; what its outputs do is read from sysfs,
and told by the kernel's own trace of every level that is set.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

CONFIG = Path("/sys/kernel/config/gpio-sim")
DEVICES = Path("/sys/devices/platform")
DRIVER = Path("/sys/bus/platform/drivers/gpio-sim")
DEBUG = Path("/sys/kernel/debug/gpio")
TRACING = Path("/sys/kernel/tracing")
_SET = re.compile(rb"\s(\d+)\.(\d{6}): gpio_value: (\d+) set (\d)")
_LOST = re.compile(rb"LOST (\d+) EVENTS")


class GpioSim:
    """A chip with named lines.

    Args:
        lines: The names of its lines, by offset.
        label: The chip's label.
    """

    def __init__(self, lines, label="takt-hil"):
        subprocess.run(["modprobe", "gpio-sim"], check=True)
        self._names = {name: offset for offset, name in enumerate(lines)}
        self._device = CONFIG / label
        bank = self._device / "bank"
        self._device.mkdir()
        bank.mkdir()
        (bank / "label").write_text(label)
        (bank / "num_lines").write_text(str(len(lines)))
        for name, offset in self._names.items():
            line = bank / f"line{offset}"
            line.mkdir()
            (line / "name").write_text(name)
        (self._device / "live").write_text("1")
        self.platform = (self._device / "dev_name").read_text().strip()
        self.chip = (bank / "chip_name").read_text().strip()
        self._lines = DEVICES / self.platform / self.chip
        found = re.search(rf"^{self.chip}: GPIOs (\d+)-", DEBUG.read_text(), re.MULTILINE)
        self.base = int(found[1])
        self._pulls = {}

    def drive(self, name, is_high):
        """The machine sets an input: a sensor switches."""
        fd = self._pulls.get(name)
        if fd is None:
            fd = self._pulls[name] = os.open(self._lines / f"sim_gpio{self._names[name]}" / "pull", os.O_WRONLY)
        os.pwrite(fd, b"pull-up" if is_high else b"pull-down", 0)

    def level(self, name):
        """What the machine sees on a line."""
        return (self._lines / f"sim_gpio{self._names[name]}" / "value").read_text().strip() == "1"

    def number(self, name):
        """The kernel's own number of a line."""
        return self.base + self._names[name]

    def is_output(self, name):
        """Whether the kernel has the line as an output now."""
        text = DEBUG.read_text()
        found = re.search(rf"gpio-{self.number(name)} .*?\) (in|out)", text)
        return found is not None and found[1] == "out"

    def unplug(self):
        """The chip vanishes under whoever holds its lines."""
        (DRIVER / "unbind").write_text(self.platform)

    def close(self):
        """Takes the chip away."""
        for fd in self._pulls.values():
            os.close(fd)
        self._pulls.clear()
        (self._device / "live").write_text("0")
        for line in (self._device / "bank").glob("line*"):
            line.rmdir()
        (self._device / "bank").rmdir()
        self._device.rmdir()


@dataclass(frozen=True)
class Level:
    """A level that the kernel set on an output."""

    name: str
    is_high: bool
    at_ns: int


class Witness:
    """What the kernel sets on a chip's outputs, in its own order and with its own times (CLOCK_MONOTONIC)."""

    def __init__(self, sim, names):
        self._names = {sim.number(name): name for name in names}
        self._rest = b""
        (TRACING / "trace").write_text("")
        (TRACING / "trace_clock").write_text("mono")
        (TRACING / "events/gpio/gpio_value/enable").write_text("1")
        self._fd = os.open(TRACING / "trace_pipe", os.O_RDONLY | os.O_NONBLOCK)

    def levels(self, wait_s=0.0):
        """The levels since the last call, oldest first; waits so long for one if there is none.

        Raises:
            AssertionError: The trace lost some.
        """
        end_s = time.monotonic() + wait_s
        while not (found := self._fetch()) and (left_s := end_s - time.monotonic()) > 0:
            select.select([self._fd], [], [], left_s)
        return found

    def _fetch(self):
        try:
            while piece := os.read(self._fd, 1 << 16):
                self._rest += piece
        except BlockingIOError:
            pass
        whole, _, self._rest = self._rest.rpartition(b"\n")
        assert not _LOST.search(whole), "the kernel's trace lost events: read it more often"
        return [
            Level(self._names[int(number)], value == b"1", int(seconds) * 10**9 + int(micros) * 1000)
            for seconds, micros, number, value in _SET.findall(whole)
            if int(number) in self._names
        ]

    def quiet(self, for_s):
        """The levels that come within a time."""
        found, end_s = [], time.monotonic() + for_s
        while (left_s := end_s - time.monotonic()) > 0:
            found += self.levels(left_s)
        return found

    def close(self):
        """Ends the trace."""
        (TRACING / "events/gpio/gpio_value/enable").write_text("0")
        os.close(self._fd)
