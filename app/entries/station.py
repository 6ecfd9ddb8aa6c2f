"""The process of one lane: its two threads, and all that stands around them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from app import __version__
from app.bus.bell import Bell
from app.bus.block import BlockWriter
from app.bus.commands import CommandServer
from app.bus.ring import RingWriter
from app.capture.slotted import SLOTS, SlottedCamera
from app.clock import SystemClock
from app.config import Line
from app.desk import Desk
from app.detect.detector import Detector
from app.detect.golden import Goldens
from app.detect.inspection import Inspector
from app.detect.package import Package
from app.entries.post import Post, StopFlag, closing
from app.errors import ConfigError, DataError, DetectorError
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
from app.verdicts import Judge

STATUS_BYTES = 32 * 1024
WARM_UP = 5
MEGABYTE = 1 << 20


def run(setups: Sequence[Setup], post: Post) -> None:
    """Runs the first of the lanes.

    Raises:
        TaktError: A setting, a pin, the model, the ledger or the bus cannot be used.
    """
    setup = setups[0]
    with ExitStack() as opened:
        lane = setup.line.line.lane
        closing(opened, post.place.hold(f"lane{lane}"))
        alarm = closing(opened, Alarm())
        stop = StopFlag(alarm.write_fd)
        # The runtime's own threads are started now, and inherit how this one is scheduled.
        verdict = post.row.threads["verdict"]
        schedule(verdict.policy, verdict.priority, is_inherited=True)
        detector, package = _opened(setup, post)
        opened.callback(detector.close)
        lane_at_work = _LiveLane(setup.with_threshold(package.score_threshold), post, detector, package, alarm, opened)
        lane_at_work.run(stop)


def _opened(setup: Setup, post: Post) -> tuple[Detector, Package]:
    model = setup.line.model
    if model.accelerator == "none":
        return open_model(model, post.state, _tell)
    return open_accelerated(setup.line, post.state, post.place, _tell)


def _tell(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


class _LiveLane:
    """A station with everything that it needs around it."""

    def __init__(
        self, setup: Setup, post: Post, detector: Detector, package: Package, alarm: Alarm, opened: ExitStack
    ) -> None:
        self._setup = setup
        self._post = post
        self._detector = detector
        self._package = package
        self._alarm = alarm
        self._clock = SystemClock()
        self._scheduling = ""
        place, line, lane = post.place, setup.line, setup.line.line.lane
        goldens = live_goldens(setup)
        judge = Inspector(detector, setup.recipe, goldens, self._clock)
        _warm(judge, goldens)
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
        )
        opened.callback(self.station.close)
        self._block = closing(opened, BlockWriter(place.status(lane), STATUS_BYTES))
        self._server = closing(opened, CommandServer(place.commands(lane)))
        self._watch = Watch(post.row.watchdog, lambda _now_ns: self.station.beats or None)
        # Last of all: whoever cannot start for another reason must not leave a reset behind that nobody holds off.
        self.station.guarded_by(_guards(line, post))

    def run(self, stop: StopFlag) -> None:
        station = self.station
        rest = getattr(self._detector, "rest", None)
        verdicts = VerdictLoop(station, self._cameras, self._alarm.ring, *([rest] if rest else []))
        line, verdict = (self._post.row.threads[name] for name in ("line", "verdict"))
        granted = enter(line.policy, line.priority)
        policy = granted.scheduling.text.removeprefix("SCHED_")
        both = f"/{verdict.priority}" if granted.scheduling.is_given else ""
        self._scheduling = f"{policy}{both}, {granted.memory.text}"
        verdicts.start(lambda: schedule(verdict.policy, verdict.priority))
        loop = LineLoop(station, Desk(station, self._server), self._alarm, self._clock, self._publish)
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

    def _is_hung(self) -> bool:
        """The heartbeat has stopped: the line's thread, which asks, works, and the other does not."""
        self._watch.look(self._clock.now_ns())
        return self._watch.is_hung

    def _publish(self) -> None:
        status = self.station.status(getattr(self._detector, "failovers", 0), getattr(self._detector, "why", ""))
        self._post.notifier.describe(f"{status.state.value} {status.why}".strip())
        self._block.write(
            encode_status(
                replace(
                    status,
                    recipe=self._setup.recipe.name,
                    package=self._package.name,
                    runtime=self._detector.runtime,
                    ring_share=round(self._handover.share, 4),
                    scheduling=self._scheduling,
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
            "recipe_sha256": keep(folder, _text_of(setup.folder / setup.line.recipe)),
            "line_sha256": keep(folder, _text_of(setup.path)),
            "runtime": self._detector.runtime,
            "threshold": self._package.score_threshold,
        }


def _guards(line: Line, post: Post) -> list[Guard]:
    """Who acts when the station shows no sign of life: systemd, the kernel, or nobody but the permit relay."""
    guards: list[Guard] = [post.notifier] if post.notifier.is_heard else []
    if line.watchdog.device:
        guards.append(KernelWatchdog(Path(line.watchdog.device), line.watchdog.timeout_s))
    return guards


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", "check its owner") from error


def _warm(judge: Judge, goldens: Goldens | None) -> None:
    """Lets every buffer be made and every page be touched before the first part comes."""
    if goldens is None:
        return
    for _ in range(WARM_UP):
        with suppress(DetectorError, DataError):
            judge.inspect(goldens.find(""), "")
