"""The folder in which the browser keeps what it must: held by one kiosk, and without the marks of its last crash."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from app.errors import ConfigError, UsageError

NAME = "takt-kiosk"
LOCK = "takt-kiosk.lock"
CONFIG = "config"
"""What a browser writes beside its profile goes here as well."""

_MODE = 0o700
_PREFERENCES = Path("Default") / "Preferences"
_OTHERS = 0o022


def default_folder(environ: Mapping[str, str], uid: int) -> Path:
    """Where the profile lies when nobody names a place: in memory, in a folder of this user.

    Args:
        environ: The environment.
        uid: The user.
    """
    runtime = environ.get("XDG_RUNTIME_DIR")
    return Path(runtime) / NAME if runtime else Path(tempfile.gettempdir()) / f"{NAME}-{uid}"


class Profile:
    """The browser's folder.

    Args:
        folder: Where it lies.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def held(self) -> Iterator[None]:
        """Makes the folder, and keeps every other kiosk out of it.

        Raises:
            ConfigError: It cannot be made, or is not this user's own.
            UsageError: Another kiosk has it.
        """
        self._make()
        handle = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(
                    f"another kiosk has the profile {self.folder}", "end that one, or name another with --profile"
                ) from None
            yield
        finally:
            os.close(handle)

    def environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment of a browser that leaves no file elsewhere.

        Args:
            environ: The environment of this process.
        """
        config = str(self.folder / CONFIG)
        return {**environ, "XDG_CONFIG_HOME": config, "XDG_CACHE_HOME": config}

    def tidy(self) -> None:
        """Takes away what a killed browser leaves: its lock, and the marks by which it would offer to restore pages."""
        for each in self.folder.glob("Singleton*"):
            with suppress(OSError):
                each.unlink()
        shutil.rmtree(self.folder / CONFIG, ignore_errors=True)  # reports of crashes, which nobody will ask for
        for name in ("Sessions", "Session Storage"):
            shutil.rmtree(self.folder / "Default" / name, ignore_errors=True)
        path = self.folder / _PREFERENCES
        try:
            said = json.loads(path.read_bytes())
            profile = said.setdefault("profile", {})
            profile.update({"exit_type": "Normal", "exited_cleanly": True})
            path.write_text(json.dumps(said), encoding="utf-8")
        except FileNotFoundError:
            pass
        except (OSError, ValueError, AttributeError):
            # Half written when the power went: the browser makes a new one.
            with suppress(OSError):
                path.unlink()

    def clear(self) -> None:
        """Throws all of it away: a browser that ends again and again may do so for what is in there."""
        for each in self.folder.iterdir():
            if each.name == LOCK:
                continue
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each, ignore_errors=True)
            else:
                with suppress(OSError):
                    each.unlink()

    def _make(self) -> None:
        try:
            self.folder.mkdir(mode=_MODE, parents=True, exist_ok=True)
            found = self.folder.lstat()
        except OSError as error:
            raise ConfigError(
                f"the profile {self.folder} cannot be made: {error.strerror}", "name another with --profile"
            ) from error
        # In a folder that everybody may write to, somebody else may have been there first.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & _OTHERS:
            raise ConfigError(
                f"{self.folder} is not a folder that only this user can write to", "name another with --profile"
            )
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise ConfigError(f"the profile {self.folder} cannot be written to", "name another with --profile")
