"""Named pipes that wake a process, or tell it when to take a picture. Who rings never waits, and nobody need listen.

A pipe is opened for both directions, so that neither side needs the other to be there, and that neither is told when
the other dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import struct
import weakref
from dataclasses import dataclass
from pathlib import Path

from app.bus.place import FILE_MODE, trouble_at
from app.errors import BusError

_PIPE_BYTES = 4096
_READ_BYTES = 2048
_PULSE = struct.Struct("=qQ")


def _open_pipe(path: Path) -> int:
    descriptor = -1
    try:
        with contextlib.suppress(FileExistsError):
            os.mkfifo(path, FILE_MODE)
            path.chmod(FILE_MODE)
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        is_pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    except OSError as error:
        raise trouble_at(path, error) from error
    if not is_pipe:
        os.close(descriptor)
        raise BusError(f"{path} is not a named pipe", f"remove it: rm {path}")
    with contextlib.suppress(OSError):  # a pipe is a page where the system grants it: one read empties it
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return descriptor


class Bell:
    """Wakes whoever waits for its descriptor. Made where it is absent.

    Args:
        path: Its named pipe.

    Raises:
        BusError: It cannot be made, or something else has this name.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = _open_pipe(path)
        self._close = weakref.finalize(self, os.close, self._descriptor)

    def ring(self) -> None:
        """Wakes the listener, now or when there is one. Never waits; many rings may count as one."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._descriptor, b"!")

    def fileno(self) -> int:
        """Readable while the bell has rung and was not silenced."""
        return self._descriptor

    def silence(self) -> None:
        """Forgets all rings so far. Look for work after this, not before."""
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._descriptor, _READ_BYTES)) == _READ_BYTES:
                pass

    def close(self) -> None:
        """Lets go of the pipe. Idempotent."""
        self._close()


@dataclass(frozen=True, slots=True)
class Pulse:
    """A trigger for a camera.

    Attributes:
        at_ns: When the picture is to be taken, by the monotonic clock.
        number: Counts the triggers of this camera.
    """

    at_ns: int
    number: int


class TriggerPipe:
    """Triggers for a camera that is told by software when to take a picture. Made where it is absent.

    Args:
        path: Its named pipe.

    Attributes:
        lost: Triggers that found the pipe full: nobody takes pictures.
        stale: Triggers that `receive` passed over as too old.

    Raises:
        BusError: It cannot be made, or something else has this name.
    """

    def __init__(self, path: Path) -> None:
        self.lost = 0
        self.stale = 0
        self._descriptor = _open_pipe(path)
        self._close = weakref.finalize(self, os.close, self._descriptor)

    def send(self, at_ns: int, number: int) -> bool:
        """Sends a trigger. Never waits.

        Returns:
            `False` where the pipe is full; `lost` counts it.
        """
        try:
            os.write(self._descriptor, _PULSE.pack(at_ns, number))
        except BlockingIOError:
            self.lost += 1
            return False
        return True

    def fileno(self) -> int:
        """Readable while triggers wait."""
        return self._descriptor

    def receive(self, not_before_ns: int = 0) -> list[Pulse]:
        """The triggers that wait, oldest first.

        Args:
            not_before_ns: Older ones, left from before this process ran, are passed over and counted in `stale`.
        """
        pulses: list[Pulse] = []
        with contextlib.suppress(BlockingIOError):
            chunk = os.read(self._descriptor, _READ_BYTES)
            while chunk:
                whole = len(chunk) - len(chunk) % _PULSE.size  # writes of ours are never split; a stray byte ends here
                pulses += [Pulse(*fields) for fields in _PULSE.iter_unpack(chunk[:whole])]
                chunk = os.read(self._descriptor, _READ_BYTES) if len(chunk) == _READ_BYTES else b""
        fresh = [pulse for pulse in pulses if pulse.at_ns >= not_before_ns]
        self.stale += len(pulses) - len(fresh)
        return fresh

    def close(self) -> None:
        """Lets go of the pipe. Idempotent."""
        self._close()
