"""Which judged frames become pictures: borrows each from its slot, copies it, gives the slot back and sends it on."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from app.bus.place import Place
from app.bus.slots import SlotReader
from app.clock import NS_PER_S
from app.errors import BusError
from app.record.darkroom import Exposed
from app.record.keys import PartKey
from app.record.pictures import PictureKind, Shot, kind_of
from app.types import PASS, EventKind, Image, LedgerEvent

PREVIEWS_PER_S = 10
MOST_UNDECIDED = 4
"""Frames of a lane that wait in memory for the verdict of their part."""

_MOST_VERDICTS = 512
_FORGOTTEN_NS = 5 * NS_PER_S


@dataclass(frozen=True, slots=True)
class _Decided:
    destination: str
    is_flagged: bool


@dataclass(frozen=True, slots=True)
class _Frame:
    event: LedgerEvent
    shot: Shot
    said: _Decided


@dataclass(frozen=True, slots=True, eq=False)
class _Undecided:
    shot: Shot
    image: Image
    said: _Decided


class Selection:
    """Decides for each judged frame whether it is kept and whether it is shown.

    A part of several frames is decided with the last of them; until then the others wait as copies, a few at most.

    Args:
        place: Where the slots are.
        lanes: The names of each lane's cameras.
        pass_every: One of so many passes is kept.
        may_keep: Whether a picture of a kind may be written now.
        send: Takes what is to be developed.

    Attributes:
        dropped: Pictures that should have been kept and could not be had any more, by kind.
    """

    def __init__(
        self,
        place: Place,
        lanes: dict[int, tuple[str, ...]],
        pass_every: int,
        may_keep: Callable[[PictureKind], bool],
        send: Callable[[Exposed], None],
    ) -> None:
        self.dropped: Counter[PictureKind] = Counter()
        self._place = place
        self._pass_every = pass_every
        self._may_keep = may_keep
        self._send = send
        self._slots: dict[tuple[int, str], SlotReader | None] = {
            (lane, camera): None for lane, cameras in lanes.items() for camera in cameras
        }
        self._inherited: set[tuple[int, str]] = set()
        self._verdicts: OrderedDict[PartKey, _Decided] = OrderedDict()
        self._undecided: dict[PartKey, list[_Undecided]] = {}
        self._shown = float(PREVIEWS_PER_S)
        self._shown_ns = 0

    def take(self, event: LedgerEvent, wall_us: int, now_ns: int) -> None:
        """Takes the next event of a lane.

        Args:
            event: The event; it is in the ledger.
            wall_us: The wall time that its picture is filed under.
            now_ns: The time.
        """
        if event.part_id is None:
            return
        key = (event.lane, event.epoch, event.part_id)
        if event.kind is EventKind.VERDICT:
            self._decide(key, event)
        elif event.kind is EventKind.JUDGED:
            self._judged(key, event, wall_us, now_ns)

    def open(self) -> None:
        """Opens the slots that are there now."""
        for (lane, camera), slots in self._slots.items():
            if slots is None:
                # Not there yet, or being made: it is tried again.
                with suppress(BusError):
                    self._slots[lane, camera] = SlotReader(self._place.frames(lane, camera), "recorder")
                    self._inherited.add((lane, camera))

    def let_go(self, now_ns: int) -> None:
        """Lets go of frames that no event speaks of. To be called when no event waits.

        Frames that a recorder which died was given are had from their slots like all others, as their events come once
        more; what is left of them afterwards it had taken itself.
        """
        for key, slots in self._slots.items():
            if slots is not None:
                slots.let_go(None if key in self._inherited else now_ns - _FORGOTTEN_NS)
        self._inherited.clear()

    def close(self) -> None:
        """Lets go of every slot. Idempotent."""
        for key, slots in self._slots.items():
            if slots is not None:
                slots.let_go()
                slots.close()
            self._slots[key] = None

    def _judged(self, key: PartKey, event: LedgerEvent, wall_us: int, now_ns: int) -> None:
        lane, epoch, part_id = key
        said = event.data
        camera, exposure = str(said.get("camera") or ""), said.get("exposure")
        shot = Shot(lane, epoch, part_id, camera, exposure if isinstance(exposure, int) else 0, wall_us)
        is_shown = self._is_preview_due(now_ns)
        decided = self._verdicts.get(key)
        if decided is None:
            told = _Decided(str(said.get("destination") or ""), bool(said.get("is_flagged")))
            self._undecided_frame(key, _Frame(event, shot, told), is_shown=is_shown)
            return
        kind = self._kind(decided, part_id)
        image = self._copy(event, is_wanted=kind is not None or is_shown)
        if image is not None:
            self._send(Exposed(shot, image, kind, is_shown))
        elif kind is not None:
            self.dropped[kind] += 1

    def _undecided_frame(self, key: PartKey, frame: _Frame, *, is_shown: bool) -> None:
        image = self._copy(frame.event, is_wanted=True)
        if image is None:
            kind = self._due(frame.said, frame.shot.part_id)
            self.dropped.update([kind] if kind else [])
            return
        self._wait(key, _Undecided(frame.shot, image, frame.said))
        if is_shown:
            self._send(Exposed(frame.shot, image, None, is_shown=True))

    def _decide(self, key: PartKey, event: LedgerEvent) -> None:
        said = event.data
        destination, route = str(said.get("destination") or ""), str(said.get("route") or "")
        decided = _Decided(route if destination == PASS else destination, bool(said.get("is_flagged")))
        self._verdicts[key] = decided
        while len(self._verdicts) > _MOST_VERDICTS:
            self._verdicts.popitem(last=False)
        self._send_waiting(self._undecided.pop(key, ()), decided)

    def _wait(self, key: PartKey, frame: _Undecided) -> None:
        self._undecided.setdefault(key, []).append(frame)
        while sum(len(each) for each in self._undecided.values()) > MOST_UNDECIDED:
            oldest = next(iter(self._undecided))
            frames = self._undecided.pop(oldest)
            # Rather a picture too many than none of a part that turns out bad: what was said so far decides.
            for each in frames:
                self._send_waiting((each,), each.said)

    def _send_waiting(self, frames: Sequence[_Undecided], decided: _Decided) -> None:
        for each in frames:
            kind = self._kind(decided, each.shot.part_id)
            if kind is not None:
                self._send(Exposed(each.shot, each.image, kind, is_shown=False))

    def _due(self, decided: _Decided, part_id: int) -> PictureKind | None:
        return kind_of(decided.destination, part_id, self._pass_every, is_flagged=decided.is_flagged)

    def _kind(self, decided: _Decided, part_id: int) -> PictureKind | None:
        kind = self._due(decided, part_id)
        if kind is None or self._may_keep(kind):
            return kind
        self.dropped[kind] += 1
        return None

    def _is_preview_due(self, now_ns: int) -> bool:
        self._shown += max(0, now_ns - self._shown_ns) * PREVIEWS_PER_S / NS_PER_S
        self._shown = min(self._shown, float(PREVIEWS_PER_S))
        self._shown_ns = now_ns
        if self._shown < 1:
            return False
        self._shown -= 1
        return True

    def _copy(self, event: LedgerEvent, *, is_wanted: bool) -> Image | None:
        """The pixels, where they are wanted and still there; the slot is free afterwards in any case."""
        slots, slot, generation = self._slot_of(event)
        frame = slots.borrow(slot, generation) if slots is not None and slot >= 0 else None
        if frame is None:
            return None
        try:
            return np.array(frame.image, np.uint8) if is_wanted else None
        finally:
            frame.release()

    def _slot_of(self, event: LedgerEvent) -> tuple[SlotReader | None, int, int]:
        said = event.data
        slot, generation = said.get("slot"), said.get("generation")
        if not isinstance(slot, int) or not isinstance(generation, int):
            return None, -1, 0
        return self._slots.get((event.lane, str(said.get("camera") or ""))), slot, generation
