"""V4L2 devices: which there are, what they can, and their controls by name, straight from the kernel.

`exposure_ms` is set on the device where it stands in the settings and the device has a control for it in units of time
(`exposure_time_absolute`, steps of 0.1 ms); automatic exposure is then switched to manual. Where it does not stand
there, or the device has no such control, the device keeps its own. `gain_db` is refused: the gain of a V4L2 device has
units of its own. `controls` come last, in the order in which they stand, so that they have the last word.
"""

from __future__ import annotations

import ctypes
import difflib
import errno
import fcntl
import os

from app.capture import v4l2_layout as layout
from app.capture.camera import Found, Knob
from app.capture.v4l2_control import MENUS, NUMBERS, Entry, bounds_of, normalised, number_for, text_for
from app.capture.v4l2_nodes import Ioctl, capability_of, described, discover, holder_of, sizes_of
from app.config import CameraSettings
from app.errors import CameraError
from app.status import Trouble
from app.types import Scalar

__all__ = ["Controls", "discover", "format_of", "holder_of", "normalised", "sizes_of"]

_STEPS_PER_MS = 10
_FOURCC_LENGTH = 4
_MOST_CONTROLS = 1024
_NOT_CONTROLS = ("fourcc", "fps")
_CAUSES = {
    errno.EACCES: "another control holds it, such as an automatic one",
    errno.EBUSY: "it cannot change while the device streams, or another program holds it",
    errno.EIO: "the device did not take it",
    errno.ENODEV: "the device is gone",
}


