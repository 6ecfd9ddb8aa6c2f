"""Renders the golden frames of the shipped model: boards of the twin, one for each class and one without a defect.

`python -m tests.replay.golden_frames --update` renders them and records what the model finds in them: an explicit act,
after a change of the renderer. After a new model, exporting it records them anew by itself.
"""

import sys

from app.twin.boards import CLASSES, Design
from models.export import write_golden_frames
from tests.replay.inspect_zoo import PACKAGE

SEED = 1000


def main() -> None:
    """Writes pictures and expectations into the package."""
    design = Design()
    frames = [(f"board-{each}", design.board(SEED + i, (each,)).image, design.golden) for i, each in enumerate(CLASSES)]
    frames.append(("board-good", design.board(SEED + len(CLASSES), ()).image, design.golden))
    write_golden_frames(PACKAGE, frames)


if __name__ == "__main__":
    if sys.argv[1:] != ["--update"]:
        sys.exit("usage: python -m tests.replay.golden_frames --update")
    main()
