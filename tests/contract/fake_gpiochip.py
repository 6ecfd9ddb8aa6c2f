"""GPIO chips made of software behind the seam of the package `gpiod`: they refuse, stamp and lose edges as Linux does.

Modelled after `gpiolib-cdev.c`: claims are exclusive (EBUSY) and named in the line's info; a bias that the driver
cannot set is taken without a word and without effect; edges are stamped when they happen, numbered by line, kept in a
ring of the size that was asked for, and the oldest is dropped when it is full; a chip without interrupts refuses edge
detection (ENXIO); when a chip goes, its descriptors report an error and every call fails with ENODEV.
"""

import errno
import os
from collections import deque
from pathlib import Path
from types import SimpleNamespace

import gpiod

EVENT_FIELDS = {True: gpiod.EdgeEvent.Type.RISING_EDGE, False: gpiod.EdgeEvent.Type.FALLING_EDGE}
line = gpiod.line
PULLS = {line.Bias.PULL_UP: True, line.Bias.PULL_DOWN: False}


class FakeLine:
    """A line with its wire: what the box drives or pulls, and what the world drives."""

    def __init__(self, name=""):
        self.name = name
        self.consumer = ""
        self.is_used = False
        self.settings = gpiod.LineSettings(direction=line.Direction.INPUT)
        self.driven = None
        self.resistor = None
        self.latch = None
        self.pull = None
        self.level = False
        self.request = None
        self.history = []

    def settle(self, at_ns):
        for level in (self.latch, self.driven, self.resistor, self.pull):
            if level is not None:
                break
        else:
            return
        if level != self.level:
            self.level = level
            self.history.append(level)
            if self.request is not None:
                self.request.edge(self, at_ns)


class FakeGpioChip:
    """One chip."""

    def __init__(self, name, label, line_names, *, has_bias=True, has_interrupts=True):
        self.name, self.label = name, label
        self.lines = [FakeLine(each) for each in line_names]
        self.has_bias, self.has_interrupts = has_bias, has_interrupts
        self.is_there = True

    def need(self):
        if not self.is_there:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))


class FakeGpiod:
    """The module `gpiod` on chips of its own.

    Args:
        clock: What edges are stamped with.
        root: Where the devices appear.
    """

    line = line
    LineSettings = gpiod.LineSettings
    EdgeEvent = gpiod.EdgeEvent

    def __init__(self, clock, root):
        self.clock = clock
        self.root = root
        self.chips = {}
        self.forbidden = set()
        (root / "dev").mkdir(parents=True, exist_ok=True)

    def add(self, chip):
        path = self.root / "dev" / chip.name
        path.touch()
        self.chips[str(path)] = chip
        return chip

    def unplug(self, chip):
        chip.is_there = False
        path = self.root / "dev" / chip.name
        path.unlink()
        for each in chip.lines:
            if each.request is not None:
                each.request.hang_up()

    def Chip(self, path):  # noqa: N802 - as the package calls it
        if path in self.forbidden:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        if not Path(path).exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return OpenChip(self, self.chips[path])

    def drive(self, chip, offset, is_high):
        chip.lines[offset].driven = is_high
        chip.lines[offset].settle(self.clock.now_ns())

    def hold(self, chip, offset, consumer, *, is_output=False):
        """Another program holds a line."""
        held = chip.lines[offset]
        held.is_used, held.consumer = True, consumer
        held.settings = gpiod.LineSettings(direction=line.Direction.OUTPUT if is_output else line.Direction.INPUT)


