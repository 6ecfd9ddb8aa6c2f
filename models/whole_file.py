"""Files of a training, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from app.detect.durable import sync
from app.errors import DataError


def write_whole(path: Path, content: bytes) -> None:
    """Replaces a file: a power cut or a full disk leaves the old one or the new one, never half of one.

    Raises:
        DataError: It cannot be written; the old one is unchanged and nothing is left beside it.
    """
    partial = path.with_suffix(".partial")
    try:
        with partial.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
        sync(path.parent)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise DataError(
            f"{path} cannot be written ({error.strerror}); what was there before is unchanged",
            "make room or mend the folder's permissions, then continue with --resume",
        ) from error
