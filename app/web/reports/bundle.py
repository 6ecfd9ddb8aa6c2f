"""An export as a ZIP file that is written while it is read: COCO, YOLO or CSV with the pictures.

Memory stays flat: a picture goes through in pieces, and what a format says at its end waits in a file of its own.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Literal, Protocol
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from app.record.export import PART_COLUMNS, part_as_data
from app.support.zip_stream import Sink
from app.web.reports.items import GONE, Item, Mark, Shot, as_json

Form = Literal["coco", "yolo", "csv"]
FORMS: tuple[Form, ...] = ("coco", "yolo", "csv")
PIECE = 256 * 1024
ENTRY_BYTES = 1_500
"""What an entry costs besides its picture, at most: heads, names, labels."""

_DISK = "/var/tmp"  # noqa: S108 - a file without a name cannot be foreseen
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_PART = (*PART_COLUMNS, "label", "class", "by", "agrees", "pictures", "marks")


class Writer(Protocol):
    """How a format is written."""

    def take(self, item: Item) -> Iterable[tuple[str, bytes]]:
        """Files to add for a part, besides its pictures."""
        ...

    def finish(self) -> Iterable[tuple[str, Iterable[bytes]]]:
        """Files to add at the end, each in pieces."""
        ...

    def close(self) -> None:
        """Lets go of what waited."""
        ...


def zipped(items: Iterable[Item], form: Form, tell: Callable[[int], None] = lambda _parts: None) -> Iterator[bytes]:
    """The export in pieces.

    Args:
        items: The parts.
        form: COCO (`annotations.json`), YOLO (`labels/`, `data.yaml`) or CSV (`parts.csv`); each with `images/`.
        tell: Told how many parts are written.

    Raises:
        OSError: A picture cannot be read.
        RecordError: The ledger cannot be read.
    """
    sink = Sink()
    with ExitStack() as opened:
        archive = opened.enter_context(ZipFile(sink, "w"))
        writer = _WRITERS[form]()
        opened.callback(writer.close)
        gone = _Lines(("name", "why"))
        opened.callback(gone.close)
        for count, item in enumerate(items, 1):
            with ExitStack() as pictures:
                held = [_opened(shot, pictures) for shot in item.shots]
                for shot, file in held:
                    if file is None:
                        gone.add((shot.name, shot.gone))
                        continue
                    yield from _add(archive, sink, f"images/{shot.name}", _read(file), ZIP_STORED)
            for name, content in writer.take(replace(item, shots=tuple(shot for shot, _ in held))):
                yield from _add(archive, sink, name, (content,), ZIP_DEFLATED)
            tell(count)
        for name, pieces in (*writer.finish(), ("gone.csv", gone.pieces())):
            yield from _add(archive, sink, name, pieces, ZIP_DEFLATED)
        archive.close()
        yield sink.take()


def estimate(picture_bytes: int, pictures: int) -> int:
    """How large an export becomes at most, in bytes.

    Args:
        picture_bytes: Of the pictures together.
        pictures: How many parts it has.
    """
    return picture_bytes + ENTRY_BYTES * (pictures + 8)


class _Lines:
    """A CSV file that waits on the disk."""

    def __init__(self, heads: Sequence[str]) -> None:
        self._file: IO[bytes] = _waiting()
        self.add(heads)

    def add(self, cells: Sequence[Any]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow([_cell(each) for each in cells])
        self._file.write(line.getvalue().encode())

    def pieces(self) -> Iterator[bytes]:
        self._file.seek(0)
        while piece := self._file.read(PIECE):
            yield piece

    def close(self) -> None:
        self._file.close()


class _Csv:
    """One row per part."""

    def __init__(self) -> None:
        self._lines = _Lines(_PART)

    def take(self, item: Item) -> Iterable[tuple[str, bytes]]:
        said, label = part_as_data(item.story.part), item.label
        marks = [mark for shot in item.shots for mark in shot.marks]
        told = (label.kind.value, label.class_name, label.by, label.agrees) if label else ("", "", "", None)
        names = " ".join(shot.name for shot in item.shots)
        self._lines.add((*(said[name] for name in PART_COLUMNS), *told, names, as_json(marks)))
        return ()

    def finish(self) -> Iterable[tuple[str, Iterable[bytes]]]:
        return (("parts.csv", self._lines.pieces()),)

    def close(self) -> None:
        self._lines.close()


class _Coco:
    """The data format of COCO (Lin et al., "Microsoft COCO", 2014; cocodataset.org, "Data format")."""

    def __init__(self) -> None:
        self._images: IO[bytes] = _waiting()
        self._marks: IO[bytes] = _waiting()
        self._classes: dict[str, int] = {}
        self._counts = [0, 0]

    def take(self, item: Item) -> Iterable[tuple[str, bytes]]:
        for shot in item.shots:
            if shot.path is not None:
                self._take(item, shot)
        return ()

    def _take(self, item: Item, shot: Shot) -> None:
        self._counts[0] += 1
        image = {"id": self._counts[0], "file_name": f"images/{shot.name}", "width": shot.width, "height": shot.height}
        image |= {"part": item.story.part.name, "label": item.label.kind.value if item.label else None}
        _append(self._images, image, is_first=self._counts[0] == 1)
        for mark in shot.marks:
            self._counts[1] += 1
            _append(self._marks, self._annotation(mark), is_first=self._counts[1] == 1)

    def _annotation(self, mark: Mark) -> dict[str, Any]:
        said: dict[str, Any] = {
            "id": self._counts[1],
            "image_id": self._counts[0],
            "category_id": self._classes.setdefault(mark.label, len(self._classes) + 1),
            "bbox": list(mark.box),
            "area": mark.box[2] * mark.box[3],
            "iscrowd": 0,
        }
        return said if mark.score is None else said | {"score": mark.score}

    def finish(self) -> Iterable[tuple[str, Iterable[bytes]]]:
        return (("annotations.json", self._document()),)

    def _document(self) -> Iterator[bytes]:
        yield b'{"info":{"description":"exported by Takt"},"images":['
        yield from _read(self._images)
        yield b'],"annotations":['
        yield from _read(self._marks)
        categories = [{"id": number, "name": label} for label, number in self._classes.items()]
        yield b'],"categories":' + json.dumps(categories, separators=(",", ":")).encode() + b"}"

    def close(self) -> None:
        self._images.close()
        self._marks.close()


class _Yolo:
    """A text file per picture: class, centre and size, as shares of the picture."""

    def __init__(self) -> None:
        self._classes: dict[str, int] = {}

    def take(self, item: Item) -> Iterable[tuple[str, bytes]]:
        for shot in item.shots:
            if shot.path is not None and shot.width and shot.height:
                lines = [self._line(shot, mark) for mark in shot.marks]
                yield f"labels/{Path(shot.name).stem}.txt", "".join(lines).encode()

    def _line(self, shot: Shot, mark: Mark) -> str:
        number = self._classes.setdefault(mark.label, len(self._classes))
        x, y, width, height = mark.box
        shares = (
            (x + width / 2) / shot.width,
            (y + height / 2) / shot.height,
            width / shot.width,
            height / shot.height,
        )
        return f"{number} {' '.join(f'{min(1.0, max(0.0, each)):.6f}' for each in shares)}\n"

    def finish(self) -> Iterable[tuple[str, Iterable[bytes]]]:
        # JSON is YAML too, and knows how to write any name.
        names = "".join(f"  {number}: {json.dumps(label)}\n" for label, number in self._classes.items()) or "  {}\n"
        said = f"path: .\ntrain: images\nval: images\nnames:\n{names}"
        return (("data.yaml", (said.encode(),)),)

    def close(self) -> None:
        """Nothing waits."""


_WRITERS: dict[Form, Callable[[], Writer]] = {"coco": _Coco, "yolo": _Yolo, "csv": _Csv}


def _add(archive: ZipFile, sink: Sink, name: str, pieces: Iterable[bytes], how: int) -> Iterator[bytes]:
    info = ZipInfo(name, _EARLIEST)
    info.compress_type = how
    info.external_attr = 0o644 << 16
    with archive.open(info, "w", force_zip64=True) as target:
        for piece in pieces:
            target.write(piece)
            yield sink.take()


def _opened(shot: Shot, opened: ExitStack) -> tuple[Shot, IO[bytes] | None]:
    """A picture with its file, or as one that is gone: retention may have taken it away since it was looked up.

    What is open stays readable, whatever happens to its name.
    """
    if shot.path is None:
        return shot, None
    try:
        return shot, opened.enter_context(shot.path.open("rb"))
    except FileNotFoundError:
        return replace(shot, path=None, gone=GONE), None
    except OSError as error:
        return replace(shot, path=None, gone=f"the file cannot be read: {error.strerror}"), None


def _waiting() -> IO[bytes]:
    """A file without a name, on the disk: /tmp may be memory."""
    return tempfile.TemporaryFile(dir=_DISK if Path(_DISK).is_dir() else None)


def _append(file: IO[bytes], said: dict[str, Any], *, is_first: bool) -> None:
    file.write((b"" if is_first else b",") + json.dumps(said, separators=(",", ":")).encode())


def _read(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(PIECE):
        yield piece


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    text = value if isinstance(value, str) else None
    return f"'{text}" if text and text[0] in "=+-@\t\r" else value
