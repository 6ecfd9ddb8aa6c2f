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
            raise CommandRefusedError("a lot needs a name", "give it one", code="LOT_NAMELESS")
        if lot in self._triggers:
            raise _refusal("LOT_OPEN", lot, f"lot {lot} is open already", "choose another name")
        self._triggers[lot] = 0
        self._outcomes[lot] = dict.fromkeys(Outcome, 0)
        self.lot = lot

    def close(self, lot: str, by: str, reason: str) -> Tally:
        """Closes a lot that is no longer running and gives its final account.

        Raises:
            CommandRefusedError: It runs, is unknown, has parts in flight, or has lost parts and no name and reason.
        """
        if lot not in self._triggers:
            raise _refusal("LOT_NOT_OPEN", lot, f"lot {lot} is not open", "name an open lot")
        tally = self.tally(lot)
        if lot == self.lot:
            raise _refusal("LOT_RUNS", lot, f"lot {lot} is running", "open the next lot first")
        if tally.in_flight:
            what = f"lot {lot} has {tally.in_flight} parts in flight"
            raise _refusal("LOT_IN_FLIGHT", lot, what, "let them leave the belt", tally.in_flight)
        if tally.lost and not (by.strip() and reason.strip()):
            what = f"lot {lot} has {tally.lost} lost parts"
            raise _refusal("LOT_LOST", lot, what, "close it with a name and a reason", tally.lost)
        del self._triggers[lot], self._outcomes[lot]
        return tally

    def ended(self) -> tuple[str, ...]:
        """The lots that no longer run and whose every part is accounted for, none of them lost."""
        if len(self._triggers) == 1:  # as at most steps of the line
            return ()
        tallies = {lot: self.tally(lot) for lot in self._triggers if lot != self.lot}
        return tuple(lot for lot, tally in tallies.items() if not tally.in_flight and not tally.lost)

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


def _refusal(code: str, lot: str, what: str, mend: str, parts: int | None = None) -> CommandRefusedError:
    values = {"lot": lot} | ({} if parts is None else {"parts": str(parts)})
    return CommandRefusedError(what, mend, code=code, values=values)
