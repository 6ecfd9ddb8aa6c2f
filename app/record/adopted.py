"""Which recipe a lane was told to judge by, beside the one that its line's file names.

It holds until somebody chooses another, or changes the file that it stands in for. The text itself is kept among the
documents, by its hash.
"""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from app.durable import replace_text
from app.errors import RecordError

FOLDER = "recipes"
_TURN = threading.Lock()  # two people may choose at once


@dataclass(frozen=True, slots=True)
class Adopted:
    """A recipe in place of the file's.

    Attributes:
        sha256: The hash of its text.
        over_sha256: That of the file's text when it was chosen.
        name: What people call it.
    """

    sha256: str
    over_sha256: str
    name: str = ""


def path_of(state: Path, lane: int) -> Path:
    """Where it is noted.

    Args:
        state: The station's state folder.
        lane: The lane.
    """
    return state / FOLDER / f"lane{lane}.json"


def adopted(state: Path, lane: int) -> Adopted | None:
    """What is noted for a lane; `None` where nothing is.

    Raises:
        RecordError: It cannot be read.
    """
    path = path_of(state, lane)
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return Adopted(str(said["sha256"]), str(said["over_sha256"]), str(said.get("name", "")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(
            f"{path} does not say which recipe was chosen: {error}",
            "delete it; the line's own recipe holds then, and another can be chosen on the page",
        ) from error


def note(state: Path, lane: int, chosen: Adopted) -> None:
    """Notes a recipe, whole or not at all.

    Raises:
        RecordError: It cannot be written.
    """
    path = path_of(state, lane)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _TURN:
            replace_text(path, json.dumps(asdict(chosen)))
    except OSError as error:
        raise RecordError(f"{path} cannot be written: {error.strerror}", "make room, or check the folder") from error
