"""The account of every lot: triggers = passed + rejected + lost + in flight (REJECT_TRACKING, rule 9)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from app.errors import CommandRefusedError
from app.types import Outcome, Tally


class Account:
    """Counts parts by lot. A part belongs to the lot that was open at its trigger, wherever its outcome falls.

    Args:
        lot: The lot that runs.
        carried: The accounts of the lots that were open at the last start, by name.
    """

    def __init__(self, lot: str, carried: Mapping[str, Tally] = MappingProxyType({})) -> None:
        self.lot = lot
        self._triggers: dict[str, int] = {lot: 0}
        self._outcomes: dict[str, dict[Outcome, int]] = {lot: dict.fromkeys(Outcome, 0)}
        for name, tally in carried.items():
            self._triggers[name] = tally.triggers
            self._outcomes[name] = {
                Outcome.PASSED: tally.passed,
                Outcome.REJECTED: tally.rejected,
                Outcome.LOST: tally.lost,
            }

    def open(self, lot: str) -> None:
        """Makes `lot` the running one.

        Raises:
            CommandRefusedError: It has no name, or is open already.
        """
        if not lot.strip():
            raise CommandRefusedError("a lot needs a name", "give it one")
        if lot in self._triggers:
            raise CommandRefusedError(f"lot {lot} is open already", "choose another name")
        self._triggers[lot] = 0
        self._outcomes[lot] = dict.fromkeys(Outcome, 0)
        self.lot = lot

    def close(self, lot: str, by: str, reason: str) -> Tally:
        """Closes a lot that is no longer running and gives its final account.

        Raises:
            CommandRefusedError: It runs, is unknown, has parts in flight, or has lost parts and no name and reason.
        """
        if lot not in self._triggers:
            raise CommandRefusedError(f"lot {lot} is not open", "name an open lot")
        tally = self.tally(lot)
        if lot == self.lot:
            raise CommandRefusedError(f"lot {lot} is running", "open the next lot first")
        if tally.in_flight:
            raise CommandRefusedError(f"lot {lot} has {tally.in_flight} parts in flight", "let them leave the belt")
        if tally.lost and not (by.strip() and reason.strip()):
            raise CommandRefusedError(f"lot {lot} has {tally.lost} lost parts", "close it with a name and a reason")
        del self._triggers[lot], self._outcomes[lot]
        return tally

    def trigger(self) -> None:
        """Counts a part of the running lot."""
        self._triggers[self.lot] += 1

    def outcome(self, lot: str, outcome: Outcome) -> None:
        """Counts the final state of a part of `lot`."""
        self._outcomes[lot][outcome] += 1

    def tally(self, lot: str | None = None) -> Tally:
        """The account of a lot, the running one by default."""
        key = self.lot if lot is None else lot
        triggers, outcomes = self._triggers[key], self._outcomes[key]
        return Tally(
            triggers=triggers,
            passed=outcomes[Outcome.PASSED],
            rejected=outcomes[Outcome.REJECTED],
            lost=outcomes[Outcome.LOST],
            in_flight=triggers - sum(outcomes.values()),
        )
