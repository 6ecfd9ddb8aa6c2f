"""Which part is which: one trigger for each, however the belt moves."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.capture.vision.pieces import Gap, Profile

_WIDE = 0.25
_WHOLE = 1.15
_LONGEST = 1.35
_CERTAIN = 1.3
_SHORTEST = 0.6
_SPREAD = 0.2
_NEARNESS = 0.8
_LEAST_WORTH = 1.1
_DENTED = 0.9
_NEAR = 0.2
_WITHIN = 0.5
_SAME = 0.3
_LATE = 0.1
_MOST_MISSES = 8
_KEPT_BEYOND = 3.0
_MOST_KEPT = 200
_DOUBT = 0.05
_MOST_DOUBT = 50.0


@dataclass(slots=True)
class Known:
    """A part that was seen.

    Attributes:
        lead: Column of its leading edge, also outside the picture.
        trail: Column of its trailing edge, as far as it was seen.
        is_done: It has triggered, or was beyond the line when it was first seen.
        misses: Looks since it was last seen where it should be.
        doubt: By how many columns more its place is uncertain, as nothing showed how the belt moved.
    """

    lead: float
    trail: float
    is_done: bool = False
    misses: int = 0
    doubt: float = 0.0


@dataclass(frozen=True, slots=True)
class Span:
    """A part as one look shows it.

    Attributes:
        lead: Column of its leading edge.
        trail: Column of its trailing edge, or of where it comes in.
        solid: Columns between them that are no gap.
    """

    lead: float
    trail: float
    solid: int


class Parts:
    """Tells parts apart by their length, and knows those again that it has counted.

    What is seen is read from the downstream end. Parts that have triggered are looked for where the travel of the belt
    says that they are, in the picture or outside it. What lies between is cut into parts anew at each look: at wide
    gaps; where something is too long for one part, at the gap or valley that is deepest and nearest to a part's
    length; and where there is none, after each part's length.

    Args:
        part_columns: Columns of a part of nominal length.
        columns: Of the picture.
        line: Column of the virtual line.
        least_share: What is shorter than this share of a part is none.
    """

    def __init__(self, part_columns: float, columns: int, line: float, least_share: float) -> None:
        self._length = part_columns
        self._columns = columns
        self._line = line
        self._least = least_share * part_columns
        self._known: list[Known] = []
        self._is_first = True

    def move(self, travel: float | None) -> None:
        """Carries everything along with the belt; `None`: nothing shows how far."""
        for part in self._known:
            if travel is None:
                part.doubt = min(part.doubt + _DOUBT * self._length, _MOST_DOUBT * self._length)
            else:
                part.lead += travel
                part.trail += travel

    def see(self, profile: Profile, travel: float) -> list[Span]:
        """Takes what is seen now.

        Args:
            profile: Along the belt.
            travel: Columns since the last look.

        Returns:
            The parts that have newly crossed the line.
        """
        before = [part for part in self._known if not part.is_done]
        seen = self._read(profile)
        crossed = []
        for part, span in seen:
            if part.is_done:
                continue
            self._inherit(part, before, travel)
            if not part.is_done and self._is_crossing(span, travel):
                part.is_done = True
                crossed.append(span)
        self._is_first = False
        self._forget([part for part, _ in seen])
        return crossed

    def _is_crossing(self, span: Span, travel: float) -> bool:
        is_long = span.solid >= self._least
        return is_long and self._line <= span.lead <= self._line + self._length + max(travel, 0.0)

    def _inherit(self, part: Known, before: list[Known], travel: float) -> None:
        """A part that was never seen before the line, and did not come in since, did not cross it."""
        if any(abs(old.lead - part.lead) < _SAME * self._length for old in before):
            return
        came_from = part.lead - max(travel, 0.0)
        part.is_done = part.lead >= self._line and (
            self._is_first or came_from >= self._line + _LATE * self._length or travel < 0
        )

    def _read(self, profile: Profile) -> list[tuple[Known, Span]]:
        """Cuts what is seen into parts, downstream first."""
        anchors = sorted((part for part in self._known if part.is_done), key=lambda part: -part.lead)
        seen: list[tuple[Known, Span]] = []
        end = float(self._columns)
        while True:
            lead = profile.lead_before(end)
            if lead is None:
                break
            part = self._anchor_at(lead, anchors)
            if part is None:
                part = Known(lead, lead)
            else:
                anchors = anchors[anchors.index(part) + 1 :]
                self._place(part, lead)
            trail = self._trail(part.lead, lead, profile, anchors)
            part.trail = min(part.trail, trail) if part.is_done and part.lead - part.trail < self._length else trail
            seen.append((part, Span(part.lead, trail, profile.solid_between(trail, lead))))
            end = min(trail, lead - 1)
        return seen

    def _anchor_at(self, lead: float, anchors: list[Known]) -> Known | None:
        near = [
            part
            for part in anchors
            if -_WITHIN * self._length - part.doubt <= lead - part.lead <= _NEAR * self._length + part.doubt
            or part.trail + _LATE * self._length < lead <= part.lead
            or (lead >= self._columns and part.trail < lead <= part.trail + _CERTAIN * self._length)
        ]
        return min(near, key=lambda part: abs(part.lead - lead), default=None)

    def _place(self, part: Known, lead: float) -> None:
        is_cut = lead >= self._columns and part.lead >= self._columns
        if not is_cut and (abs(lead - part.lead) <= _NEAR * self._length + part.doubt or lead >= self._columns):
            part.trail += lead - part.lead
            part.lead = lead
        part.doubt = 0.0
        part.misses = 0

    def _trail(self, lead: float, top: float, profile: Profile, anchors: list[Known]) -> float:
        """Where the part that begins at `lead` ends; `top` is where its visible rest begins."""
        length = self._length
        following = next((part.lead for part in anchors if part.lead < top - self._least), -math.inf)
        gaps = [gap for gap in reversed(profile.gaps) if gap.high < top]
        wide = next((gap for gap in gaps if gap.width >= _WIDE * length), None)
        first = profile.is_solid.argmax()
        hard = wide.high if wide else float(first)
        if following > max(hard, lead - _LONGEST * length):
            return following
        if lead - hard <= _WHOLE * length:
            return hard
        is_maybe_one = lead - hard <= _CERTAIN * length
        least = _SHORTEST * length if is_maybe_one else self._least
        best = self._best(lead, [gap for gap in gaps if hard < gap.middle <= lead - least])
        if best is not None:
            return best.high
        if is_maybe_one:
            return hard
        dent = profile.dent_between(lead - _WHOLE * length, lead - _DENTED * length)
        return lead - length if dent is None else dent

    def _best(self, lead: float, gaps: list[Gap]) -> Gap | None:
        length = self._length

        def worth(gap: Gap) -> float:
            off = (lead - gap.middle - length) / (_SPREAD * length)
            return gap.depth + _NEARNESS * math.exp(-0.5 * off * off)

        within = [gap for gap in gaps if lead - gap.middle <= _LONGEST * length]
        best = max(within, key=worth, default=None)
        return best if best is not None and worth(best) >= _LEAST_WORTH else None

    def _forget(self, seen: list[Known]) -> None:
        kept = []
        for part in sorted(self._known, key=lambda each: -each.lead):  # the nearest of those that went back come first
            if not part.is_done or part in seen:
                continue
            if part.trail > self._columns + _KEPT_BEYOND * self._length:
                continue
            is_due = part.lead - part.doubt > _NEAR * self._length and part.trail < self._columns - 1
            part.misses = part.misses + 1 if is_due else 0
            if part.misses < _MOST_MISSES:
                kept.append(part)
        self._known = [*kept[:_MOST_KEPT], *seen]
