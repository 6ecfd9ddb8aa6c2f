"""What the handshake lines say to the machines around.

Each output is energised while what it says is good, so that a dead box and a broken wire read as the bad news:

- `ready` while parts are judged: the line is RUNNING and its cameras are well. Upstream holds its parts otherwise.
- `fault` while nothing needs a person who mends: off for every latched stop but those that people wanted, and while a
  camera fails.
- `line_stop` while the line may run: off for every latched stop. It says the same as the permit, to a controller that
  wants a level; it is not fed by toggles and therefore proves nothing when the box dies (REJECT_TRACKING, rule 10).
- `heartbeat` changes at each toggle of the heartbeat (rule 11), also while the line is stopped: the controller tells
  a stopped line from a dead station by it.

A line is let go at once. It is energised, and kept so, only together with the heartbeat.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.config import HandshakeSettings
from app.reject.stops import StopCause
from app.status import State

WANTED = (StopCause.OPERATOR, StopCause.NOT_CLEARED, StopCause.EXTERNAL_STOP)
"""Stops that people made or that the start brings: nothing is broken."""


class Handshake:
    """What each wired line should say.

    Pure: it is told how the line is and says which outputs to switch.

    Args:
        settings: Which lines are wired.
    """

    def __init__(self, settings: HandshakeSettings) -> None:
        self._levels = dict.fromkeys(settings.outputs, False)
        self._has_beat = "heartbeat" in self._levels
        self.is_wired = bool(self._levels)

    def update(self, state: State, causes: Iterable[StopCause], *, is_blind: bool) -> Iterator[tuple[str, bool]]:
        """Takes how the line is.

        Args:
            state: What the line is doing, cameras apart.
            causes: Of the present stop.
            is_blind: A camera fails.

        Yields:
            The lines to let go at once, by name, with `False`.
        """
        good = {
            "ready": state is State.RUNNING and not is_blind,
            "fault": not is_blind and all(cause in WANTED for cause in causes),
            "line_stop": state is not State.STOPPED,
        }
        for name, is_good in good.items():
            was_good = self._levels.get(name)
            if was_good is None:
                continue
            self._levels[name] = is_good
            if was_good and not is_good:
                yield name, False

    def beat(self) -> Iterator[tuple[str, bool]]:
        """All of the station's workers make progress.

        Yields:
            Every line and its level, to be switched or refreshed.
        """
        if self._has_beat:
            self._levels["heartbeat"] = not self._levels["heartbeat"]
        yield from self._levels.items()
