"""What is refused, as the answer that says so: a sentence, its mend, and what the page may ask for."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from types import MappingProxyType

from werkzeug.exceptions import HTTPException

from app.errors import TaktError

ASKS = "X-Asks"
_NOTHING: Mapping[str, str] = MappingProxyType({})


class RefusedError(HTTPException):
    """A request that is not granted.

    Args:
        code: The status: 401, 403, 409, 428, 429 or 503.
        what: What is refused and why, without a full stop.
        mend: What the reader does about it.
        retry_s: When to try again; the answer's `Retry-After`.
        key: The text that says it on the pages, in the language of who reads; empty: there is none.
        values: What those words name.
        asks: What would let it pass; the header `X-Asks` tells the page: `sign-in`, `again` (the own PIN or password
            once more), `reason`.
    """

    def __init__(
        self,
        code: int,
        what: str,
        mend: str,
        *,
        retry_s: float = 0.0,
        key: str = "",
        values: Mapping[str, str] = _NOTHING,
        asks: tuple[str, ...] = (),
    ) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.mend = mend
        self.retry_s = retry_s
        self.key = key
        self.values = values
        self.asks = asks

    @property
    def wait_s(self) -> int:
        """When to try again, in whole seconds."""
        return ceil(self.retry_s)

    @property
    def more_headers(self) -> Mapping[str, str]:
        """What the answer's head says besides."""
        wait = {"Retry-After": str(self.wait_s)} if self.retry_s else {}
        return {**wait, ASKS: ", ".join(self.asks)} if self.asks else wait


class SignInError(RefusedError):
    """Nobody has signed in, or no longer."""

    def __init__(self, what: str = "nobody is signed in", mend: str = "sign in") -> None:
        super().__init__(401, what, mend, key="refused.nobody", asks=("sign-in",))


def refusal_of(error: TaktError, code: int = 409) -> RefusedError:
    """What a request is answered that fails by an error: in the language of who reads, where its code has words."""
    key = f"refused.{error.code}" if error.code else ""
    return RefusedError(code, error.what, error.mend, key=key, values=error.values)
