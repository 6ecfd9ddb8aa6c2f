"""A descriptor of another process: of that very one, or none."""

import os
import select
import subprocess
import sys

import pytest

from app.bus.life import NONE, life_of, own_mark
from app.errors import BusError


@pytest.fixture
def peer():
    """A process that has told its mark and waits."""
    program = "from app.bus.life import own_mark; print(own_mark(), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        process.mark = process.stdout.readline().strip()
        yield process
        process.kill()


def is_over(life, wait_s):
    return bool(select.select([life], [], [], wait_s)[0])


def test_end_of_a_process_shows(peer):
    life = life_of(peer.pid, peer.mark)
    assert not is_over(life, 0)
    peer.kill()
    assert is_over(life, 60)
    os.close(life)


def test_process_that_has_ended_is_told(peer):
    peer.kill()
    peer.wait()
    with pytest.raises(BusError, match="has ended"):
        life_of(peer.pid, peer.mark)


def test_number_that_belongs_to_another_process_by_now_is_not_watched(peer):
    space, _, born = peer.mark.partition(":")
    with pytest.raises(BusError, match="has ended"):
        life_of(peer.pid, f"{space}:{int(born) - 1}")


def test_number_of_another_namespace_is_not_watched(peer):
    _, _, born = peer.mark.partition(":")
    assert life_of(peer.pid, f"1:{born}") == NONE


@pytest.mark.parametrize("mark", ["", ":", "nonsense", "1:2:3"])
def test_process_that_has_not_said_who_it_is_is_not_watched(mark):
    assert life_of(os.getpid(), mark) == NONE


def test_own_mark_is_the_same_each_time():
    assert own_mark() == own_mark() != ""
