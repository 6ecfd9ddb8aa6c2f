"""One guest for all tests with hardware in the loop; it is started when the first of them asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hil.guest import Guest


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.hil)


@pytest.fixture(scope="session")
def guest():
    """A virtual machine that has started."""
    guest = Guest()
    yield guest
    guest.close()
