"""The contract of the folder where processes meet: its locks, its bells, and files in it that nobody can use."""

import contextlib
import os
import stat
import subprocess
import sys

import pytest

from app.bus.bell import Bell, TriggerPipe
from app.bus.block import BlockReader, BlockWriter
from app.bus.place import Place, default_place
from app.bus.ring import RingReader, RingWriter
from app.bus.slots import SlotReader, SlotWriter
from app.errors import BusError
from tests.contract.bus_peers import ROOT, Peer, bus_folder

NOBODY = 65534
WRITERS = {
    "ring": lambda path: RingWriter(path, 4096),
    "block": lambda path: BlockWriter(path, 1000),
    "slots": lambda path: SlotWriter(path, 3, 20, 30, 1),
}
READERS = {
    "ring": lambda path: RingReader(path, True, "keeper"),
    "block": BlockReader,
    "slots": lambda path: SlotReader(path, "station"),
}
EACH = pytest.mark.parametrize("kind", WRITERS)


@pytest.fixture
def folder():
    with bus_folder() as path:
        yield path


@contextlib.contextmanager
def without_rights():
    """Acts as somebody who owns nothing here, also where the tests are run by root."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


# The folder


def test_folder_is_made_for_owner_and_group(folder):
    Place(folder / "new" / "bus")

    assert stat.S_IMODE((folder / "new" / "bus").stat().st_mode) == 0o770


def test_who_only_looks_makes_no_folder(folder):
    Place(folder / "new", make=False)

    assert not (folder / "new").exists()


def test_place_is_the_one_named_else_that_of_the_environment(folder, monkeypatch):
    monkeypatch.setenv("TAKT_BUS", str(folder / "environment"))

    assert default_place().root == folder / "environment"
    assert default_place(folder / "named").root == folder / "named"


def test_files_of_lanes_and_cameras_have_names_of_their_own(folder):
    place = Place(folder)
    cameras = ["top", "side", "a/b", "..", "à"]

    paths = [place.frames(lane, camera) for lane in (1, 2) for camera in cameras]

    assert len(set(paths)) == len(paths)
    assert {path.parent for path in paths} == {folder}
    assert place.previews().is_dir()


def test_folder_that_everybody_may_write_is_refused(folder):
    folder.chmod(0o777)

    with pytest.raises(BusError, match=r"may be written by everybody.*; run: chmod o-w"):
        Place(folder)


def test_file_in_the_folder_s_place_is_refused(folder):
    (folder / "file").write_text("")

    with pytest.raises(BusError, match="it is not a folder; name a folder: --bus DIR"):
        Place(folder / "file")


def test_folder_without_permission_is_refused(folder):
    folder.chmod(0o500 if os.geteuid() else 0o700)

    with without_rights(), pytest.raises(BusError, match="Permission denied; run as its owner or in its group"):
        Place(folder)
    folder.chmod(0o700)


@EACH
def test_file_without_permission_is_refused(folder, kind):
    WRITERS[kind](folder / kind).close()
    folder.chmod(0o755)
    (folder / kind).chmod(0o000 if os.geteuid() else 0o600)

    with without_rights():
        for opened in (WRITERS[kind], READERS[kind]):
            with pytest.raises(BusError, match="Permission denied; run as its owner"):
                opened(folder / kind)


# Locks


def test_second_holder_of_a_lock_is_told_who_the_first_is(folder):
    with Peer("lock_holder", folder, "lane1") as holder:
        with pytest.raises(BusError, match=rf"lane1\.lock is held by process {holder.pid} \(\w+.*\); stop it first"):
            Place(folder).hold("lane1")

        Place(folder).hold("lane2").close()


def test_lock_of_a_killed_process_is_free(folder):
    with Peer("lock_holder", folder, "lane1") as holder:
        holder.kill()

        with Place(folder).hold("lane1"):
            pass


def test_lock_of_a_hung_process_is_held(folder):
    with Peer("lock_holder", folder, "lane1") as holder:
        holder.hang()

        with pytest.raises(BusError, match=str(holder.pid)):
            Place(folder).hold("lane1")


def test_lock_that_was_let_go_is_free(folder):
    Place(folder).hold("lane1").close()

    Place(folder).hold("lane1").close()


# Files that nobody can use


def cut_short(path):
    os.truncate(path, path.stat().st_size - 1)


def cut_to_a_piece(path):
    os.truncate(path, 10)


def overwritten(path):
    path.write_bytes(b"garbage " * 5000)


def emptied(path):
    path.write_bytes(b"")


def of_another_layout(path):
    image = bytearray(path.read_bytes())
    image[16:24] = (99).to_bytes(8, sys.byteorder)
    path.write_bytes(image)


def with_wild_geometry(path):
    image = bytearray(path.read_bytes())
    image[64:128] = b"\xff" * 64
    path.write_bytes(image)


def of_another_kind(path):
    path.unlink()
    next(make for kind, make in WRITERS.items() if kind != path.name)(path).close()


@EACH
@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (cut_short, "is damaged: it has"),
        (cut_to_a_piece, "is not a file of the bus"),
        (overwritten, "is not a file of the bus"),
        (emptied, "is not a file of the bus"),
        (of_another_layout, "is of layout 99, not "),
        (with_wild_geometry, "is damaged: it has"),
        (of_another_kind, "is no "),
    ],
)
def test_file_that_is_none_is_refused_by_readers_and_replaced_by_its_writer(folder, kind, spoil, why):
    path = folder / kind
    WRITERS[kind](path).close()
    spoil(path)

    with pytest.raises(BusError, match=f"{kind} {why}.*; start or restart the process that writes it"):
        READERS[kind](path)
    writer = WRITERS[kind](path)

    assert why in writer.replaced
    READERS[kind](path)
    assert [each.name for each in folder.iterdir()] == [kind]


@pytest.mark.parametrize("word", [16, 24, 25, 28])
def test_ring_whose_positions_contradict_each_other_is_refused_and_replaced(folder, word):
    path = folder / "ring"
    writer = WRITERS["ring"](path)
    writer.write(b"record")
    writer.close()
    image = bytearray(path.read_bytes())
    image[word * 8 : word * 8 + 8] = b"\x55" * 8
    path.write_bytes(image)

    with pytest.raises(BusError, match="its positions contradict each other; restart the station"):
        READERS["ring"](path)

    assert "its positions contradict each other" in WRITERS["ring"](path).replaced


@EACH
def test_unfinished_file_of_a_killed_writer_is_no_hindrance(folder, kind):
    (folder / f".{kind}.new").write_bytes(b"unfinished")

    assert WRITERS[kind](folder / kind).replaced == ""
    assert [each.name for each in folder.iterdir()] == [kind]


@EACH
def test_files_belong_to_owner_and_group(folder, kind):
    before = os.umask(0o077)
    try:
        WRITERS[kind](folder / kind)
    finally:
        os.umask(before)

    assert stat.S_IMODE((folder / kind).stat().st_mode) == 0o660


@pytest.mark.parametrize("room", [1 << 44, 1 << 60])
def test_file_that_does_not_fit_is_refused_before_anybody_touches_it(folder, room):
    with pytest.raises(
        BusError, match=r"cannot be used: (No space left on device; free memory|File too large; make it)"
    ):
        RingWriter(folder / "ring", room)

    assert list(folder.iterdir()) == []


def test_file_beyond_the_limit_of_the_process_is_refused(folder):
    program = (
        "import resource, sys, pathlib; from app.bus.ring import RingWriter;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000)); RingWriter(pathlib.Path(sys.argv[1]), 100000)"
    )
    command = [sys.executable, "-c", program, str(folder / "ring")]

    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert run.returncode == 1, "it was killed by a signal"
    assert "BusError" in run.stderr
    assert "cannot be used: File too large; make it smaller" in run.stderr


# Bells


def test_bell_wakes_a_process_that_waits(folder):
    bell = Bell(folder / "bell")

    with Peer("bell_listener", folder / "bell") as listener:
        for _ in range(3):
            bell.ring()
            assert listener.heard() == "woken"


def test_bell_outlives_its_listener_and_never_waits(folder):
    bell = Bell(folder / "bell")
    with Peer("bell_listener", folder / "bell") as listener:
        listener.kill()

    for _ in range(100_000):
        bell.ring()

    with Peer("bell_listener", folder / "bell") as listener:
        bell.ring()
        assert listener.heard() == "woken"


def test_bell_may_be_rung_before_anybody_listens(folder):
    Bell(folder / "bell").ring()

    with Peer("bell_listener", folder / "bell") as listener:
        Bell(folder / "bell").ring()
        assert listener.heard() == "woken"


def test_silenced_bell_is_silent(folder):
    bell = Bell(folder / "bell")
    for _ in range(10_000):
        bell.ring()

    bell.silence()

    with pytest.raises(BlockingIOError):
        os.read(bell.fileno(), 1)


@pytest.mark.parametrize("opened", [Bell, TriggerPipe])
def test_file_in_the_pipe_s_place_is_refused(folder, opened):
    (folder / "pipe").write_text("")

    with pytest.raises(BusError, match="is not a named pipe; remove it: rm"):
        opened(folder / "pipe")


@pytest.mark.parametrize("opened", [Bell, TriggerPipe])
def test_pipe_in_an_absent_folder_is_refused(folder, opened):
    with pytest.raises(BusError, match="No such file or directory"):
        opened(folder / "absent" / "pipe")


def test_triggers_arrive_in_order_and_old_ones_are_passed_over(folder):
    sender, camera = TriggerPipe(folder / "triggers"), TriggerPipe(folder / "triggers")
    for number in range(1, 6):
        assert sender.send(number * 100, number)

    pulses = camera.receive(not_before_ns=300)

    assert [(pulse.at_ns, pulse.number) for pulse in pulses] == [(300, 3), (400, 4), (500, 5)]
    assert camera.stale == 2
    assert camera.receive() == []


def test_triggers_that_nobody_fetches_are_counted(folder):
    sender, camera = TriggerPipe(folder / "triggers"), TriggerPipe(folder / "triggers")

    sent = [sender.send(number, number) for number in range(10_000)]

    assert sent.count(False) == sender.lost > 0
    assert len(camera.receive()) == sent.count(True)


def test_stray_bytes_in_a_trigger_pipe_spoil_one_reading_at_most(folder):
    sender, camera = TriggerPipe(folder / "triggers"), TriggerPipe(folder / "triggers")
    os.write(sender.fileno(), b"stray")
    sender.send(100, 1)
    camera.receive()

    sender.send(200, 2)

    assert [(pulse.at_ns, pulse.number) for pulse in camera.receive()] == [(200, 2)]


@pytest.mark.parametrize("opened", [Bell, TriggerPipe])
def test_closing_twice_is_closing_once(folder, opened):
    pipe = opened(folder / "pipe")

    pipe.close()
    pipe.close()

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(pipe.fileno())
