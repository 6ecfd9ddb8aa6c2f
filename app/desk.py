"""What people and other processes ask of a station, carried out between two steps of the line."""

from __future__ import annotations

from app.bus.commands import CommandServer, Reply, Request
from app.errors import TaktError
from app.reject.tracking import Tracker
from app.station import Station


class Desk:
    """Takes requests, has them done, and acknowledges each by the ledger's sequence number.

    Args:
        station: Who does them.
        server: Where they come in.
    """

    def __init__(self, station: Station, server: CommandServer) -> None:
        self._station = station
        self._server = server

    def fileno(self) -> int:
        """Becomes readable when somebody asks something."""
        return self._server.fileno()

    def serve(self) -> None:
        """Answers everything that has been asked."""
        for received in self._server.receive():
            self._server.answer(received, self._answered(received.request))

    def _answered(self, request: Request) -> Reply:
        try:
            self._station.ask(lambda tracker: _carry_out(request, tracker))
        except TaktError as error:
            return Reply(ok=False, what=error.what, mend=error.mend, **self._place())
        return Reply(ok=True, **self._place())

    def _place(self) -> dict[str, int]:
        epoch, sequence = self._station.place()
        return {"epoch": epoch, "sequence": sequence}


def _carry_out(request: Request, tracker: Tracker) -> None:
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
