"""Judges kept frames again, by what judged them, and says what is the same.

What the ledger names at the start of an epoch decides by what: package and recipe by their hashes, runtime and
threshold as they were.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

from app.capture.pictures import read_picture
from app.decide import decide, reject
from app.detect.detector import Result
from app.errors import DataError, DetectorError
from app.recipe import Recipe
from app.record.told import Story
from app.types import PASS, Detection, EventKind, Image, Reason, Scalar, Verdict
from app.verdicts import MOST_RECORDED

SAME_SCORE = 1e-4
SAME_PX = 0.05
"""On the runtime that judged; the ledger has scores to 5 digits and boxes to 2."""


class Judge(Protocol):
    """What finds defects in a frame: `app.detect.inspection.Inspector`."""

    def inspect(self, image: Image, name: str) -> Result:
        """Judges one frame."""
        ...


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What counts as the same.

    Attributes:
        score: Farthest that a score may lie off.
        px: Farthest that an edge of a box may.
        least_score: What scores below is not compared; 0 on the runtime that judged, where everything is.
    """

    score: float = SAME_SCORE
    px: float = SAME_PX
    least_score: float = 0.0


@dataclass(frozen=True, slots=True)
class Shot:
    """One exposure as the record has it.

    Attributes:
        camera: The camera.
        exposure: Which of the part's exposures.
        picture: The file name that the frame had then; golden samples may go by it.
        detections: What was found.
        destination: Where the part was sent by what had been found up to then.
        file: Its picture below the folder of pictures; empty where none was kept.
        sha256: Of that file.
        gone: Why the picture was deleted; empty where it is there, or never was.
    """

    camera: str
    exposure: int
    picture: str
    detections: tuple[Detection, ...]
    destination: str
    file: str
    sha256: str
    gone: str


@dataclass(frozen=True, slots=True)
class Judged:
    """One exposure, judged again.

    Attributes:
        path: Its picture.
        detections: What is found on it now.
    """

    path: Path
    detections: tuple[Detection, ...]


@dataclass(frozen=True, slots=True)
class Replayed:
    """One part, judged again.

    Attributes:
        name: The part: lane/epoch/number.
        then: Where what was found sent it.
        now: Where it would be sent now; empty where it was not judged again.
        is_same: Destination and every detection are the same; `None` where it was not judged again.
        why: What differs, or why it was not judged again.
        exposures: How many of its exposures were judged again, of how many.
        found_then: What was found then.
        found_now: What is found now.
        verdict: The verdict now; `None` where it was not judged again.
        pictures: The exposures that were judged again.
    """

    name: str
    then: str
    now: str
    is_same: bool | None
    why: str
    exposures: tuple[int, int]
    found_then: tuple[Detection, ...] = ()
    found_now: tuple[Detection, ...] = ()
    verdict: Verdict | None = None
    pictures: tuple[Judged, ...] = ()


def shots_of(story: Story) -> tuple[Shot, ...]:
    """The exposures of a part that were judged, in the order in which they were."""
    kept = {_key(each.file): each for each in story.pictures}
    shots = []
    for entry in story.entries:
        if entry.event.kind is not EventKind.JUDGED:
            continue
        data = entry.event.data
        camera, exposure = str(data["camera"]), int(data["exposure"] or 0)
        picture = kept.get((camera, exposure))
        is_there = picture is not None and picture.gone is None
        shots.append(
            Shot(
                camera=camera,
                exposure=exposure,
                picture=str(data.get("picture", "")),
                detections=_detections(data),
                destination=str(data["destination"]),
                file=picture.file if picture and is_there else "",
                sha256=picture.sha256 if picture else "",
                gone=picture.gone_why if picture and not is_there else "",
            )
        )
    return tuple(shots)


def unjudged(story: Story) -> Replayed | None:
    """A part that cannot be judged again, and why; `None` for one that can."""
    shots = shots_of(story)
    why = _why_nothing(story, shots)
    if not why:
        return None
    then = shots[-1].destination if shots else str(story.part.verdict or "")
    return Replayed(story.part.name, then, "", None, why, (0, len(shots)))


def damaged(story: Story, why: str) -> Replayed:
    """A part whose picture is not what was kept: it counts as one that differs."""
    shots = shots_of(story)
    return Replayed(story.part.name, shots[-1].destination, "", is_same=False, why=why, exposures=(0, len(shots)))


