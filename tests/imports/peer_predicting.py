"""The predict pipeline of Ultralytics as a child that judges folders on request; run by its own environment.

`python -m tests.imports.peer_predicting SIDE_PX THREADS`: a line with a folder in, a line of JSON with pictures and
seconds out.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.update(YOLO_OFFLINE="1", YOLO_AUTOINSTALL="false", YOLO_VERBOSE="false")

import torch
from ultralytics import YOLO


def main(side_px: int, threads: int) -> None:
    """Exports YOLO11n and answers until its input ends."""
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        # Weights as it initialises them: it finds nothing, which spares it the suppression and the results.
        exported = YOLO("yolo11n.yaml").export(format="onnx", imgsz=side_px, device="cpu", verbose=False)
        peer = YOLO(exported, task="detect")
        for line in sys.stdin:
            folder = line.strip()
            first = min(Path(folder).iterdir())
            peer.predict(str(first), imgsz=side_px, device="cpu", verbose=False)
            begun = time.perf_counter()
            results = peer.predict(folder, imgsz=side_px, device="cpu", verbose=False, stream=True)
            count = sum(1 for _ in results)
            answer = {"pictures": count, "seconds": time.perf_counter() - begun}
            print(f"answer {json.dumps(answer)}", flush=True)  # noqa: T201 - it is what the child is for


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
