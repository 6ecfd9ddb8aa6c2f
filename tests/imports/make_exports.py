"""Makes exports of one library: run by the Python of the environment that holds it, not by ours.

`python -m tests.imports.make_exports LIBRARY FOLDER NAME ...`
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path


def main(peer: str, target: Path, names: list[str]) -> None:
    """Makes them, each in a folder of its own that appears only when it is whole."""
    module = importlib.import_module(f"tests.imports.peer_{peer}")
    for name in names:
        print(f"takt: exporting {peer} {name}", flush=True)  # noqa: T201 - a build tells what it does
        with tempfile.TemporaryDirectory(dir=target) as scratch:
            draft = Path(scratch) / name
            draft.mkdir()
            module.make(name, draft)
            draft.rename(target / name)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
