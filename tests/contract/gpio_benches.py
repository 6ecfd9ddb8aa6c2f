"""Boards that the pin factory is tried on: chips made of software, and the kernel's own gpio-sim where it is there.

Each has one chip of eight lines named `takt-0` to `takt-7`, a world that drives inputs and reads outputs, and another
program that holds lines. The guest of `tests/hil` runs the same tests on gpio-sim.
"""

import os
import select
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import gpiod

from app.clock import SystemClock
from app.reject.gpiod_factory import GpiodFactory
from tests.contract.fake_gpiochip import FakeGpioChip, FakeGpiod

LINES = 8
LINE_NAMES = [f"takt-{offset}" for offset in range(LINES)]
LABEL = "takt-test"
PATIENCE_S = 20.0
LOOK_ROUND_S = 0.1
PI = ("raspberrypi,4-model-b", "brcm,bcm2711")
CONFIGFS = Path("/sys/kernel/config/gpio-sim")


class GpioBench:
    """What the tests of the factory do on every board.

    Attributes:
        library: The module `gpiod`, or what stands for it.
        path: The device of the chip.
        chip_name: Its name.
        label: Its label.
    """

    def make_factory(self, **settings):
        settings = {"library": self.library, "root": self.root, **settings}
        self.factories.append(GpiodFactory(**settings))
        return self.factories[-1]

    def info(self, name):
        with self.library.Chip(self.path) as chip:
            return chip.get_line_info(LINE_NAMES.index(name))

    def drive(self, name, is_high):
        self.drive_offset(LINE_NAMES.index(name), is_high)

    def level(self, name):
        return self.level_at(LINE_NAMES.index(name))

    @contextmanager
    def held_by(self, consumer, name):
        """Another program holds a line."""
        offset = LINE_NAMES.index(name)
        with self.library.Chip(self.path) as chip:
            settings = self.library.LineSettings(direction=gpiod.line.Direction.INPUT)
            request = chip.request_lines({offset: settings}, consumer=consumer)
        yield
        request.release()

    def pump(self, factory, count):
        """Has that many edges handed over; gpio-sim makes them a little after the level has changed."""
        ends_s = time.monotonic() + PATIENCE_S
        done = 0
        while done < count and time.monotonic() < ends_s:
            # Kernels before 6.6 wake nobody when a chip goes: whoever waits looks now and then, as the station does.
            select.select([factory.fileno()], [], [], LOOK_ROUND_S)
            done += factory.pump()
        return done

    def close(self):
        for factory in self.factories:
            factory.close()


class FakeBench(GpioBench):
    """Chips made of software, on any board.

    Args:
        clock: What edges are stamped with.
        chip: The first chip.
        compatible: What the device tree calls the board.
    """

    def __init__(self, clock=None, chip=None, compatible=()):
        self.factories = []
        self.root = Path(tempfile.mkdtemp(prefix="takt-test-"))
        self.library = FakeGpiod(clock or SystemClock(), self.root)
        self.chip = self.library.add(chip or FakeGpioChip("gpiochip0", LABEL, LINE_NAMES))
        self.chip_name, self.label = self.chip.name, self.chip.label
        self.path = str(self.root / "dev" / self.chip_name)
        if compatible:
            tree = self.root / "proc/device-tree"
            tree.mkdir(parents=True)
            (tree / "compatible").write_bytes(b"".join(each.encode() + b"\0" for each in compatible))

    def drive_offset(self, offset, is_high):
        self.library.drive(self.chip, offset, is_high)

    def level_at(self, offset):
        return self.chip.lines[offset].level

    def unplug(self):
        self.library.unplug(self.chip)

    def close(self):
        super().close()
        shutil.rmtree(self.root)


class SimBench(GpioBench):
    """The kernel's gpio-sim, set up through configfs; needs root and the module.

    The world is the simulated pull of a line: a consumer that asks for a bias changes it, as gpio-sim has only one.
    """

    def __init__(self):
        self.factories = []
        self.root = Path("/")
        self.library = gpiod
        self._device = CONFIGFS / f"takt-{os.getpid()}-{time.monotonic_ns()}"
        bank = self._device / "bank0"
        bank.mkdir(parents=True)
        (bank / "num_lines").write_text(str(LINES))
        (bank / "label").write_text(LABEL)
        for offset, name in enumerate(LINE_NAMES):
            (bank / f"line{offset}").mkdir()
            (bank / f"line{offset}/name").write_text(name)
        (self._device / "live").write_text("1")
        self.chip_name = (bank / "chip_name").read_text().strip()
        self.label = LABEL
        self.path = f"/dev/{self.chip_name}"
        device_name = (self._device / "dev_name").read_text().strip()
        self._lines = Path("/sys/devices/platform") / device_name / self.chip_name
        self._await_device(is_there=True)

    @staticmethod
    def is_here():
        return CONFIGFS.is_dir()

    def drive_offset(self, offset, is_high):
        (self._lines / f"sim_gpio{offset}/pull").write_text("pull-up" if is_high else "pull-down")

    def level_at(self, offset):
        return (self._lines / f"sim_gpio{offset}/value").read_text().strip() == "1"

    def unplug(self):
        (self._device / "live").write_text("0")
        self._await_device(is_there=False)

    def close(self):
        super().close()
        if (self._device / "live").read_text().strip() == "1":
            self.unplug()
        for offset in range(LINES):
            (self._device / f"bank0/line{offset}").rmdir()
        (self._device / "bank0").rmdir()
        self._device.rmdir()

    def _await_device(self, *, is_there):
        """The kernel makes and unmakes devices a little later; a new chip may take the name of the one before."""
        ends_s = time.monotonic() + PATIENCE_S
        while Path(self.path).exists() is not is_there and time.monotonic() < ends_s:
            time.sleep(0.01)


BENCHES = {"fake": FakeBench, **({"gpio-sim": SimBench} if SimBench.is_here() else {})}
