"""Real exports of other libraries: which there are, where they are kept, and how they are made.

`python -m tests.imports.exports` makes what is missing: an environment with the libraries (`.venv-import`, about 7 GB)
and in it their exports. What a library exports is kept under a hash of what it is made of.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = Path(os.environ.get("TAKT_IMPORTS") or Path.home() / ".cache" / "takt-imports")
ENVIRONMENT = ROOT / ".venv-import"
REQUIREMENTS = HERE / "requirements.txt"
WITHOUT_NEEDS = ("yolox==0.3.0",)

PEERS = {
    "ultralytics": (
        "v5u-raw",
        "v8-raw",
        "v8-one-class",
        "v8-nms",
        "v8-segment",
        "v8-segment-nms",
        "v8-classify",
        "v10-end2end",
        "11-raw",
        "11-wide",
        "11-half",
        "11-half-input",
        "11-dynamic",
        "11-nms",
        "11-segment",
        "11-classify",
        "26-raw",
        "26-end2end",
        "26-nms",
        "26-segment-end2end",
        "26-classify",
    ),
    "anomalib": ("padim", "patchcore", "reverse-distillation"),
    "torchvision": ("resnet18", "mobilenet", "fasterrcnn", "ssdlite", "fcos"),
    "yolox": ("nano-raw", "nano-decoded"),
    "rfdetr": ("nano",),
    "transformers": ("dfine", "dfine-deployed", "rtdetr", "rtdetr-v2"),
}
"""Library -> what is exported with it, in the order in which users have them."""

NAMES = tuple((peer, name) for peer, names in PEERS.items() for name in names)


@cache
def folder_of(peer: str, name: str) -> Path:
    """Where an export is kept."""
    sources = (HERE / f"peer_{peer}.py", HERE / "recording.py", HERE / "scenes.py", HERE / "seeding.py", REQUIREMENTS)
    return CACHE / f"{peer}-{_hash(*sources)}" / name


def is_made() -> bool:
    """All exports are there."""
    return all(folder_of(*each).is_dir() for each in NAMES)


def make() -> None:
    """Makes what is missing.

    Raises:
        SystemExit: A library cannot be installed, or an export failed.
    """
    missing = [each for each in NAMES if not folder_of(*each).is_dir()]
    if not missing:
        return
    _make_environment()
    for peer in dict.fromkeys(peer for peer, _ in missing):
        names = [name for each, name in missing if each == peer]
        folder = folder_of(peer, names[0]).parent
        folder.mkdir(parents=True, exist_ok=True)
        # A process for each library: they do not all bear one another.
        _run(_python(), "-W", "ignore", "-m", "tests.imports.make_exports", peer, folder, *names)


def _make_environment() -> None:
    stamp = ENVIRONMENT / ".installed"
    wanted = f"{ROOT} {_hash(REQUIREMENTS)} {' '.join(WITHOUT_NEEDS)}"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    print(f"takt: installing the other libraries into {ENVIRONMENT}", flush=True)  # noqa: T201 - a build tells what it does
    _run(sys.executable, "-m", "venv", "--clear", ENVIRONMENT)
    install = (_python(), "-m", "pip", "install", "--quiet")
    _run(*install, "--requirement", REQUIREMENTS)
    _run(*install, "--no-deps", "--no-build-isolation", *WITHOUT_NEEDS)
    stamp.write_text(wanted, encoding="utf-8")


def _python() -> Path:
    return ENVIRONMENT / "bin" / "python"


def _run(*command: object) -> None:
    words = [str(each) for each in command]
    # The libraries look for weights and settings of their own; nothing but the package index is to be asked.
    environ = {**os.environ, "HF_HUB_OFFLINE": "1", "YOLO_CONFIG_DIR": str(ENVIRONMENT / "settings")}
    done = subprocess.run(words, stdin=subprocess.DEVNULL, env=environ, cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(f"takt: {words[0]} failed (code {done.returncode}); what it said stands above")


def _hash(*files: Path) -> str:
    return hashlib.sha256(b"\0".join(each.read_bytes() for each in files)).hexdigest()[:12]


if __name__ == "__main__":
    make()
