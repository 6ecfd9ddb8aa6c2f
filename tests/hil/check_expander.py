"""An I2C port expander behind the kernel's own driver (gpio-pca953x), and what is left when it is unplugged.

Runs in the guest: `python -m tests.hil.check_expander`. The chip is i2c-stub: registers without a pin behind them. So
the test wires them: what an output writes (register 1) comes back at its pin (register 0) only where the test says so.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

from app.clock import SystemClock
from app.errors import TaktError
from app.reject.gpiod_factory import GpiodFactory
from app.reject.pins import DrivenPin, EdgePin
from tests.hil.report import tell

ADDRESS, CHIP = 0x20, "pca9534"
BUSES = Path("/sys/bus/i2c/devices")
PINS, LEVELS, DIRECTIONS = 0, 1, 3  # the chip's registers; 1 in DIRECTIONS is an input
_SMBUS, _SLAVE_FORCE, _BYTE_DATA, _READ = 0x0720, 0x0706, 2, 1
OUT, IN = 3, 5


class _Transfer(ctypes.Structure):
    _fields_ = [
        ("is_read", ctypes.c_uint8),
        ("register", ctypes.c_uint8),
        ("size", ctypes.c_uint32),
        ("data", ctypes.POINTER(ctypes.c_uint8)),
    ]


class Expander:
    """The chip, from the side of its pins."""

    def __init__(self):
        subprocess.run(["modprobe", "i2c-stub", f"chip_addr={ADDRESS:#x}"], check=True)
        subprocess.run(["modprobe", "-a", "i2c-dev", "gpio-pca953x"], check=True)
        self.bus = next(bus for bus in BUSES.glob("i2c-*") if "stub" in (bus / "name").read_text())
        self._fd = os.open(f"/dev/{self.bus.name}", os.O_RDWR)
        fcntl.ioctl(self._fd, _SLAVE_FORCE, ADDRESS)
        self[DIRECTIONS] = 0xFF
        self.label = f"{self.bus.name.removeprefix('i2c-')}-{ADDRESS:04x}"

    def __getitem__(self, register):
        return self._transfer(register, _READ, 0)

    def __setitem__(self, register, value):
        self._transfer(register, 0, value)

    def plug(self):
        (self.bus / "new_device").write_text(f"{CHIP} {ADDRESS:#x}")

    def unplug(self):
        (self.bus / "delete_device").write_text(f"{ADDRESS:#x}")

    def pin(self, line):
        """The pin's name in a line.toml."""
        return f"{self.label}:{line}"

    def _transfer(self, register, is_read, value):
        data = ctypes.c_uint8(value)
        fcntl.ioctl(self._fd, _SMBUS, _Transfer(is_read, register, _BYTE_DATA, ctypes.pointer(data)))
        return data.value


def told(action):
    """What our error says, or empty."""
    try:
        action()
    except TaktError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def on(line, register):
    return bool(register >> line & 1)


def check_output(expander, factory):
    """An output takes its level on the chip, and one that does not is found out."""
    expander[PINS] = 0
    gate = DrivenPin("gate:reject", expander.pin(OUT), is_active_low=False, pin_factory=factory)
    report = {"is_output": not on(OUT, expander[DIRECTIONS]), "at_claim": on(OUT, expander[LEVELS])}
    expander[PINS] = 1 << OUT
    gate.write(True)
    report["switched_on"] = on(OUT, expander[LEVELS])
    expander[PINS] = 0
    report["shorted"] = told(lambda: gate.write(True))
    gate.write(False)
    report["switched_off"] = on(OUT, expander[LEVELS])
    return report, gate


def watch(name, factory):
    """An input as the line has it: with edges."""
    clock = SystemClock()
    return EdgePin("part", name, is_pulled_up=False, on_edge=lambda *_: None, clock=clock, pin_factory=factory)


def hold():
    """Holds the gate on, until killed."""
    factory = GpiodFactory(consumer="takt-hil", is_pumped=True)
    gate = DrivenPin("gate:reject", sys.argv[1], is_active_low=False, pin_factory=factory)
    gate.write(True)
    tell("on")
    signal.pause()


def check_kill(expander):
    """What the chip does when the process that holds an output is killed: nothing, as it is not told."""
    expander[PINS] = 0
    command = [sys.executable, "-m", "tests.hil.check_expander", expander.pin(OUT)]
    expander[PINS] = 1 << OUT
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.readline().strip()
        process.kill()
        process.wait()
    return {"said": said, "is_output": not on(OUT, expander[DIRECTIONS]), "level": on(OUT, expander[LEVELS])}


def main():
    expander = Expander()
    expander.plug()
    factory = GpiodFactory(consumer="takt-hil", is_pumped=True)
    report, gate = check_output(expander, factory)
    report["no_pull"] = told(lambda: watch(expander.pin(IN), factory))
    report["no_interrupt"] = told(lambda: watch(f"{expander.pin(IN)},external-pull", factory))
    second = GpiodFactory(consumer="takt-two", is_pumped=True)
    claim = ("gate:reject", expander.pin(OUT))
    report["conflict"] = told(lambda: DrivenPin(*claim, is_active_low=False, pin_factory=second))
    expander.unplug()
    report["gone"] = told(lambda: gate.write(True))
    report["closing_gone"] = told(gate.close)
    report["claiming_gone"] = told(lambda: DrivenPin(*claim, is_active_low=False, pin_factory=second))
    factory.close()
    second.close()
    expander.plug()
    again = GpiodFactory(consumer="takt-hil", is_pumped=True)
    back = DrivenPin(*claim, is_active_low=False, pin_factory=again)
    report["back"] = told(lambda: back.write(False))
    back.close()
    again.close()
    report["killed"] = check_kill(expander)
    expander.unplug()
    tell(report)


if __name__ == "__main__":
    hold() if sys.argv[1:] else main()
