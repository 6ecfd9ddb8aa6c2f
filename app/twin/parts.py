"""What is sent down the belt: rendered boards, or real pictures whose truth is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Protocol

from app.errors import DataError
from app.twin.boards import CLASSES, Design
from app.types import Image

PICTURE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".tif", ".tiff"})
_EXAMPLES = 3


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """What one part is.

    Attributes:
        name: File name of its picture.
        is_bad: It has a defect.
        load: Makes its picture.
        is_frame: Its picture is a camera's frame already: the twin's camera gives it as it is, whatever its size.
        source: The file that its picture is read from, as two folders may hold files of one name; empty without a file.
    """

    name: str
    is_bad: bool
    load: Callable[[], Image]
    is_frame: bool = False
    source: str = ""

    @property
    def image(self) -> Image:
        """Its picture, made or read anew at each call: uint8, (height, width) or (height, width, 3) BGR."""
        return self.load()


class PartSupply(Protocol):
    """Parts in the order in which they come; one that has no length never ends."""

    def __getitem__(self, index: int, /) -> Piece:
        """One of them; the same index always gives the same part."""
        ...


class PartSource(PartSupply, Protocol):
    """The parts of a run that ends."""

    def __len__(self) -> int:
        """How many there are."""
        ...


class RenderedParts:
    """Rendered boards of one design, some of them with one defect.

    Args:
        seed: Which boards, and which are bad.
        count: How many.
        defect_rate: Probability that a board is bad, 0 .. 1.
        design: The design; the default design when none is given.

    Attributes:
        design: The design, whose `golden` is the defect-free board.
    """

    def __init__(self, seed: int, count: int, defect_rate: float = 0.1, design: Design | None = None) -> None:
        if count < 1 or not 0 <= defect_rate <= 1:
            raise DataError(
                f"{count} parts of which a share of {defect_rate:g} is bad cannot be made",
                "ask for at least one part and a share between 0 and 1",
            )
        self.design = design or Design()
        self._seed = seed
        self._count = count
        self._defect_rate = defect_rate

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Piece:
        if not 0 <= index < self._count:
            raise IndexError(index)
        random = Random(f"board {self._seed} {index}")  # noqa: S311 - a seeded world, not a secret
        is_bad = random.random() < self._defect_rate
        defects = (random.choice(CLASSES),) if is_bad else ()
        board_seed = random.randrange(2**31)
        return Piece(f"board-{index:05d}.png", is_bad, lambda: self.design.board(board_seed, defects).image)


class PooledParts:
    """Parts without end, with pictures from a pool that is made beforehand: to show one costs no time.

    Args:
        source: What the pool is made of.
        defect_rate: Probability that a part is bad, 0 .. 1; `None`: as in the pool.
        seed: Seed of the order.
        most: How many parts of the source the pool takes at most.

    Raises:
        DataError: A picture cannot be read.
    """

    def __init__(self, source: PartSource, *, defect_rate: float | None = None, seed: int = 0, most: int = 64) -> None:
        pool = [_kept(source[index]) for index in range(min(most, len(source)))]
        self._good = [piece for piece in pool if not piece.is_bad]
        self._bad = [piece for piece in pool if piece.is_bad]
        self._defect_rate = len(self._bad) / len(pool) if defect_rate is None else defect_rate
        self._seed = seed

    def __getitem__(self, index: int) -> Piece:
        random = Random(f"pool {self._seed} {index}")  # noqa: S311 - a seeded world, not a secret
        is_bad = random.random() < self._defect_rate
        wanted, others = (self._bad, self._good) if is_bad else (self._good, self._bad)
        return random.choice(wanted or others)


def _kept(piece: Piece) -> Piece:
    image = piece.image
    return replace(piece, load=lambda: image)


class PictureParts:
    """Pictures of a folder, each exactly once, or in seeded shuffles where more are asked for than there are.

    Args:
        parts_from: Folder of pictures.
        truth: COCO annotations: a picture with annotations is bad, one without is good. Without a truth, every picture
            of `parts_from` counts as bad, which needs `good_from` to make sense.
        good_from: Folder of pictures of defect-free parts, which are sent too.
        count: How many parts; `None`: each picture once. More than that begins again, whole pass by whole pass, each
            in an order of its own.
        seed: Seed of the order.
        read_picture: Reads one picture.

    Raises:
        DataError: A folder is missing or without pictures, the truth file is none or does not cover the pictures, or
            nothing tells good parts from bad ones.
    """

    def __init__(
        self,
        parts_from: Path,
        *,
        truth: Path | None = None,
        good_from: Path | None = None,
        count: int | None = None,
        seed: int = 0,
        read_picture: Callable[[Path], Image],
    ) -> None:
        if truth is None and good_from is None:
            raise DataError(
                f"nothing tells which pictures in {parts_from} show good parts",
                "give a truth file (COCO annotations) or a folder of good parts",
            )
        if count is not None and count < 1:
            raise DataError(f"{count} parts cannot be sent", "ask for at least one part")
        pictures = _pictures(parts_from)
        bad = _bad_names(truth, parts_from, pictures) if truth else {path.name for path in pictures}
        self._known = [(path, path.name in bad) for path in pictures]
        if good_from is not None:
            self._known += [(path, False) for path in _pictures(good_from)]
        self._count = len(self._known) if count is None else count
        self._seed = seed
        self._read_picture = read_picture
        self._orders: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Piece:
        if not 0 <= index < self._count:
            raise IndexError(index)
        turn, place = divmod(index, len(self._known))
        order = self._orders.get(turn)
        if order is None:
            order = list(range(len(self._known)))
            Random(f"order {self._seed} {turn}").shuffle(order)  # noqa: S311 - a seeded world, not a secret
            self._orders[turn] = order
        path, is_bad = self._known[order[place]]
        return Piece(path.name, is_bad, lambda: self._read_picture(path), is_frame=True, source=str(path))


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"the folder {folder} does not exist", "correct the path")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file())
    if not found:
        raise DataError(
            f"the folder {folder} holds no pictures", f"give one with files of {', '.join(sorted(PICTURE_SUFFIXES))}"
        )
    return found


def _bad_names(truth: Path, folder: Path, pictures: Sequence[Path]) -> set[str]:
    """The names of the pictures that have annotations."""
    images, annotations = _coco(truth)
    missing = [path.name for path in pictures if path.name not in images]
    if missing:
        which = "none" if len(missing) == len(pictures) else f"only {len(pictures) - len(missing)}"
        raise DataError(
            f"the truth file {truth} knows {which} of the {len(pictures)} pictures in {folder}:"
            f" not, for example, {', '.join(missing[:_EXAMPLES])}",
            "give the truth file that belongs to these pictures",
        )
    names = {number: name for name, number in images.items()}
    return {names[number] for number in annotations}


def _coco(truth: Path) -> tuple[dict[str, Any], set[Any]]:
    """The number of each image by its name, and the numbers of the images that have annotations."""
    mend = "give a file of COCO annotations with images and annotations"
    try:
        content = json.loads(truth.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"the truth file {truth} does not exist", "correct the path") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"the truth file {truth} cannot be read as JSON: {error}", mend) from error
    try:
        images = {Path(image["file_name"]).name: image["id"] for image in content["images"]}
        annotated = {annotation["image_id"] for annotation in content["annotations"]}
    except (KeyError, TypeError) as error:
        raise DataError(
            f"the truth file {truth} is no COCO file: {error!r} is missing or of another kind", mend
        ) from error
    if len(set(images.values())) < len(images):
        raise DataError(f"the truth file {truth} gives the same id to several images", "number its images")
    stray = annotated - set(images.values())
    if stray:
        raise DataError(
            f"the truth file {truth} annotates images that it does not list, such as {next(iter(stray))!r}",
            mend,
        )
    return images, annotated
