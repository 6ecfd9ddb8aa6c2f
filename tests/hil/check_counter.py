"""The kernel's counter subsystem: its files, its events, and our encoder on them.

Runs in the guest: `python -m tests.hil.check_counter`. Two real drivers on hardware that is only memory:
`intel-qep` reads its registers from the shared memory of QEMU's ivshmem, where this program moves the count;
`104-quad-8` sits on empty ports (its count never moves) and gets its interrupt from QEMU's test device.
"""

from __future__ import annotations

import mmap
import os
import select
import struct
import subprocess
from pathlib import Path

from app.clock import NS_PER_S, SystemClock
from app.errors import LineError
from app.reject import counter_events
from app.reject.counter import CounterEncoder
from tests.hil.report import tell

PCI = Path("/sys/bus/pci")
COUNTERS = Path("/sys/bus/counter/devices")
IVSHMEM = ("0x1af4", "0x1110")
COUNT = 0x08  # the register of intel-qep
PORTS, INTERRUPT = 0x300, 7  # one that is triggered by its edge, not by PCI's level
TEST_INTERRUPTS = 0x2000  # QEMU's test device: one port for each interrupt line
FAST_COUNTS_S = 1e9  # a test moves the count by hand, in no time
PATIENCE_S = 20.0
CEILING_COUNTS = 9_999


class Registers:
    """The counter's hardware."""

    def __init__(self):
        self.device = next(
            place
            for place in (PCI / "devices").iterdir()
            if ((place / "vendor").read_text().strip(), (place / "device").read_text().strip()) == IVSHMEM
        )
        subprocess.run(["modprobe", "intel-qep"], check=True)
        if not (self.device / "driver").exists():
            (PCI / "drivers/intel-qep/new_id").write_text(" ".join(IVSHMEM))
        with (self.device / "resource2").open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 4096)

    def __setitem__(self, register, value):
        struct.pack_into("<I", self._memory, register, value)


def counter_called(name):
    found = {(place / "name").read_text().strip(): place.name for place in COUNTERS.iterdir()}
    assert name in found, found
    return found[name]


def refusal(action):
    try:
        action()
    except LineError as error:
        return str(error)
    return ""


def follow(registers, clock, encoder, raws):
    """The belt counts that belong to the hardware's."""
    counts = []
    for raw in raws:
        registers[COUNT] = raw
        # A time in the past would be answered with the count of then: the encoder reckons with the speed.
        counts.append(encoder.read(clock.now_ns() + NS_PER_S).count)
    return counts


def check_count():
    """Our encoder on intel-qep."""
    registers, clock = Registers(), SystemClock()
    name = counter_called(registers.device.name)
    folder = COUNTERS / name / "count0"
    fresh = refusal(lambda: CounterEncoder(f"{name}/count0", FAST_COUNTS_S, clock=clock).close())
    room = (folder / "ceiling").read_text().strip()
    # The driver keeps its registers over its sleep, so they are not set behind its back; and not while it counts.
    (folder / "enable").write_text("0")
    (folder / "ceiling").write_text(str(CEILING_COUNTS))
    registers[COUNT] = 0
    encoder = CounterEncoder(f"{name}/count0", FAST_COUNTS_S, clock=clock)
    report = {
        "fresh": fresh or room,
        "function": (folder / "function").read_text().strip(),
        "enable": (folder / "enable").read_text().strip(),
        "ceiling": (folder / "ceiling").read_text().strip(),
        "counts": follow(registers, clock, encoder, (1, 400, 4_000, 8_000, 9_999, 0, 2, 9_998)),
        "missed": encoder.read(clock.now_ns()).missed,
    }
    encoder.close()
    registers[COUNT] = 0
    turned = CounterEncoder(f"{name}/count0", FAST_COUNTS_S, clock=clock, is_reversed=True)
    report["reversed"] = follow(registers, clock, turned, (10, 20))
    turned.close()
    slow = CounterEncoder(f"{name}/count0", 100.0, clock=clock)
    registers[COUNT] = 4_000
    report["jump"] = slow.read(clock.now_ns()).trouble
    slow.close()
    report["absent"] = refusal(lambda: CounterEncoder("counter9/count0", FAST_COUNTS_S, clock=clock))
    return report


def interrupt():
    """The board's interrupt line goes up and down once."""
    ports = os.open("/dev/port", os.O_RDWR)
    for level in (b"\1", b"\0"):
        os.pwrite(ports, level, TEST_INTERRUPTS + INTERRUPT)
    os.close(ports)


def check_events():
    """The events of 104-quad-8, read as our code reads them."""
    subprocess.run(["modprobe", "104-quad-8", f"base={PORTS:#x}", f"irq={INTERRUPT}"], check=True)
    name = counter_called("104-quad-8.0")
    device = Path("/dev") / name
    report = {"both_ways": counter_events.WrapEvents.opened(device, 0) is not None}
    encoder = CounterEncoder(f"{name}/count0", 1000.0, clock=SystemClock())
    report["function"] = (COUNTERS / name / "count0/function").read_text().strip()
    encoder.close()
    file = os.open(device, os.O_RDONLY | os.O_NONBLOCK)
    watch = counter_events._WATCH.pack(0, 0, 0, 0, counter_events.OVERFLOW, 0)
    counter_events.fcntl.ioctl(file, counter_events._ADD_WATCH, watch)
    counter_events.fcntl.ioctl(file, counter_events._ENABLE, b"")
    events = counter_events.WrapEvents(file)
    wraps = [events.wraps()]
    for _ in range(3):
        interrupt()
        select.select([file], [], [], PATIENCE_S)
        wraps.append(events.wraps())
    interrupt()
    select.select([file], [], [], PATIENCE_S)
    event = counter_events._EVENT.unpack_from(os.read(file, 4096))
    events.close()
    age_s = (SystemClock().now_ns() - event[0]) / NS_PER_S
    return {**report, "wraps": wraps, "is_stamp_monotonic": 0 <= age_s < PATIENCE_S}


def main():
    tell({"count": check_count(), "events": check_events()})


if __name__ == "__main__":
    main()
