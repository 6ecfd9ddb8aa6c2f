"""How often anybody may ask: token buckets in memory, one per address or token, and for each kind of request."""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict
from dataclasses import dataclass

from app.clock import NS_PER_S, Clock
from app.web.access.refusals import RefusedError

_MOST_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """How often.

    Attributes:
        per_s: In the long run.
        burst: At once.
    """

    per_s: float
    burst: float


def block_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 that one machine may choose its IPv6 addresses from."""
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv6Address):
        mapped = known.ipv4_mapped
        return str(mapped or ipaddress.ip_network((known, 64), strict=False))
    return str(known)


class Bucket:
    """Lets through a burst, and then so many a second, each caller for itself.

    A caller who was not heard of for long is forgotten; a flood from ever new addresses makes the oldest be forgotten,
    so that memory stays bounded.

    Args:
        rate: How often.
        clock: The time.
    """

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._order = threading.Lock()

    def take(self, who: str) -> float:
        """Counts one request.

        Args:
            who: Whose.

        Returns:
            0 where it may pass; else the seconds after which one will.
        """
        now_ns = self._clock.now_ns()
        with self._order:
            level, at_ns = self._levels.pop(who, (self._rate.burst, now_ns))
            level = min(self._rate.burst, level + (now_ns - at_ns) / NS_PER_S * self._rate.per_s)
            wait_s = 0.0 if level >= 1 else (1 - level) / self._rate.per_s
            self._levels[who] = (level if wait_s else level - 1, now_ns)
            if len(self._levels) > _MOST_KEPT:
                self._levels.popitem(last=False)
        return wait_s


class Limits:
    """The limits of a box.

    Args:
        clock: The time.
        sign_in: Attempts to sign in, per address.
        command: What changes something, per session or address.
        machine: Everything that a machine asks, per token.
    """

    def __init__(
        self,
        clock: Clock,
        sign_in: Rate = Rate(0.5, 10),
        command: Rate = Rate(10, 60),
        machine: Rate = Rate(20, 100),
    ) -> None:
        self._sign_in = Bucket(sign_in, clock)
        self._command = Bucket(command, clock)
        self._machine = Bucket(machine, clock)

    def sign_in(self, address: str) -> None:
        """Counts an attempt to sign in.

        Raises:
            RefusedError: It is one too many.
        """
        _refuse(self._sign_in.take(block_of(address)))

    def command(self, who: str) -> None:
        """Counts a command.

        Raises:
            RefusedError: It is one too many.
        """
        _refuse(self._command.take(who))

    def machine(self, token: str) -> None:
        """Counts whatever a machine asks.

        Raises:
            RefusedError: It is one too many.
        """
        _refuse(self._machine.take(token))


def _refuse(wait_s: float) -> None:
    if wait_s:
        raise RefusedError(
            429, "too many requests", "wait a moment, and try again", retry_s=wait_s, key="refused.often"
        )