class Controls:
    """The controls of one device. They are set through a descriptor of its own, beside whoever streams.

    Args:
        path: The device file.
        ioctl: Asks the kernel; as `fcntl.ioctl`.

    Raises:
        CameraError: It does not open or is no V4L2 device.
    """

    def __init__(self, path: str, ioctl: Ioctl = fcntl.ioctl) -> None:
        self._path = path
        self._ioctl = ioctl
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise CameraError(
                f"{path} cannot be opened: {error.strerror}", "check that it is there", code=Trouble.ABSENT.value
            ) from error
        try:
            self._capability = capability_of(self._fd, ioctl)
            self._entries = {entry.name: entry for entry in self._enumerated()}
        except OSError as error:
            os.close(self._fd)
            raise CameraError(
                f"{path} is no V4L2 device: {error.strerror}", "name another one", code=Trouble.UNFIT.value
            ) from error

    def close(self) -> None:
        """Lets the device go. Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def about(self) -> Found:
        """Which camera this is."""
        return described(self._path, self._capability)

    def apply(self, settings: CameraSettings) -> None:
        """Sets what the settings ask for.

        Raises:
            CameraError: No such control, or a value that it does not take.
        """
        if settings.gain_db is not None:
            raise CameraError(
                "gain_db: a V4L2 device has no gain in dB",
                f"take it out, and set the device's own in controls ({self._like('gain')})",
                code=Trouble.UNFIT.value,
            )
        if "exposure_ms" in settings.model_fields_set:
            self._expose(settings.exposure_ms)
        for name, value in settings.controls.items():
            if name not in _NOT_CONTROLS:
                self.adjust(name, value)

    def knobs(self) -> tuple[Knob, ...]:
        """All of them, with their values as they are now."""
        return tuple(self._knob(entry) for entry in self._enumerated())

    def adjust(self, name: str, value: Scalar) -> Scalar:
        """Sets one.

        Args:
            name: As `takt camera probe` and v4l2-ctl write it.
            value: Of a menu the entry's name or number; of a button anything.

        Returns:
            What the device took; of a menu the entry's name.

        Raises:
            CameraError: No such control, or a value that it does not take.
        """
        entry = self._entries.get(normalised(name))
        if entry is None:
            raise CameraError(f"{self._path} has no control {name!r}", self._like(name), code=Trouble.UNFIT.value)
        if entry.flags & layout.READ_ONLY:
            raise CameraError(
                f"control {entry.name} of {self._path} can only be read", "take it out", code=Trouble.UNFIT.value
            )
        self._write(entry, number_for(entry, value) if entry.kind != layout.STRING else text_for(entry, value))
        return self._read(entry)

    def _expose(self, exposure_ms: float) -> None:
        time = self._with_id(layout.EXPOSURE_ABSOLUTE)
        if time is None:
            return
        auto = self._with_id(layout.EXPOSURE_AUTO)
        if auto is not None:
            self._write(auto, layout.EXPOSURE_MANUAL)
        steps = round(exposure_ms * _STEPS_PER_MS)
        if not time.low <= steps <= time.high:
            raise CameraError(
                f"exposure_ms = {exposure_ms:g} is beyond what {self._path} can",
                f"choose one from {time.low / _STEPS_PER_MS:g} to {time.high / _STEPS_PER_MS:g}",
                code=Trouble.UNFIT.value,
            )
        self._write(time, steps)

    def _with_id(self, control_id: int) -> Entry | None:
        return next((entry for entry in self._entries.values() if entry.id == control_id), None)

    def _like(self, name: str) -> str:
        if not self._entries:
            return "it has no controls at all"
        words = set(normalised(name).split("_"))
        near = difflib.get_close_matches(normalised(name), self._entries, n=3)
        near += [each for each in self._entries if words & set(each.split("_")) and each not in near]
        return f"nearest that it has: {', '.join(near[:3])}" if near else f"it has {', '.join(sorted(self._entries))}"

    def _enumerated(self) -> list[Entry]:
        entries: list[Entry] = []
        query = layout.QueryControl(id=layout.NEXT)
        for _ in range(_MOST_CONTROLS):
            try:
                self._ioctl(self._fd, layout.QUERY_EXT_CTRL, query)
            except OSError as error:
                # That was the last, or the device has none.
                if error.errno in (errno.EINVAL, errno.ENOTTY):
                    break
                raise
            if query.type != layout.CLASS and query.type < layout.COMPOUND and not query.flags & layout.DISABLED:
                entries.append(self._entry(query))
            query = layout.QueryControl(id=query.id | layout.NEXT)
        return entries

    def _entry(self, query: layout.QueryControl) -> Entry:
        name = normalised(query.name.decode(errors="replace"))
        choices = self._choices(query) if query.type in MENUS else ()
        return Entry(query.id, name, query.type, query.minimum, query.maximum, query.step, query.flags, choices)

    def _choices(self, query: layout.QueryControl) -> tuple[tuple[int, str], ...]:
        found = []
        for index in range(query.minimum, query.maximum + 1):
            menu = layout.QueryMenu(id=query.id, index=index)
            try:
                self._ioctl(self._fd, layout.QUERYMENU, menu)
            except OSError as error:
                # Menus have gaps.
                if error.errno == errno.EINVAL:
                    continue
                raise
            is_text = query.type == layout.MENU
            found.append((index, menu.name.decode(errors="replace") if is_text else str(menu.value)))
        return tuple(found)

    def _knob(self, entry: Entry) -> Knob:
        is_number = entry.kind in NUMBERS
        return Knob(
            name=entry.name,
            value=self._value_of(entry),
            low=entry.low if is_number else None,
            high=entry.high if is_number else None,
            step=entry.step if is_number else None,
            choices=tuple(name for _, name in entry.choices),
            unit="100 us" if entry.id == layout.EXPOSURE_ABSOLUTE else "",
            is_writable=entry.is_writable and not entry.flags & layout.INACTIVE,
        )

    def _value_of(self, entry: Entry) -> Scalar:
        try:
            return self._read(entry)
        except CameraError:
            return None

    def _read(self, entry: Entry) -> Scalar:
        if entry.kind == layout.BUTTON or entry.flags & layout.WRITE_ONLY:
            return None
        control = layout.Control(id=entry.id)
        text = ctypes.create_string_buffer(entry.high + 1 if entry.kind == layout.STRING else 1)
        if entry.kind == layout.STRING:
            control.size, control.string = len(text), ctypes.addressof(text)
        self._exchange(layout.G_EXT_CTRLS, control, entry, "read")
        if entry.kind == layout.STRING:
            return text.value.decode(errors="replace")
        number: int = control.value64 if entry.kind == layout.INTEGER64 else control.value
        if entry.kind == layout.BOOLEAN:
            return bool(number)
        if entry.kind == layout.BITMASK:
            return number & 0xFFFF_FFFF
        return dict(entry.choices).get(number, number) if entry.kind in MENUS else number

    def _write(self, entry: Entry, value: int | str) -> None:
        control = layout.Control(id=entry.id)
        text = ctypes.create_string_buffer(value.encode() if isinstance(value, str) else b"")
        if isinstance(value, str):
            control.size, control.string = len(text), ctypes.addressof(text)
        elif entry.kind == layout.INTEGER64:
            control.value64 = value
        else:
            control.value = value
        self._exchange(layout.S_EXT_CTRLS, control, entry, f"set to {value!r}")

    def _exchange(self, number: int, control: layout.Control, entry: Entry, deed: str) -> None:
        controls = layout.ControlList(count=1, controls=ctypes.pointer(control))
        try:
            self._ioctl(self._fd, number, controls)
        except OSError as error:
            cause = _CAUSES.get(error.errno or 0, error.strerror or "the device refused")
            mend = bounds_of(entry) if error.errno in (errno.ERANGE, errno.EINVAL) else "see what holds it"
            raise CameraError(
                f"control {entry.name} of {self._path} cannot be {deed}: {cause}", mend, code=Trouble.UNFIT.value
            ) from error


def format_of(settings: CameraSettings) -> tuple[str, int]:
    """The pixel format and the frame rate that `controls` ask for by `fourcc` and `fps`; "" and 0 where they do not.

    Raises:
        CameraError: They are no such things.
    """
    fourcc, rate_hz = settings.controls.get("fourcc", ""), settings.controls.get("fps", 0)
    if not isinstance(fourcc, str) or len(fourcc) not in (0, _FOURCC_LENGTH):
        raise CameraError(
            f"controls.fourcc = {fourcc!r} is no pixel format",
            "name one of four letters, such as MJPG",
            code=Trouble.UNFIT.value,
        )
    if isinstance(rate_hz, (bool, str)) or rate_hz < 0 or rate_hz != int(rate_hz):
        raise CameraError(
            f"controls.fps = {rate_hz!r} is no frame rate",
            "give a whole number of frames per second",
            code=Trouble.UNFIT.value,
        )
    return fourcc, int(rate_hz)
