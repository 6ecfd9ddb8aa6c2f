"""Runs one process of the table for a test of many parts a minute: `takt` but for two things.

The station's detector is the blank one, and the machine sends very many small parts.
"""

from __future__ import annotations

import sys
from functools import partial

from app.cli import main
from app.detect.blank import BlankDetector
from app.detect.detector import InputSpec
from app.detect.zoo import chosen_package, find_package, zoo_folder
from app.entries import station, twin
from app.twin.live import LiveTwin, live_scenario
from tests.live.shift import SMALL_PX, Tiles

PARTS_PER_MIN = 6_000.0


def blank_model(model, state, _tell, _unused):
    """In place of the detector that the line names."""
    package = find_package(chosen_package(model.package, state), zoo_folder())
    return BlankDetector(InputSpec(SMALL_PX, SMALL_PX, 1, is_golden=False)), package


def fast_twin(line, place, parts):
    """In place of a machine that takes its time."""
    return LiveTwin(line, place, parts, live_scenario(line, PARTS_PER_MIN))


station.open_model = blank_model
twin.LiveTwin = fast_twin
twin.live_parts = partial(lambda seed: (Tiles(), seed))

if __name__ == "__main__":
    sys.argv[0] = "takt"
    main()
