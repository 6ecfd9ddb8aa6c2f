"""Engines that were built on this device: `engines/HASH.engine` in the state folder, one file for each key.

A file is a line of magic, a line of JSON with the whole key, the size and the SHA-256 of what follows, and the engine.
An engine is machine code that is run as it stands: it is loaded only if every part of the key is the one asked for, the
file is whole, and nobody but root and this user can have written it. Whatever else is found there is told and passed
over, as an engine can always be built anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.detect.engine_folder import (
    MODE,
    DistrustedError,
    Note,
    check_own,
    check_owner,
    default_folder,
    ignore_note,
)
from app.detect.installed import LEAST_FREE_BYTES
from app.durable import replace_bytes

BUILD = 1
"""Counted up when engines come to be built in another way, so that none of before is loaded."""

MAX_FILES = 16
MAX_BYTES = 4_000_000_000

_MAGIC = b"takt engine 1\n"
_MAX_HEADER = 1 << 16
_SUFFIX = ".engine"
_LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class EngineKey:
    """What an engine was built for and with; another of any of these is another engine.

    Attributes:
        gpu: The GPU's name.
        capability: Its compute capability.
        library: TensorRT or TensorRT-RTX, and its version.
        model_sha256: Of the ONNX file, which holds the precision too; empty for the timings that all builds share.
        options: Such as the limit of the workspace and the DLA core.
        build: `BUILD`.
    """

    gpu: str
    capability: str
    library: str
    model_sha256: str
    options: Mapping[str, str]
    build: int = BUILD

    def as_json(self) -> dict[str, Any]:
        """Every part of it."""
        return {**asdict(self), "options": dict(self.options)}

    @property
    def name(self) -> str:
        """What all of it together is called."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()[:32]

    @property
    def file_name(self) -> str:
        """The name of its file."""
        return self.name + _SUFFIX


