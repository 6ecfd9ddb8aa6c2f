"""PINs and passwords as they are stored: Argon2id (RFC 9106), with a bound on how many are worked on at once.

One check costs 19 MiB and some hundredths of a second on purpose. A flood of attempts therefore queues, and is turned
away when the queue is long, so that it takes neither the box's memory nor its cores from the line.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.web.access.refusals import RefusedError

AT_ONCE = 2
WAIT_S = 2.0
_RETRY_S = 2.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What one hash costs.

    Attributes:
        passes: Over the memory.
        memory_kib: Of it.
    """

    passes: int = 2
    memory_kib: int = 19 * 1024


class Hasher:
    """Makes and checks hashes.

    Args:
        cost: Of one. The default is what OWASP's Password Storage Cheat Sheet names as the least for Argon2id.
        at_once: So many are worked on at the same time.
        wait_s: So long another waits for its turn.
    """

    def __init__(self, cost: Cost | None = None, at_once: int = AT_ONCE, wait_s: float = WAIT_S) -> None:
        cost = cost or Cost()
        self._argon2 = PasswordHasher(time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=1)
        self._turns = threading.BoundedSemaphore(at_once)
        self._wait_s = wait_s
        self._nobody = self._argon2.hash("nobody has this one")

    def make(self, secret: str) -> str:
        """The hash of a new PIN or password.

        Raises:
            RefusedError: Too many are being worked on.
        """
        with self._turn():
            return self._argon2.hash(secret)

    def agrees(self, known: str | None, secret: str) -> bool:
        """Whether a secret is the one that is known; costs the same where none is.

        Args:
            known: The hash; `None` where the person does not exist or has none of this kind.
            secret: What was typed.

        Raises:
            RefusedError: Too many are being worked on.
        """
        with self._turn():
            try:
                is_right = self._argon2.verify(known or self._nobody, secret)
            except (VerificationError, InvalidHashError):
                return False
        return is_right and known is not None

    def is_dated(self, known: str) -> bool:
        """The hash was made at another cost than new ones."""
        return self._argon2.check_needs_rehash(known)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=self._wait_s):
            raise RefusedError(
                503, "too many people sign in at once", "try again in a moment", retry_s=_RETRY_S, key="refused.busy"
            )
        try:
            yield
        finally:
            self._turns.release()
