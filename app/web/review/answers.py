"""What the review API answers and takes, as models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.web.review.filters import Why
from app.web.review.label import LabelBox, LabelKind, PartLabel, PartLabels, Said

MOST_AT_ONCE = 150
_MOST_PX = 65_536
_MOST_INT = (1 << 63) - 1
_MOST_BOXES = 100

Number = Annotated[int, Field(ge=0, le=_MOST_INT)]
Name = Annotated[str, Field(max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Answer(BaseModel):
    """One answer, or a piece of one."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BoxModel(Answer):
    """Where a defect is, in pixels of the full frame."""

    camera: Name
    exposure: int = Field(0, ge=0, le=1000)
    class_name: Name = Field(alias="class", min_length=1)
    x: float = Field(ge=-_MOST_PX, le=_MOST_PX)
    y: float = Field(ge=-_MOST_PX, le=_MOST_PX)
    width: float = Field(gt=0, le=_MOST_PX)
    height: float = Field(gt=0, le=_MOST_PX)

    @classmethod
    def of(cls, box: LabelBox) -> BoxModel:
        """A box as the API tells it."""
        place = {"x": box.x, "y": box.y, "width": box.width, "height": box.height}
        return cls.model_validate({"camera": box.camera, "exposure": box.exposure, "class": box.class_name, **place})

    def box(self) -> LabelBox:
        """The box."""
        return LabelBox(self.camera, self.exposure, self.class_name, self.x, self.y, self.width, self.height)


class LabelAnswer(Answer):
    """What one person says of a part."""

    kind: LabelKind
    class_name: str = Field(alias="class")
    boxes: list[BoxModel] | None = Field(description="null: the model's boxes were not corrected")
    by: str
    at_us: int = Field(description="microseconds since 1970 UTC")
    agrees: bool | None = Field(description="everybody says the same; null: only one person has said anything")

    @classmethod
    def of(cls, label: PartLabel) -> LabelAnswer:
        """A label as the API tells it."""
        boxes = None if label.boxes is None else [BoxModel.of(each).model_dump(by_alias=True) for each in label.boxes]
        said = {"kind": label.kind, "class": label.class_name, "boxes": boxes, "by": label.by}
        return cls.model_validate({**said, "at_us": label.at_us, "agrees": label.agrees})


class LabelsAnswer(Answer):
    """Everything that people say of a part."""

    version: int = Field(description="to be sent with a change; one that is not the newest is refused")
    labels: list[LabelAnswer] = Field(description="one of each person, the newest first; that one stands")

    @classmethod
    def of(cls, labels: PartLabels) -> LabelsAnswer:
        """Labels as the API tells them."""
        return cls(version=labels.version, labels=[LabelAnswer.of(each) for each in labels.labels])


class LabelBody(Answer):
    """A label."""

    kind: LabelKind
    class_name: Name = Field("", alias="class", description="the defect's true class; needed for other_class")
    boxes: list[BoxModel] | None = Field(None, max_length=_MOST_BOXES, description="null: as the model found them")
    version: Number = Field(description="of the labels that its author saw")
    reason: str = Field("", max_length=200)

    def said(self) -> Said:
        """The label."""
        return Said(
            self.kind, self.class_name, None if self.boxes is None else tuple(each.box() for each in self.boxes)
        )


class TakeBackBody(Answer):
    """Takes the own label away."""

    version: Number = Field(description="of the labels that its author saw")
    reason: str = Field("", max_length=200)


class PartOfMany(Answer):
    """One of many parts."""

    lane: Number
    epoch: Number
    part: Number
    version: Number


class ManyBody(Answer):
    """The same label for many parts, or the own one taken back from them."""

    parts: list[PartOfMany] = Field(min_length=1, max_length=MOST_AT_ONCE)
    kind: LabelKind | None = Field(description="null: the own label is taken back")
    class_name: Name = Field("", alias="class")
    reason: str = Field("", max_length=200)


class RowLabel(Answer):
    """What stands of a part."""

    kind: LabelKind
    class_name: str = Field(alias="class")
    by: str
    agrees: bool | None

    @classmethod
    def of(cls, label: PartLabel) -> RowLabel:
        """A label as a row tells it."""
        said = {"kind": label.kind, "class": label.class_name, "by": label.by, "agrees": label.agrees}
        return cls.model_validate(said)


class ChangedPart(Answer):
    """A part whose labels have a new version."""

    key: str
    version: int
    before: LabelKind | None = Field(description="what the same person had said; null: nothing")
    before_class: str
    label: RowLabel | None = Field(description="what stands now")


class ManyAnswer(Answer):
    """What became of many parts."""

    done: list[ChangedPart]
    refused: list[str] = Field(description="parts that somebody else has labelled meanwhile, or that are not there")


class FoundAnswer(Answer):
    """A class that was found on a part."""

    label: str
    score: float


class RowOpinion(Answer):
    """Another model that would have sent a part elsewhere."""

    package: str
    version: str
    variant: str
    sha256: str
    would: str = Field(description="where it would have sent it")
    label: str = Field(description="the class that it is surest of; empty: it found nothing")
    score: float | None


class QueueRow(Answer):
    """One part of the queue."""

    key: str = Field(description="lane-epoch-part")
    lane: int
    epoch: int
    part: int
    at_us: int = Field(description="of its trigger, microseconds since 1970 UTC")
    why: Why
    route: str = Field(description="where it was sent")
    reasons: list[str]
    lot: str
    serial: str | None
    recipe: str
    package: str
    found: list[FoundAnswer] = Field(description="the highest score of each class, the highest first")
    outcome: str | None
    label: RowLabel | None
    version: int = Field(description="of its labels")
    differs: list[RowOpinion] = Field(description="models that would have sent it elsewhere, the one asked last first")
    picture: Literal["kept", "gone", "none"]
    thumb: str | None = Field(description="a small picture")


class QueueAnswer(Answer):
    """A page of the queue, newest first."""

    rows: list[QueueRow]
    next: str | None = Field(description="`after` of the next page; null: this is the last")
    total: int | None = Field(description="of the first page: how many parts there are, counted up to 20,000")


class FindQuery(BaseModel):
    """What to look for."""

    words: str = Field(min_length=1, max_length=60, description="a part's number, serial number or lot")


class FoundPart(Answer):
    """A part that was found."""

    key: str = Field(description="lane-epoch-part")


class NeighboursAnswer(Answer):
    """The parts beside one, in the order of the queue."""

    newer: str | None
    older: str | None


class SavedFilter(Answer):
    """A filter under a name."""

    name: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$")]
    query: Annotated[str, Field(max_length=1000)] = Field(description="as it stands in the address of the queue")


class SavedFilters(Answer):
    """The filters of the one who asks."""

    filters: list[SavedFilter]


class FilterName(Answer):
    """Names a saved filter."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
