"""The ring against a list: whatever is written, read, committed and restarted, in whatever order."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from app.bus.ring import RingReader, RingWriter
from app.errors import RingFullError

CAPACITY = 4096
HEAD = 16


def space_of(payload):
    return -(-(HEAD + len(payload)) // 16) * 16


class Ring(RuleBasedStateMachine):
    """A writer, a keeper and a listener on one ring, and what they must see."""

    def __init__(self):
        super().__init__()
        self.home = tempfile.TemporaryDirectory(prefix="takt-test-")
        self.path = Path(self.home.name) / "ring"
        self.writer = RingWriter(self.path, CAPACITY)
        self.keeper = RingReader(self.path, True, "keeper")
        self.listener = RingReader(self.path, False, "listener")
        self.written = []
        self.committed = self.read = self.heard = 0

    def teardown(self):
        for each in (self.writer, self.keeper, self.listener):
            each.close()
        self.home.cleanup()

    @rule(sizes=st.lists(st.one_of(st.integers(0, 100), st.integers(0, 1500)), min_size=1, max_size=4))
    def write(self, sizes):
        payloads = [bytes([(len(self.written) + index) % 256]) * size for index, size in enumerate(sizes)]
        needed = sum(map(space_of, payloads))
        if needed > CAPACITY:
            return
        if needed > CAPACITY - sum(map(space_of, self.written[self.committed :])):
            with pytest.raises(RingFullError):
                self.writer.write_many(payloads)
            return
        self.written += payloads
        assert self.writer.write_many(payloads) == len(self.written)

    @rule(limit=st.integers(0, 5))
    def keep(self, limit):
        payloads = self.keeper.read(limit)
        assert payloads == self.written[self.read : self.read + limit]
        self.read += len(payloads)

    @rule()
    def commit(self):
        self.keeper.commit()
        self.committed = self.read

    @rule(limit=st.integers(1, 5))
    def hear(self, limit):
        missed = self.listener.missed
        payloads = self.listener.read(limit)
        self.heard += self.listener.missed - missed
        assert payloads == self.written[self.heard : self.heard + len(payloads)]
        assert payloads or self.listener.backlog_bytes == 0
        self.heard += len(payloads)

    @rule()
    def restart_writer(self):
        self.writer.close()
        self.writer = RingWriter(self.path, CAPACITY)

    @rule()
    def restart_keeper(self):
        self.keeper.close()
        self.keeper = RingReader(self.path, True, "keeper")
        self.read = self.committed

    @invariant()
    def nothing_is_amiss(self):
        assert self.writer.replaced == ""
        assert self.writer.backlog_bytes == sum(map(space_of, self.written[self.committed :]))
        assert (self.keeper.missed, self.keeper.damages, self.listener.damages) == (0, 0, 0)


TestRing = Ring.TestCase
TestRing.settings = settings(stateful_step_count=40)
