"""A small model of a V4L2 device, which answers requests in the kernel's own structures, and the files that show it."""

import ctypes
import errno
import os
from dataclasses import dataclass, field
from typing import Any

from app.capture import v4l2_layout as layout

USER, CAMERA = 0x0098_0000, 0x009A_0000
MANUAL, AUTO = 1, 3


@dataclass
class FakeControl:
    """One control of the model, with its rules."""

    id: int
    name: str
    kind: int
    low: int
    high: int
    step: int = 1
    value: Any = 0
    flags: int = 0
    menu: dict = field(default_factory=dict)


def usual_controls():
    """Those of a webcam, and one of each kind that the interface has."""
    return [
        FakeControl(USER | 1, "User Controls", layout.CLASS, 0, 0),
        FakeControl(USER | 0x900, "Brightness", layout.INTEGER, -64, 64, value=0),
        FakeControl(USER | 0x90C, "White Balance, Automatic", layout.BOOLEAN, 0, 1, value=1),
        FakeControl(USER | 0x913, "Gain", layout.INTEGER, 0, 100, 5, value=10),
        FakeControl(USER | 0x918, "Broken One", layout.INTEGER, 0, 1, flags=layout.DISABLED),
        FakeControl(USER | 0x970, "Serial Text", layout.STRING, 1, 8, value="abc"),
        FakeControl(USER | 0x971, "Pixel Clock", layout.INTEGER64, 0, 2**40, value=2**33),
        FakeControl(USER | 0x972, "Link Frequency", layout.INTEGER_MENU, 0, 1, menu={0: 2**34, 1: 7}),
        FakeControl(USER | 0x973, "Lamps", layout.BITMASK, 0, 0b1010),
        FakeControl(USER | 0x974, "Reset", layout.BUTTON, 0, 0),
        FakeControl(USER | 0x975, "Temperature", layout.INTEGER, 0, 99, value=41, flags=layout.READ_ONLY),
        FakeControl(USER | 0x976, "Matrix", layout.COMPOUND, 0, 9),
        FakeControl(
            layout.EXPOSURE_AUTO,
            "Auto Exposure",
            layout.MENU,
            0,
            3,
            value=AUTO,
            menu={MANUAL: "Manual Mode", AUTO: "Aperture Priority Mode"},
        ),
        FakeControl(layout.EXPOSURE_ABSOLUTE, "Exposure Time, Absolute", layout.INTEGER, 3, 2047, value=250),
    ]


class FakeKernel:
    """Answers `ioctl` for one device, with any descriptor."""

    def __init__(self, controls=None, **changed):
        self.controls = usual_controls() if controls is None else controls
        self.capability = {
            "driver": b"uvcvideo",
            "card": b"Fine Camera",
            "bus_info": b"usb-1.2",
            "capabilities": layout.HAS_DEVICE_CAPS | layout.CAPTURE | layout.STREAMING,
            "device_caps": layout.CAPTURE | layout.STREAMING,
            **changed,
        }
        self.is_busy = False
        self.refuses_with = None
        self.written = []

    def control(self, name):
        return next(each for each in self.controls if each.name == name)

    def ioctl(self, fd, number, argument):
        answers = {
            layout.QUERYCAP: self._query_capability,
            layout.QUERY_EXT_CTRL: self._query_control,
            layout.QUERYMENU: self._query_menu,
            layout.G_EXT_CTRLS: self._get,
            layout.S_EXT_CTRLS: self._set,
            layout.REQBUFS: self._request_buffers,
            layout.ENUM_FMT: self._format,
            layout.ENUM_FRAMESIZES: self._size,
        }
        os.fstat(fd)
        answers[number](argument)

    def _query_capability(self, answer):
        for name, value in self.capability.items():
            setattr(answer, name, value)

    def _query_control(self, query):
        wanted = query.id
        after = [each for each in self.controls if each.kind < layout.COMPOUND and each.id > wanted & ~layout.NEXT]
        if not wanted & layout.NEXT or not after:
            raise OSError(errno.EINVAL, "Invalid argument")
        found = min(after, key=lambda each: each.id)
        query.id, query.type, query.name = found.id, found.kind, found.name.encode()
        query.minimum, query.maximum, query.step, query.flags = found.low, found.high, found.step, found.flags

    def _query_menu(self, menu):
        control = self._by_id(menu.id)
        if menu.index not in control.menu:
            raise OSError(errno.EINVAL, "Invalid argument")
        if control.kind == layout.MENU:
            menu.name = control.menu[menu.index].encode()
        else:
            menu.value = control.menu[menu.index]

    def _get(self, request):
        item = request.controls[0]
        control = self._by_id(item.id)
        if control.kind == layout.STRING:
            ctypes.memmove(item.string, control.value.encode() + b"\0", len(control.value) + 1)
        elif control.kind == layout.INTEGER64:
            item.value64 = control.value
        else:
            item.value = control.value

    def _set(self, request):
        item = request.controls[0]
        control = self._by_id(item.id)
        if self.refuses_with:
            raise OSError(self.refuses_with, os.strerror(self.refuses_with))
        if control.kind == layout.STRING:
            control.value = ctypes.string_at(item.string).decode()
        else:
            value = item.value64 if control.kind == layout.INTEGER64 else item.value
            self._check(control, value)
            control.value = value - (value - control.low) % control.step
        self.written.append((control.name, control.value))

    def _check(self, control, value):
        if control.id == layout.EXPOSURE_ABSOLUTE and self._by_id(layout.EXPOSURE_AUTO).value != MANUAL:
            raise OSError(errno.EACCES, "Permission denied")
        if control.kind == layout.INTEGER and not control.low <= value <= control.high:
            raise OSError(errno.ERANGE, "Numerical result out of range")

    def _request_buffers(self, request):
        assert (request.count, request.memory) == (0, layout.MEMORY_MAPPED)
        if self.is_busy:
            raise OSError(errno.EBUSY, "Device or resource busy")

    def _format(self, entry):
        if entry.index:
            raise OSError(errno.EINVAL, "Invalid argument")
        entry.pixelformat = 0x4745_504A

    def _size(self, entry):
        sizes = [(640, 480), (1280, 720)]
        if entry.index >= len(sizes):
            raise OSError(errno.EINVAL, "Invalid argument")
        entry.type = layout.SIZE_DISCRETE
        entry.extent[:2] = sizes[entry.index]

    def _by_id(self, number):
        found = [each for each in self.controls if each.id == number]
        if not found:
            raise OSError(errno.EINVAL, "Invalid argument")
        return found[0]


def make_machine(root, *numbers):
    """Files as a machine with these video devices has them, each of the serial number SN and its own."""
    (root / "dev").mkdir()
    for number in numbers:
        (root / "dev" / f"video{number}").touch()
        usb = root / "sys" / "devices" / f"usb{number}"
        (usb / "interface").mkdir(parents=True)
        (usb / "serial").write_text(f"SN{number}\n")
        node = root / "sys" / "class" / "video4linux" / f"video{number}"
        node.mkdir(parents=True)
        (node / "device").symlink_to(usb / "interface")
    return root


def hold(root, process, name, path):
    """Another program that has a device open."""
    (root / "proc" / str(process) / "fd").mkdir(parents=True)
    (root / "proc" / str(process) / "comm").write_text(f"{name}\n")
    (root / "proc" / str(process) / "fd" / "7").symlink_to(path)
