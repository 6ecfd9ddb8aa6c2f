"""Where a counter of the kernel lies below `/sys`, and what it offers."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path

from app.errors import LineError

DEVICES = Path("sys/bus/counter/devices")


@dataclass(frozen=True, slots=True)
class CounterPlace:
    """One count of one counter device.

    Attributes:
        name: What people call it, such as `counter0/count0`.
        folder: Its attributes.
        device: The character device of its counter, which may not exist.
        number: The number of the count within the device.
    """

    name: str
    folder: Path
    device: Path
    number: int

    def has(self, attribute: str) -> bool:
        """Whether the driver offers an attribute."""
        return (self.folder / attribute).exists()

    def read(self, attribute: str) -> str:
        """The value of an attribute; empty for one that the driver does not offer.

        Raises:
            LineError: It is there and cannot be read.
        """
        try:
            return (self.folder / attribute).read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise LineError(
                f"encoder.counter {self.name}: {attribute} cannot be read: {error.strerror}", "look at its driver"
            ) from error

    def demand(self, attribute: str, value: str) -> None:
        """Sets an attribute, unless it has the value already.

        Raises:
            LineError: The driver refuses, or this user may not.
        """
        if self.read(attribute) == value:
            return
        path = self.folder / attribute
        try:
            path.write_text(value, encoding="ascii")
        except OSError as error:
            may_not = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
            raise LineError(
                f"encoder.counter {self.name}: {attribute} cannot be set to {value!r}: {error.strerror}",
                f"have udev write it when the counter appears: echo '{value}' > {path}"
                if may_not
                else "look at what its driver offers, or name another counter",
            ) from error
        if self.read(attribute) != value:
            raise LineError(
                f"encoder.counter {self.name}: {attribute} is {self.read(attribute)!r} and did not become {value!r}",
                "name another counter",
            )


def find_counter(name: str, root: Path) -> CounterPlace:
    """The count that a name means.

    Args:
        name: Device and count, `counter0/count0`. The device may be called by its driver's name where only one has it,
            the count by its own; without a count, the first is meant.
        root: The root of the file system.

    Raises:
        LineError: There is no such count, or more than one.
    """
    counts = _counts(root)
    if not counts:
        raise LineError(
            f"encoder.counter {name!r}: the kernel of this machine has no counters ({root / DEVICES} is empty)",
            "load the driver of its counter, or use encoder.driver = gpio",
        )
    device, _, count = name.partition("/")
    found = [each for each in counts if device in (each.folder.parent.name, _name(each.folder.parent))]
    found = [each for each in found if (count or "count0") in (each.folder.name, _name(each.folder))]
    if len(found) == 1:
        return found[0]
    offered = ", ".join(f"{each.name} ({_name(each.folder.parent) or 'no name'})" for each in counts)
    if found:
        raise LineError(f"encoder.counter {name!r} means more than one counter", f"name one by its number: {offered}")
    raise LineError(f"there is no encoder.counter {name!r}", f"name one of {offered}")


def _counts(root: Path) -> list[CounterPlace]:
    return [
        CounterPlace(
            f"{folder.parent.name}/{folder.name}",
            folder,
            root / "dev" / folder.parent.name,
            int(folder.name.removeprefix("count")),
        )
        for folder in sorted((root / DEVICES).glob("counter*/count[0-9]*"))
    ]


def _name(folder: Path) -> str:
    try:
        return (folder / "name").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
