"""How long models take, one after the other on each picture, so that a busy machine disturbs all of them alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.clock import Clock
from app.detect.registration import Registrar
from app.errors import DetectorError
from app.types import Image
from models.measures.statistics import quantile


@dataclass(frozen=True, slots=True)
class Speed:
    """Times of one model on a runtime, from the frame in memory to its findings, registration included.

    Attributes:
        pictures: Pictures that were timed.
        p50_ms: Half of them took no longer.
        p99_ms: All but one in a hundred took no longer.
        registration_p50_ms: The median of registering alone; 0 for a model without golden sample.
    """

    pictures: int
    p50_ms: float
    p99_ms: float
    registration_p50_ms: float


@dataclass(frozen=True, slots=True)
class Runner:
    """A model that is timed.

    Attributes:
        channels: Of the pictures it takes.
        is_golden: The golden sample is registered for it first.
        run: Judges a picture with its registered golden sample.
    """

    channels: int
    is_golden: bool
    run: Callable[[Image, Image | None], object]


@dataclass(frozen=True, slots=True, eq=False)
class Lap:
    """A picture to be timed, by the channels it is wanted in.

    Attributes:
        images: uint8 pictures by channels.
        registrars: What lays its golden sample over it, by channels; empty where it has none.
    """

    images: dict[int, Image]
    registrars: dict[int, Registrar]


def time_in_turn(
    runners: Sequence[Runner],
    laps: Sequence[Lap],
    clock: Clock,
    on_step: Callable[[int, int], None] = lambda _done, _all: None,
) -> list[Speed]:
    """Times models in turn on each picture.

    The first of them begins with a picture that is not in the caches, so the order is turned by one from picture to
    picture.

    Args:
        runners: The models, warmed up.
        laps: The pictures.
        clock: What times them.
        on_step: Told pictures done and to do.

    Raises:
        DetectorError: A model failed.
    """
    whole: list[list[int]] = [[] for _ in runners]
    registering: list[list[int]] = [[] for _ in runners]
    for number, lap in enumerate(laps):
        for turn in range(len(runners)):
            index = (turn + number) % len(runners)
            runner = runners[index]
            start_ns = clock.now_ns()
            golden, is_lost = _registered(lap, runner)
            between_ns = clock.now_ns()
            if not is_lost:
                runner.run(lap.images[runner.channels], golden)
            whole[index].append(clock.now_ns() - start_ns)
            registering[index].append(between_ns - start_ns)
        on_step(number + 1, len(laps))
    return [
        Speed(
            len(laps),
            quantile(times, 0.5) / 1e6,
            quantile(times, 0.99) / 1e6,
            quantile(before, 0.5) / 1e6 if runner.is_golden else 0.0,
        )
        for runner, times, before in zip(runners, whole, registering, strict=True)
    ]


def _registered(lap: Lap, runner: Runner) -> tuple[Image | None, bool]:
    """The golden sample laid over the picture, and whether the part is rejected because it cannot be."""
    registrar = lap.registrars.get(runner.channels)
    if not runner.is_golden or registrar is None:
        return None, False
    try:
        return registrar.register(lap.images[runner.channels]).golden, False
    except DetectorError:
        return None, True
