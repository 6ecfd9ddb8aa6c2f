"""How long an output may be on, and whether it did what it was told (REJECT_TRACKING, rules 6 and 10).

Pure: these classes know only the commands and times that they are given. `app/reject/gpio.py` moves the pins.
"""

from __future__ import annotations

from typing import Protocol

from app.clock import NS_PER_MS


class Limits(Protocol):
    """What an output should be at any time, given its commands and its limits."""

    @property
    def is_on(self) -> bool:
        """It should be energised."""
        ...

    def command(self, is_on: bool, now_ns: int) -> None:
        """Takes a command."""
        ...

    def force_off(self) -> None:
        """Off at once and without a fault: the pin failed, or the line closes."""
        ...

    def tick(self, now_ns: int) -> str | None:
        """Enforces the limits.

        Returns:
            A sentence if a limit was reached since the last call.
        """
        ...

    def due_ns(self) -> int | None:
        """When `tick` must be called next."""
        ...


class PulseOutput:
    """An output that is energised briefly, as a pusher or an air valve is.

    Switched off before `min_on_ns` it stays on until then. At `max_on_ns` it is switched off and that is a fault; it
    then stays off until it was commanded off, so that a caller that keeps repeating "on" cannot burn the coil. The time
    counts from the first command: repeating it does not prolong the pulse.

    Args:
        name: The output's name, for the fault's sentence.
        min_on_ns: Shortest time on.
        max_on_ns: Longest time on, not below `min_on_ns`.
    """

    def __init__(self, name: str, min_on_ns: int, max_on_ns: int) -> None:
        self._name = name
        self._min_on_ns = min_on_ns
        self._max_on_ns = max_on_ns
        self._on_since_ns: int | None = None
        self._off_ns: int | None = None
        self._is_spent = False
        self._fault: str | None = None

    @property
    def is_on(self) -> bool:
        """It should be energised."""
        return self._on_since_ns is not None

    def command(self, is_on: bool, now_ns: int) -> None:
        """Begins or ends a pulse."""
        if not is_on:
            self._is_spent = False
            if self._on_since_ns is not None and self._off_ns is None:
                self._off_ns = max(now_ns, self._on_since_ns + self._min_on_ns)
            self._expire(now_ns)
        elif not self._is_spent:
            self._off_ns = None
            if self._on_since_ns is None:
                self._on_since_ns = now_ns

    def force_off(self) -> None:
        """Off at once and without a fault."""
        self._on_since_ns = self._off_ns = None

    def tick(self, now_ns: int) -> str | None:
        """Ends the pulse when it is due; a sentence if it had to be ended, or was ended late."""
        self._expire(now_ns)
        fault, self._fault = self._fault, None
        return fault

    def due_ns(self) -> int | None:
        """When the pulse ends by itself."""
        if self._on_since_ns is None:
            return None
        limit_ns = self._on_since_ns + self._max_on_ns
        return limit_ns if self._off_ns is None else min(limit_ns, self._off_ns)

    def _expire(self, now_ns: int) -> None:
        if self._on_since_ns is None:
            return
        is_ended = self._off_ns is not None and now_ns >= self._off_ns
        over_ns = now_ns - self._on_since_ns - self._max_on_ns
        if over_ns > 0 or (over_ns == 0 and not is_ended):
            self._is_spent = self._off_ns is None
            self._fault = (
                f"{self._name} was on for {(now_ns - self._on_since_ns) / NS_PER_MS:g} ms, its limit is"
                f" {self._max_on_ns / NS_PER_MS:g} ms, and was switched off; see why its dwell did not end in time"
            )
        elif not is_ended:
            return
        self.force_off()


class HeldOutput:
    """An output that may stay energised as long as somebody keeps asking for it, as a diverter's.

    Not refreshed for `refresh_ns` it goes off, which is its safe state, and that is a fault. A refresh that comes later
    than that is a fault too, even where no `tick` came between. Off needs no refresh.

    Args:
        name: The output's name, for the fault's sentence.
        refresh_ns: Longest time between two commands.
    """

    def __init__(self, name: str, refresh_ns: int) -> None:
        self._name = name
        self._refresh_ns = refresh_ns
        self._refreshed_ns: int | None = None
        self._fault: str | None = None

    @property
    def is_on(self) -> bool:
        """It should be energised."""
        return self._refreshed_ns is not None

    def command(self, is_on: bool, now_ns: int) -> None:
        """Switches on or refreshes, or switches off."""
        if self._refreshed_ns is not None and now_ns - self._refreshed_ns > self._refresh_ns:
            self._expire(now_ns - self._refreshed_ns)
        self._refreshed_ns = now_ns if is_on else None

    def force_off(self) -> None:
        """Off at once and without a fault."""
        self._refreshed_ns = None

    def tick(self, now_ns: int) -> str | None:
        """Switches off when no refresh came; a sentence if so."""
        if self._refreshed_ns is not None and now_ns - self._refreshed_ns >= self._refresh_ns:
            self._expire(now_ns - self._refreshed_ns)
        fault, self._fault = self._fault, None
        return fault

    def due_ns(self) -> int | None:
        """When it goes off unless refreshed."""
        return None if self._refreshed_ns is None else self._refreshed_ns + self._refresh_ns

    def _expire(self, waited_ns: int) -> None:
        self._refreshed_ns = None
        self._fault = (
            f"{self._name} was not refreshed for {waited_ns / NS_PER_MS:g} ms, its limit is"
            f" {self._refresh_ns / NS_PER_MS:g} ms; find what holds the station up"
        )


class ReadBack:
    """Compares what an output should be with what a contact says of it.

    The contact is believed `settle_ns` after a change. From then on it is compared at every `check`, so that a wire
    that breaks later is found too; a mismatch is told once, until the output changes or the contact agrees again.

    Args:
        name: The output's name, for the fault's sentence.
        settle_ns: Longest time from command to contact.
        now_ns: When the output was made safe (off).
    """

    def __init__(self, name: str, settle_ns: int, now_ns: int) -> None:
        self._name = name
        self._settle_ns = settle_ns
        self._expected = False
        self._settled_ns = now_ns + settle_ns
        self._is_due = True
        self._is_told = False

    def expect(self, is_on: bool, now_ns: int) -> None:
        """The output was written. Writing the same again changes nothing."""
        if is_on is not self._expected:
            self._expected = is_on
            self._settled_ns = now_ns + self._settle_ns
            self._is_due = True
            self._is_told = False

    def check(self, is_on: bool, now_ns: int) -> str | None:
        """Compares with the contact.

        Returns:
            A sentence at a new mismatch.
        """
        if now_ns < self._settled_ns:
            return None
        self._is_due = False
        is_wrong = is_on is not self._expected
        is_new = is_wrong and not self._is_told
        self._is_told = is_wrong
        if not is_new:
            return None
        level, contact = ("on", "off") if self._expected else ("off", "on")
        return (
            f"{self._name} is switched {level} but reads back {contact}; check its supply, its wiring and the contact"
        )

    def due_ns(self) -> int | None:
        """When the contact is to be believed, unless that was checked already."""
        return self._settled_ns if self._is_due else None
