"""The one exception tree of Takt.

Every error says what is wrong, where, and how to mend it, in one sentence that a person can act on. Each is also the
builtin kind that a caller would expect, so that code which knows nothing of Takt still catches it sensibly.

    TaktError
    |-- ConfigError (ValueError)            a setting, a recipe or a pin map that cannot work
    |-- DataError (ValueError)              a picture, an annotation file or a data set that cannot be used
    |-- PackageError (ValueError)           a model package that is broken, refused or not proven
    |-- MissingDriverError (ImportError)    an optional library is not installed; carries the install line
    |-- CameraError (OSError)               a camera is absent, busy or sends what was not asked for
    |   `-- FrameTimeoutError (TimeoutError)     no frame before the deadline
    |-- DetectorError (RuntimeError)        inference failed or gave numbers that mean nothing
    |   `-- EngineRefusedError                  a runtime does not take an engine that was built before
    |-- LineError (RuntimeError)            the line's inputs or outputs do not do what they must
    |   |-- ActuationError                  an output did not take its level: the line faults
    |   `-- CommandRefusedError             a command to the line is not allowed in its present state
    |-- BusError (OSError)                  the place where the processes meet cannot be used
    |   `-- RingFullError                        events would be lost: the line stops
    |-- RecordError (OSError)               the ledger or the pictures cannot be read or written
    `-- UsageError (ValueError)             a command line that cannot be carried out

`exit_code` is what a command ends with when the error reaches it; `docs/commands.md` lists them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

# As far as the last @: a password that was not escaped may hold one, and must not be shown for that.
_LOGIN = re.compile(r"(?<=://)([^:/?#]*):.*@", re.DOTALL)
_SECRET = re.compile(r"(?i)((?:password|passwd|pass|pwd|token|secret|key)=)[^&;#/]*")

_NOTHING: Mapping[str, str] = MappingProxyType({})


class TaktError(Exception):
    """Base of every error that Takt raises on purpose.

    Args:
        what: What is wrong and where, without a full stop.
        mend: What the reader does about it, as an instruction.
        code: The reason as a code that does not change with the sentence, where pages say it in other languages:
            `refused.CODE` is the key of its words. Empty: it has none.
        values: What those words name.
    """

    exit_code = 1

    def __init__(self, what: str, mend: str, *, code: str = "", values: Mapping[str, str] = _NOTHING) -> None:
        super().__init__(what, mend)
        self.what = what
        self.mend = mend
        self.code = code
        self.values = dict(values)

    def __str__(self) -> str:
        return f"{self.what}; {self.mend}"


class UsageError(TaktError, ValueError):
    """A command line that cannot be carried out."""

    exit_code = 2


class ConfigError(TaktError, ValueError):
    """A setting, a recipe or a pin map that cannot work."""

    exit_code = 3


class DataError(TaktError, ValueError):
    """A picture, an annotation file or a data set that cannot be used."""

    exit_code = 4


class PackageError(TaktError, ValueError):
    """A model package that is broken, refused or not proven."""

    exit_code = 5


class MissingDriverError(TaktError, ImportError):
    """An optional library is not installed.

    Args:
        driver: The driver or command that needs the library.
        package: The library.
        extra: The extra of the distribution that brings it.
    """

    exit_code = 6

    def __init__(self, driver: str, package: str, extra: str) -> None:
        super().__init__(
            f"{driver} needs {package}, which is not installed or does not load here",
            f'run: pip install "takt-inspect[{extra}]"' if extra else f"run: pip install {package}",
        )


class CameraError(TaktError, OSError):
    """A camera is absent, busy or sends what was not asked for."""

    exit_code = 7


class FrameTimeoutError(CameraError, TimeoutError):
    """No frame arrived before the deadline."""


class DetectorError(TaktError, RuntimeError):
    """Inference failed or gave numbers that mean nothing."""

    exit_code = 8


class EngineRefusedError(DetectorError):
    """A runtime does not take an engine that was built before."""


class LineError(TaktError, RuntimeError):
    """The line's inputs or outputs do not do what they must."""

    exit_code = 9


class ActuationError(LineError):
    """An output did not take its level. Never passed over: the line faults."""


class CommandRefusedError(LineError):
    """A command to the line is not allowed in its present state."""


class BusError(TaktError, OSError):
    """The place where the processes meet cannot be used: held by another, stale beyond repair, or not writable."""

    exit_code = 11


class RingFullError(BusError):
    """The recorder has not kept up and one more event would overwrite one that is not in the ledger."""


class RecordError(TaktError, OSError):
    """The ledger or the pictures cannot be read or written, or do not verify."""

    exit_code = 12


def redacted(source: str) -> str:
    """An address as it may be printed: without the password of its login, and without keys in its query."""
    return _SECRET.sub(r"\1***", _LOGIN.sub(r"\1:***@", source))
