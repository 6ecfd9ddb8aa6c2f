"""Tests that not every machine can run: which group each belongs to, and why the group was left out.

A test is left out in one of two ways: by a marker of a group whose means are absent, or by a skip whose words name the
extra that is missing. Any other skip fails the run, so that no test goes silent.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("TAKT_DATA") or ROOT.parent / "shared" / "data")
_EXTRA = re.compile(r'pip install "(?:takt-inspect|\.)\[(\w+)\]"')


@dataclass(frozen=True)
class Group:
    """Tests that need something.

    Attributes:
        name: The marker's name.
        is_here: Whether this machine has it; asked only when such a test is about to run.
        why: What is absent and how to get it.
    """

    name: str
    is_here: Callable[[], bool]
    why: str

    @property
    def reason(self) -> str:
        """What the skip of such a test says."""
        return f"{self.name}: {self.why}"


@lru_cache(maxsize=1)
def _is_index_reachable() -> bool:
    """Asks pip itself, so that mirrors, proxies and certificates of its configuration count."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--retries", "0", "--timeout", "10"]
        command += ["download", "--quiet", "--no-deps", "--dest", folder, "setuptools>=77"]
        return subprocess.run(command, capture_output=True, timeout=120, check=False).returncode == 0


def find_browser() -> str | None:
    """The Chromium of this machine."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


GROUPS = (
    Group(
        "train",
        lambda: importlib.util.find_spec("torch") is not None,
        'torch is not installed; run: .venv/bin/pip install -e ".[train]"',
    ),
    Group("data", DATA.is_dir, f"no real pictures in {DATA}; set TAKT_DATA to the folder that holds them"),
    Group(
        "browser",
        lambda: find_browser() is not None and importlib.util.find_spec("playwright") is not None,
        "no Chromium, or no playwright to drive it; run: sudo apt-get install chromium, and make setup",
    ),
    Group(
        "strace",
        lambda: shutil.which("strace") is not None,
        "strace is not installed; run: sudo apt-get install strace",
    ),
    Group("network", _is_index_reachable, "pip reaches no package index"),
)
LONG = Group("long", lambda: False, "soaks at full length; run: make test-long")


def group_of_skip(reason: str) -> tuple[str, str] | None:
    """The group that a skip belongs to, and why it was left out; `None` for a skip that nobody registered."""
    for group in (*GROUPS, LONG):
        if reason.endswith(group.reason):
            return group.name, group.why
    extra = _EXTRA.search(reason)
    name = extra[1] if extra else "data" if "TAKT_DATA" in reason else ""
    known = next((group for group in GROUPS if group.name == name), None)
    if known:
        return known.name, known.why
    return (name, f'its libraries are not installed; run: .venv/bin/pip install -e ".[{name}]"') if name else None
