"""Boxes for the tests of this folder; each is taken away when its test ends, however that ends."""

import pytest

from tests.live.box import LESS_WORK, NEVER_TIRED, Box, line_file


@pytest.fixture
def make_box(tmp_path):
    made = []

    def make(changes=None, **options):
        line = line_file(tmp_path / f"line{len(made)}", {**LESS_WORK, **NEVER_TIRED, **(changes or {})})
        made.append(Box([line], tmp_path / f"box{len(made)}", **options))
        return made[-1]

    yield make
    for box in made:
        box.close()
