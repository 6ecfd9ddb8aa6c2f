"""Replays `takt inspect` on the golden frames of the shipped model, and keeps the reference it is held against.

`python -m tests.replay.inspect_zoo --update` writes the reference anew: an explicit act, as after a new model.
"""

import json
import subprocess
import sys
from pathlib import Path

from tests.groups import ROOT

PACKAGE = ROOT / "models" / "zoo" / "pcb-nano"
REFERENCE = Path(__file__).parent / "references" / "pcb-nano.json"


def copy_frames(folder: Path) -> None:
    """Lays the golden frames out as pictures and golden samples of the same names."""
    frames = json.loads((PACKAGE / "golden" / "expected.json").read_text(encoding="utf-8"))["frames"]
    for place in ("pictures", "goldens"):
        (folder / place).mkdir()
    for frame in frames:
        name = Path(frame["image"]).name
        (folder / "pictures" / name).write_bytes((PACKAGE / "golden" / frame["image"]).read_bytes())
        (folder / "goldens" / name).write_bytes((PACKAGE / "golden" / frame["golden"]).read_bytes())


def replay(folder: Path, runtime: str) -> dict:
    """What `takt inspect --json` says of them, without times and without folders."""
    words = ["inspect", folder / "pictures", "--golden", folder / "goldens", "--model", PACKAGE, "--runtime", runtime]
    command = [sys.executable, "-m", "app.cli", *map(str, words), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    document = json.loads(done.stdout)
    return {
        "onnx_sha256": document["model"]["onnx_sha256"],
        "pictures": {Path(each["file"]).name: _kept(each) for each in document["pictures"]},
    }


def _kept(each: dict) -> dict:
    kept = {key: each[key] for key in ("verdict", "destination", "is_flagged", "detections")}
    return {**kept, "reasons": [reason["text"] for reason in each["reasons"]]}


def main() -> None:
    """Writes the reference."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        copy_frames(Path(folder))
        REFERENCE.parent.mkdir(exist_ok=True)
        REFERENCE.write_text(json.dumps(replay(Path(folder), "onnx"), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--update"]:
        sys.exit("usage: python -m tests.replay.inspect_zoo --update")
    main()
