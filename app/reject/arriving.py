"""How a part begins: at the edge of its sensor, at a software trigger, or in a frame that shows it."""

from __future__ import annotations

import math

from app.reject.binding import Outstanding
from app.reject.book import Book
from app.reject.exposing import Exposing
from app.reject.footprints import Footprints
from app.reject.gating import Gating
from app.reject.judging import Judging
from app.reject.lineio import BeltReading
from app.reject.stops import SWAP, StopCause
from app.reject.track import Track
from app.reject.trail import Trail
from app.types import Confirmation, EventKind, Frame, Outcome, Part, Reason

QUEUE_MARGIN = 4
"""Parts beyond those that fit between sensor and last gate at the least pitch."""


class Arriving:
    """The upstream end of the belt.

    Args:
        book: The running record.
        gating: The gates, which say which parts are still before them.
        judging: Takes the rejects of parts that come too close, or on belt that nobody watched.
        exposing: The cameras.
    """

    def __init__(self, book: Book, gating: Gating, judging: Judging, exposing: Exposing) -> None:
        self._book = book
        self._gating = gating
        self._judging = judging
        self._exposing = exposing
        last_gate_mm = gating.gates[-1].settings.position_mm
        self._capacity = math.ceil(last_gate_mm / book.line.part.min_pitch_mm) + QUEUE_MARGIN
        self._footprints = Footprints(book.belt, book.line.part, 4 * self._capacity)
        self._covered_since: int | None = None
        self._trail = Trail() if book.line.trigger.source == "vision" else None
        self._camera_counts = {camera.name: book.counts(camera.position_mm) for camera in book.line.cameras}
        self.purge_end: float | None = None
        """Parts that reach the first gate's place before this position were not watched all the way."""

    def start(self, reading: BeltReading, *, is_covered: bool) -> None:
        """Begins at a belt position, perhaps with a part before the sensor."""
        if is_covered:
            self._covered_since = reading.count
        if self._trail:
            self._trail.start(reading)

    def observe(self, reading: BeltReading) -> None:
        """Takes a belt position."""
        if self._trail:
            self._trail.keep(reading)

    def cover(self, at_ns: int, count: int) -> None:
        """The part sensor sees a leading edge."""
        if self.begin(at_ns, count) is not None:
            self._covered_since = count

    def begin(self, at_ns: int, count: int, serial: str | None = None, seen_at: float = 0.0) -> Track | None:
        """A new part.

        Args:
            at_ns: When it was seen.
            count: The belt position at which its leading edge passes the place of the part sensor.
            serial: Its serial number, if it is known already.
            seen_at: How far from there it was seen, in counts.

        Returns:
            The part on the belt; `None` where the part is known, or was lost as there is no room for it.
        """
        book = self._book
        if self._footprints.knows(count, seen_at):
            book.write(EventKind.TRIGGER_REPEAT, text="the belt has reversed: this part is known")
            return None
        book.triggers += 1
        book.account.trigger()
        lane = book.line.line.lane
        part = Part(book.triggers, lane, at_ns, count, self._exposing.plan(count), book.account.lot, serial)
        track = Track(part)
        last = self._footprints.last
        pitch_mm = (count - last) / book.belt.counts_per_mm if last is not None else math.inf
        before = book.tracks[-1] if book.tracks else None
        self._footprints.add(count)
        is_full = sum(1 for each in book.tracks if not self._gating.is_past(each)) >= self._capacity
        book.write(EventKind.TRIGGER, part.part_id, trigger_count=count, trigger_ns=at_ns, lot=part.lot, serial=serial)
        if is_full:
            book.latch(
                StopCause.QUEUE_OVERFLOW, f"more than {self._capacity} parts between sensor and gate", part.part_id
            )
            book.settle(track, Outcome.LOST, Confirmation.MISSING)
            return None
        book.tracks.append(track)
        self._check_direction(track, seen_at)
        self._check_pitch(track, before, pitch_mm)
        self._check_watch(track)
        if book.challenge.is_running:
            track.is_challenge = True
            track.is_suppressed = book.challenge.trigger(track.part_id, pitch_mm)
        return track

    def show(self, frame: Frame) -> Outstanding | None:
        """A frame that itself shows a new part: the part begins where the belt was when the frame was taken.

        Returns:
            The exposure that it answers, the part's first; `None` where it is not to be judged.
        """
        book = self._book
        assert frame.lead_um is not None, "only frames that show a part come here"
        seen_at = self._camera_counts[frame.camera] + book.counts(frame.lead_um / 1000)
        count = round(self._place_of(frame) - seen_at)
        track = self.begin(frame.host_ns, count, seen_at=seen_at)
        if track is None:
            book.write(EventKind.FRAME_STRAY, camera=frame.camera)
            return None
        return self._exposing.answer(track, frame.host_ns)

    def uncover(self, count: int) -> None:
        """The part sensor sees a trailing edge."""
        book, part = self._book, self._book.line.part
        since, self._covered_since = self._covered_since, None
        book.stops.set_present(StopCause.SENSOR_BLOCKED, "part sensor", is_present=False)
        track = book.tracks[-1] if book.tracks else None
        if since is None or track is None or track.part.trigger_count != since:
            return
        self._footprints.extend(count)
        covered_mm = (count - since) / book.belt.counts_per_mm
        if covered_mm == 0 and not book.stops.is_latched:
            book.latch(StopCause.ENCODER_STILL, "a part went by and the encoder counted nothing", track.part_id)
        if covered_mm > part.length_mm + (part.min_pitch_mm - part.length_mm) / 2:
            track.hidden_mm = covered_mm - part.length_mm
            self._judging.force(
                track, Reason.TOUCHING, f"{covered_mm:.0f} mm under the sensor, a part has {part.length_mm:g}"
            )

    def check_sensor(self) -> None:
        """Stops the line where the part sensor is covered for too much belt."""
        book, blocked_mm = self._book, self._book.line.trigger.blocked_mm
        if self._covered_since is None:
            return
        is_blocked = book.reach - self._covered_since >= book.counts(blocked_mm)
        book.stops.set_present(StopCause.SENSOR_BLOCKED, "part sensor", is_blocked)
        if is_blocked:
            book.latch(StopCause.SENSOR_BLOCKED, f"the part sensor is covered for {blocked_mm:g} mm")

    def watch(self, camera: str, text: str, *, is_lost: bool) -> None:
        """Stops the line while the camera that sees parts come is lost: they would pass unseen.

        Args:
            camera: A camera that was lost, or is back.
            text: What is wrong with it.
            is_lost: It gives no frames.
        """
        trigger = self._book.line.trigger
        if trigger.source != "vision" or trigger.vision is None or camera != trigger.vision.camera:
            return
        self._book.stops.set_present(StopCause.UNWATCHED, camera, is_lost)
        if is_lost:
            self._book.latch(StopCause.UNWATCHED, f"nobody sees parts come: {text}")

    def forget(self) -> None:
        """The belt was cleared by hand: nothing covers the sensor."""
        self._covered_since = None

    def _place_of(self, frame: Frame) -> float:
        if frame.first_count is not None:
            return frame.first_count
        belt = self._book.belt
        assert self._trail is not None, "frames show parts where trigger.source is vision"
        return self._trail.at(frame.host_ns, BeltReading(belt.count, belt.count_ns), belt.speed_counts_s())

    def _check_direction(self, track: Track, seen_at: float) -> None:
        book = self._book
        stop_counts = book.counts(book.line.belt.stop_mm)
        if book.speed < 0 or track.part.trigger_count + seen_at < book.belt.origin - stop_counts:
            # Nothing that is not known yet can come from downstream.
            text = f"a new part came while the encoder counted backwards: {SWAP}"
            book.latch(StopCause.BELT_BACKWARDS, text, track.part_id)
            self._judging.force(track, Reason.PURGED, "the belt position is not known")

    def _check_pitch(self, track: Track, before: Track | None, pitch_mm: float) -> None:
        book, part = self._book, self._book.line.part
        if pitch_mm == 0:
            book.latch(StopCause.ENCODER_STILL, "two parts came and the encoder counted nothing", track.part_id)
        if pitch_mm < part.min_pitch_mm:
            text = f"{pitch_mm:.1f} mm between leading edges, {part.min_pitch_mm:g} needed"
            self._judging.force(track, Reason.TOUCHING, text)
            if before is not None and before.outcome is None:
                self._judging.force(before, Reason.TOUCHING, text)

    def _check_watch(self, track: Track) -> None:
        gate_counts = self._book.counts(self._gating.default.settings.position_mm)
        if self.purge_end is not None and track.part.trigger_count + gate_counts <= self.purge_end:
            self._judging.force(track, Reason.PURGED, "on belt that was not watched all the way")
