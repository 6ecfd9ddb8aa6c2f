"""Behind the curtain: how an accelerator that failed is brought back, one small step between two parts at a time.

It is attached again, judges the package's golden frames, and shows by a burst of them that it is fast enough; then it
is trusted. While it is trusted, a golden frame now and then shows that it does not lie. One that fails again and again
is parked until a person asks for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from app.clock import NS_PER_MS, NS_PER_S, Clock
from app.detect.detector import Detector, Result
from app.detect.package import GoldenFrame, Package
from app.detect.proof import compare_frame
from app.detect.trend import FEWEST_PROVEN, SlowTrend, envelope_of
from app.errors import BusError, DetectorError, PackageError
from app.status import Degraded
from app.types import Image

MEND = "the standby judges; the accelerator is started again by itself"
"""What follows from a failure, unless it parks the accelerator."""

NEAR = 0.8
"""Of the slice: a slow accelerator that comes so near to its end goes before it is late."""


class Phase(str, Enum):
    """Where an accelerator stands."""

    AWAY = "away"
    PROVING = "proving"
    TRUSTED = "trusted"
    PARKED = "parked"


class Remote(Protocol):
    """A detector in another process."""

    slice_ns: int

    @property
    def has_left(self) -> bool:
        """It has ended because somebody asked it to, which is no failure of its own."""
        ...

    def distrust(self, why: str) -> None:
        """Asks its process to end."""
        ...


@dataclass(frozen=True, slots=True)
class Shown:
    """A golden frame in memory."""

    frame: GoldenFrame
    image: Image
    golden: Image | None


@dataclass(frozen=True, slots=True, eq=False)
class Attached:
    """An accelerator that can be asked.

    Attributes:
        detector: Prepares and decodes here, infers there.
        remote: The process behind it.
        package: The model that runs there.
        frames: Its golden frames.
        usual_ns: How long nine in ten of its inferences take at most, by its own account; 0 where it has none. Whether
            the tenth is within the slice too shows when it is proven.
        unused: What could run there and does not, each with its reason.
    """

    detector: Detector
    remote: Remote
    package: Package
    frames: Sequence[Shown]
    usual_ns: int = 0
    unused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """When an accelerator is trusted.

    Attributes:
        slice_ns: How long an answer may take to begin with: the budget less the standby's slowest time.
        samples: Golden frames in a row that it has to judge rightly and within its slice.
        attach_every_ns: So often it is looked for.
        check_every_ns: So often a trusted one judges a golden frame.
        flaps: So many failures ...
        flap_window_ns: ... within this time park it.
    """

    slice_ns: int
    samples: int = 30
    attach_every_ns: int = 200 * NS_PER_MS
    check_every_ns: int = NS_PER_S
    flaps: int = 3
    flap_window_ns: int = 600 * NS_PER_S


class Curtain:
    """Decides whether there is an accelerator to be trusted. Belongs to the thread that judges.

    Args:
        attach: Attaches to a server that is ready; `None` where there is none, or only one that was distrusted.
        rules: When it is trusted.
        clock: Time.

    Attributes:
        phase: Where it stands.
        why: Why it is not trusted, in words; empty while it is.
        code: The same as a code of `Degraded`.
        since_ns: Since when it stands there.
        runtime: What it runs on; empty before it was attached to for the first time.
        slice_ns: How long it may take for a golden frame, and usually for a part.
        least_ns: Twice the longest of its proof: with less time it could be late through no fault of its own.
        failures: How often it has failed since the start.
        promotions: How often it came to be trusted.
        unused: What could run there and does not, each with its reason, by the last one that was attached to.
        is_asked_for: A person has asked for it, and the next step takes it up.
    """

    def __init__(self, attach: Callable[[], Attached | None], rules: Rules, clock: Clock) -> None:
        self.phase = Phase.AWAY
        self.why, self.code = "the accelerator is starting", Degraded.STARTING.value
        self.since_ns = clock.now_ns()
        self.runtime = ""
        self.slice_ns = rules.slice_ns
        self.least_ns = 0
        self.failures = 0
        self.promotions = 0
        self.unused: tuple[str, ...] = ()
        self._attach = attach
        self._rules = rules
        self._clock = clock
        self._attached: Attached | None = None
        self._passed = 0
        self._taken_ns: list[int] = []
        self._trend: SlowTrend | None = None
        self._next_ns = 0
        self.is_asked_for = False
        self._failed_ns: deque[int] = deque(maxlen=rules.flaps)

    @property
    def detector(self) -> Detector | None:
        """The accelerator, while it is trusted."""
        return self._attached.detector if self._attached and self.phase is Phase.TRUSTED else None

    def allow(self, slice_ns: int) -> None:
        """How long a trusted one may take for the next part."""
        if self._attached is not None:
            self._attached.remote.slice_ns = slice_ns

    def step(self) -> None:
        """Takes at most one step, which lasts no longer than one slice; call it while no part waits."""
        now_ns = self._clock.now_ns()
        if self.is_asked_for:
            self._forgive()
        if self.phase is Phase.PARKED or now_ns < self._next_ns:
            return
        if self.phase is Phase.AWAY:
            self._next_ns = now_ns + self._rules.attach_every_ns
            self._look()
            return
        self._next_ns = now_ns + (self._rules.check_every_ns if self.phase is Phase.TRUSTED else 0)
        self._show()

    def took(self, infer_ns: int) -> None:
        """Notes how long a trusted accelerator took for a part; one that grows slow goes before it is late.

        Slower than at its proof is no harm by itself: it goes when it also comes near to the end of its slice.
        """
        trend = self._trend
        if trend is not None and trend.note(infer_ns) and infer_ns > NEAR * self.slice_ns:
            self.failed(f"accelerator slow: {trend.in_words()}", Degraded.SLOW.value)

    def failed(self, why: str, code: str = Degraded.FAILED.value) -> None:
        """Notes a failure: its process is asked to end, and the accelerator is looked for anew.

        Args:
            why: What happened, in words.
            code: The same as a code of `Degraded`.
        """
        now_ns = self._clock.now_ns()
        self.failures += 1
        has_left = self._attached is not None and self._attached.remote.has_left
        self._drop(why, code)
        self._next_ns = now_ns + self._rules.attach_every_ns
        if has_left:
            return
        self._failed_ns.append(now_ns)
        window_ns = self._rules.flap_window_ns
        if len(self._failed_ns) == self._rules.flaps and now_ns - self._failed_ns[0] <= window_ns:
            self._enter(Phase.PARKED)
            times = f"{self._rules.flaps} times within {window_ns // NS_PER_S} s"
            cause = why.removesuffix(MEND).removesuffix("; ")
            self.why = f"{cause}; the standby judges; it failed {times} and is parked until somebody asks for it"
            self.code = Degraded.PARKED.value

    def unpark(self) -> None:
        """A person asks for it again. May be called from any thread; the next step does it."""
        self.is_asked_for = True

    def close(self) -> None:
        """Lets it go. Idempotent."""
        if self._attached is not None:
            self._attached.detector.close()
            self._attached = None

    def _forgive(self) -> None:
        self.is_asked_for = False
        self._failed_ns.clear()
        if self.phase is Phase.PARKED:
            self._enter(Phase.AWAY)
            self.why, self.code = "the accelerator was asked for again", Degraded.ASKED_FOR.value
            self._next_ns = 0

    def _look(self) -> None:
        try:
            attached = self._attach()
        except (BusError, DetectorError, PackageError) as error:
            self.why, self.code = str(error), error.code or Degraded.NOT_STARTED.value
            return
        if attached is None:
            return
        self.unused = attached.unused
        usual_ns, slice_ns = attached.usual_ns, self.slice_ns
        if usual_ns > slice_ns:
            # Asking it would only cost each part its slice.
            attached.detector.close()
            needed, left = (f"{each / NS_PER_MS:.1f} ms" for each in (usual_ns, slice_ns))
            self.why = (
                f"the accelerator needs {needed} and the standby leaves it {left} of model.verdict_ms: use a faster"
                " standby, or allow more time"
            )
            self.code = Degraded.NO_TIME.value
        else:
            self._enter(Phase.PROVING)
            self._attached, self._passed, self._next_ns = attached, 0, 0
            self._taken_ns, self._trend = [], None
            self.runtime = attached.detector.runtime

    def _show(self) -> None:
        """Has the next golden frame judged."""
        attached = self._attached
        assert attached is not None
        shown = attached.frames[self._passed % len(attached.frames)]
        attached.remote.slice_ns = self.slice_ns
        try:
            result: Result = attached.detector.detect(shown.image, shown.golden)
            compare_frame(attached.package, attached.detector.runtime, shown.frame, result)
        except PackageError as error:
            self.failed(f"accelerator wrong: {error}", Degraded.WRONG.value)
        except DetectorError as error:
            self.failed(str(error), error.code or Degraded.FAILED.value)
        else:
            self._passed += 1
            if self.phase is Phase.PROVING:
                self._taken_ns.append(result.infer_ns)
                self._maybe_trust()

    def _maybe_trust(self) -> None:
        if self._passed < self._rules.samples:
            return
        self._enter(Phase.TRUSTED)
        self.why = self.code = ""
        self.promotions += 1
        self.least_ns = 2 * max(self._taken_ns)
        if len(self._taken_ns) >= FEWEST_PROVEN:
            self._trend = SlowTrend(envelope_of(self._taken_ns))

    def _drop(self, why: str, code: str) -> None:
        self._enter(Phase.AWAY)
        self.why, self.code = why, code
        if self._attached is not None:
            self._attached.remote.distrust(why)
            self.close()

    def _enter(self, phase: Phase) -> None:
        if phase is not self.phase:
            self.phase, self.since_ns = phase, self._clock.now_ns()
