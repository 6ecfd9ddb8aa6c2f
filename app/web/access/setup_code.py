"""The code that lets the first person in: made by the box, readable by its owner alone, worth one set-up."""

from __future__ import annotations

import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

FILE = "setup-code"
_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_GROUPS, _PER_GROUP = 3, 4


class SetupCode:
    """The file with the code.

    Args:
        folder: Where it lies.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def read(self) -> str:
        """The code; empty where there is none."""
        try:
            return self.path.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return ""

    def make(self) -> str:
        """The code, made where there is none.

        Raises:
            OSError: The folder cannot be written.
        """
        known = self.read()
        if known:
            return known
        letters = [secrets.choice(_LETTERS) for _ in range(_GROUPS * _PER_GROUP)]
        code = "-".join("".join(letters[at : at + _PER_GROUP]) for at in range(0, len(letters), _PER_GROUP))
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self.path.with_name(f".{FILE}.{os.getpid()}.part")
        part.unlink(missing_ok=True)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if os.geteuid() == 0:
                # Asked for by the administrator's shell: whoever runs the station has to read it too.
                owner = self.path.parent.stat()
                os.fchown(handle, owner.st_uid, owner.st_gid)
            os.write(handle, f"{code}\n".encode())
        finally:
            os.close(handle)
        part.replace(self.path)
        return code

    def agrees(self, said: str) -> bool:
        """Whether somebody knows it; blanks, dashes and capitals do not matter."""
        known = _bare(self.read())
        return bool(known) and hmac.compare_digest(known.encode(), _bare(said).encode("utf-8", "replace"))

    def forget(self) -> None:
        """It has been used. Idempotent."""
        with suppress(FileNotFoundError):
            self.path.unlink()


def _bare(said: str) -> str:
    return "".join(said.replace("-", " ").split()).upper()
