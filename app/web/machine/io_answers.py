"""What the API of inputs and outputs takes and gives."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from app.web.line.answers import Body


class IoPiece(BaseModel):
    """A piece of an answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WireAnswer(IoPiece):
    """How an input or output is wired, by the settings of the lane."""

    pin: str
    active_low: bool = Field(description="a low level means active, or on")
    debounce_ms: float = Field(description="a change counts once it has lasted so long; 0 for outputs")
    read_back: str = Field(description="the pin of the contact that says what the output does; empty: none is wired")


class InputAnswer(IoPiece):
    """One wired input."""

    name: str
    is_active: bool
    edges: int = Field(description="debounced changes since the station's start")
    changed_ms: float | None = Field(description="since the last one; null before the first")
    wire: WireAnswer | None = Field(description="null: these pages do not know the lane's settings")


class OutputAnswer(IoPiece):
    """One wired output."""

    name: str
    is_on: bool = Field(description="it was told to be energised; the permit: it is given")
    is_pulsed: bool = Field(description="somebody tries it now")
    least_ms: float = Field(description="the shortest pulse")
    most_ms: float = Field(description="the longest pulse; 0: it is never pulsed")
    wire: WireAnswer | None


class EncoderAnswer(IoPiece):
    """The belt."""

    driver: str = Field(description="empty: not known")
    pins: list[str]
    count: int
    position_mm: float
    speed_mm_s: float
    missed: int = Field(description="quadrature states that were skipped since the station's start")


class IoAnswer(IoPiece):
    """The inputs and outputs of a lane as its station told them last."""

    lane: int
    age_ms: float = Field(description="how old this is; above 1000 nothing of it is true any more")
    state: str
    is_permitted: bool
    bar: str = Field(description="why no output may be pulsed now, as a code; empty: one may")
    inputs: list[InputAnswer]
    outputs: list[OutputAnswer]
    encoder: EncoderAnswer


class PulseBody(Body):
    """An output that somebody tries."""

    output: str = Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")
    pulse_ms: int = Field(ge=10, le=2000)
