"""Files of a training, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from app.durable import replace_bytes
from app.errors import DataError


def write_whole(path: Path, content: bytes) -> None:
    """Replaces a file: a power cut or a full disk leaves the old one or the new one, never half of one.

    Raises:
        DataError: It cannot be written; the old one is unchanged and nothing is left beside it.
    """
    try:
        replace_bytes(path, content)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror}); what was there before is unchanged",
            "make room or mend the folder's permissions, then continue with --resume",
        ) from error
