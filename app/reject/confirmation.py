"""Where a part is seen again after the gate (REJECT_TRACKING, rule 8)."""

from __future__ import annotations

from collections.abc import Iterable

from app.config import ChuteSettings, ExitSettings
from app.reject.track import Track
from app.types import Outcome


class ChuteWatch:
    """Says which part a chute sensor has seen.

    Windows of neighbours overlap where parts follow closely. The part is taken whose delay after its fire point is
    nearest to what confirmed parts needed, not the oldest: a missed reject must not borrow its neighbour's proof.

    Args:
        settings: The window, in mm after the fire point.
        counts_per_mm: Quadrature counts per millimetre.
    """

    LEARNING = 0.2
    """Weight of each confirmed delay in the running mean."""

    def __init__(self, settings: ChuteSettings, counts_per_mm: float) -> None:
        self._from = settings.from_mm * counts_per_mm
        self._to = settings.to_mm * counts_per_mm
        self._delay = (self._from + self._to) / 2
        self._is_proven = False

    def match(self, count: int, tracks: Iterable[tuple[Track, float]]) -> Track | None:
        """The part that the sensor saw at `count`.

        Args:
            count: Belt position of the sensor's edge.
            tracks: Parts without an outcome, each with its fire point in counts.
        """
        best: Track | None = None
        best_error = best_delay = 0.0
        for track, fire in tracks:
            delay = count - fire
            error = abs(delay - self._delay)
            if self._from <= delay <= self._to and (best is None or error < best_error):
                best, best_error, best_delay = track, error, delay
        if best is not None:
            weight = self.LEARNING if self._is_proven else 1.0
            self._delay += weight * (best_delay - self._delay)
            self._is_proven = True
        return best

    def end(self, fire: float) -> float:
        """The belt position at which a part fired at `fire` is overdue."""
        return fire + self._to


class ExitWatch:
    """Says which part the exit sensor has seen.

    Args:
        settings: Position and tolerance in mm.
        counts_per_mm: Quadrature counts per millimetre.
    """

    def __init__(self, settings: ExitSettings, counts_per_mm: float) -> None:
        self._at = settings.position_mm * counts_per_mm
        self._tolerance = settings.tolerance_mm * counts_per_mm

    def match(self, count: int, tracks: Iterable[Track]) -> Track | None:
        """The part expected nearest to `count`, within the tolerance; a part seen in the chute is not expected."""
        best: Track | None = None
        best_error = self._tolerance
        for track in tracks:
            error = abs(count - track.part.trigger_count - self._at)
            if track.outcome in (None, Outcome.LOST) and error <= best_error:
                best, best_error = track, error
        return best

    def end(self, track: Track) -> float:
        """The belt position at which a part is overdue."""
        return track.part.trigger_count + self._at + self._tolerance

    def is_older(self, high_water: int, origin: int) -> bool:
        """Whether a part seen now was past the part sensor already when tracking began at `origin`.

        Args:
            high_water: The farthest that the belt has been; where it stands now says nothing, as it may have reversed.
            origin: Where tracking began.
        """
        return high_water < origin + self._at - self._tolerance
