"""Every word that the tracker says in known scenes, against the committed references."""

import pytest

from tests.replay.belt_scenes import REFERENCES, SCENES, tell


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_tracker_says_what_it_said(scene):
    reference = REFERENCES / f"{scene.__name__}.txt"

    assert tell(scene) == reference.read_text(encoding="utf-8"), (
        "wanted? then python -m tests.replay.belt_scenes --update, and read the difference before you commit it"
    )
