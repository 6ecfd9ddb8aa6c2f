"""An import in a process of its own: `python -m models.importing.apart`, with what to do as JSON on its input.

A file from elsewhere is run by libraries in C++ that may crash on it, take all memory or never come back. Here that
ends the child, not the command: the child has a limit of memory, and is ended when it says nothing for too long.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from app import errors
from app.errors import PackageError, TaktError
from app.tied import tie
from models.drafts import clear_orphans
from models.importing.importer import OnStep, Plan, import_onnx, place_of
from models.importing.layout import Wishes
from models.importing.told import told

SILENCE_S = 300.0
"""How long the child may say nothing: one picture, or the proof on one more runtime, takes no longer."""

_GIB = 1 << 30
_MOST_BYTES = 16 * _GIB
_SHARE = 0.75  # of the machine's memory
_PATHS = ("path", "out", "samples", "sheet")
_ALLOCATION = ("bad_alloc", "bad allocation", "failed to allocate", "cannot allocate memory")
_SMALLER = "export a smaller model, or import it on a machine with more memory"
_READ_BYTES = 1 << 16


def _memory_limit() -> int:
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(_MOST_BYTES, int(_SHARE * machine))


@dataclass(frozen=True, slots=True)
class Limits:
    """What the child may take.

    Attributes:
        memory_bytes: Memory of its own.
        silence_s: How long it may say nothing.
    """

    memory_bytes: int = field(default_factory=_memory_limit)
    silence_s: float = SILENCE_S


def import_apart(
    plan: Plan,
    on_step: OnStep = lambda _text, _done, _all: None,
    limits: Limits | None = None,
    command: Sequence[str] = (sys.executable, "-m", "models.importing.apart"),
) -> dict[str, Any]:
    """Imports a model in a child process.

    Args:
        plan: What and where to.
        on_step: Told what is being done, steps done and to do.
        limits: What the child may take.
        command: The child's command line.

    Returns:
        What `models.importing.told.told` says of it.

    Raises:
        PackageError: The file ended the child, took more memory than it may, or did not come back.
        TaktError: As `import_onnx` does.
    """
    limits, out = limits or Limits(), place_of(plan)
    order = {"plan": asdict(plan), "memory_bytes": limits.memory_bytes, "parent": os.getpid()}
    paths = os.pathsep.join(each or str(Path.cwd()) for each in sys.path)
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(  # noqa: S603 - ours
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            env={**os.environ, "PYTHONPATH": paths},
        )
        try:
            return _heard(child, json.dumps(order, default=str).encode(), plan.path, on_step, limits, said)
        finally:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()
            clear_orphans(out)


def _heard(
    child: subprocess.Popen[bytes], order: bytes, path: Path, on_step: OnStep, limits: Limits, said: IO[bytes]
) -> dict[str, Any]:
    """Follows the child to its last word."""
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(order)
        child.stdin.close()
    except BrokenPipeError:
        raise _ended(child, path, limits, said) from None
    rest = b""
    while True:
        if not select.select([child.stdout], [], [], limits.silence_s)[0]:
            raise PackageError(
                f"{path} did not come back within {limits.silence_s:g} s of being run",
                "export it again in another way: its graph may never end",
            )
        content = os.read(child.stdout.fileno(), _READ_BYTES)
        *lines, rest = (rest + content).split(b"\n")
        for line in lines:
            word = json.loads(line)
            if "done" in word:
                done: dict[str, Any] = word["done"]
                return done
            if "error" in word:
                raise _as_error(word, path, limits)
            on_step(*word["step"])
        if not content:
            raise _ended(child, path, limits, said)


def _as_error(word: dict[str, Any], path: Path, limits: Limits) -> TaktError:
    what, mend = str(word["what"]), str(word["mend"])
    if any(each in what.lower() for each in _ALLOCATION):
        return _too_large(path, limits)
    kind = getattr(errors, str(word["error"]), PackageError)
    error: TaktError = kind(what, mend)
    return error


def _too_large(path: Path, limits: Limits) -> PackageError:
    return PackageError(f"{path} needs more than {limits.memory_bytes / _GIB:.3g} GiB of memory to run", _SMALLER)


def _ended(child: subprocess.Popen[bytes], path: Path, limits: Limits, said: IO[bytes]) -> TaktError:
    """Why it went without a last word."""
    code = child.wait()
    said.seek(0)
    words = said.read()[-_READ_BYTES:].decode(errors="replace").strip()
    if any(each in words.lower() for each in (*_ALLOCATION, "memoryerror")):
        return _too_large(path, limits)
    last = words.splitlines()[-1] if words else "it said nothing"
    how = f"exit code {code}, {last}" if code >= 0 else signal.Signals(-code).name
    return PackageError(
        f"{path} ended the process that ran it ({how})",
        "export it again in another way, and do not trust it on a line",
    )


def _plan_of(values: dict[str, Any]) -> Plan:
    wishes = values["wishes"]
    lists = {name: tuple(wishes[name]) for name in ("classes", "good")}
    paths = {name: None if values[name] is None else Path(values[name]) for name in _PATHS}
    size = None if values["size"] is None else tuple(values["size"])
    return Plan(**{**values, **paths, "size": size, "wishes": Wishes(**{**wishes, **lists})})


def main() -> None:
    """The child: does what its input says, and tells how far it is, line by line."""
    order = json.load(sys.stdin)
    tie(order["parent"])
    limit = order["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The libraries may print: what the parent reads goes through a descriptor that they do not know.
    words = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(**word: Any) -> None:
        words.write(json.dumps(word) + "\n")
        words.flush()

    try:
        done = import_onnx(_plan_of(order["plan"]), lambda *step: say(step=step))
    except TaktError as error:
        say(error=type(error).__name__, what=error.what, mend=error.mend)
    else:
        say(done=told(done))


if __name__ == "__main__":
    main()
