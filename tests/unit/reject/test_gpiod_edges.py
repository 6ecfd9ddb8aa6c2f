"""Edges of many lines come in the order of their times, none twice, and a chattering line does not hold up the rest."""

import errno
import os

import pytest

from app.errors import LineError
from app.reject.gpiod_edges import MOST_ROUNDS, EdgeFeed


class Line:
    """A line whose edges are given out in portions; it is readable while there are any."""

    def __init__(self, *portions):
        self.portions = list(portions)
        self.fd, self._bell = os.pipe()
        os.write(self._bell, b"!")
        self.is_gone = False

    def fetch(self):
        if self.is_gone:
            raise self.gone()
        portion = self.portions.pop(0)
        if not self.portions:
            os.read(self.fd, 1)
        return portion

    def gone(self):
        return OSError(errno.ENODEV, "line 3 is gone")

    def close(self):
        os.close(self.fd)
        os.close(self._bell)


class Endless(Line):
    """A line that always has one more edge."""

    def fetch(self):
        self.portions.append([])
        return [(len(self.portions), True, len(self.portions))]


@pytest.fixture
def feed():
    feed = EdgeFeed(is_pumped=True)
    yield feed
    feed.close()


def heard(feed, *lines):
    """What each line hands over: its place among the lines, the time and the level."""
    edges = []
    for place, line in enumerate(lines):

        def deliver(at_ns, is_high, place=place):
            edges.append((place, at_ns, is_high))

        feed.listen(line.fd, line, deliver)
    return edges


def let_go(feed, *lines):
    for line in lines:
        feed.forget(line.fd)
        line.close()


def test_edge_that_is_found_later_but_is_older_comes_first(feed):
    first, second = Line([(10, True, 1)], [(20, False, 2)]), Line([(15, True, 1), (30, False, 2)])
    edges = heard(feed, first, second)
    count = feed.pump()
    let_go(feed, first, second)

    assert edges == [(0, 10, True), (1, 15, True), (0, 20, False), (1, 30, False)]
    assert count == 4


def test_line_that_chatters_without_end_does_not_hold_up_the_rest(feed):
    chatter, other = Endless(), Line([(5, True, 1)])
    edges = heard(feed, chatter, other)
    count = feed.pump()
    let_go(feed, chatter, other)

    assert count == MOST_ROUNDS + 1
    assert (1, 5, True) in edges


@pytest.mark.parametrize(("numbers", "lost"), [((1, 2, 3), 0), ((1, 2, 5), 2), ((7, 8), 0), ((1, 4, 9), 6)])
def test_gaps_in_a_lines_numbers_are_lost_edges(feed, numbers, lost):
    line = Line([(number, bool(number % 2), number) for number in numbers])
    heard(feed, line)
    feed.pump()
    let_go(feed, line)

    assert feed.lost_edges == lost


def test_numbers_begin_anew_when_a_line_is_listened_to_again(feed):
    line = Line([(1, True, 1)], [(2, False, 40)])
    heard(feed, line)
    line.portions, rest = line.portions[:1], line.portions[1:]
    feed.pump()
    feed.forget(line.fd)
    line.portions = rest
    os.write(line._bell, b"!")
    edges = heard(feed, line)
    feed.pump()
    let_go(feed, line)

    assert (edges, feed.lost_edges) == ([(0, 2, False)], 0)


def test_handler_that_lets_another_line_go_silences_it_at_once(feed):
    first, second = Line([(1, True, 1)]), Line([(2, True, 1)])
    edges = []

    def deliver(at_ns, is_high):
        edges.append(at_ns)
        feed.forget(second.fd)

    feed.listen(first.fd, first, deliver)
    feed.listen(second.fd, second, lambda at_ns, is_high: edges.append(at_ns))
    feed.pump()
    let_go(feed, first, second)

    assert edges == [1]


def test_edges_after_a_handler_that_raises_come_with_the_next_call(feed):
    line = Line([(1, True, 1), (2, False, 2)])
    edges = []

    def deliver(at_ns, is_high):
        edges.append(at_ns)
        if is_high:
            raise ValueError("a defect in somebody's handler")

    feed.listen(line.fd, line, deliver)
    with pytest.raises(ValueError, match="a defect"):
        feed.pump()
    feed.pump()
    let_go(feed, line)

    assert edges == [1, 2]


def test_line_that_has_gone_is_told_at_every_call_until_it_is_let_go(feed):
    gone, other = Line([]), Line([(1, True, 1)])
    gone.is_gone = True
    edges = heard(feed, gone, other)
    for _ in range(2):
        with pytest.raises(LineError, match="line 3 is gone; plug it in again"):
            feed.pump()
    let_go(feed, gone)

    assert feed.pump() == 0
    assert edges == [(1, 1, True)]
    let_go(feed, other)
