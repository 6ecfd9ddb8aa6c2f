"""The model packages that can be asked: what `takt models list` says, from a child, since pages load no models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from app.clock import NS_PER_S, Clock

PROGRAM: tuple[str, ...] = (sys.executable, "-m", "app.cli", "models", "list", "--json")
LIMIT_S = 60.0
_FRESH_NS = 120 * NS_PER_S
_NICE = 15
_MOST_WORDS = 600


@dataclass(frozen=True, slots=True)
class Choice:
    """One model that can be asked.

    Attributes:
        name: As the command takes it, and what tells it from the others.
        package: Its package.
        version: That package's version.
        variant: Which of the package's models it is.
        is_active: It is what judges on this station when it starts next.
    """

    name: str
    package: str
    version: str
    variant: str
    is_active: bool

    @property
    def title(self) -> str:
        """As people call it."""
        return f"{self.package} {self.version} ({self.variant})"


@dataclass(frozen=True, slots=True)
class Shown:
    """What is known of the packages.

    Attributes:
        choices: The models; `None` before the first look has ended.
        trouble: Why there is nothing newer; empty where there is.
    """

    choices: tuple[Choice, ...] | None = None
    trouble: str = ""


class OpinionShelf:
    """The packages, looked at anew in the background when somebody asks after two minutes. Any thread may ask.

    Args:
        program: The command whose standard output is the JSON of `takt models list`.
        clock: Time.
        limit_s: It is killed after so long.
    """

    def __init__(self, program: Sequence[str], clock: Clock, limit_s: float = LIMIT_S) -> None:
        self._program = list(program)
        self._clock = clock
        self._limit_s = limit_s
        self._order = threading.Lock()
        self._shown = Shown()
        self._looked_ns: int | None = None
        self._thread: threading.Thread | None = None

    def look(self) -> Shown:
        """What is known now. Waits for nothing."""
        with self._order:
            now_ns = self._clock.now_ns()
            is_old = self._looked_ns is None or now_ns - self._looked_ns > _FRESH_NS
            if is_old and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._run, name="models", daemon=True)
                self._thread.start()
            return self._shown

    def find(self, name: str) -> Choice | None:
        """The model of a name; `None` where none is known."""
        return next((each for each in self._shown.choices or () if each.name == name), None)

    def wait(self, timeout_s: float | None = None) -> None:
        """Waits until the look that goes on has ended."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        before = self._shown.choices
        try:
            said, complaint = self._said()
            # A broken active package is told with a code, after all the others were listed.
            shown = Shown(read_choices(said)) if said.strip() else Shown(before, _words(complaint))
        except subprocess.TimeoutExpired:
            shown = Shown(before, f"takt models list did not end within {self._limit_s:g} s")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            shown = Shown(before, f"what takt models list says cannot be had: {error}")
        with self._order:
            self._shown, self._looked_ns = shown, self._clock.now_ns()

    def _said(self) -> tuple[bytes, bytes]:
        pipe = subprocess.PIPE
        with subprocess.Popen(  # noqa: S603 - our own command
            self._program, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, start_new_session=True
        ) as child:
            with suppress(OSError):
                os.setpriority(os.PRIO_PGRP, child.pid, _NICE)
            try:
                return child.communicate(timeout=self._limit_s)
            except BaseException:
                child.kill()
                raise


def read_choices(data: bytes) -> tuple[Choice, ...]:
    """The models in what `takt models list --json` says: of every package that can be used, each model.

    Raises:
        ValueError: It is no JSON; or KeyError, TypeError, AttributeError: it has another form.
    """
    found = []
    for each in json.loads(data)["packages"]:
        if not each["problem"]:
            found += [_choice(each, model) for model in each["models"] if not model["problem"]]
    return tuple(found)


def _choice(package: dict[str, Any], model: dict[str, Any]) -> Choice:
    variant = str(model["variant"])
    # A folder of the station's own is named by its path, so that the zoo's package of that name is not meant.
    place = str(package["folder"]) if package["installed"] else str(package["name"])
    return Choice(f"{place}:{variant}", str(package["name"]), str(package["version"]), variant, bool(model["active"]))


def _words(complaint: bytes) -> str:
    words = complaint.decode(errors="replace").strip().removeprefix("takt: ")
    return words[-_MOST_WORDS:] or "takt models list ended without an answer"
