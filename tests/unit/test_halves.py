"""`make test` runs its tests in parts and has one exit code."""

import pytest

from tests.__main__ import ALONE, NOT_ALONE, NOT_ROOMS, ROOMS, worst
from tests.groups import ROOT


@pytest.mark.parametrize(
    ("codes", "code"), [([0, 0], 0), ([0, 1], 1), ([2, 0], 2), ([0, 5], 0), ([5, 0], 0), ([5, 5], 5), ([5, 1], 1)]
)
def test_failure_of_any_part_fails_and_one_without_tests_does_not(codes, code):
    assert worst(codes) == code


def test_no_test_is_run_twice_or_not_at_all():
    assert all((ROOT / each).exists() for each in (*ROOMS, *ALONE))
    assert tuple(f"--ignore={each}" for each in (*ROOMS, *ALONE)) == NOT_ROOMS + NOT_ALONE
