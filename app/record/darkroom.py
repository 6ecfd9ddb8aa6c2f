"""The thread that encodes pictures, so that no event waits for one. Its queue is short; what falls out is reported."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from app.errors import RecordError
from app.record.pictures import PREVIEWS_KEPT, PictureKind, Shot, Stored, store, write_preview
from app.types import Image

QUEUE = 8
"""Pictures that wait, at most: each is a whole frame in memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Exposed:
    """A picture to develop.

    Attributes:
        shot: What it shows.
        image: A copy of its pixels.
        kind: Why it is kept; `None` for one that is only shown.
        is_shown: The page gets a preview of it.
    """

    shot: Shot
    image: Image
    kind: PictureKind | None
    is_shown: bool

    @property
    def rank(self) -> int:
        """What gives way first when the queue is full: previews, then passes."""
        if self.kind is None:
            return 0
        return 1 if self.kind is PictureKind.PASS else 2


@dataclass(frozen=True, slots=True)
class Developed:
    """What became of a picture.

    Attributes:
        kind: Why it was to be kept.
        stored: Where it lies; `None` where it could not be kept.
        problem: Why not, in words.
    """

    kind: PictureKind | None
    stored: Stored | None
    problem: str = ""


class Darkroom:
    """Develops pictures one after another in a thread of its own.

    Args:
        pictures: The folder of the pictures that are kept.
        previews: The folder of the previews.
        queue: How many may wait.
    """

    def __init__(self, pictures: Path, previews: Path, queue: int = QUEUE) -> None:
        self._pictures = pictures
        self._previews = previews
        self._queue = queue
        self._waiting: deque[Exposed] = deque()
        self._done: list[Developed] = []
        self._shown: dict[tuple[int, str], deque[Path]] = {}
        self._change = threading.Condition()
        self._is_open = True
        self._is_busy = False
        self._thread = threading.Thread(target=self._run, name="darkroom", daemon=True)
        self._thread.start()

    def submit(self, picture: Exposed) -> None:
        """Takes a picture. Where the queue is full, what matters least falls out and is reported as not kept."""
        with self._change:
            if len(self._waiting) >= self._queue:
                least = min((*self._waiting, picture), key=lambda each: each.rank)
                self._done.append(Developed(least.kind, None, "pictures come faster than they can be written"))
                if least is picture:
                    return
                self._waiting.remove(least)
            self._waiting.append(picture)
            self._change.notify_all()

    def take_done(self) -> list[Developed]:
        """What was developed, or given up, since the last call."""
        with self._change:
            done, self._done = self._done, []
            return done

    def finish(self, timeout_s: float) -> bool:
        """Waits until nothing waits any more.

        Returns:
            Whether that was so within the time.
        """
        with self._change:
            return self._change.wait_for(lambda: not self._waiting and not self._is_busy, timeout_s)

    def close(self, timeout_s: float = 1.0) -> None:
        """Finishes what waits, as far as the time allows, and ends the thread. Idempotent."""
        self.finish(timeout_s)
        with self._change:
            self._is_open = False
            self._waiting.clear()
            self._change.notify_all()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._change:
                self._is_busy = False
                self._change.notify_all()
                self._change.wait_for(lambda: self._waiting or not self._is_open)
                if not self._is_open:
                    return
                picture = self._waiting.popleft()
                self._is_busy = True
            developed = self._develop(picture)
            with self._change:
                self._done.append(developed)

    def _develop(self, picture: Exposed) -> Developed:
        try:
            if picture.is_shown:
                self._show(picture)
            stored = store(self._pictures, picture.shot, picture.kind, picture.image) if picture.kind else None
        except RecordError as error:
            return Developed(picture.kind, None, str(error))
        except Exception as error:  # noqa: BLE001 - the thread's border: it must outlive a picture that it cannot write
            return Developed(picture.kind, None, f"part {picture.shot.part_id}: {type(error).__name__}: {error}")
        return Developed(picture.kind, stored)

    def _show(self, picture: Exposed) -> None:
        shot = picture.shot
        shown = self._shown.setdefault((shot.lane, shot.camera), deque())
        path = write_preview(self._previews, shot, picture.image)
        if path not in shown:
            shown.append(path)
        while len(shown) > PREVIEWS_KEPT:
            shown.popleft().unlink(missing_ok=True)


def clear_previews(folder: Path) -> None:
    """Takes away the previews that an earlier recorder has left: nobody keeps count of them any more."""
    for path in folder.glob("*.jpg*"):
        path.unlink(missing_ok=True)
