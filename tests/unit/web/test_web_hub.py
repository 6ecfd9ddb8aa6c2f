"""Fan-out to pages: bounded, and nobody waits for anybody."""

from __future__ import annotations

import threading

from app.web.hub import QUEUE, Hub

SNAPSHOT = b"whole;"


def hub(most=200):
    return Hub(most, lambda lane: SNAPSHOT)


def test_page_begins_with_the_whole_picture():
    assert hub().subscribe(1).next(0) == SNAPSHOT


def test_page_gets_what_came_since_in_order():
    it = hub()
    page = it.subscribe(1)
    page.next(0)
    it.publish(1, b"a;")
    it.publish(1, b"b;")

    assert page.next(0) == b"a;b;"
    assert page.next(0) == b""


def test_page_gets_its_own_lane_only():
    it = hub()
    page = it.subscribe(2)
    page.next(0)
    it.publish(1, b"a;")

    assert page.next(0) == b""


def test_slow_page_loses_updates_and_gets_the_whole_picture_instead():
    it = hub()
    slow, quick = it.subscribe(1), it.subscribe(1)
    slow.next(0)
    quick.next(0)
    received = b""
    for number in range(10 * QUEUE):
        it.publish(1, b"%d;" % number)
        received += quick.next(0)

    assert received.count(b";") == 10 * QUEUE
    assert it.lost == QUEUE + 1
    assert slow.next(0) == SNAPSHOT
    it.publish(1, b"on;")
    assert slow.next(0) == b"on;"


def test_page_that_never_fetches_holds_a_bounded_queue():
    it = hub()
    page = it.subscribe(1)
    page.next(0)
    for _ in range(10_000):
        it.publish(1, b"x" * 1000)

    assert len(page._waiting) <= QUEUE


def test_too_many_pages_are_refused_and_counted():
    it = hub(most=2)
    pages = [it.subscribe(1), it.subscribe(1)]

    assert it.subscribe(1) is None
    assert (it.count, it.refused) == (2, 1)
    pages[0].close()
    assert it.subscribe(1) is not None


def test_hundred_pages_in_threads_all_get_everything():
    it = hub()
    pages = [it.subscribe(1) for _ in range(100)]
    for page in pages:
        page.next(0)
    received = [b""] * len(pages)

    def serve(index):
        while (chunk := pages[index].next(5)) is not None:
            received[index] += chunk
            if b"end;" in received[index]:
                return

    threads = [threading.Thread(target=serve, args=(index,)) for index in range(len(pages))]
    for thread in threads:
        thread.start()
    for number in range(QUEUE - 1):
        it.publish(1, b"%d;" % number)
    it.publish(1, b"end;")
    for thread in threads:
        thread.join(20)

    everything = b"".join(b"%d;" % number for number in range(QUEUE - 1)) + b"end;"
    assert set(received) == {everything}
    assert it.lost == 0


def test_closing_ends_every_page_and_takes_no_new_one():
    it = hub()
    page = it.subscribe(1)
    it.close()
    it.close()

    assert page.next(5) is None
    assert it.subscribe(1) is None
    assert it.count == 0
