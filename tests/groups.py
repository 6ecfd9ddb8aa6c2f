"""Tests that not every machine can run: which group each belongs to, and why the group was left out.

Tests that move real processes in real time stand in `REAL_TIME`: a machine that others share may stall for longer than
a line may be left alone, and such a test is run again. A fault of ours fails every time; the run names what it ran
again.

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
REAL_TIME = ("tests/browser", "tests/contract", "tests/live", "tests/unit/cli", "tests/unit/web")
AGAIN = 2
"""Times more, at most."""

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


SYSTEM_PYTHON = "/usr/bin/python3"
"""For what comes from the system's packages and not from an index: GStreamer, and an OpenCV with it."""

_VERSION = ".".join(map(str, sys.version_info[:2]))
_OPENCV_WITH_GSTREAMER = """
import cv2, sys
is_ours = ".".join(map(str, sys.version_info[:2])) == sys.argv[1]
sys.exit(not (is_ours and cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER)))
"""
_RTSP_SERVER = """
import gi, sys
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
sys.exit(not all(map(Gst.ElementFactory.find, ("videotestsrc", "openh264enc", "h264parse", "rtph264pay"))))
"""


def _system_python_runs(code: str) -> Callable[[], bool]:
    """Whether the system's Python ends well when it runs this."""

    @lru_cache(maxsize=1)
    def is_here() -> bool:
        command = [SYSTEM_PYTHON, "-c", code, _VERSION]
        is_installed = shutil.which(SYSTEM_PYTHON) is not None
        return is_installed and subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0

    return is_here


def _is_guest_made() -> bool:
    """A virtual machine can be started without making its image first."""
    from tests.hil import image

    return image.is_made()


def _are_exports_made() -> bool:
    """Real exports of other libraries can be read without making them first."""
    from tests.imports import exports

    return exports.is_made()


@lru_cache(maxsize=1)
def _has_gpu() -> bool:
    """A GPU that answers, with TensorRT and pycuda."""
    from app.detect.gpu_probe import probe_gpu
    from app.errors import TaktError

    try:
        probe_gpu()
    except TaktError:
        return False
    return importlib.util.find_spec("pycuda") is not None


def find_browser() -> str | None:
    """The Chromium of this machine."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def _has_gige() -> bool:
    """Aravis loads, and its fake camera is there."""
    from app.capture.gige.aravis import load_aravis
    from app.errors import MissingDriverError

    try:
        load_aravis()
    except MissingDriverError:
        return False
    return shutil.which("arv-fake-gv-camera-0.8") is not None


GROUPS = (
    Group(
        "train",
        lambda: importlib.util.find_spec("torch") is not None,
        'torch is not installed; run: .venv/bin/pip install -e ".[train]"',
    ),
    Group(
        "tensorrt",
        lambda: importlib.util.find_spec("tensorrt_rtx") is not None,
        "TensorRT's parser is not installed; run: .venv/bin/pip install -e '.[rtx]'",
    ),
    Group("gpu", _has_gpu, "no GPU with TensorRT and pycuda; run where there is one: make test-gpu"),
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
    Group(
        "gige",
        _has_gige,
        "no Aravis with its fake camera; run: sudo apt-get install aravis-tools gir1.2-aravis-0.8, and make setup",
    ),
    Group(
        "rtsp",
        _system_python_runs(_RTSP_SERVER),
        "the system's Python has no RTSP server of GStreamer; run: sudo apt-get install python3-gi"
        " gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good gstreamer1.0-plugins-bad",
    ),
    Group(
        "gstreamer",
        _system_python_runs(_OPENCV_WITH_GSTREAMER),
        "the system's Python has no OpenCV with GStreamer, or is of another version than this one; run:"
        " sudo apt-get install python3-opencv gstreamer1.0-plugins-good",
    ),
    Group("hil", _is_guest_made, "the guest with a kernel of its own is not made; run: make test-hil"),
    Group("imports", _are_exports_made, "the exports of other libraries are not made; run: make test-import"),
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
