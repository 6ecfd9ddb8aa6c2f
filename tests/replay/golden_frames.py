"""Renders the golden frames of the shipped packages: pictures of each kind of defect, and of none.

`python -m tests.replay.golden_frames --update PACKAGE` renders them and records what each model of the package finds in
them: an explicit act, after a change of a renderer. After a new model, exporting it records them anew by itself.
"""

import sys
from pathlib import Path

from app.twin.boards import CLASSES, Design
from models.packaging.export import write_golden_frames
from tests.replay import surfaces

SEED = 1000


def boards():
    """Boards of the twin, one for each class and one without a defect, with their golden sample."""
    design = Design()
    frames = [(f"board-{each}", design.board(SEED + i, (each,)).image, design.golden) for i, each in enumerate(CLASSES)]
    return [*frames, ("board-good", design.board(SEED + len(CLASSES), ()).image, design.golden)]


def boards_alone():
    """The same boards for a model that takes no golden sample."""
    return [(name, image, None) for name, image, _ in boards()]


def strips():
    """Drawn strips of steel."""
    kinds = ("scratch", "inclusion", "patch", "pits", "")
    return [(f"strip-{each or 'good'}", surfaces.steel(SEED + i, each), None) for i, each in enumerate(kinds)]


def tiles():
    """Drawn tiles."""
    kinds = ("hole", "crack", "break", "")
    return [(f"tile-{each or 'good'}", surfaces.tile(SEED + i, each), None) for i, each in enumerate(kinds)]


RENDERED = {"pcb-nano": boards, "pcb-golden": boards, "pcb": boards_alone, "steel": strips, "tile": tiles}
"""Package, or what its name begins with -> what draws its golden frames."""


def main(package: Path) -> None:
    """Writes pictures and expectations into a package."""
    names = [each for each in RENDERED if package.name == each or package.name.startswith(f"{each}-")]
    write_golden_frames(package, RENDERED[max(names, key=len)]())


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "--update":
        sys.exit("usage: python -m tests.replay.golden_frames --update PACKAGE")
    main(Path(sys.argv[2]))
