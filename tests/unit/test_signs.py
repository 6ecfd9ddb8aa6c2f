"""What shows that a process lives, looked at from outside."""

import socket
import threading

import pytest

from app.bus.beat import Beat, beat_path
from app.bus.block import BlockWriter
from app.bus.place import Place
from app.clock import NS_PER_MS, NS_PER_S
from app.config import load_line
from app.errors import BusError
from app.processes import Sign, Watchdog, row_of, table
from app.setup import twin_line
from app.signs import LONGEST_LOOK_MS, Page, Watch, watch_of

WATCHDOG = Watchdog(Sign.BEAT, max_age_ms=1000, start_ms=3000)


class Someone:
    """Something that changes when it is told to."""

    def __init__(self):
        self.count = 0

    def look(self, _now_ns):
        return self.count


def watched(someone, until_ms, step_ms=100, watchdog=WATCHDOG):
    """A watch that has looked every so often."""
    watch = Watch(watchdog, someone.look)
    watch.start(0)
    for at_ms in range(step_ms, until_ms + 1, step_ms):
        watch.look(at_ms * NS_PER_MS)
    return watch


def test_who_has_shown_nothing_yet_has_time_to_start():
    watch = watched(Someone(), 3000)

    assert (watch.is_alive, watch.is_hung, watch.age_ms) == (False, False, 3000)


def test_who_never_starts_is_hung():
    assert watched(Someone(), 3100).is_hung


def test_a_change_is_a_sign_of_life():
    someone = Someone()
    watch = watched(someone, 2000)
    someone.count += 1
    watch.look(2100 * NS_PER_MS)

    assert (watch.is_alive, watch.age_ms) == (True, 0)


def test_who_falls_silent_after_its_first_sign_is_hung_sooner():
    someone = Someone()
    watch = watched(someone, 100)
    someone.count += 1
    watch.look(200 * NS_PER_MS)
    for at_ms in range(300, 1400, 100):
        watch.look(at_ms * NS_PER_MS)

    assert watch.is_hung


def test_what_a_predecessor_left_is_no_sign_of_the_successor():
    someone = Someone()
    someone.count = 41
    watch = watched(someone, 100)

    assert not watch.is_alive


def test_a_watcher_that_was_held_up_itself_does_not_blame_the_other():
    watch = Watch(WATCHDOG, Someone().look)
    watch.start(0)
    watch.look(3600 * NS_PER_S)

    assert watch.age_ms == LONGEST_LOOK_MS
    assert not watch.is_hung


def test_a_beat_is_seen_in_the_file_of_its_row(tmp_path):
    place = Place(tmp_path / "bus")
    row = row_of(table({twin_line(): load_line(twin_line())}), "recorder")
    watch = watch_of(row, place, ("127.0.0.1", 1))
    watch.start(0)
    beat = Beat(beat_path(place.root, row.name))
    watch.look(1)
    before = watch.is_alive

    beat.beat()
    watch.look(2)
    beat.close()
    beat.close()

    assert (before, watch.is_alive) == (False, True)


def test_the_first_beat_of_a_successor_is_a_change(tmp_path):
    path = beat_path(tmp_path, "recorder")
    contents = []
    for _ in range(2):
        beat = Beat(path)
        beat.beat()
        contents.append(path.read_bytes())
        beat.close()

    assert contents[0] != contents[1]


def test_a_beat_that_cannot_be_written_says_so(tmp_path):
    with pytest.raises(BusError, match="nowhere"):
        Beat(tmp_path / "nowhere" / "x.alive")


def test_a_station_is_seen_by_its_status(tmp_path):
    place = Place(tmp_path / "bus")
    row = row_of(table({twin_line(): load_line(twin_line())}), "station")
    block = BlockWriter(place.status(1), 100)
    block.write(b"of a predecessor")
    watch = watch_of(row, place, ("127.0.0.1", 1))
    watch.start(0)

    watch.look(1)
    before = watch.is_alive
    block.write(b"its own")
    watch.look(2)
    block.close()

    assert (before, watch.is_alive) == (False, True)


def test_a_station_without_a_status_shows_no_life(tmp_path):
    place = Place(tmp_path / "bus")
    row = row_of(table({twin_line(): load_line(twin_line())}), "station")
    watch = watch_of(row, place, ("127.0.0.1", 1))
    watch.start(0)
    place.status(1).write_bytes(b"no block")
    watch.look(1)

    assert not watch.is_alive


# Pages


@pytest.fixture
def server():
    """A socket that listens, and answers whoever comes once `answer` is called."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        yield door


def answer(door):
    def serve():
        client, _ = door.accept()
        with client:
            client.recv(1000)
            client.sendall(b"HTTP/1.0 404 Not Found\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def asked_until(page, is_done, seconds=10):
    """Looks as the supervisor does, on a clock of its own, until something has happened."""
    for n in range(int(seconds * 1000)):
        page.look(n * NS_PER_MS)
        if is_done():
            return True
        threading.Event().wait(0.001)
    return False


def test_a_page_that_answers_anything_lives(server):
    page = Page(*server.getsockname())
    thread = answer(server)

    assert asked_until(page, lambda: page.answers == 1)
    thread.join()
    page.close()


def test_a_server_that_accepts_and_does_not_answer_shows_no_life(server):
    page = Page(*server.getsockname())

    is_answered = asked_until(page, lambda: page.answers > 0, seconds=0.2)
    page.close()

    assert not is_answered


def test_a_port_where_nobody_listens_is_asked_again():
    with socket.create_server(("127.0.0.1", 0)) as door:
        address = door.getsockname()
    page = Page(*address)
    page.look(0)
    page.look(1)
    with socket.create_server(address) as door:
        thread = answer(door)
        is_answered = asked_until(page, lambda: page.answers == 1)
        thread.join()
    page.close()

    assert is_answered