class OpenChip:
    """A chip as a program has it open."""

    def __init__(self, library, chip):
        chip.need()
        self._library, self._chip = library, chip

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        pass

    def get_info(self):
        self._chip.need()
        return SimpleNamespace(name=self._chip.name, label=self._chip.label, num_lines=len(self._chip.lines))

    def get_line_info(self, offset):
        self._chip.need()
        each = self._chip.lines[offset]
        return SimpleNamespace(
            offset=offset,
            name=each.name,
            used=each.is_used,
            consumer=each.consumer,
            direction=each.settings.direction,
            bias=each.settings.bias,
            drive=each.settings.drive,
            debounce_period=each.settings.debounce_period,
        )

    def request_lines(self, config, consumer=None, event_buffer_size=None):
        self._chip.need()
        ((offset, settings),) = config.items()
        each = self._chip.lines[offset]
        if each.is_used:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        request = FakeRequest(self._library, self._chip, offset, event_buffer_size or 16)
        request.apply(settings)
        each.is_used, each.consumer, each.request = True, (consumer or "")[:31], request
        return request


class FakeRequest:
    """One line as a program holds it."""

    def __init__(self, library, chip, offset, size):
        self._library, self._chip, self._offset = library, chip, offset
        self._line = chip.lines[offset]
        self._ring = deque(maxlen=size)
        self._number = 0
        self._rings, self._bell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    @property
    def fd(self):
        return self._rings

    def apply(self, settings):
        is_output = settings.direction == line.Direction.OUTPUT
        wants_edges = settings.edge_detection != line.Edge.NONE
        if wants_edges and settings.direction != line.Direction.INPUT:
            raise ValueError(os.strerror(errno.EINVAL))
        if settings.bias != line.Bias.AS_IS and settings.direction == line.Direction.AS_IS:
            raise ValueError(os.strerror(errno.EINVAL))
        if wants_edges and not self._chip.has_interrupts:
            raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))
        each = self._line
        if settings.direction == line.Direction.AS_IS:
            settings = each.settings
        elif is_output:
            self._put(settings.output_value, settings.drive)
        else:
            each.latch = None
        if self._chip.has_bias and settings.bias != line.Bias.AS_IS:
            each.pull = PULLS.get(settings.bias)
        each.settings = settings
        each.settle(self._library.clock.now_ns())

    def reconfigure_lines(self, config):
        self._chip.need()
        self.apply(config[self._offset])

    def get_value(self, offset):
        self._chip.need()
        assert offset == self._offset
        return line.Value.ACTIVE if self._line.level else line.Value.INACTIVE

    def set_value(self, offset, value):
        self._chip.need()
        if self._line.settings.direction != line.Direction.OUTPUT:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        assert offset == self._offset
        self._put(value, self._line.settings.drive)
        self._line.settle(self._library.clock.now_ns())

    def edge(self, each, at_ns):
        wanted = each.settings.edge_detection
        kinds = {line.Edge.BOTH: (True, False), line.Edge.RISING: (True,), line.Edge.FALLING: (False,)}
        if each.level not in kinds.get(wanted, ()):
            return
        self._number += 1
        kind = EVENT_FIELDS[each.level]
        self._ring.append(gpiod.EdgeEvent(kind.value, at_ns, self._offset, self._number, self._number))
        if len(self._ring) == 1:
            os.write(self._bell, b"!")

    def read_edge_events(self, max_events=None):
        self._chip.need()
        assert self._ring, "a read without events would block for ever"
        count = min(max_events or 64, len(self._ring))
        events = [self._ring.popleft() for _ in range(count)]
        if not self._ring:
            os.read(self._rings, 4096)
        return events

    def hang_up(self):
        os.close(self._bell)
        self._bell = None

    def release(self):
        os.close(self._rings)
        if self._bell is not None:
            os.close(self._bell)
        each = self._line
        each.request, each.is_used, each.consumer = None, False, ""
        each.latch = each.pull = None
        each.settings = gpiod.LineSettings(direction=line.Direction.INPUT)
        each.settle(self._library.clock.now_ns())

    def _put(self, value, drive):
        is_high = value == line.Value.ACTIVE
        floats = {line.Drive.OPEN_DRAIN: True, line.Drive.OPEN_SOURCE: False}.get(drive)
        self._line.latch = None if is_high is floats else is_high
