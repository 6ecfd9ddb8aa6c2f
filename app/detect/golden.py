"""Golden samples: the defect-free picture of each part."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from app.errors import DataError
from app.types import Image

PICTURE_SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".jpg", ".jpeg", ".pgm", ".ppm")
MAX_CACHED = 16


class GoldenSamples:
    """Finds the golden sample of a part and keeps the last few in memory.

    Args:
        source: One picture for all parts, or a folder that holds one per part, of the same name but for the suffix.
        read: Reads a picture, as `app.capture.pictures.read_picture` does.

    Raises:
        DataError: `source` is neither, or holds two pictures for one name.
    """

    def __init__(self, source: Path, read: Callable[[Path], Image]) -> None:
        self._source = source
        self._read = read
        self._by_stem: dict[str, Path] | None = _pictures(source) if source.is_dir() else None
        self._cache: OrderedDict[Path, Image] = OrderedDict()
        if self._by_stem is None:
            self._load(source)

    def find(self, name: str) -> Image:
        """The golden sample of a part; the same array as long as it stays in memory.

        Args:
            name: File name of the part's picture; any name where there is one sample for all.

        Raises:
            DataError: There is none, or it cannot be read.
        """
        if self._by_stem is None:
            return self._load(self._source)
        path = self._by_stem.get(Path(name).stem)
        if path is None:
            raise DataError(f"{self._source} holds no golden sample of {name!r}", "add one of that name, or leave the part out")
        return self._load(path)

    def _load(self, path: Path) -> Image:
        image = self._cache.get(path)
        if image is None:
            image = self._read(path)
            image.flags.writeable = False
            self._cache[path] = image
            if len(self._cache) > MAX_CACHED:
                self._cache.popitem(last=False)
        self._cache.move_to_end(path)
        return image


def _pictures(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}", "check its permissions") from error
    for path in paths:
        if path.suffix.lower() in PICTURE_SUFFIXES:
            if path.stem in found:
                raise DataError(f"{folder} holds {found[path.stem].name} and {path.name}", "keep one of the two")
            found[path.stem] = path
    if not found:
        raise DataError(f"{folder} holds no pictures", f"give golden samples as {', '.join(PICTURE_SUFFIXES)}")
    return found
