"""What the handshake lines say to the machines around.

Each output is energised while what it says is good, so that a dead box and a broken wire read as the bad news:

- `ready` while parts are judged: the line is RUNNING and its cameras are well. Upstream holds its parts otherwise.
- `fault` while nothing needs a person who mends: off for every latched stop but those that people wanted, and while a
  camera fails.
- `line_stop` while the line may run: off for every latched stop. It says the same as the permit, to a controller that
  wants a level; it is not fed by toggles and therefore proves nothing when the box dies (REJECT_TRACKING, rule 10).
- `heartbeat` changes at each toggle of the heartbeat (rule 11), also while the line is stopped: the controller tells
  a stopped line from a dead station by it.

The lamps of a stack light and its buzzer are such lines too, which are lit while they have something to say: red for a
stopped line, amber for one that does not sort as it should, green for one that does, and the buzzer for what somebody
must mend, until it is silenced. All of them are dark when the box dies.

A line is let go at once. It is energised, and kept so, only together with the heartbeat.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.config import HandshakeSettings
from app.errors import CommandRefusedError
from app.reject.stops import StopCause
from app.status import State

WANTED = (StopCause.OPERATOR, StopCause.NOT_CLEARED, StopCause.EXTERNAL_STOP)
"""Stops that people made or that the start brings: nothing is broken."""


def lamps_of(state: State, *, is_blind: bool, is_degraded: bool) -> dict[str, bool]:
    """Which lamps of a stack light are lit, as IEC 60073 has their colours.

    Args:
        state: What the line is doing, cameras and detector apart.
        is_blind: A camera fails.
        is_degraded: The standby judges.
    """
    is_stopped = state is State.STOPPED
    is_well = state is State.RUNNING and not is_blind and not is_degraded
    return {"lamp_red": is_stopped, "lamp_amber": not is_stopped and not is_well, "lamp_green": is_well}


class Handshake:
    """What each wired line should say.

    Pure: it is told how the line is and says which outputs to switch.

    Args:
        settings: Which lines are wired.
    """

    def __init__(self, settings: HandshakeSettings) -> None:
        self._levels = dict.fromkeys(settings.outputs, False)
        self._has_beat = "heartbeat" in self._levels
        self._silenced: frozenset[str] = frozenset()
        self._troubles: frozenset[str] = frozenset()
        self.is_wired = bool(self._levels)
        self.has_buzzer = "buzzer" in self._levels

    @property
    def is_buzzing(self) -> bool:
        """Something must be mended, and nobody has silenced it."""
        return bool(self._troubles - self._silenced)

    def silence(self) -> None:
        """Lets the buzzer be still for what is wrong now; what comes later sounds again.

        Raises:
            CommandRefusedError: There is no buzzer.
        """
        if not self.has_buzzer:
            mend = "wire one, and name it in handshake.buzzer"
            raise CommandRefusedError("this line has no buzzer", mend, code="NO_BUZZER")
        self._silenced = self._troubles

    def lit(self, state: State, *, is_blind: bool, is_degraded: bool) -> tuple[str, ...]:
        """The lamps that are lit, or would be if they were wired, and the buzzer where there is one."""
        lamps = lamps_of(state, is_blind=is_blind, is_degraded=is_degraded)
        sounds = self.has_buzzer and self.is_buzzing
        return (*(name for name, is_lit in lamps.items() if is_lit), *(("buzzer",) if sounds else ()))

    def update(
        self, state: State, causes: Iterable[StopCause], *, is_blind: bool, is_degraded: bool = False
    ) -> Iterator[tuple[str, bool]]:
        """Takes how the line is.

        Args:
            state: What the line is doing, cameras apart.
            causes: Of the present stop.
            is_blind: A camera fails.
            is_degraded: The standby judges.

        Yields:
            The lines to let go at once, by name, with `False`.
        """
        troubles = [cause.value for cause in causes if cause not in WANTED]
        self._troubles = frozenset([*troubles, "camera"] if is_blind else troubles)
        self._silenced &= self._troubles
        good = {
            "ready": state is State.RUNNING and not is_blind,
            "fault": not self._troubles,
            "line_stop": state is not State.STOPPED,
            "buzzer": self.is_buzzing,
            **lamps_of(state, is_blind=is_blind, is_degraded=is_degraded),
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
