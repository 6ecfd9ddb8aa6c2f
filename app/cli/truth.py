"""Truth in COCO format: which pictures show defects, and the numbers that results must carry to be compared with it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from app.errors import DataError

MAX_BYTES = 2_000_000_000
EXAMPLES = 3
_MEND = "give a COCO file with images, annotations and categories"


@dataclass(frozen=True, slots=True)
class Truth:
    """What a truth file says.

    Attributes:
        path: The file.
        images: Image id by file name, without folders.
        bad: Names of the pictures that have annotations.
        categories: Category id by class name.
    """

    path: Path
    images: Mapping[str, int]
    bad: frozenset[str]
    categories: Mapping[str, int]

    def check_covers(self, pictures: Sequence[Path], classes: Iterable[str]) -> None:
        """Refuses a truth of other pictures or other classes.

        Raises:
            DataError: A picture is not listed or two have one name, or a class of the model has no category.
        """
        names = [path.name for path in pictures]
        missing = [name for name in names if name not in self.images]
        if missing:
            some = ", ".join(missing[:EXAMPLES])
            raise DataError(
                f"the truth {self.path} does not list {len(missing)} of the {len(names)} pictures, such as {some}",
                "give the truth of these pictures, or only the pictures that it lists",
            )
        twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        if twice:
            raise DataError(
                f"two pictures are called {twice[0]}, and the truth {self.path} goes by name",
                "inspect one folder at a time",
            )
        unknown = [label for label in classes if label not in self.categories]
        if unknown:
            raise DataError(
                f"the truth {self.path} has no category {unknown[0]!r}, which the model finds",
                f"give the truth for this model; it has {', '.join(sorted(self.categories)) or 'none'}",
            )


def load_truth(path: Path) -> Truth:
    """Reads a truth file.

    Raises:
        DataError: Absent, no JSON, no COCO file, or its parts do not fit together.
    """
    content = _read(path)
    try:
        ids = {PurePosixPath(each["file_name"]).name: _number(each["id"]) for each in content["images"]}
        annotated = {_number(each["image_id"]) for each in content["annotations"]}
        categories = {str(each["name"]): _number(each["id"]) for each in content["categories"]}
    except KeyError as error:
        raise DataError(f"the truth {path} is no COCO file: it lacks {error}", _MEND) from error
    except TypeError as error:
        raise DataError(f"the truth {path} is no COCO file: {error}", _MEND) from error
    if len(ids) != len(content["images"]) or len(set(ids.values())) != len(ids):
        raise DataError(
            f"the truth {path} lists a picture or an id twice", "list each picture once, with an id of its own"
        )
    stray = annotated - set(ids.values())
    if stray:
        raise DataError(f"the truth {path} annotates image id {min(stray)}, which it does not list", _MEND)
    return Truth(path, ids, frozenset(name for name, number in ids.items() if number in annotated), categories)


def _read(path: Path) -> Any:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"the truth {path} is larger than {MAX_BYTES} bytes", _MEND)
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"the truth {path} cannot be read: {error.strerror}", "check the path") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"the truth {path} is not valid JSON: {error}", _MEND) from error


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"the id {value!r} is no whole number")
    return value
