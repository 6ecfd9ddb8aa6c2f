"""How a station comes to its accelerator: attaches to the server of its lane, whenever there is a new one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.bus.bell import Bell
from app.bus.exchange import ExchangeClient
from app.clock import Clock
from app.detect.accelerator import open_remote
from app.detect.curtain import Attached, Shown
from app.detect.package import Package, load_package
from app.detect.proof import ReadPicture
from app.detect.unused import reasons_of
from app.errors import DetectorError, PackageError


class Attachment:
    """Attaches to the server of a lane, whenever there is a new one.

    Args:
        path: The lane's exchange.
        package: The station's package; any model of it.
        read: Reads a golden frame.
        ring: Wakes the server.
        answered: Rung by the server.
        clock: Times the stages.
    """

    def __init__(
        self,
        path: Path,
        package: Package,
        read: ReadPicture,
        ring: Callable[[], None],
        answered: Bell,
        clock: Clock,
    ) -> None:
        self._path = path
        self._models = {each: load_package(package.folder, variant=each) for each in package.variants}
        # Nothing is read from the disk once parts are judged.
        self._frames = {name: shown_frames(model, read) for name, model in self._models.items()}
        self._ring = ring
        self._answered = answered
        self._clock = clock
        self._exchange: ExchangeClient | None = None
        self._last_session = 0

    def __call__(self) -> Attached | None:
        """Attaches; `None` where there is no server, or only one that was attached to or distrusted before.

        Raises:
            PackageError: The server runs another model.
            DetectorError: It could not start.
            BusError: Its file is broken, or it has ended.
        """
        if self._exchange is not None and self._exchange.is_retired:
            self._exchange.close()
            self._exchange, self._last_session = None, 0
        if self._exchange is None:
            if not self._path.exists():
                return None
            self._exchange = ExchangeClient(self._path)
        exchange = self._exchange
        refusal = exchange.refusal
        if refusal:
            raise DetectorError(f"accelerator not started: {refusal}", "it is tried again by itself")
        if not exchange.is_ready or exchange.session == self._last_session:
            return None
        # It was distrusted by the station before this one, or still works at that one's last picture.
        if exchange.is_distrusted or exchange.is_busy:
            return None
        session = exchange.session
        try:
            detector, model = open_remote(exchange, self._model, self._ring, self._answered, self._clock)
        except DetectorError as error:
            self._last_session = session
            exchange.distrust(session, str(error))
            self._ring()
            raise
        if exchange.session != session:
            # What was read may be half of the one and half of its successor, which is looked at next time.
            detector.close()
            return None
        self._last_session = session
        about = exchange.about()
        frames = self._frames[model.variant]
        return Attached(detector, detector.remote, model, frames, _usual_ns(about), reasons_of(about.get("unused")))

    def _model(self, variant: str) -> Package:
        if variant not in self._models:
            raise PackageError(
                f"the accelerator runs a model {variant!r} that the package has not", "restart the accelerator"
            )
        return self._models[variant]


def shown_frames(package: Package, read: ReadPicture) -> tuple[Shown, ...]:
    """The golden frames of a model in memory.

    Raises:
        DataError: One cannot be read.
    """
    return tuple(Shown(each, read(each.image), read(each.golden) if each.golden else None) for each in package.frames)


def _usual_ns(about: dict[str, Any]) -> int:
    said = about.get("usual_ns", 0)
    return said if isinstance(said, int) else 0
