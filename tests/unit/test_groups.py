"""A test that is left out belongs to a group whose reason the run prints."""

import pytest

from tests.groups import GROUPS, LONG, group_of_skip


@pytest.mark.parametrize("group", [*GROUPS, LONG], ids=lambda group: group.name)
def test_skip_by_marker_belongs_to_its_group(group):
    assert group_of_skip(f"Skipped: {group.reason}") == (group.name, group.why)


def test_skip_that_names_a_missing_extra_belongs_to_that_extra():
    name, why = group_of_skip('Skipped: export needs: pip install "takt-inspect[train]"')

    assert name == "train"
    assert ".[train]" in why


def test_skip_for_absent_pictures_belongs_to_the_data():
    assert group_of_skip("Skipped: no real pictures in /somewhere: set TAKT_DATA to the folder")[0] == "data"


def test_skip_for_any_other_reason_belongs_to_no_group():
    assert group_of_skip("Skipped: flaky on Tuesdays") is None
