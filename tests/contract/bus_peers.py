"""Programs that meet on a bus, each in a process of its own, and how a test starts, stops and kills them.

`python -m tests.contract.bus_peers PROGRAM ...` says `ready` when it is at work, goes on until SIGTERM, and then says
what it counted, as JSON. A program that finds a thing wrong dies of its assertion.
"""

from __future__ import annotations

import contextlib
import dis
import itertools
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAIR = struct.Struct("=QQ")
PATIENCE_S = 60
SHAPE = (120, 160, 3)
SLOTS = 6
LIMIT = 2
BLOCK_BYTES = 3000


def state_of(pid):
    """The letter by which the kernel calls a process's state."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


class Peer:
    """A program in a process of its own."""

    def __init__(self, program, *arguments):
        self._command = [sys.executable, "-m", "tests.contract.bus_peers", program]
        self._start(arguments)

    def _start(self, arguments):
        command = [*self._command, *map(str, arguments)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid

    def __enter__(self):
        if self.process.stdout.readline() != "ready\n":
            self.__exit__()
            raise AssertionError("it died before it was ready")
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def heard(self):
        """Waits for the next line that it says."""
        return self.process.stdout.readline().strip()

    def kill(self):
        assert self.process.poll() is None, "it died before it was killed"
        self.process.kill()
        self.process.wait()

    def again(self, *arguments):
        """Kills it and starts it again."""
        self.kill()
        self.process.stdout.close()
        self._start(arguments)
        self.__enter__()

    def hang(self):
        """Stops it, and waits until it stands: until then it may still do a little."""
        self.process.send_signal(signal.SIGSTOP)
        end = time.monotonic() + PATIENCE_S
        while state_of(self.process.pid) != "T":
            assert time.monotonic() < end, "it does not stop"

    def wake(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        """Ends it in order and fetches what it counted."""
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        return self.result()

    def result(self):
        """Waits for its end and fetches what it counted."""
        out, _ = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0
        return json.loads(out)


@contextlib.contextmanager
def bus_folder():
    """A folder in memory, as the real one is."""
    home = "/dev/shm" if Path("/dev/shm").is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="takt-test-", dir=home))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def eventually(fact):
    """Waits until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not fact():
        assert time.monotonic() < end, "it never came to be so"
        time.sleep(0.002)


def at_random(chance, most_s):
    """Lets a random time go by: a moment at which something is killed."""
    time.sleep(chance.uniform(0, most_s))


def record(epoch, number):
    """A record that shows whether it is whole."""
    return PAIR.pack(epoch, number) + bytes([number % 251]) * ((number * 7919 + epoch) % 600)


def pair_of(payload):
    epoch, number = PAIR.unpack_from(payload)
    assert payload == record(epoch, number), "a record is torn"
    return epoch, number


def pairs_in(path):
    """What a log holds, but for a last entry that was cut short by a kill."""
    log = path.read_bytes() if path.exists() else b""
    return list(PAIR.iter_unpack(log[: len(log) - len(log) % PAIR.size]))


def block_value(number):
    return PAIR.pack(number, number) + bytes([number % 251]) * (number * 7919 % (BLOCK_BYTES - PAIR.size))


def number_of(value):
    number, _ = PAIR.unpack_from(value)
    assert value == block_value(number), "a value is torn"
    return number


# Ring


def ring_writer(run, path, capacity, acknowledged, epoch):
    from app.bus.ring import RingWriter
    from app.errors import RingFullError

    writer = RingWriter(Path(path), int(capacity))
    log = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    number, refused = 0, 0
    for _ in run:
        try:
            writer.write(record(int(epoch), number + 1))
        except RingFullError:
            refused += 1
            time.sleep(0.0005)
            continue
        number += 1
        os.write(log, PAIR.pack(int(epoch), number))
    return {"written": number, "refused": refused}


