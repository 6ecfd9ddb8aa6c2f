"""The process of one lane: its two threads, and all that stands around them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from app import __version__
from app.bus.bell import Bell
from app.bus.block import BlockWriter
from app.bus.commands import CommandServer
from app.bus.ring import RingWriter
from app.capture.slotted import SLOTS, SlottedCamera
from app.clock import Clock, SystemClock
from app.config import Line
from app.desk import Desk, no_accelerator
from app.detect.detector import Detector
from app.detect.failover import Accelerated
from app.detect.golden import Goldens
from app.detect.inspection import Inspector
from app.detect.package import Package
from app.detect.unused import Unused
from app.entries.adopting import going_on, text_of
from app.entries.duty import Duty
from app.entries.post import Post, StopFlag, closing
from app.entries.preparing import PreparingApart
from app.errors import DataError, DetectorError
from app.handover import Handover
from app.latency import mapped_ledger
from app.loops import Alarm, LineLoop, VerdictLoop
from app.main import build_station, live_goldens, open_accelerated, open_model, pins_for
from app.realtime import enter, schedule
from app.record import DOCUMENTS, LEDGER
from app.record.documents import keep
from app.reject.kernel_watchdog import Guard, KernelWatchdog
from app.setup import Setup
from app.signs import Watch
from app.station import STAGES
from app.status import encode_status
from app.takeover import take_over
from app.types import Scalar

STATUS_BYTES = 32 * 1024
CLASSES_BYTES = 8 * 1024
"""Of the status: names of more classes than fit there are not told, and the station alone knows them."""

WARM_UP = 5
MEGABYTE = 1 << 20


def run(setups: Sequence[Setup], post: Post) -> None:
    """Runs the first of the lanes.

    Raises:
        TaktError: A setting, a pin, the model, the ledger or the bus cannot be used.
    """
    setup, recipe = going_on(setups[0], post.state)
    with ExitStack() as opened:
        lane = setup.line.line.lane
        closing(opened, post.place.hold(f"lane{lane}"))
        alarm = closing(opened, Alarm())
        stop = StopFlag(alarm.write_fd)
        # Before this process has any priority of its own to hand on.
        preparing = closing(opened, PreparingApart(setup, SystemClock()))
        # The runtime's own threads are started now, and inherit how this one is scheduled.
        verdict = post.row.threads["verdict"]
        schedule(verdict.policy, verdict.priority, is_inherited=True)
        unused = Unused(_tell)
        detector, package = _opened(setup, post, unused)
        opened.callback(detector.close)
        loaded = _Loaded(detector, package, unused.said)
        lane_at_work = _LiveLane(
            setup.with_threshold(package.score_threshold),
            recipe,
            post,
            loaded,
            preparing,
            alarm,
            opened,
        )
        lane_at_work.run(stop)


def _opened(setup: Setup, post: Post, unused: Unused) -> tuple[Detector, Package]:
    model = setup.line.model
    if model.accelerator == "none":
        return open_model(model, post.state, _tell, unused)
    return open_accelerated(setup.line, post.state, post.place, _tell, unused)


@dataclass(frozen=True, slots=True, eq=False)
class _Loaded:
    """What judges, and what could and does not."""

    detector: Detector
    package: Package
    unused: tuple[str, ...]


def _tell(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


class _LiveLane:
    """A station with everything that it needs around it."""

    def __init__(
        self,
        setup: Setup,
        recipe: str,
        post: Post,
        loaded: _Loaded,
        preparing: PreparingApart,
        alarm: Alarm,
        opened: ExitStack,
    ) -> None:
        self._setup = setup
        self._recipe_sha256 = keep(post.state / DOCUMENTS, recipe)
        self._post = post
        detector, package = loaded.detector, loaded.package
        self._detector = detector
        self._rest_of_detector: Callable[[], None] = getattr(detector, "rest", lambda: None)
        self._package = package
        self._classes = package.classes if len(json.dumps(package.classes)) <= CLASSES_BYTES else ()
        self._unused = loaded.unused
        self._alarm = alarm
        self._clock = SystemClock()
        self._scheduling = ""
        place, line, lane = post.place, setup.line, setup.line.line.lane
        preparing.judge_with(detector, package)
        goldens = live_goldens(setup)
        judge = Inspector(detector, setup.recipe, goldens, self._clock)
        _warm(judge, goldens, self._clock)
        self._duty = Duty(detector, line, self._clock) if isinstance(detector, Accelerated) else None
        for sentence in self._duty.at_load() if self._duty else ():
            _tell(sentence)
        bell = closing(opened, Bell(place.bell(f"lane{lane}")))
        self._cameras = {each.name: SlottedCamera(lane, each.name, place, bell, self._clock) for each in line.cameras}
        self._ring = closing(opened, RingWriter(place.ring(lane), round(line.storage.ring_mb * MEGABYTE)))
        bells = [closing(opened, Bell(place.bell(name))) for name in ("recorder", "web")]
        self._handover = Handover(self._ring, bells, self._cameras, SLOTS)
        opening = take_over(line, place, post.state / LEDGER)
        self.station = build_station(
            setup,
            clock=self._clock,
            pin_factory=pins_for(line, place),
            cameras=self._cameras,
            judge=judge,
            recorder=self._handover,
            opening=opening,
            latency=mapped_ledger(place.latency(lane), STAGES, is_writing=True),
            on_verdict=alarm.ring,
            identity=self._identity(),
            preparing=preparing,
        )
        opened.callback(self.station.close)
        self._block = closing(opened, BlockWriter(place.status(lane), STATUS_BYTES))
        self._server = closing(opened, CommandServer(place.commands(lane)))
        self._watch = Watch(post.row.watchdog, lambda _now_ns: self.station.beats or None)
        # Last of all: whoever cannot start for another reason must not leave a reset behind that nobody holds off.
        self.station.guarded_by(_guards(line, post))

    def run(self, stop: StopFlag) -> None:
        station = self.station
        verdicts = VerdictLoop(station, self._cameras, self._alarm.ring, self._rest)
        line, verdict = (self._post.row.threads[name] for name in ("line", "verdict"))
        granted = enter(line.policy, line.priority)
        policy = granted.scheduling.text.removeprefix("SCHED_")
        both = f"/{verdict.priority}" if granted.scheduling.is_given else ""
        self._scheduling = f"{policy}{both}, {granted.memory.text}"
        if self._duty is not None:
            self._duty.await_trust(stop.is_set)
        verdicts.start(lambda: schedule(verdict.policy, verdict.priority))
        desk = Desk(station, self._server, self._duty.unpark if self._duty else no_accelerator)
        loop = LineLoop(station, desk, self._alarm, self._clock, self._publish)
        try:
            loop.run(lambda: stop.is_set() or verdicts.has_ended or self._is_hung())
        finally:
            verdicts.stop()
        if verdicts.failure is not None:
            raise verdicts.failure
        if not stop.is_set():
            raise DetectorError(
                f"the verdict thread has hung for {self._watch.age_ms / 1000:.1f} s",
                "look what its model or its runtime waits for; the station starts anew",
            )
        self.station.close(is_wanted=True)

    def _rest(self) -> None:
        """Between two pictures."""
        self._rest_of_detector()
        self.station.rest()

    def _is_hung(self) -> bool:
        """The heartbeat has stopped: the line's thread, which asks, works, and the other does not."""
        self._watch.look(self._clock.now_ns())
        return self._watch.is_hung

    def _publish(self) -> None:
        accelerator = self._duty.look(self.station.ask) if self._duty else None
        why = self._duty.why if self._duty else getattr(self._detector, "why", "")
        code = self._duty.code if self._duty else getattr(self._detector, "code", "")
        self.station.note_judge(why, getattr(self._detector, "failovers", 0), code)
        status = self.station.status()
        self._post.notifier.describe(f"{status.state.value} {status.why}".strip())
        self._block.write(
            encode_status(
                replace(
                    status,
                    recipe=self.station.at_work.recipe.name,
                    recipe_sha256=self.station.at_work.sha256 or self._recipe_sha256,
                    package=self._package.name,
                    classes=self._classes,
                    runtime=self._detector.runtime,
                    ring_share=round(self._handover.share, 4),
                    scheduling=self._scheduling,
                    accelerator=accelerator,
                    unused=(*self._unused, *(self._duty.unused if self._duty else ())),
                )
            )
        )

    def _identity(self) -> Mapping[str, Scalar]:
        """What judges here; the texts are kept by their hashes, so that a verdict can be replayed."""
        setup, folder = self._setup, self._post.state / DOCUMENTS
        return {
            "version": __version__,
            "package": self._package.name,
            "package_sha256": self._package.onnx_sha256,
            "recipe": setup.recipe.name,
            "recipe_sha256": self._recipe_sha256,
            "line_sha256": keep(folder, text_of(setup.path)),
            "runtime": self._detector.runtime,
            "threshold": self._package.score_threshold,
        }


def _guards(line: Line, post: Post) -> list[Guard]:
    """Who acts when the station shows no sign of life: systemd, the kernel, or nobody but the permit relay."""
    guards: list[Guard] = [post.notifier] if post.notifier.is_heard else []
    if line.watchdog.device:
        guards.append(KernelWatchdog(Path(line.watchdog.device), line.watchdog.timeout_s))
    return guards


def _warm(judge: Inspector, goldens: Goldens | None, clock: Clock) -> None:
    """Lets every buffer be made and every page be touched before the first part comes."""
    if goldens is None:
        return
    for _ in range(WARM_UP):
        with suppress(DetectorError, DataError):
            judge.begin(clock.now_ns())
            judge.inspect(goldens.find(""), "")
