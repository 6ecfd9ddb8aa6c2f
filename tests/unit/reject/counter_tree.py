"""A counter as the kernel shows it: a folder of attributes below /sys, and a device that tells events."""

import errno
import os
import struct

EVENT = struct.Struct("=QQ7Bx")
ADD_WATCH, ENABLE = 0x40063E00, 0x3E01


class CounterTree:
    """The file system of a machine with counters.

    Its files do not check what is written into them, as the kernel does; `refusing` stands for that.
    """

    def __init__(self, root):
        self.root = root
        self.watches = []
        self.is_enabled = False
        self._pipes = []

    def add(self, device="counter0", *, driver="ti-eqep", **attributes):
        """A counter with one count, whose attributes replace those of an eQEP; `None` leaves one out."""
        values = {
            "name": "QPOSCNT",
            "count": 0,
            "ceiling": 0xFFFFFFFF,
            "function": "pulse-direction",
            "function_available": "pulse-direction\nquadrature x4\nincrease\ndecrease",
            "enable": 0,
            "direction": "forward",
            **attributes,
        }
        folder = self.root / "sys/bus/counter/devices" / device
        (folder / "count0").mkdir(parents=True)
        (folder / "name").write_text(f"{driver}\n")
        (folder / "num_counts").write_text("1\n")
        for name, value in values.items():
            if value is not None:
                (folder / "count0" / name).write_text(f"{value}\n")
        return folder / "count0"

    def set(self, value, attribute="count", device="counter0"):
        # In place, as the kernel has it: whoever holds the file open sees the new value.
        with (self.root / "sys/bus/counter/devices" / device / "count0" / attribute).open("r+") as file:
            file.truncate()
            file.write(f"{value}\n")

    def get(self, attribute, device="counter0"):
        return (self.root / "sys/bus/counter/devices" / device / "count0" / attribute).read_text().strip()

    def add_device(self, device="counter0"):
        """The character device of a counter."""
        path = self.root / "dev" / device
        path.parent.mkdir(exist_ok=True)
        os.mkfifo(path)
        self._pipes.append(os.open(path, os.O_RDWR | os.O_NONBLOCK))

    def tell(self, *events):
        for event in events:
            os.write(self._pipes[0], EVENT.pack(7, 0, 0, 0, 0, 0, event, 0, 0))

    def ioctl(self, _file, request, told):
        """What the driver of the device answers."""
        if request == ADD_WATCH:
            self.watches.append(struct.unpack("=6B", told)[4:])
        elif request == ENABLE:
            self.is_enabled = True
        else:
            raise OSError(errno.ENOTTY, "Inappropriate ioctl for device")

    def close(self):
        for pipe in self._pipes:
            os.close(pipe)