class EngineCache:
    """The engines in one folder, which is made when the first is stored.

    Args:
        folder: The folder; by default `engines` in the station's state.
        max_files: How many files are kept at most.
        max_bytes: How large they may be together; the latest is kept even when it is larger.
        note: Is told why one was not loaded or not kept.
    """

    def __init__(
        self,
        folder: Path | None = None,
        max_files: int = MAX_FILES,
        max_bytes: int = MAX_BYTES,
        note: Note = ignore_note,
    ) -> None:
        self.folder = folder or default_folder()
        self._max_files = max_files
        self._max_bytes = max_bytes
        self._note = note

    def load(self, key: EngineKey) -> bytes | None:
        """The engine of a key; `None` where there is none that can be trusted.

        Never raises for what it finds there: the reason is told.
        """
        path = self.folder / key.file_name
        try:
            content = self._read(path)
            engine = _opened(content, key)
        except FileNotFoundError:
            self._tell_other(key)
            return None
        except DistrustedError as error:
            self._note(f"{error.where or path} {error}; the engine is built anew")
            return None
        except OSError as error:
            self._note(f"{path} cannot be read ({error.strerror}); the engine is built anew")
            return None
        with suppress(OSError):  # root's file in root's folder: then it is the oldest
            os.utime(path)
        return engine

    def store(self, key: EngineKey, engine: bytes) -> None:
        """Keeps an engine, and removes the least recently used ones beyond the limits.

        Never raises for what the disk says: the reason is told, and the engine is built again next time.
        """
        header = {"key": key.as_json(), "bytes": len(engine), "sha256": hashlib.sha256(engine).hexdigest()}
        content = b"".join((_MAGIC, json.dumps(header, sort_keys=True).encode(), b"\n", engine))
        try:
            self._make()
            check_own(self.folder)
            self._check_room(len(content))
            with self._locked():
                replace_bytes(self.folder / key.file_name, content)
                self._trim(key.file_name)
        except DistrustedError as error:
            self._note(f"{error.where or self.folder} {error}; the engine is not kept")
        except OSError as error:
            self._note(f"the engine cannot be kept in {self.folder} ({error.strerror}); it is built again next time")

    def forget(self, key: EngineKey) -> None:
        """Removes an engine that turned out to be of no use."""
        with suppress(OSError):
            (self.folder / key.file_name).unlink()

    def _tell_other(self, key: EngineKey) -> None:
        """Tells of the newest engine of this very model, which was built for another GPU, version or options."""
        wanted = key.as_json()
        with suppress(OSError):
            kept = sorted(self.folder.glob(f"*{_SUFFIX}"), key=lambda each: each.lstat().st_mtime_ns, reverse=True)
            for path in kept:
                stored = _stored_key(path)
                if key.model_sha256 and stored.get("model_sha256") == key.model_sha256:
                    self._note(f"{path} was built for another {_difference(stored, wanted)}; the engine is built anew")
                    return

    def _make(self) -> None:
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True)
            self.folder.chmod(MODE)

    def _read(self, path: Path) -> bytes:
        check_own(self.folder)
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise DistrustedError(f"is no file that can be read ({error.strerror})") from error
        with os.fdopen(handle, "rb") as file:
            # Of what is open and not of what the name stands for: it may be replaced in between.
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise DistrustedError("is no regular file")
            check_owner(found)
            return file.read()

    def _check_room(self, size: int) -> None:
        free = shutil.disk_usage(self.folder).free
        if free < size + LEAST_FREE_BYTES:
            raise DistrustedError(
                f"has {free} bytes free where the engine takes {size} and {LEAST_FREE_BYTES} must be left", self.folder
            )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.folder / _LOCK).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _trim(self, latest: str) -> None:
        for draft in self.folder.glob(f"*{_SUFFIX}.new"):
            draft.unlink(missing_ok=True)
        found = [(each, each.lstat()) for each in self.folder.glob(f"*{_SUFFIX}")]
        newest_first = sorted(found, key=lambda each: (each[0].name == latest, each[1].st_mtime_ns), reverse=True)
        total = 0
        for number, (path, facts) in enumerate(newest_first):
            total += facts.st_size
            if path.name != latest and (number >= self._max_files or total > self._max_bytes):
                path.unlink(missing_ok=True)


def _stored_key(path: Path) -> dict[str, Any]:
    """The key that a file says it is of, only to be told to a person; empty where it says none."""
    if path.is_symlink():
        return {}
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            return {}
        try:
            stored = json.loads(file.readline(_MAX_HEADER))["key"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return {}
    return stored if isinstance(stored, dict) else {}


def _opened(content: bytes, key: EngineKey) -> bytes:
    """The engine in a file's content.

    Raises:
        DistrustedError: It is not whole, or of another key.
    """
    if not content.startswith(_MAGIC):
        raise DistrustedError("is no engine of this version of Takt")
    end = content.find(b"\n", len(_MAGIC), len(_MAGIC) + _MAX_HEADER)
    try:
        header: Any = json.loads(content[len(_MAGIC) : max(end, 0)])
        stored, size, sha256 = header["key"], header["bytes"], header["sha256"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DistrustedError("has a header that cannot be read") from error
    wanted = key.as_json()
    if stored != wanted:
        raise DistrustedError(f"was built for another {_difference(stored, wanted)}")
    engine = content[end + 1 :]
    if len(engine) != size:
        raise DistrustedError(f"holds {len(engine)} bytes of an engine where {size} were written")
    if hashlib.sha256(engine).hexdigest() != sha256:
        raise DistrustedError("is not what was written (its SHA-256 is another)")
    return engine


def _difference(stored: object, wanted: Mapping[str, Any]) -> str:
    if not isinstance(stored, dict):
        return "key"
    names = sorted(name for name in {*stored, *wanted} if stored.get(name) != wanted.get(name))
    shown = [f"{name} ({stored.get(name)!r}, not {wanted.get(name)!r})" for name in names]
    return ", ".join(shown)[:300]
