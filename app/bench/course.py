"""The course of a run: the line comes up, warms up, and is measured in blocks that alternate without and with load."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from app.bench.faults import Injector
from app.bench.geometry import Geometry
from app.bench.loads import Load
from app.bench.stand import Stand
from app.bench.tape import MOST_MEASURED, Tape
from app.bench.witness import Account, Witness
from app.bus.block import BlockReader
from app.errors import BusError, LineError, UsageError
from app.latency import mapped_ledger
from app.reject.stops import StopCause
from app.station import STAGES
from app.status import State, Status, decode_status

PAIRS = 4
"""With a load there are so many blocks without it, and as many with it."""

SETTLE_S = 1.0
"""What is measured so soon after a load has begun or ended does not count."""

START_S = 90.0
TRUST_S = 900.0
"""The accelerator may build engines for minutes before it is proven."""

SETTLED_S = 60.0
STALL_S = 10.0
WITNESS_S = 2.0
AT_WORK = (State.RUNNING, State.DEGRADED)


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of parts.

    Attributes:
        is_loaded: The neighbours are busy.
        parts: How many parts count.
    """

    is_loaded: bool
    parts: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run.

    Attributes:
        warm_up: Parts that do not count, at the start.
        blocks: What is measured.
    """

    warm_up: int
    blocks: tuple[Block, ...]

    @classmethod
    def of(cls, parts: int, warm_up: int, *, is_loaded: bool) -> Plan:
        """A plan for so many parts, and as many again with load where there is one.

        Raises:
            UsageError: They are too many, or too few for the blocks.
        """
        sides = 2 if is_loaded else 1
        if is_loaded and parts < 2 * PAIRS:
            raise UsageError(f"{parts} parts are too few for {PAIRS} blocks", f"ask for at least {2 * PAIRS}")
        if warm_up + sides * parts > MOST_MEASURED // 2:
            raise UsageError(
                f"{warm_up + sides * parts} parts are more than a run can measure",
                f"ask for at most {(MOST_MEASURED // 2 - warm_up) // sides}",
            )
        if not is_loaded:
            return cls(warm_up, (Block(is_loaded=False, parts=parts),))
        shares = [parts // PAIRS + (number < parts % PAIRS) for number in range(PAIRS)]
        return cls(warm_up, tuple(Block(loaded, share) for share in shares for loaded in (False, True)))

    @property
    def total(self) -> int:
        """All parts, those of the warm-up too."""
        return self.warm_up + sum(block.parts for block in self.blocks)

    def numbers(self, *, is_loaded: bool) -> list[int]:
        """The numbers of the blocks without or with load."""
        return [number for number, block in enumerate(self.blocks) if block.is_loaded is is_loaded]


class Course:
    """One run. `steps` is to be gone through one step per look at the processes.

    Args:
        plan: What is to be run.
        stand: Where.
        geometry: How the parts come.
        loads: The neighbours.
        on_part: Called for each part.
        injector: Lets the accelerator fail; `None` where it need not.

    Attributes:
        tape: What was measured; `None` before the line runs.
        account: What became of the parts; `None` before the end.
        status: The station's last word.
        spans_s: When each block began and ended, in s since the line ran.
    """

    def __init__(
        self,
        plan: Plan,
        stand: Stand,
        geometry: Geometry,
        loads: Sequence[Load],
        on_part: Callable[[str], None],
        injector: Injector | None = None,
    ) -> None:
        self.tape: Tape | None = None
        self.account: Account | None = None
        self.status: Status | None = None
        self.spans_s: list[tuple[float, float]] = []
        self._plan = plan
        self._stand = stand
        self._geometry = geometry
        self._loads = loads
        self._on_part = on_part
        self._injector = injector
        self._counted = 0
        self._lane = stand.setup.line.line.lane
        self._block: BlockReader | None = None
        self._witness: Witness | None = None
        self._began_s = self._moved_s = self._witnessed_s = time.monotonic()

    def steps(self) -> Generator[None, None, None]:
        """Goes through the run.

        Raises:
            LineError: The line does not come up, stops, stands still, or its station was started again.
        """
        with ExitStack() as opened:
            opened.callback(self._quiet)
            yield from self._come_up()
            assert self.tape is not None
            assert self._witness is not None
            opened.callback(self._witness.close)
            yield from self._until(-1, self._plan.warm_up)
            self._quiet()
            for number, block in enumerate(self._plan.blocks):
                for load in self._loads:
                    (load.start if block.is_loaded else load.stop)()
                yield from self._until(-1, 0, SETTLE_S if self._loads else 0.0)
                since_s = self._now_s()
                yield from self._until(number, block.parts)
                self.spans_s.append((since_s, self._now_s()))
            yield from self._settle()
            self._quiet()
            self._witness.look()
            self.account = self._witness.account()

    def _come_up(self) -> Iterator[None]:
        """Waits for the line to run."""
        place = self._stand.place
        yield from self._wait_for(AT_WORK, START_S)
        if self._stand.setup.line.model.accelerator != "none":
            yield from self._wait_for((State.RUNNING,), TRUST_S if self._injector is None else START_S)
        self.tape = Tape(mapped_ledger(place.latency(self._lane), STAGES, is_writing=False))
        listeners = []
        if self._injector is not None:
            self._injector.follower.since_ns = time.monotonic_ns()
            listeners.append(self._injector.follower)
        self._witness = Witness(place, self._lane, self._geometry.counts_per_mm, listeners)
        self._began_s = self._moved_s = self._witnessed_s = time.monotonic()

    def _wait_for(self, states: Sequence[State], limit_s: float) -> Iterator[None]:
        end_s, degraded = time.monotonic() + limit_s, ""
        while self.status is None or self.status.state not in states:
            if time.monotonic() > end_s:
                raise LineError(
                    f"the line did not run within {limit_s:.0f} s: {_why(self.status)}", "see what its processes said"
                )
            if self.status is not None and self.status.state is State.DEGRADED:
                degraded = self.status.why
            if degraded and self.status is not None and self.status.state is State.STOPPED:
                raise LineError(
                    f"the line stopped before it was measured: {_why(self.status)} (until then: {degraded})",
                    _mend(self.status),
                )
            yield
            self._read()

    def _settle(self) -> Iterator[None]:
        """Waits until each fault has come and is over, as long as that makes sense."""
        if self._injector is not None:
            end_s = time.monotonic() + SETTLED_S * self._injector.left
            while self._injector.left and time.monotonic() < end_s:
                yield from self._until(-1, 1)

    def _until(self, block: int, parts: int, least_s: float = 0.0) -> Iterator[None]:
        """Measures until so many parts have come, and so much time has passed."""
        assert self.tape is not None
        assert self._witness is not None
        end_s = time.monotonic() + least_s
        seen = self._look(block)
        while seen < parts or time.monotonic() < end_s:
            yield
            self._read()
            self._check()
            seen += self._look(block)
            if self._injector is not None:
                self._counted = seen if block >= 0 else self._counted
                self._injector.look(self._counted, self.status)
            if time.monotonic() - self._witnessed_s > WITNESS_S:
                self._witness.look()
                self._witnessed_s = time.monotonic()

    def _look(self, block: int) -> int:
        assert self.tape is not None
        parts = self.tape.look(block, self._now_s())
        if parts:
            self._moved_s = time.monotonic()
        for _ in range(parts):
            self._on_part("")
        return parts

    def _read(self) -> None:
        """Takes the station's word; what cannot be read yet is read later."""
        try:
            self._block = self._block or BlockReader(self._stand.place.status(self._lane))
            said = self._block.read()
            status = decode_status(said) if said else None
        except BusError:
            return
        if status is None:
            return
        if self.tape is not None and self.status is not None and status.epoch != self.status.epoch:
            raise LineError("the station died and was started again", "see what it said")
        self.status = status

    def _check(self) -> None:
        """Sees that the line still runs."""
        status = self.status
        assert status is not None
        if status.state in (State.STOPPED, State.PURGING):
            raise LineError(
                f"the line stopped after {status.tally.triggers} parts: {_why(status)}{self._reasons()}", _mend(status)
            )
        if time.monotonic() - self._moved_s > STALL_S + 2 * 60 / self._geometry.parts_per_min:
            raise LineError(
                f"no part has been judged for {time.monotonic() - self._moved_s:.0f} s: {_why(status)}",
                "see what its processes said",
            )

    def _reasons(self) -> str:
        """Why parts were rejected, as far as anybody knows."""
        assert self._witness is not None
        self._witness.read()
        found = ", ".join(f"{number} {reason}" for reason, number in self._witness.reasons.most_common(4))
        return f" (verdicts so far: {found})" if found else ""

    def _quiet(self) -> None:
        for load in self._loads:
            load.stop()

    def _now_s(self) -> float:
        return time.monotonic() - self._began_s


def _why(status: Status | None) -> str:
    if status is None:
        return "its station says nothing"
    latches = "; ".join(latch.text for latch in status.latches)
    return latches or status.why or f"it is {status.state.value}"


def _mend(status: Status) -> str:
    if any(latch.cause == StopCause.LEDGER_FULL.value for latch in status.latches):
        return "see why the recorder does not keep up, or ask for fewer parts"
    return "ask for fewer parts per minute or less load, or raise the line's [stops]"
