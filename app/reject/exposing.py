"""Has each part photographed where it lies under a camera, and says whose frame came (REJECT_TRACKING, rule 2)."""

from __future__ import annotations

from collections.abc import Iterator

from app.reject.binding import Binder, Outstanding
from app.reject.book import Book
from app.reject.gating import Gating
from app.reject.judging import Judging
from app.reject.signals import Expose
from app.reject.track import Fate, Track
from app.types import EventKind, Exposure, Frame, Reason


class Exposing:
    """All cameras of the line.

    Args:
        book: The running record.
        gating: The gates, which say which parts are still before them.
        judging: Takes the rejects that a missing or doubtful frame causes.
    """

    def __init__(self, book: Book, gating: Gating, judging: Judging) -> None:
        self._book = book
        self._gating = gating
        self._judging = judging
        cameras = book.line.cameras
        sensor = book.line.trigger.sensor
        patience_ms = sensor.debounce_ms if sensor else 0.0
        self._binders = {camera.name: Binder(camera, patience_ms) for camera in cameras}
        # Exposed by the very edge that is the part's trigger.
        self._at_edge = {camera.name for camera in cameras if camera.trigger == "wire" and not camera.position_mm}
        # In the order in which a part comes to them, whatever their order in the file.
        upstream_first = sorted(cameras, key=lambda camera: camera.position_mm)
        self._offsets = tuple((camera.name, round(book.counts(camera.position_mm))) for camera in upstream_first)
        # A quarter of a part beyond its place, the picture shows too little of it to judge.
        self._tolerance = book.counts(book.line.part.length_mm / 4)

    def plan(self, trigger_count: int) -> tuple[Exposure, ...]:
        """The pictures that a part triggered at `trigger_count` must have."""
        return tuple(Exposure(i, name, trigger_count + offset) for i, (name, offset) in enumerate(self._offsets))

    def expose(self) -> None:
        """Triggers the cameras that have a part before them."""
        for track in self._book.tracks:
            while track.exposed < len(track.part.exposures):
                exposure = track.part.exposures[track.exposed]
                if self._book.reach < exposure.at_count:
                    break
                track.exposed += 1
                if track.fate is Fate.PENDING:
                    self._expose(track, exposure)

    def expire(self) -> None:
        """Rejects the parts whose frame is overdue."""
        for camera, binder in self._binders.items():
            for late in binder.expired(self._book.now_ns):
                track = self._book.find(late.part_id)
                if track is not None and track.fate is Fate.PENDING:
                    self._judging.force(track, Reason.NO_FRAME, f"camera {camera} gave no frame in time")

    def is_early(self, frame: Frame) -> bool:
        """The frame may answer an exposure that is noted in a moment: it must be shown again."""
        return self._binders[frame.camera].is_early(frame, self._book.now_ns)

    def bind(self, frame: Frame) -> Outstanding | None:
        """The exposure that a frame answers; `None` for a frame that is not to be judged."""
        bound = self._binders[frame.camera].bind(frame)
        if bound.reason is not None:
            for track in self._concerned(bound.reason, bound.part_ids):
                text = f"{bound.reason.value}: no frame is certain to show part {track.part_id}"
                self._judging.force(track, bound.reason, text)
        exposure = bound.exposure
        track_or_none = self._book.find(exposure.part_id) if exposure else None
        if exposure is None or track_or_none is None or track_or_none.fate is not Fate.PENDING:
            self._book.write(EventKind.FRAME_STRAY, exposure.part_id if exposure else None, camera=frame.camera)
            return None
        track_or_none.missing.discard(exposure.index)
        self._book.write(EventKind.FRAME, exposure.part_id, camera=frame.camera, exposure=exposure.index)
        return exposure

    def answer(self, track: Track, at_ns: int) -> Outstanding | None:
        """A part was seen by its first camera: the frame that shows it is the answer to an exposure nobody asked for.

        Args:
            track: The part, which has just begun.
            at_ns: When the frame was taken.

        Returns:
            The part's first exposure; `None` where the part is rejected already.
        """
        exposure = track.part.exposures[track.exposed]
        track.exposed += 1
        if track.fate is not Fate.PENDING:
            self._book.write(EventKind.FRAME_STRAY, track.part_id, camera=exposure.camera)
            return None
        for kind in (EventKind.EXPOSED, EventKind.FRAME):
            self._book.write(kind, track.part_id, camera=exposure.camera, exposure=exposure.index)
        return Outstanding(track.part_id, exposure.index, at_ns, 0)

    def restart(self, camera: str) -> None:
        """Rejects the parts that wait for a camera which has forgotten them."""
        for part_id in self._binders[camera].restart():
            track = self._book.find(part_id)
            if track is not None and track.fate is Fate.PENDING:
                self._judging.force(track, Reason.NO_FRAME, f"camera {camera} was lost while the part waited for it")

    def is_complete(self, part_id: int) -> bool:
        """Every exposure of the part was triggered and has its frame."""
        track = self._book.find(part_id)
        return track is not None and track.exposed == len(track.part.exposures) and not track.missing

    def due_ns(self) -> list[int]:
        """Times at which a frame becomes overdue."""
        return [due for binder in self._binders.values() if (due := binder.next_due_ns()) is not None]

    def positions(self, track: Track) -> Iterator[float]:
        """The belt position of the part's next exposure."""
        if track.exposed < len(track.part.exposures):
            yield track.part.exposures[track.exposed].at_count

    def _expose(self, track: Track, exposure: Exposure) -> None:
        binder = self._binders[exposure.camera]
        busy_with = binder.busy_with
        if busy_with is not None:
            text = f"camera {exposure.camera} was busy with part {busy_with}"
            self._judging.force(track, Reason.NO_FRAME, text)
        elif self._book.reach - exposure.at_count > self._tolerance:
            text = f"the part was past camera {exposure.camera} when it was due"
            self._judging.force(track, Reason.NO_FRAME, text)
        else:
            track.missing.add(exposure.index)
            at_ns = track.part.trigger_ns if exposure.camera in self._at_edge else self._book.now_ns
            binder.expose(track.part_id, exposure.index, at_ns)
            self._book.commands.append(Expose(track.part_id, exposure))
            self._book.write(EventKind.EXPOSED, track.part_id, camera=exposure.camera, exposure=exposure.index)

    def _concerned(self, reason: Reason, part_ids: tuple[int, ...]) -> list[Track]:
        if reason is Reason.COUNTER_MISMATCH:
            return [track for track in self._book.tracks if not self._gating.is_past(track)]
        return [track for part_id in part_ids if (track := self._book.find(part_id)) is not None]
