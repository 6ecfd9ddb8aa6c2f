"""What a reviewer can say of a part, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from app.record.keys import PartKey


class LabelKind(str, Enum):
    """What a reviewer says of a verdict."""

    TRUE_DEFECT = "true_defect"
    FALSE_REJECT = "false_reject"
    ESCAPE = "escape"
    OTHER_CLASS = "other_class"
    GOOD = "good"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class LabelBox:
    """Where a defect is, by a person.

    Attributes:
        camera: The camera of the picture.
        exposure: Which of the part's exposures.
        class_name: The defect's class.
        x: Left edge in pixels of the full frame.
        y: Top edge.
        width: In pixels.
        height: In pixels.
    """

    camera: str
    exposure: int
    class_name: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody says of a part.

    Attributes:
        kind: The verdict on the verdict.
        class_name: The class that the defect has in truth; for `OTHER_CLASS`, else it may be empty.
        boxes: Where the defects are; empty: nowhere; `None`: the model's boxes were not corrected.
    """

    kind: LabelKind
    class_name: str = ""
    boxes: tuple[LabelBox, ...] | None = None


@dataclass(frozen=True, slots=True)
class PartLabel:
    """What stands of a part, or what one person says of it.

    Attributes:
        lane: The lane.
        epoch: Its epoch.
        part_id: Its number.
        kind: The verdict on the verdict.
        class_name: The class that the defect has in truth; empty where nobody said.
        boxes: Where the defects are; empty: nowhere; `None`: the model's boxes were not corrected.
        by: Who said so.
        at_us: When, in microseconds since 1970 UTC.
        version: How many changes the part's labels have seen; in a person's own label, up to that one.
        agrees: Everybody who labelled the part says the same kind and class; `None` where only one person has.
    """

    lane: int
    epoch: int
    part_id: int
    kind: LabelKind
    class_name: str
    boxes: tuple[LabelBox, ...] | None
    by: str
    at_us: int
    version: int
    agrees: bool | None = None

    @property
    def key(self) -> PartKey:
        """The part."""
        return self.lane, self.epoch, self.part_id


@dataclass(frozen=True, slots=True)
class PartLabels:
    """Everything that people say of a part.

    Attributes:
        version: How many changes there were; 0: nobody has said anything yet.
        labels: Each person's label, the newest first.
    """

    version: int = 0
    labels: tuple[PartLabel, ...] = ()

    @property
    def standing(self) -> PartLabel | None:
        """The newest label."""
        return self.labels[0] if self.labels else None


@dataclass(frozen=True, slots=True)
class LabelFilter:
    """Which labels; what is empty does not choose.

    Attributes:
        kinds: Of these kinds.
        lane: Of parts of this lane.
        from_us: Given at or after this time.
        to_us: Given before it.
    """

    kinds: tuple[LabelKind, ...] = ()
    lane: int | None = None
    from_us: int = 0
    to_us: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """What a change has made of a part's labels.

    Attributes:
        mine: What the same person had said before; `None`: nothing.
        after: Everything that people say of the part now.
    """

    mine: PartLabel | None
    after: PartLabels
