"""What the tables of a `line.toml` are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

PinName = Annotated[int, Field(ge=0, le=999)] | Annotated[str, Field(min_length=1, max_length=40)]
Name = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")]


class Settings(BaseModel):
    """Frozen, without unknown keys, without NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


class Input(Settings):
    """A digital input, such as a sensor or a read-back contact."""

    pin: PinName = Field(description="number of the GPIO line, or its name as the pin factory knows it")
    active_low: bool = Field(False, description="a low level means active")
    debounce_ms: float = Field(0.0, ge=0, le=100, description="a change counts once it has lasted so long")


class Output(Settings):
    """A digital output. Polarity is inverted here and nowhere else."""

    pin: PinName = Field(description="number of the GPIO line, or its name as the pin factory knows it")
    active_low: bool = Field(False, description="a low level means on")
    read_back: Input | None = Field(None, description="contact that says what the output really does")
