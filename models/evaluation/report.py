"""Everything that was measured of a package, as one value: the rows of its tables, in order."""

from __future__ import annotations

from dataclasses import dataclass

from app.detect.detector import InputSpec
from app.detect.manifest import Kind, Precision, Role
from app.types import Detection
from models.evaluation.evaluate import Evaluation, PartFigures
from models.evaluation.parity import Parity
from models.evaluation.parts import Item
from models.evaluation.speed import Speed


@dataclass(frozen=True, slots=True)
class Choice:
    """A threshold that was chosen on one split, and what it does there and on the split that is reported.

    Attributes:
        wish: What it shall keep to, in words.
        threshold: The threshold.
        is_reached: Whether the wish is kept on the split it was chosen on; else it is the nearest there is.
        chosen: The figures on that split: of mended parts, or of the pictures as they are where nothing is mended.
        reported: The same on the split that is reported.
        reported_per_board: The figures of one defective and one good part per board; `None` where nothing is mended.
    """

    wish: str
    threshold: float
    is_reached: bool
    chosen: PartFigures
    reported: PartFigures
    reported_per_board: PartFigures | None


@dataclass(frozen=True, slots=True)
class Row:
    """One model of the package on one runtime.

    Attributes:
        variant: The model.
        role: What it is for.
        precision: What it computes in.
        runtime: The runtime.
        spec: What it takes.
        onnx_bytes: Size of its file.
        gmac: Multiplications of one picture, in 10^9, where the manifest says so.
        problem: Why it was not measured; empty where it was.
        evaluation: Its figures; `None` where it was not measured.
        choices: Thresholds that were chosen for it.
        speed: How long it takes; `None` where that was not measured.
    """

    variant: str
    role: Role
    precision: Precision
    runtime: str
    spec: InputSpec
    onnx_bytes: int
    gmac: float | None
    problem: str
    evaluation: Evaluation | None
    choices: tuple[Choice, ...]
    speed: Speed | None

    @property
    def name(self) -> str:
        """What it is called where models are compared."""
        return f"{self.variant} on {self.runtime}"


@dataclass(frozen=True, slots=True)
class Miss:
    """A part that the first model of the table judged wrongly.

    Attributes:
        picture: File name of the picture it was made from.
        item: What was made of it.
        width_px: Width of the picture.
        height_px: Its height.
        score: The highest score on the part.
        is_registered: The golden sample could be registered; else that is why the part was rejected.
        truth: The defects that are there, each as a detection with score 1.
        found: What was found, best first, from the floor on.
    """

    picture: str
    item: Item
    width_px: int
    height_px: int
    score: float
    is_registered: bool
    truth: tuple[Detection, ...]
    found: tuple[Detection, ...]

    @property
    def is_escape(self) -> bool:
        """A defective part that passes; else a good one that is rejected."""
        return self.item.is_defective


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured of a package on a split.

    Attributes:
        package: Its name.
        version: Its version.
        kind: What its outputs mean.
        classes: Its class names.
        good_classes: Those of them that mean nothing is wrong.
        compares: It takes a golden sample.
        split: The split that is reported.
        pictures: Its pictures.
        chosen_on: The split that thresholds were chosen on; the same where there was no other.
        register_px: Golden samples were registered within so many pixels; 0: as they lay.
        takes_unregistered: Parts whose golden sample could not be registered were compared with it as it lay.
        seed: Of the choice of one defect per board.
        mended_unregistered: Boards mended from a golden sample that could not be registered to them.
        rows: Every model on every runtime.
        parity: Every other row against the first one of its role.
        misses: The worst misses of the first row: escapes by rising score, then overkill by falling score.
        threads: Threads of one inference.
        libraries: Versions of the runtimes.
        processor: What it ran on.
    """

    package: str
    version: str
    kind: Kind
    classes: tuple[str, ...]
    good_classes: tuple[str, ...]
    compares: bool
    split: str
    pictures: int
    chosen_on: str
    register_px: float
    takes_unregistered: bool
    seed: int
    mended_unregistered: int
    rows: tuple[Row, ...]
    parity: tuple[Parity, ...]
    misses: tuple[Miss, ...]
    threads: int
    libraries: dict[str, str]
    processor: str

    @property
    def first(self) -> Row | None:
        """The first row that was measured: what the card's figures are of."""
        return next((row for row in self.rows if row.evaluation is not None), None)

    @property
    def has_mended(self) -> bool:
        """Parts were mended from golden samples."""
        return (
            self.first is not None and self.first.evaluation is not None and bool(self.first.evaluation.one_per_board)
        )
