"""Who judges on a line with an accelerator, and what the station makes of it when that is the standby alone."""

from __future__ import annotations

import time
from collections.abc import Callable

from app.clock import NS_PER_MS, NS_PER_S, Clock
from app.config import Line
from app.detect.curtain import Phase
from app.detect.failover import Accelerated
from app.detect.standby import Hold, hold_of
from app.errors import CommandRefusedError
from app.reject.tracking import Tracker
from app.status import AcceleratorStatus
from app.types import EventKind

WAIT_NS = 20 * NS_PER_S
"""So long a line that may not run without its accelerator waits for it before it starts, and stops."""

_STEP_S = 0.002
Ask = Callable[[Callable[[Tracker], None]], None]
"""`Station.ask`."""


class Duty:
    """Looks who judges, in the thread of the line; what the thread that judges does is only read here.

    Args:
        both: Accelerator and standby, warm.
        line: The settings.
        clock: Time.

    Attributes:
        hold: What the standby holds of the line's speed.
    """

    def __init__(self, both: Accelerated, line: Line, clock: Clock) -> None:
        self.hold: Hold = hold_of(line, both.slices.standby_ns + both.slices.ahead_ns)
        self._both = both
        self._policy = line.model.degraded
        self._budget_ms = line.model.verdict_ms
        self._clock = clock
        self._phase = ""
        self._is_stopping = False

    @property
    def why(self) -> str:
        """Why the standby judges, and what that means for the line; empty while it does not."""
        why = self._both.why
        if not why or self.hold.is_enough:
            return why
        wish = f"run the belt at {self.hold.speed_mm_s:.0f} mm/s at most"
        return f"{why}; {self.hold.text}{f'; {wish}' if self._policy == 'slow' else ''}"

    @property
    def code(self) -> str:
        """The same as a code of `Degraded`."""
        return self._both.code if self._both.why else ""

    @property
    def unused(self) -> tuple[str, ...]:
        """What the accelerator's process could run for this lane and does not, each with its reason."""
        return self._both.curtain.unused

    def at_load(self) -> tuple[str, ...]:
        """What a person should know before the line runs."""
        said = []
        if not self.hold.is_enough:
            follows = {
                "stop": "the line stops while the accelerator is away (model.degraded = stop)",
                "slow": "the status asks for that speed while the accelerator is away (model.degraded = slow)",
                "run": "parts without a verdict in time are rejected (model.degraded = run)",
            }
            said.append(f"{self.hold.text}; {follows[self._policy]}")
        needs_ms = self.hold.judged_ns / NS_PER_MS
        if needs_ms > self._budget_ms:
            said.append(
                f"the standby needs {needs_ms:.1f} ms from the begin of judging and model.verdict_ms allows"
                f" {self._budget_ms:g}: each of its verdicts counts as a miss"
            )
        return tuple(said)

    def await_trust(self, is_stopped: Callable[[], bool]) -> None:
        """Waits for the accelerator before the line starts, where the line may not run without it."""
        if self._policy != "stop" or self.hold.is_enough:
            return
        end_ns = self._clock.now_ns() + WAIT_NS
        while self._both.why and not is_stopped() and self._clock.now_ns() < end_ns:
            self._both.rest()
            time.sleep(_STEP_S)

    def look(self, ask: Ask) -> AcceleratorStatus:
        """Writes down a change, stops a line that the standby cannot follow, and says how it stands."""
        curtain = self._both.curtain
        phase, why = self._stands_at(), self._both.why
        told = Phase.AWAY if phase is Phase.PROVING else phase
        if told.value != self._phase:
            self._phase = told.value
            text = curtain.runtime if told is Phase.TRUSTED else why
            ask(lambda tracker: tracker.note(EventKind.ACCELERATOR, phase=told.value, text=text))
        is_alone = bool(why) and not self.hold.is_enough
        if self._policy == "stop" and is_alone is not self._is_stopping:
            self._is_stopping = is_alone
            ask(lambda tracker: tracker.standby(f"{why}; {self.hold.text}" if is_alone else ""))
        slices = self._both.slices
        return AcceleratorStatus(
            phase=phase.value,
            why=why,
            code=self._both.code if why else "",
            since_ns=curtain.since_ns,
            runtime=curtain.runtime,
            standby=self._both.standby_runtime,
            failures=curtain.failures,
            promotions=curtain.promotions,
            slice_ms=round(slices.usual_ns / NS_PER_MS, 2),
            standby_ms=round(slices.standby_ns / NS_PER_MS, 2),
            standby_mm_s=round(self.hold.speed_mm_s, 1),
            asks_mm_s=round(self.hold.speed_mm_s, 1) if is_alone and self._policy == "slow" else None,
        )

    def unpark(self, tracker: Tracker, by: str, reason: str) -> None:
        """Has a parked accelerator looked for again; a person asked for it.

        Raises:
            CommandRefusedError: It is not parked.
        """
        curtain, phase = self._both.curtain, self._stands_at()
        if phase is not Phase.PARKED:
            what = "judges" if phase is Phase.TRUSTED else f"is brought back by itself ({curtain.why})"
            raise CommandRefusedError(f"the accelerator is not parked: it {what}", "nothing has to be asked for")
        tracker.note(EventKind.ACCELERATOR, phase=Phase.AWAY.value, text=reason, **({"by": by} if by else {}))
        self._phase = Phase.AWAY.value
        curtain.unpark()

    def _stands_at(self) -> Phase:
        """A parked one that was asked for is not parked any more; the other thread takes that up in a moment."""
        curtain = self._both.curtain
        is_taken_up = curtain.phase is Phase.PARKED and curtain.is_asked_for
        return Phase.AWAY if is_taken_up else curtain.phase
