"""Runs models over the pictures of a split, each picture once per model, and keeps all they say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from app.detect.detector import Result
from app.detect.registration import Registrar
from app.errors import DataError, DetectorError
from app.types import Detection, Image
from models.data import read_pair
from models.evaluation.parts import Item, mended_parts
from models.evaluation.truth import KnownPicture, Truth

_PLACES = 6  # as scores of detections are rounded


@dataclass(frozen=True, slots=True)
class Presentation:
    """How pictures are shown to the models.

    Attributes:
        register_px: The golden sample is registered to each part within so many pixels, as a station does; 0: as it
            lies.
        takes_unregistered: A part whose golden sample cannot be registered is compared with it as it lies, instead of
            being rejected as a station does.
        has_parts: Parts are mended where there are golden samples; else only pictures as they are count.
        seed: Of the choice of one defect per board.
    """

    register_px: float = 12.0
    takes_unregistered: bool = False
    has_parts: bool = True
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one model said of one picture.

    Attributes:
        detections: Best first; empty where the golden sample could not be registered.
        score: The threshold up to which a station rejects the part: its highest score.
        rank: How surely something is wrong, to put pictures in order; the score, unless the model says it itself.
        is_registered: False where the golden sample could not be: a station rejects such a part, whatever the
            threshold.
    """

    detections: tuple[Detection, ...]
    score: float
    rank: float
    is_registered: bool = True

    @classmethod
    def of(cls, detections: Sequence[Detection]) -> Judgement:
        """What a model without a map or a score of the whole picture said."""
        score = max((each.score for each in detections), default=0.0)
        return cls(tuple(detections), score, score)

    @classmethod
    def of_result(cls, result: Result) -> Judgement:
        """What a detector said. Regions of an anomaly map begin at the package's threshold, its highest value at 0."""
        highest = max((each.score for each in result.detections), default=0.0)
        whole = 0.0 if result.picture_score is None else result.picture_score
        if result.anomaly_map is not None:
            highest = max(highest, whole, round(float(result.anomaly_map.max()), _PLACES))
            return cls(result.detections, highest, highest)
        return cls(result.detections, highest, highest if result.picture_score is None else whole)


UNREGISTERED = Judgement((), 1.0, 1.0, is_registered=False)
"""Of a part whose golden sample could not be registered."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model on a runtime.

    Attributes:
        name: What it is called in tables.
        channels: Of the pictures it is given: 1 for grey, 3 for BGR.
        is_golden: It compares with a golden sample.
        infer: What runs it on a picture and its registered golden sample.
    """

    name: str
    channels: int
    is_golden: bool
    infer: Callable[[Image, Image | None], Judgement]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What all models said of the same pictures.

    Attributes:
        items: What each picture is.
        by_candidate: For each candidate its judgements, in the order of `items`.
        mended_unregistered: Boards that were mended from a golden sample that could not be registered to them.
    """

    items: tuple[Item, ...]
    by_candidate: tuple[tuple[Judgement, ...], ...]
    mended_unregistered: int


def judge(
    truth: Truth,
    candidates: Sequence[Candidate],
    presentation: Presentation,
    on_step: Callable[[int, int], None] = lambda _done, _all: None,
) -> Judged:
    """Shows every picture of a split, and every part that is mended from it, to every candidate.

    Args:
        truth: The split.
        candidates: The models.
        presentation: How the pictures are shown.
        on_step: Told pictures done and to do.

    Raises:
        DataError: A picture cannot be read or used, or a model compares and there are no golden samples.
        DetectorError: A model failed.
    """
    comparing = [each.name for each in candidates if each.is_golden]
    if comparing and not truth.has_golden:
        raise DataError(
            f"{comparing[0]} compares with a golden sample, and some pictures have none",
            "give --golden DIR, or put them in images/<split>_template of the data set",
        )
    items: list[Item] = []
    judgements: list[list[Judgement]] = [[] for _ in candidates]
    mended_unregistered = 0
    for number, picture in enumerate(truth.pictures):
        board: list[Item] = []
        for channels in sorted({each.channels for each in candidates}):
            shown = list(show(number, picture, truth.classes, channels, presentation))
            board = [each.item for each in shown]
            # Every model sees one part before the next part comes: what is read once serves them all.
            for exhibit in shown:
                for own, candidate in zip(judgements, candidates, strict=True):
                    if candidate.channels == channels:
                        own.append(_judgement(candidate, exhibit))
        mended_unregistered += sum(not each.is_mend_registered for each in shown[:1])
        items += board
        on_step(number + 1, len(truth.pictures))
    return Judged(tuple(items), tuple(map(tuple, judgements)), mended_unregistered)


@dataclass(frozen=True, slots=True, eq=False)
class Exhibit:
    """A picture as it is shown to a model.

    Attributes:
        item: What it is.
        image: uint8, (height, width) or (height, width, 3) BGR.
        golden: The golden sample registered to it; `None` where there is none, or it could not be registered.
        is_unregistered: There is a golden sample, and it could not be registered.
        is_mend_registered: The golden sample that its board was mended from could be registered to that.
    """

    item: Item
    image: Image
    golden: Image | None
    is_unregistered: bool = False
    is_mend_registered: bool = True


def show(
    number: int, picture: KnownPicture, classes: tuple[str, ...], channels: int, presentation: Presentation
) -> Iterator[Exhibit]:
    """Reads a picture and makes what is shown of it: itself, then the parts that are mended from it.

    Args:
        number: Its number in the split.
        picture: The picture.
        classes: What its labels index.
        channels: 1 for grey, 3 for BGR.
        presentation: How pictures are shown.

    Raises:
        DataError: A file cannot be read, or the golden sample has another size.
    """
    image, golden = read_pair(picture.labelled, channels)
    whole = Item(number, False, None, picture.is_defective, picture.label)
    if golden is None:
        yield Exhibit(whole, image, None)
        return
    registrar = Registrar(golden, presentation.register_px)
    registered = _registered(registrar, image)
    laid = golden if registered is None else registered
    boards = [(whole, image)]
    if presentation.has_parts:
        boards += mended_parts(number, picture.labelled, image, laid, classes, presentation.seed)
    for item, part in boards:
        own = registered if part is image else _registered(registrar, part)
        is_unregistered = own is None and not presentation.takes_unregistered
        found = golden if own is None and presentation.takes_unregistered else own
        yield Exhibit(item, part, found, is_unregistered, registered is not None)


def _registered(registrar: Registrar, image: Image) -> Image | None:
    try:
        return registrar.register(image).golden
    except DetectorError:
        return None


def _judgement(candidate: Candidate, exhibit: Exhibit) -> Judgement:
    if candidate.is_golden and exhibit.is_unregistered:
        return UNREGISTERED
    return candidate.infer(exhibit.image, exhibit.golden if candidate.is_golden else None)
