"""The server's side of the accelerator: the lanes' questions, one after another, on one runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.bus.bell import Bell
from app.bus.exchange import ExchangeServer
from app.clock import Clock
from app.detect.engine import LocalDetector
from app.detect.package import Package
from app.detect.ports import MAX_DETECTIONS, MAX_EMBEDDING, Outputs
from app.errors import DetectorError

_ALIGNMENT = 64
_FLOAT_BYTES = 4
_TABLES_BYTES = MAX_DETECTIONS * 7 * _FLOAT_BYTES + MAX_EMBEDDING * _FLOAT_BYTES + 8 * _ALIGNMENT


@dataclass(frozen=True, slots=True)
class Field:
    """Where a table of an answer lies.

    Attributes:
        name: The output's name.
        kind: Its element type as numpy spells it.
        shape: Its sizes.
        at: Its first byte in the answer.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    at: int

    def view(self, memory: NDArray[np.uint8]) -> NDArray[np.generic]:
        """The table in an answer's memory."""
        size = int(np.prod(self.shape)) * np.dtype(self.kind).itemsize
        return memory[self.at : self.at + size].view(self.kind).reshape(self.shape)


def fields_of(outputs: Outputs) -> tuple[tuple[Field, ...], int]:
    """How a model's outputs lie in an answer, and how many bytes it has."""
    fields, at = [], 0
    for name, tensor in outputs.by_name().items():
        fields.append(Field(name, tensor.dtype.name, tuple(tensor.shape), at))
        at += -(-tensor.nbytes // _ALIGNMENT) * _ALIGNMENT
    return tuple(fields), at


def answer_bytes(package: Package) -> int:
    """Room for the largest answer of a model, known before it is loaded: tables, an embedding, a map."""
    spec = package.spec
    is_map = package.kind == "anomaly"
    return _TABLES_BYTES + (spec.height_px * spec.width_px * _FLOAT_BYTES if is_map else 0)


class ServedLane:
    """One lane's model, bound to the memory through which the lane asks.

    Args:
        lane: The lane's number.
        exchange: Where it asks and is answered.
        bell: Wakes it.
        detector: Its input buffers lie in the exchange.
    """

    def __init__(self, lane: int, exchange: ExchangeServer, bell: Bell, detector: LocalDetector) -> None:
        self.lane = lane
        self.exchange = exchange
        self._bell = bell
        self._detector = detector
        outputs = detector.infer()
        fields, size = fields_of(outputs)
        if size > len(exchange.output):
            raise DetectorError(
                f"the model's answer has {size} bytes where {len(exchange.output)} are kept for it",
                "export it with a map no larger than its input",
            )
        tensors = outputs.by_name()
        self._copies = [(tensors[field.name], field.view(exchange.output)) for field in fields]

    def serve(self, clock: Clock) -> None:
        """Answers the question that waits."""
        since_ns = clock.now_ns()
        try:
            self._detector.infer()
        except DetectorError as error:
            self.exchange.answer(str(error))
        else:
            for theirs, ours in self._copies:
                np.copyto(ours, theirs)
            self.exchange.answer(work_ns=clock.now_ns() - since_ns)
        self._bell.ring()

    def refuse(self, why: str) -> None:
        """Answers the question that waits with a reason."""
        self.exchange.answer(why)
        self._bell.ring()

    def leave(self) -> None:
        """Says that it serves no more because it was asked to; whoever waits need not wait for his time to be over."""
        self.exchange.leave()
        if self.exchange.asked() is not None:
            self.refuse("its process was asked to end")


def serve_next(lanes: Sequence[ServedLane], clock: Clock) -> bool:
    """Answers the one question that wants its answer first; one whose time is over is told so at once.

    Returns:
        Whether there was one.

    Raises:
        DetectorError: A lane does not trust these answers any more.
    """
    first: ServedLane | None = None
    earliest_ns = 0
    for each in lanes:
        distrust = each.exchange.distrust
        if distrust:
            raise DetectorError(f"lane {each.lane} does not trust the accelerator: {distrust}", "it is started again")
        cut_off_ns = each.exchange.asked()
        if cut_off_ns is not None and (first is None or cut_off_ns < earliest_ns):
            first, earliest_ns = each, cut_off_ns
    if first is None:
        return False
    if clock.now_ns() >= earliest_ns:
        first.refuse("the answer would have come too late")
    else:
        first.serve(clock)
    return True
