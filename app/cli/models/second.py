"""A second model judges what the line has judged: one kept part after the other, each opinion written whole."""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from app.cli.judges import Judges, Seat
from app.clock import Clock
from app.detect.detector import Result
from app.detect.package import Package
from app.errors import ConfigError, DataError, RecordError
from app.record import LEDGER, PICTURES
from app.record.pictured import PicturedPart, Wanted, pictured_parts
from app.record.readers import Records
from app.record.told import Story
from app.record.walltime import micros
from app.replay import Judge, Shot, Tolerance, replay_part, shots_of, unjudged
from app.types import Detection, Image, Verdict
from app.verdicts import MOST_RECORDED
from app.web.review.opinions import Asked, Opinion, OpinionBox, Opinions
from app.web.store.database import Store

LOCK = "opinion.lock"
_NS_PER_US = 1000

Told = Callable[[str, "Opinion | None"], None]
"""Takes the name of a part and what the model says of it; `None` where it could not be asked."""


@dataclass(slots=True)
class Account:
    """What became of it.

    Attributes:
        known: Parts that this model had judged before.
        own: Parts that this very model has judged on the line.
        left: Parts that are left for another time.
        judged: Parts judged now.
        different: Of those, parts that would have been sent elsewhere.
        forgotten: Parts whose opinions went because their pictures are gone.
        skipped: Parts that could not be judged, by reason.
        notes: What is not as it was on the line, in sentences.
        is_stopped: Somebody has ended it.
    """

    known: int = 0
    own: int = 0
    left: int = 0
    judged: int = 0
    different: int = 0
    forgotten: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    is_stopped: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be judged.

    Attributes:
        parts: The parts, newest first.
        account: What is known already.
        model: Number of the model in the store.
    """

    parts: tuple[PicturedPart, ...]
    account: Account
    model: int


class SecondOpinion:
    """Asks one model about the parts of a station.

    Args:
        state: The station's state folder.
        store: Where opinions are kept.
        package: The model.
        lines: The file of each lane, for the golden sample and where the record's own documents are not kept.
        clock: Times it.
        writer: Writes what is kept, in a thread of its own that has not stepped back: else whoever labels a part would
            wait for one who waits for everybody.
    """

    def __init__(
        self, state: Path, store: Store, package: Package, lines: Mapping[int, Path], clock: Clock, writer: Executor
    ) -> None:
        self._writer = writer
        self._runtime = ""
        self._state = state
        self._opinions = Opinions(store)
        self._package = package
        self._lines = lines
        self._clock = clock

    def plan(self, wanted: Wanted, most: int, runtime: str) -> Plan:
        """Finds what is to be judged, and lets go of opinions whose pictures are gone.

        Args:
            wanted: Which parts.
            most: At most so many.
            runtime: What runs the model, as it is told.

        Raises:
            RecordError: Ledger or store cannot be used.
        """
        package, account = self._package, Account()
        kept = {each.key for each in pictured_parts(self._state / LEDGER, Wanted())}
        account.forgotten = self._writer.submit(self._opinions.forget, kept).result()
        now_us = micros(self._clock.wall())
        said = (package.onnx_sha256, package.name, package.version, package.variant, runtime)
        self._runtime = runtime
        model = self._writer.submit(self._opinions.ask, Asked(*said, asked_us=now_us)).result()
        known = self._opinions.judged(model)
        new = []
        for each in pictured_parts(self._state / LEDGER, wanted):
            if each.key in known:
                account.known += 1
            elif each.package_sha256 == package.onnx_sha256:
                account.own += 1
            else:
                new.append(each)
        account.left = max(0, len(new) - most)
        return Plan(tuple(new[:most]), account, model)

    def judge(self, plan: Plan, runtime: str, told: Told, is_wanted: Callable[[], bool]) -> Account:
        """Judges them.

        Args:
            plan: What.
            runtime: On which runtime, or `auto`.
            told: Called after each part.
            is_wanted: Asked before each part; once it is false, what is left stays for another time.

        Raises:
            PackageError: The golden frames do not reproduce, or the package is broken.
            MissingDriverError: The runtime is not installed.
            RecordError: Ledger or store cannot be used, as when the disk is full.
        """
        account = plan.account
        records = Records(self._state / LEDGER)
        try:
            with ExitStack() as opened:
                seats = _Seats(self._state, self._lines, self._package, runtime, opened)
                for place, part in enumerate(plan.parts):
                    if not is_wanted():
                        account.is_stopped = True
                        account.left += len(plan.parts) - place
                        break
                    self._one(part, plan.model, records, seats, account, told)
                account.notes += seats.notes
        finally:
            records.close()
        return account

    def _one(
        self, part: PicturedPart, model: int, records: Records, seats: _Seats, account: Account, told: Told
    ) -> None:
        name = "/".join(map(str, part.key))
        try:
            opinion = self._opinion(part, model, records, seats)
        except (DataError, ConfigError) as error:
            account.skipped[error.what] += 1
            told(name, None)
            return
        self._writer.submit(self._opinions.write, model, opinion).result()
        account.judged += 1
        account.different += opinion.is_different
        told(name, opinion)

    def _opinion(self, part: PicturedPart, model: int, records: Records, seats: _Seats) -> Opinion:
        lane, epoch, part_id = part.key
        found = records.part(part_id, epoch, lane)
        if found is None:
            raise DataError("the record of the part is gone", "judge others")
        story = records.story(found)
        _refuse_halves(story)
        seat = seats.of(story)
        if seat.runtime != self._runtime:
            self._runtime = seat.runtime
            self._writer.submit(self._opinions.ran, model, seat.runtime).result()
        timed = _Timed(seat.judge)
        replayed = replay_part(story, self._state / PICTURES, timed, seat.recipe, Tolerance())
        assert replayed.verdict is not None
        found_on = {each.path.name: each.detections for each in replayed.pictures}
        boxes = tuple(_boxes(shots_of(story), found_on, replayed.verdict))
        best = max(boxes, key=lambda each: each.score, default=None)
        return Opinion(
            key=part.key,
            lot=part.lot,
            said=replayed.then,
            would=replayed.now,
            label=best.label if best else "",
            score=best.score if best else None,
            boxes=boxes,
            took_us=timed.took_ns // _NS_PER_US,
            at_us=micros(self._clock.wall()),
        )


class _Seats:
    """The judges of each lane; a start that cannot be judged is refused for all its parts at once."""

    def __init__(
        self, state: Path, lines: Mapping[int, Path], package: Package, runtime: str, opened: ExitStack
    ) -> None:
        self._state, self._lines, self._package, self._opened = state, lines, package, opened
        self._runtime = None if runtime == "auto" else runtime
        self._judges: dict[Path | None, Judges] = {}
        self._refused: dict[tuple[int, int, object], DataError | ConfigError] = {}

    @property
    def notes(self) -> list[str]:
        """What is not as it was, in sentences."""
        return list(dict.fromkeys(note for each in self._judges.values() for note in each.notes))

    def of(self, story: Story) -> Seat:
        """What judges a part.

        Raises:
            DataError: The record does not say under what it was judged, or there is no golden sample.
            ConfigError: A document cannot be read as what it was.
        """
        key = (story.part.lane, story.part.epoch, story.started.get("recipe_sha256"))
        if key in self._refused:
            raise self._refused[key]
        line = self._lines.get(story.part.lane)
        if line not in self._judges:
            self._judges[line] = Judges(self._state, line, None, self._runtime, self._opened, self._package)
        if not story.started.get("package_sha256"):
            raise DataError("the record does not say what judged the part", "judge others")
        try:
            return self._judges[line].of(story)
        except (DataError, ConfigError) as error:
            self._refused[key] = error
            raise


class _Timed:
    """A judge whose time is counted.

    Args:
        judge: The judge.

    Attributes:
        took_ns: What it took so far.
    """

    def __init__(self, judge: Judge) -> None:
        self.took_ns = 0
        self._judge = judge

    def inspect(self, image: Image, name: str) -> Result:
        """Judges one frame."""
        result = self._judge.inspect(image, name)
        self.took_ns += result.pre_ns + result.infer_ns + result.decode_ns
        return result


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Holds the place of the one who asks; the kernel lets go when the process ends, however it does.

    Args:
        folder: Where the opinions are kept.

    Raises:
        RecordError: Another process asks already.
    """
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RecordError(
                "another model is being asked for its opinion on this station", "wait until that has ended, or end it"
            ) from None
        yield
    finally:
        os.close(handle)


def _refuse_halves(story: Story) -> None:
    """A part is judged by all its pictures, or not at all: else the opinion would be half the line's own."""
    nothing = unjudged(story)
    if nothing is not None:
        raise DataError(nothing.why, "keep more pictures")
    if any(not shot.file for shot in shots_of(story)):
        raise DataError("not all of its pictures are kept", "keep more pictures")


def _boxes(shots: Iterable[Shot], found: Mapping[str, tuple[Detection, ...]], verdict: Verdict) -> Iterator[OpinionBox]:
    # Of two findings on one box the weightier stands first.
    meant = {each.detection: each.reason.value for each in reversed(verdict.findings)}
    for shot in shots:
        for each in found[Path(shot.file).name][:MOST_RECORDED]:
            yield OpinionBox(shot.camera, shot.exposure, each.label, each.score, each.box_px, meant.get(each, ""))