def replay_part(story: Story, pictures: Path, judge: Judge, recipe: Recipe, tolerance: Tolerance) -> Replayed:
    """Judges a part again that `unjudged` has nothing to say of.

    An exposure without a picture counts as it was judged then, and that is said.

    Args:
        story: The part.
        pictures: The folder of pictures.
        judge: What judged it.
        recipe: What counted as a defect.
        tolerance: What counts as the same.

    Raises:
        DataError: A picture is not what was kept, or cannot be read.
    """
    shots = shots_of(story)
    then = shots[-1].destination
    judged: dict[tuple[str, int], Judged] = {}
    trouble = ""
    for shot in shots:
        if shot.file:
            path = pictures / shot.file
            _check(path, shot.sha256)
            try:
                found = tuple(judge.inspect(read_picture(path), shot.picture).detections)
            except DetectorError as error:
                found, trouble = (), str(error)
            judged[shot.camera, shot.exposure] = Judged(path, found)
    then_all = tuple(each for shot in shots for each in shot.detections)
    # What was not kept counts as it was.
    now_all: list[Detection] = []
    for shot in shots:
        again = judged.get((shot.camera, shot.exposure))
        now_all += again.detections if again else shot.detections
    if trouble:
        verdict = reject(story.part.part_id, Reason.DETECTOR_FAILED, trouble, recipe.default.destination, 0)
    else:
        verdict = decide(story.part.part_id, now_all, recipe, 0)
    changes = [f"sent to {verdict.destination}, not to {then}{_of(trouble)}"] if verdict.destination != then else []
    for shot in shots:
        if (shot.camera, shot.exposure) in judged:
            changes += compare(shot.detections, judged[shot.camera, shot.exposure].detections, tolerance)
    part = f", {len(judged)} of {len(shots)} exposures judged again" if len(judged) < len(shots) else ""
    return Replayed(
        name=story.part.name,
        then=then,
        now=verdict.destination,
        is_same=not changes,
        why="; ".join(changes) + part if changes else part.removeprefix(", "),
        exposures=(len(judged), len(shots)),
        found_then=then_all,
        found_now=tuple(now_all),
        verdict=verdict,
        pictures=tuple(judged.values()),
    )


def compare(then: Sequence[Detection], now: Sequence[Detection], tolerance: Tolerance) -> list[str]:
    """What differs between what was found then and what is found now, in words."""
    changes, left = [], list(now)
    for each in then:
        match = min((one for one in left if one.label == each.label), key=lambda one: _apart(each, one), default=None)
        if match is None or not _touch(each, match):
            if each.score >= tolerance.least_score + tolerance.score or not tolerance.least_score:
                changes.append(f"{_name(each)} is not found")
            continue
        left.remove(match)
        changes += _moved(each, match, tolerance)
    # Of more than the ledger keeps, the rest is not known.
    floor = then[-1].score if len(then) >= MOST_RECORDED else -1.0
    floor = max(floor, tolerance.least_score) + (tolerance.score if tolerance.least_score else 0.0)
    changes += [f"{_name(each)} is new" for each in left if each.score > floor]
    return changes


def _why_nothing(story: Story, shots: Sequence[Shot]) -> str:
    if any(shot.file for shot in shots):
        return ""
    if not shots:
        return f"no frame of it was judged: {' '.join(story.part.reasons) or 'it has no verdict yet'}"
    gone = next((shot.gone for shot in shots if shot.gone), "")
    if gone:
        return f"its picture was deleted: {gone}"
    if story.part.verdict == PASS:
        return "it kept no picture: passes are sampled (storage.pass_every)"
    return "it kept no picture: the recorder could not take it, or dropped it for want of room"


def _moved(then: Detection, now: Detection, tolerance: Tolerance) -> list[str]:
    changes: list[str] = []
    if max(then.score, now.score) < tolerance.least_score:
        return changes
    if abs(then.score - now.score) > tolerance.score:
        changes.append(f"{_name(then)} scores {now.score:.4f}, not {then.score:.4f}")
    if _apart(then, now) > tolerance.px:
        changes.append(f"{_name(then)} lies {_apart(then, now):.2f} px off")
    return changes


def _detections(data: Mapping[str, Scalar]) -> tuple[Detection, ...]:
    rows = json.loads(str(data.get("detections") or "[]"))
    return tuple(Detection(label, score, (x, y, width, height)) for label, score, x, y, width, height in rows)


def _key(file: str) -> tuple[str, int]:
    """Camera and exposure in the name of a picture, as `app.record.pictures.file_of` makes it."""
    camera, _, exposure = Path(file).stem.split("-", 3)[3].rpartition("-")
    return unquote(camera), int(exposure)


def _check(path: Path, sha256: str) -> None:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "bring it back from a backup") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(
            f"{path} is not the picture that was kept: its SHA-256 is another than the ledger's",
            "bring it back from a backup",
        )


def _apart(one: Detection, other: Detection) -> float:
    """The farthest that any edge of the box lies off, in px."""
    x, y, width, height = one.box_px
    other_x, other_y, other_width, other_height = other.box_px
    return max(
        abs(x - other_x),
        abs(y - other_y),
        abs(x + width - other_x - other_width),
        abs(y + height - other_y - other_height),
    )


def _touch(one: Detection, other: Detection) -> bool:
    x, y, width, height = one.box_px
    other_x, other_y, other_width, other_height = other.box_px
    return x <= other_x + other_width and other_x <= x + width and y <= other_y + other_height and other_y <= y + height


def _name(each: Detection) -> str:
    return f"{each.label} {each.score:.2f} at x={each.box_px[0]:.0f} y={each.box_px[1]:.0f}"


def _of(trouble: str) -> str:
    return f" ({trouble})" if trouble else ""
