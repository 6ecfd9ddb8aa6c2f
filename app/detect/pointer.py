"""The pointer of a station: which package judges, and the three that judged before it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from app.config import Name, Settings
from app.durable import replace_text
from app.errors import ConfigError, PackageError
from app.toml import read_toml, validated

POINTER = "active.toml"
KEPT = 3
"""How many packages that were active before are remembered, and their copies kept."""

HASH_SHOWN = 12

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True)
class Activation:
    """A model that was made the active one.

    Attributes:
        name: The package's name.
        version: Its version; empty where an older Takt did not note it.
        variant: Which of its models; empty for the first, as an older Takt had no other.
        onnx_sha256: SHA-256 of that model's ONNX file, in hexadecimal.
        content_sha256: SHA-256 over all files of the copy on this station; empty for a package of the zoo.
        at: When; `None` where an older Takt did not note it.
        by: Who did it.
        reason: Why; may be empty.
    """

    name: str
    version: str
    variant: str
    onnx_sha256: str
    content_sha256: str = ""
    at: datetime | None = None
    by: str = ""
    reason: str = ""

    @property
    def is_installed(self) -> bool:
        """It is a copy on this station, not a package of the zoo."""
        return bool(self.content_sha256)

    @property
    def label(self) -> str:
        """Name, version and variant for people."""
        return f"{self.name}{f'@{self.version}' if self.version else ''}{f':{self.variant}' if self.variant else ''}"

    def is_model_of(self, other: Activation) -> bool:
        """Both are the same model of the same package at the same place."""
        return self._key == other._key and (not self.variant or not other.variant or self.variant == other.variant)

    @property
    def _key(self) -> tuple[str, str, str]:
        return self.name, self.onnx_sha256, self.content_sha256


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a station has active.

    Attributes:
        active: The model that judges.
        history: Those before it, the latest first, each once; at most `KEPT`.
    """

    active: Activation
    history: tuple[Activation, ...] = ()

    def moved_to(self, chosen: Activation) -> Pointer:
        """The pointer once another model, or the same one anew, is active."""
        before = [each for each in (self.active, *self.history) if not each.is_model_of(chosen)]
        return Pointer(chosen, tuple(before[:KEPT]))


class _Entry(Settings):
    name: Name
    version: Name | Literal[""] = ""
    variant: Name | Literal[""] = ""
    onnx_sha256: Sha256
    content_sha256: Sha256 | Literal[""] = ""
    at: AwareDatetime | None = None
    by: str = Field("", max_length=200)
    reason: str = Field("", max_length=1000)


class _File(Settings):
    schema_version: Literal[1, 2] = Field(1, alias="schema")
    active: _Entry
    previous: _Entry | None = None
    history: tuple[_Entry, ...] = Field((), max_length=KEPT)


def read_pointer(state: Path) -> Pointer | None:
    """What is active on a station; `None` where nothing was activated.

    Files of schema 1, which knew only the package before the active one, are read too.

    Args:
        state: The station's state folder.

    Raises:
        PackageError: The pointer is damaged.
    """
    path = state / POINTER
    if not path.exists():
        return None
    try:
        found = validated(_File, read_toml(path), str(path))
    except ConfigError as error:
        raise PackageError(error.what, f"remove {path} and activate a package again") from error
    before = found.history or ((found.previous,) if found.previous else ())
    return Pointer(_activation(found.active), tuple(_activation(each) for each in before))


def write_pointer(state: Path, pointer: Pointer) -> None:
    """Replaces the pointer as a whole.

    Raises:
        PackageError: It cannot be written; the old one is unchanged.
    """
    lines = ["# Written by takt models activate and rollback; the active package passed its golden frames here."]
    lines += ["schema = 2", "", "[active]", *_lines(pointer.active)]
    for each in pointer.history:
        lines += ["", "[[history]]", *_lines(each)]
    try:
        state.mkdir(parents=True, exist_ok=True)
        replace_text(state / POINTER, "\n".join(lines) + "\n")
    except OSError as error:
        raise PackageError(
            f"{state / POINTER} cannot be written: {error.strerror}", "make room, or check the folder"
        ) from error


def _activation(entry: _Entry) -> Activation:
    return Activation(
        name=entry.name,
        version=entry.version,
        variant=entry.variant,
        onnx_sha256=entry.onnx_sha256,
        content_sha256=entry.content_sha256,
        at=entry.at,
        by=entry.by,
        reason=entry.reason,
    )


def _lines(each: Activation) -> list[str]:
    texts = {
        "name": each.name,
        "version": each.version,
        "variant": each.variant,
        "onnx_sha256": each.onnx_sha256,
        "content_sha256": each.content_sha256,
        "by": each.by,
        "reason": each.reason,
    }
    lines = [f"{key} = {_quoted(text)}" for key, text in texts.items() if text]
    if each.at:
        lines.append(f"at = {each.at.astimezone(timezone.utc).isoformat(timespec='seconds')}")
    return lines


def _quoted(text: str) -> str:
    """A basic string of TOML, which is one of JSON but for DEL and for what is no Unicode."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007f")
