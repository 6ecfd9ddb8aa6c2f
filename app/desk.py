"""What people and other processes ask of a station, carried out between two steps of the line."""

from __future__ import annotations

from collections.abc import Callable

from app.bus.commands import CommandServer, Received, Reply, Request
from app.changeover import Proposal
from app.errors import CommandRefusedError, TaktError
from app.reject.pulsing import PulseWish
from app.reject.tracking import Tracker
from app.station import Station

Unpark = Callable[[Tracker, str, str], None]
"""Asks for a parked accelerator again: writes down who and why, and raises CommandRefusedError where none is parked."""


def no_accelerator(_tracker: Tracker, _by: str, _reason: str) -> None:
    """What a station without an accelerator answers.

    Raises:
        CommandRefusedError: Always.
    """
    raise CommandRefusedError("this lane has no accelerator", "name one in model.accelerator", code="NO_ACCELERATOR")


class Desk:
    """Takes requests, has them done, and acknowledges each by the ledger's sequence number.

    Args:
        station: Who does them.
        server: Where they come in.
        unpark: Asks for the accelerator.
    """

    def __init__(self, station: Station, server: CommandServer, unpark: Unpark = no_accelerator) -> None:
        self._station = station
        self._server = server
        self._unpark = unpark

    def fileno(self) -> int:
        """Becomes readable when somebody asks something."""
        return self._server.fileno()

    def serve(self) -> None:
        """Answers everything that has been asked."""
        for received in self._server.receive():
            if received.request.command == "adopt_recipe":
                self._propose(received)
            elif received.request.command == "silence":
                self._server.answer(received, self._silenced())
            elif received.request.command == "pulse":
                self._server.answer(received, self._pulsed(received.request))
            else:
                self._server.answer(received, self._answered(received.request))

    def _propose(self, received: Received) -> None:
        """A change of recipe is answered when it has been made, by the thread that makes it."""
        request = received.request

        def answer(outcome: int | TaktError) -> None:
            self._server.answer(received, self._told(outcome))

        try:
            self._station.propose(Proposal(request.recipe, request.by, request.role, request.reason), answer)
        except TaktError as error:
            answer(error)

    def _silenced(self) -> Reply:
        try:
            self._station.silence()
        except TaktError as error:
            return self._told(error)
        return Reply(ok=True, **self._place())

    def _pulsed(self, request: Request) -> Reply:
        """Answered when the pulse has begun: it ends by itself."""
        assert request.pulse_ms is not None, "Request sees to it"
        wish = PulseWish(request.output, request.pulse_ms, request.by, request.role, request.reason)
        try:
            return self._told(self._station.pulse(wish))
        except TaktError as error:
            return self._told(error)

    def _told(self, outcome: int | TaktError) -> Reply:
        if isinstance(outcome, TaktError):
            why = outcome
            return Reply(ok=False, what=why.what, mend=why.mend, code=why.code, values=why.values, **self._place())
        return Reply(ok=True, epoch=self._place()["epoch"], sequence=outcome)

    def _answered(self, request: Request) -> Reply:
        try:
            self._station.ask(lambda tracker: self._carry_out(request, tracker))
        except TaktError as error:
            return self._told(error)
        return Reply(ok=True, **self._place())

    def _place(self) -> dict[str, int]:
        epoch, sequence = self._station.place()
        return {"epoch": epoch, "sequence": sequence}

    def _carry_out(self, request: Request, tracker: Tracker) -> None:
        by = request.by
        match request.command:
            case "stop":
                tracker.stop(by)
            case "purge":
                tracker.purge(by)
            case "reset":
                tracker.reset(by, request.role, request.reason, is_cleared=request.is_cleared)
            case "open_lot":
                tracker.open_lot(request.lot)
            case "close_lot":
                tracker.close_lot(request.lot, by, request.reason)
            case "start_challenge":
                tracker.start_challenge(by)
            case "serial":
                assert request.part_id is not None, "Request sees to it"
                assert request.serial is not None, "Request sees to it"
                tracker.serial(request.part_id, request.serial)
            case "unpark":
                self._unpark(tracker, by, request.reason)
