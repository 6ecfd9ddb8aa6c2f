"""The worst rejects of a lot, as small pictures with their boxes, for its report."""

from __future__ import annotations

from pathlib import Path

from app.web.reports.items import Item, items_of
from app.web.reports.pdf import Shown
from app.web.review.answers import QueueRow
from app.web.review.desk import ReviewDesk
from app.web.review.filters import Cursor, QueueFilter, cursor_of

MOST = 6
_LOOKED_AT = 400
_LONG_PX = 640
_QUALITY = 82
_RED = (38, 30, 179)


def worst_of(desk: ReviewDesk, pictures: Path, lane: int, lot: str) -> list[Shown]:
    """The rejects of a lot with the highest scores that still have a picture.

    Args:
        desk: Knows ledger, queue and labels.
        pictures: The folder of pictures.
        lane: The lane.
        lot: The lot; a lot without a name has none to show.

    Raises:
        RecordError: The ledger cannot be read.
    """
    if not lot:
        return []
    rows: list[QueueRow] = []
    after: Cursor | None = None
    while len(rows) < _LOOKED_AT:
        page, more = desk.queue.page(QueueFilter(lot=lot[:200], why="reject", lane=lane), after, 100)
        rows += [each for each in page if each.picture == "kept"]
        if more is None:
            break
        after = cursor_of(more)
    rows.sort(key=lambda each: max((one.score for one in each.found), default=0.0), reverse=True)
    keys = [(each.lane, each.epoch, each.part) for each in rows[:MOST]]
    shown = (_shown(each) for each in items_of(desk.records, desk.labels, pictures, keys))
    return [each for each in shown if each is not None]


def _shown(item: Item) -> Shown | None:
    import cv2  # noqa: PLC0415 - a page without reports needs none of it
    import numpy as np  # noqa: PLC0415

    for shot in sorted(item.shots, key=lambda each: not each.marks):
        image = None if shot.path is None else cv2.imread(str(shot.path), cv2.IMREAD_COLOR)
        if image is None:
            continue
        scale = min(1.0, _LONG_PX / max(image.shape[:2]))
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        small = np.ascontiguousarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
        for mark in shot.marks:
            x, y, width, height = (round(each * scale) for each in mark.box)
            cv2.rectangle(small, (x, y), (x + width, y + height), _RED, 2)
        content = cv2.imencode(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))[1].tobytes()
        return Shown(item.story.part.name, item.story.part.text, content, size[0], size[1])
    return None
