"""Judges kept frames again, by what judged them, and says what is the same.

What the ledger names at the start of an epoch decides by what: package and recipe by their hashes, runtime and threshold
as they were. Where something is not to be had any more, what stands in for it is told.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from app.capture.pictures import read_picture
from app.decide import decide, reject
from app.detect.detector import Result
from app.errors import DataError, DetectorError
from app.record.told import Story
from app.recipe import Recipe
from app.types import PASS, Detection, EventKind, Finding, Image, Reason, Scalar, Verdict
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
        least_score: Detections below are not missed; 0 on the runtime that judged, where all of them count.
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
        pictures: Each exposure's file with what was found on it now.
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
    pictures: tuple[tuple[Path, tuple[Detection, ...]], ...] = ()


def shots_of(story: Story) -> tuple[Shot, ...]:
    """The exposures of a part that were judged, in the order in which they were."""
    kept = {_key(each.file): each for each in story.pictures}
    shots = []
    for entry in story.entries:
        if entry.event.kind is not EventKind.JUDGED:
            continue
        data = entry.event.data
        camera, exposure = str(data["camera"]), int(data["exposure"])
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


def why_nothing(story: Story, shots: Sequence[Shot]) -> str:
    """Why a part has no picture that could be judged again; empty where it has one."""
    if any(shot.file for shot in shots):
        return ""
    if not shots:
        reasons = " ".join(story.part.reasons) or "it has no verdict yet"
        return f"no frame of it was judged: {reasons}"
    gone = next((shot.gone for shot in shots if shot.gone), "")
    if gone:
        return f"its picture was deleted: {gone}"
    if story.part.verdict == PASS:
        return "it kept no picture: passes are sampled (storage.pass_every)"
    return "it kept no picture: the recorder could not take it, or dropped it for want of room"


def replay_part(
    story: Story, pictures: Path, judge: Judge, recipe: Recipe, tolerance: Tolerance, *, read: ReadPicture | None = None
) -> Replayed:
    """Judges a part again.

    An exposure without a picture counts as it was judged then, and that is said.

    Args:
        story: The part.
        pictures: The folder of pictures.
        judge: What judged it.
        recipe: What counted as a defect.
        tolerance: What counts as the same.
        read: Reads a picture; by default from the disk.

    Raises:
        DataError: A picture is not what was kept, or cannot be read.
    """
    shots = shots_of(story)
    nothing = why_nothing(story, shots)
    then = shots[-1].destination if shots else str(story.part.verdict or "")
    if nothing:
        return Replayed(story.part.name, then, "", None, nothing, (0, len(shots)))
    fresh: list[tuple[Shot, tuple[Detection, ...]]] = []
    trouble = ""
    for shot in shots:
        if not shot.file:
            continue
        path = pictures / shot.file
        _check(path, shot.sha256)
        try:
            result = judge.inspect((read or read_picture)(path), shot.picture)
        except DetectorError as error:
            trouble = str(error)
            fresh.append((shot, ()))
        else:
            fresh.append((shot, tuple(result.detections)))
    return _told(story, shots, fresh, recipe, tolerance, trouble, pictures)
