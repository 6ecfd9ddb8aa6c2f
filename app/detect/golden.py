"""Golden samples: the defect-free picture of each part."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from app.errors import DataError
from app.types import Image

MAX_CACHED = 16


class Goldens(Protocol):
    """Whoever knows the golden sample of each part."""

    def find(self, name: str) -> Image:
        """The golden sample of the part whose picture has this file name.

        Raises:
            DataError: There is none, or it cannot be read.
        """
        ...


class OneGolden:
    """One picture in memory for all parts.

    Args:
        image: The defect-free part: uint8, (height, width) or (height, width, 3) BGR.
    """

    def __init__(self, image: Image) -> None:
        self._image = image

    def find(self, name: str) -> Image:  # noqa: ARG002 - the same for every name
        """The picture."""
        return self._image


class GoldenSamples:
    """Finds the golden sample of a part and keeps the last few in memory; any thread may ask.

    Args:
        source: One picture for all parts, or a folder that holds one per part, of the same name but for the suffix.
        read: Reads a picture, as `app.capture.pictures.read_picture` does.

    Raises:
        DataError: `source` is neither, or an empty folder.
    """

    def __init__(self, source: Path, read: Callable[[Path], Image]) -> None:
        self._source = source
        self._read = read
        self._by_stem: dict[str, list[Path]] | None = _files(source) if source.is_dir() else None
        self._cache: OrderedDict[Path, Image] = OrderedDict()
        self._lock = Lock()
        if self._by_stem is None:
            self._load(source)

    def __getstate__(self) -> dict[str, Any]:
        """Without the lock, which stays where its threads are."""
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = Lock()

    def find(self, name: str) -> Image:
        """The golden sample of a part; the same array as long as it stays in memory.

        Args:
            name: File name of the part's picture; any name where there is one sample for all.

        Raises:
            DataError: There is none, or it cannot be read.
        """
        if self._by_stem is None:
            return self._load(self._source)
        paths = self._by_stem.get(Path(name).stem, [])
        if not paths:
            raise DataError(f"{self._source} holds no golden sample of {name!r}", "add one of that name")
        if len(paths) > 1:
            raise DataError(f"{self._source} holds both {paths[0].name} and {paths[1].name}", "keep one of the two")
        return self._load(paths[0])

    def _load(self, path: Path) -> Image:
        with self._lock:
            image = self._cache.get(path)
            if image is None:
                image = self._read(path)
                image.flags.writeable = False
                self._cache[path] = image
                if len(self._cache) > MAX_CACHED:
                    self._cache.popitem(last=False)
            self._cache.move_to_end(path)
            return image


def _files(folder: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    try:
        for path in sorted(folder.iterdir()):
            if path.is_file() and not path.name.startswith("."):
                found.setdefault(path.stem, []).append(path)
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}", "check its permissions") from error
    if not found:
        raise DataError(f"{folder} is empty", "put the golden samples there, each named as its picture")
    return found
