"""How many pictures a second `takt inspect` judges, against the predict pipeline of Ultralytics with YOLO11n.

`python -m tests.imports.peer_throughput PICTURES [--golden FOLDER]`, after `make test-import` made the environment.

Both judge the same pictures at the same input size on the same CPU with the same threads, in turns, so that whatever
else the machine does meets both. Of `takt inspect` the whole command counts, its start included; of the other library
only the time in its pipeline, without its imports, its loading and its first picture.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.imports.exports import ENVIRONMENT, ROOT

PEER = "ultralytics yolo11n"
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp"}


@dataclass(frozen=True)
class Measured:
    """Pictures per second, over all blocks, and of each block.

    Attributes:
        name: Who judged.
        rate: Pictures per second, all together.
        blocks: Of each block.
    """

    name: str
    rate: float
    blocks: tuple[float, ...]


class Peer:
    """The other library in its own environment, asked through a pipe."""

    def __init__(self, side_px: int, threads: int) -> None:
        command = [ENVIRONMENT / "bin" / "python", "-m", "tests.imports.peer_predicting", str(side_px), str(threads)]
        environ = {**os.environ, "YOLO_CONFIG_DIR": str(ENVIRONMENT / "settings"), "OMP_NUM_THREADS": str(threads)}
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environ
        )

    def judge(self, folder: Path, count: int) -> float:
        """Judges a folder of so many pictures and tells the seconds."""
        print(folder, file=self._child.stdin, flush=True)
        for line in self._child.stdout:
            if line.startswith("answer "):
                answer = json.loads(line.removeprefix("answer "))
                assert answer["pictures"] == count, f"{answer['pictures']} of {count} pictures were judged"
                return answer["seconds"]
        sys.exit("takt: the other library ended; what it said stands above")

    def close(self) -> None:
        """Lets it end."""
        self._child.stdin.close()
        self._child.wait()


@dataclass(frozen=True)
class Block:
    """Pictures of one turn, as links in a folder, and their golden samples in another.

    Attributes:
        folder: The pictures.
        golden: Their golden samples; `None` where none are compared with.
        count: How many.
    """

    folder: Path
    golden: Path | None
    count: int


def inspect(block: Block, model: str, threads: int) -> float:
    """Judges a block with `takt inspect` and tells the seconds of the whole command."""
    command = [sys.executable, "-m", "app.cli", "inspect", str(block.folder), "--model", model]
    command += ["--threads", str(threads), "--json"]
    if block.golden:
        command += ["--golden", str(block.golden)]
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    seconds = time.perf_counter() - begun
    if done.returncode:
        sys.exit(f"takt: takt inspect failed (code {done.returncode}): {done.stderr.strip()}")
    judged = len(json.loads(done.stdout)["pictures"])
    assert judged == block.count, f"{judged} of {block.count} pictures were judged"
    return seconds


def compare(blocks: Iterable[Block], models: list[str], peer: Peer, threads: int) -> list[Measured]:
    """Has everybody judge every block, in turns, and returns the models' figures, the other library's last."""
    took: dict[str, list[float]] = {name: [] for name in (*models, PEER)}
    sizes = []
    for block in blocks:
        sizes.append(block.count)
        for model in models:
            took[model].append(inspect(block, model, threads))
        took[PEER].append(peer.judge(block.folder, block.count))
    return [
        Measured(name, sum(sizes) / sum(seconds), tuple(size / each for size, each in zip(sizes, seconds, strict=True)))
        for name, seconds in took.items()
    ]


def write_blocks(pictures: Path, golden: Path | None, count: int, blocks: int) -> Iterator[Block]:
    """Links the pictures, again and again until there are enough, into one folder for each turn."""
    found = itertools.cycle(_pictures(pictures))
    samples = {each.stem: each for each in _pictures(golden)} if golden else {}
    for number in range(blocks):
        with tempfile.TemporaryDirectory() as scratch:
            block = Block(Path(scratch) / "pictures", Path(scratch) / "golden" if golden else None, count // blocks)
            for folder in filter(None, (block.folder, block.golden)):
                folder.mkdir()
            for index in range(block.count):
                source = next(found)
                name = f"{number:02}-{index:05}"
                (block.folder / f"{name}{source.suffix}").symlink_to(source)
                if block.golden:
                    sample = samples[source.stem]
                    (block.golden / f"{name}{sample.suffix}").symlink_to(sample)
            yield block


def _pictures(folder: Path) -> list[Path]:
    return sorted(each.resolve() for each in folder.iterdir() if each.suffix.lower() in SUFFIXES)


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description="takt inspect against the predict pipeline of Ultralytics")
    parser.add_argument("pictures", type=Path, help="folder of pictures; repeated until there are enough")
    parser.add_argument("--golden", type=Path, help="folder of golden samples, named as the pictures")
    parser.add_argument("--model", action="append", help="a package of the zoo, or its folder; may be given again")
    parser.add_argument("--count", type=int, default=1000, help="pictures")
    parser.add_argument("--blocks", type=int, default=4, help="turns")
    parser.add_argument("--threads", type=int, default=2, help="of one inference")
    parser.add_argument("--side", type=int, default=640, help="of the other library's input, in pixels")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    before = os.getloadavg()
    models = options.model or ["pcb-nano-int8", "pcb-nano"]
    peer = Peer(options.side, options.threads)
    try:
        blocks = write_blocks(options.pictures, options.golden, options.count, options.blocks)
        *ours, theirs = compare(blocks, models, peer, options.threads)
    finally:
        peer.close()
    if options.json:
        rows = [{**asdict(each), "ratio": each.rate / theirs.rate} for each in (*ours, theirs)]
        print(json.dumps({"load_before": before, "load_after": os.getloadavg(), "rows": rows}))  # noqa: T201 - its output
        return
    print(f"load average {before[0]:.1f} before, {os.getloadavg()[0]:.1f} after")  # noqa: T201 - its output
    for each in (*ours, theirs):
        middle = statistics.median(each.blocks)
        ratio = each.rate / theirs.rate
        print(f"{each.name:<24} {each.rate:8.1f} pictures/s (median block {middle:.1f})  {ratio:5.2f}x")  # noqa: T201


if __name__ == "__main__":
    main()
