"""The folder where the processes of one box meet, and the names of what lies in it.

It lives in memory (`/dev/shm/takt`), outlives every process and is gone after a power cut. A box that runs two stations
names another folder with `--bus` or the environment variable `TAKT_BUS`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import weakref
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from app.errors import BusError

DEFAULT_ROOT = Path("/dev/shm/takt")  # noqa: S108 - checked for its owner's rights below
VARIABLE = "TAKT_BUS"
FOLDER_MODE = 0o770
FILE_MODE = 0o660
"""Owner and group: units may run as different users of one group."""

_MENDS = {
    errno.ENOSPC: "free memory there (df -h), or name a folder with more room: --bus DIR",
    errno.EDQUOT: "raise the quota there, or name another folder: --bus DIR",
    errno.EFBIG: "make it smaller, or raise the limit of file sizes (ulimit -f)",
    errno.EROFS: "name a folder that can be written: --bus DIR",
    errno.EACCES: "run as its owner or in its group, or name another folder: --bus DIR",
    errno.EPERM: "run as its owner or in its group, or name another folder: --bus DIR",
    errno.ENOENT: "start the station with: takt run",
    errno.ENOTDIR: "name a folder: --bus DIR",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENOMEM: "free memory on this machine",
}


def trouble_at(path: Path, error: OSError) -> BusError:
    """The error that tells a person what the system refused and what to do about it."""
    mend = _MENDS.get(error.errno or 0, "mend that, or name another folder: --bus DIR")
    return BusError(f"{path} cannot be used: {error.strerror or error}", mend)


class Lock:
    """A lock that a process holds until it closes it or dies, however it dies.

    Args:
        path: Its file. It stays when the lock is gone.

    Raises:
        BusError: Another process holds it, which is named, or the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)
        except OSError as error:
            raise trouble_at(path, error) from error
        self._close = weakref.finalize(self, os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        except BlockingIOError as error:
            holder = _named(os.pread(descriptor, 20, 0))
            self.close()
            raise BusError(
                f"{path} is held by {holder}", "stop it first, or give this one a folder of its own: --bus DIR"
            ) from error
        except OSError as error:
            self.close()
            raise trouble_at(path, error) from error

    def close(self) -> None:
        """Lets go. Idempotent."""
        self._close()

    def __enter__(self) -> Lock:  # noqa: PYI034 - Python 3.10 has no Self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Place:
    """The folder where the processes meet.

    Args:
        root: The folder.
        make: Makes it where it is absent. Who only looks, such as a command to a running station, leaves this out, so
            that no folder of the wrong owner stays behind.

    Attributes:
        root: The folder.

    Raises:
        BusError: It cannot be made or used, or everybody may write into it.
    """

    def __init__(self, root: Path, *, make: bool = True) -> None:
        self.root = root
        if make:
            _make_folder(root)

    def ring(self, lane: int) -> Path:
        """The ring of a lane's events."""
        return self.root / f"lane{lane}.ring"

    def status(self, lane: int) -> Path:
        """The status block of a lane's station."""
        return self.root / f"lane{lane}.status"

    def commands(self, lane: int) -> Path:
        """The socket at which a lane's station takes commands."""
        return self.root / f"lane{lane}.command"

    def frames(self, lane: int, camera: str) -> Path:
        """The frame slots of a camera."""
        return self.root / f"lane{lane}-{quote(camera, safe='')}.frames"

    def triggers(self, lane: int, camera: str) -> Path:
        """The pipe through which a camera is told to take a picture."""
        return self.root / f"lane{lane}-{quote(camera, safe='')}.triggers"

    def camera(self, lane: int, camera: str) -> Path:
        """The block in which a capture process says how its camera is."""
        return self.root / f"lane{lane}-{quote(camera, safe='')}.camera"

    def exchange(self, lane: int) -> Path:
        """Where a lane's station asks the accelerator."""
        return self.root / f"lane{lane}.exchange"

    def sickness(self) -> Path:
        """What ails the accelerator of the twin."""
        return self.root / "accelerator.sickness"

    def latency(self, lane: int) -> Path:
        """The times that a lane's station took for each stage."""
        return self.root / f"lane{lane}.latency"

    def bell(self, name: str) -> Path:
        """The bell of one who waits, by its name: `recorder`, `web`, `lane1`."""
        return self.root / f"{quote(name, safe='')}.bell"

    def lock(self, name: str) -> Path:
        """The file of a lock."""
        return self.root / f"{quote(name, safe='')}.lock"

    def previews(self) -> Path:
        """The folder of the pictures that the page shows; made here.

        Raises:
            BusError: It cannot be made.
        """
        folder = self.root / "previews"
        _make_folder(folder)
        return folder

    def hold(self, name: str) -> Lock:
        """Takes a lock, so that nobody else does the same work here.

        Raises:
            BusError: Another process holds it, which is named.
        """
        return Lock(self.lock(name))


def default_place(named: Path | None = None, *, make: bool = True) -> Place:
    """The place named by a person, else by the environment variable TAKT_BUS, else `/dev/shm/takt`.

    Raises:
        BusError: It cannot be made or used.
    """
    from_environment = os.environ.get(VARIABLE, "")
    return Place(named or (Path(from_environment) if from_environment else DEFAULT_ROOT), make=make)


def _make_folder(folder: Path) -> None:
    try:
        try:
            folder.mkdir(mode=FOLDER_MODE, parents=True)
            folder.chmod(FOLDER_MODE)  # whatever the umask says
        except FileExistsError:
            if not folder.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "it is not a folder") from None
        mode = folder.stat().st_mode
    except OSError as error:
        raise trouble_at(folder, error) from error
    if mode & stat.S_IWOTH:
        raise BusError(
            f"{folder} may be written by everybody, who could then command the line",
            f"run: chmod o-w {folder}, or name a folder of its own: --bus DIR",
        )
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        raise trouble_at(folder, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def _named(pid: bytes) -> str:
    text = pid.decode("ascii", "replace").strip()
    if not text.isdigit():
        return "another process"
    try:
        command = Path(f"/proc/{text}/comm").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return f"process {text}"
    return f"process {text} ({command})"
