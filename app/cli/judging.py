"""Pictures from disk, judged one after the other as the station judges them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.capture.pictures import list_pictures, read_picture
from app.cli.reading import Read
from app.clock import NS_PER_MS, Clock
from app.decide import decide, reject
from app.detect.inspection import Inspector
from app.errors import TaktError
from app.recipe import Recipe
from app.types import Detection, Image, Reason, Verdict


@dataclass(frozen=True, slots=True)
class Times:
    """What one picture took, in ms.

    Attributes:
        pre: Cropping, registering and scaling.
        infer: The runtime.
        decode: From its outputs to detections.
        total: From the picture in memory to the verdict.
    """

    pre: float
    infer: float
    decode: float
    total: float


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One picture and what was said of it.

    Attributes:
        path: The file.
        verdict: The verdict; a picture that cannot be judged is never passed.
        image: The picture; `None` where it cannot be read.
        detections: Everything found above the detector's floor.
        times: What it took; `None` where there is no result.
        error: Why it could not be judged, if it could not.
    """

    path: Path
    verdict: Verdict
    image: Image | None
    detections: tuple[Detection, ...] = ()
    times: Times | None = None
    error: TaktError | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name


class Judging:
    """Judges pictures.

    Args:
        inspector: Finds what is on them.
        recipe: Says what it means.
        clock: Times it.
        read: Reads a picture.
    """

    def __init__(self, inspector: Inspector, recipe: Recipe, clock: Clock, read: Read = read_picture) -> None:
        self._inspector = inspector
        self._recipe = recipe
        self._clock = clock
        self._read = read

    def judge(self, number: int, path: Path) -> Judged:
        """Judges one picture; one that cannot be judged is rejected, and says why.

        Args:
            number: What to call the part.
            path: The picture.
        """
        destination = self._recipe.default.destination
        now_ns = self._clock.now_ns()
        try:
            image = self._read(path)
        except TaktError as error:
            verdict = reject(number, Reason.NO_FRAME, f"no picture: {error.what}", destination, now_ns)
            return Judged(path, verdict, None, error=error)
        started_ns = self._clock.now_ns()
        try:
            result = self._inspector.inspect(image, path.name)
        except TaktError as error:
            verdict = reject(number, Reason.DETECTOR_FAILED, f"not judged: {error.what}", destination, now_ns)
            return Judged(path, verdict, image, error=error)
        verdict = decide(number, result.detections, self._recipe, self._clock.now_ns())
        total_ns = self._clock.now_ns() - started_ns
        times = Times(*(each / NS_PER_MS for each in (result.pre_ns, result.infer_ns, result.decode_ns, total_ns)))
        return Judged(path, verdict, image, result.detections, times)


def find_pictures(sources: Sequence[Path]) -> tuple[Path, ...]:
    """The pictures to judge: files as named, folders as the pictures in them, in order and each once.

    Raises:
        DataError: A folder cannot be read or holds no pictures.
    """
    found: dict[Path, Path] = {}
    for source in sources:
        for path in list_pictures(source) if source.is_dir() else (source,):
            found.setdefault(path.resolve(), path)
    return tuple(sorted(found.values()))