def ring_keeper(run, path, ledger):
    from app.bus.ring import RingReader

    log = os.open(ledger, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    os.ftruncate(log, os.fstat(log).st_size // PAIR.size * PAIR.size)  # what a database rolls back
    reader = RingReader(Path(path), True, "keeper")
    for _ in run:
        payloads = reader.read(20)
        os.write(log, b"".join(PAIR.pack(*pair_of(payload)) for payload in payloads))
        reader.commit()
        if not payloads:
            time.sleep(0.0005)
    return {"missed": reader.missed, "damages": reader.damages}


def ring_listener(run, path, pause_ms):
    from app.bus.ring import RingReader

    reader = RingReader(Path(path), False, "listener")
    numbers = []
    for _ in run:
        numbers += [pair_of(payload)[1] for payload in reader.read(20)]
        time.sleep(float(pause_ms) / 1000)
    numbers += [pair_of(payload)[1] for payload in reader.read(10**6)]
    assert numbers == sorted(set(numbers)), "records came twice or out of order"
    return {"read": len(numbers), "missed": reader.missed, "last": numbers[-1], "damages": reader.damages}


# Block


def block_writer(run, path, first):
    from app.bus.block import BlockWriter

    writer = BlockWriter(Path(path), BLOCK_BYTES)
    number = int(first)
    for _ in run:
        writer.write(block_value(number))
        number += 1
    return {"last": number - 1}


def block_reader(run, path):
    from app.bus.block import BlockReader

    reader = BlockReader(Path(path))
    numbers = []
    for _ in itertools.chain(run, [None]):  # once more at the end: the last value
        value = reader.read()
        if value is not None:
            numbers.append(number_of(value))
    assert numbers == sorted(numbers), "an older value came after a newer one"
    return {"read": len(numbers), "last": numbers[-1]}


# Slots


def fill_number(image):
    number = int(image.flat[0])
    assert (image == number).all(), "pixels are torn"
    return number


def slot_capture(run, path):
    import numpy as np

    from app.bus.slots import SlotWriter
    from app.types import Frame

    writer = SlotWriter(Path(path), SLOTS, *SHAPE)
    nothing = np.empty(0, np.uint8)
    for _ in run:
        image = writer.free()
        if image is not None:
            number = writer.published + 1
            image[:] = number % 251
            writer.publish(Frame(nothing, "top", host_ns=number, counter=number))
        time.sleep(0.0005)
    return {"published": writer.published, "dropped": writer.dropped}


def slot_station(run, frames, ring):
    """Looks at frames, tells the recorder of them by the ring, hands them over."""
    from app.bus.ring import RingWriter
    from app.bus.slots import SlotReader
    from app.errors import RingFullError

    reader = SlotReader(Path(frames), "station", fresh=True)
    writer = RingWriter(Path(ring), 1 << 16)
    judged = handed = 0
    for _ in run:
        frame = reader.take()
        if frame is None:
            time.sleep(0.0002)
            continue
        assert fill_number(frame.image) == frame.counter % 251
        is_handed = reader.hand_over(frame.slot, frame.generation, "recorder", LIMIT)
        with contextlib.suppress(RingFullError):
            writer.write(json.dumps([frame.slot if is_handed else -1, frame.generation, frame.counter]).encode())
        assert fill_number(frame.image) == frame.counter % 251
        frame.release()
        judged += 1
        handed += is_handed
    return {"judged": judged, "handed": handed, "refused": reader.refused}


def slot_recorder(run, frames, ring):
    from app.bus.ring import RingReader
    from app.bus.slots import SlotReader

    reader = SlotReader(Path(frames), "recorder", fresh=True)
    keeper = RingReader(Path(ring), True, "recorder")
    kept = absent = dropped = 0
    for _ in run:
        for payload in keeper.read(20):
            slot, generation, counter = json.loads(payload)
            frame = reader.borrow(slot, generation)
            if frame is None:
                dropped += slot < 0
                absent += slot >= 0
                continue
            assert frame.counter == counter, "the picture of another frame"
            assert fill_number(frame.image) == counter % 251
            frame.release()
            kept += 1
        keeper.commit()
        time.sleep(0.0002)
    return {"kept": kept, "absent": absent, "dropped": dropped}


# Commands, bells and locks


def command_server(run, path):
    import select

    from app.bus.commands import CommandServer, Reply

    server = CommandServer(Path(path))
    done = 0
    for _ in run:
        select.select([server], [], [], 0.05)
        for received in server.receive():
            done += 1
            server.answer(received, Reply(ok=True, what=received.request.command, epoch=1, sequence=done))
    refused, unanswered = server.refused, server.unanswered
    server.close()
    return {"done": done, "refused": refused, "unanswered": unanswered}


def bell_listener(run, path):
    import select

    from app.bus.bell import Bell

    bell = Bell(Path(path))
    woken = 0
    for _ in run:
        if select.select([bell], [], [], 0.02)[0]:
            bell.silence()
            woken += 1
            say("woken")
    return {"woken": woken}


def lock_holder(run, folder, name):
    from app.bus.place import Place

    lock = Place(Path(folder)).hold(name)
    for _ in run:
        time.sleep(0.01)
    lock.close()
    return {}


# Death


def killed_everywhere(run, scene, folder):
    """Plays a scene again and again, killed at its first instruction that changes anything, its second, and so on."""
    from tests.contract import bus_deaths

    prepare = getattr(bus_deaths, scene)
    next(run)
    for instruction in itertools.count(1):
        here = Path(folder) / str(instruction)
        here.mkdir()
        act, check = prepare(here)
        child = os.fork()
        if not child:
            _die_at(instruction)
            act()
            os._exit(0)
        is_killed = os.waitpid(child, 0)[1] == signal.SIGKILL
        check()
        shutil.rmtree(here)
        if not is_killed:
            return {"deaths": instruction - 1}
    return {}


CHANGING = ("CALL", "STORE_SUBSCR", "STORE_SLICE", "STORE_ATTR")
"""Bytecode instructions that change more than a variable: to die between two of them is to die before the second."""


def _die_at(instruction):
    count = 0

    def trace(frame, event, _):
        nonlocal count
        if f"{os.sep}bus{os.sep}" not in frame.f_code.co_filename:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            name = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            count += name.startswith(CHANGING)
        if count == instruction:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)


PROGRAMS = (
    ring_writer,
    ring_keeper,
    ring_listener,
    block_writer,
    block_reader,
    slot_capture,
    slot_station,
    slot_recorder,
    command_server,
    bell_listener,
    lock_holder,
    killed_everywhere,
)


def say(line):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _until_terminated():
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    say("ready")
    while not ended:
        yield


def main():
    name, *arguments = sys.argv[1:]
    program = {each.__name__: each for each in PROGRAMS}[name]
    say(json.dumps(program(_until_terminated(), *arguments)))


if __name__ == "__main__":
    main()
