"""What the station's two threads ask of the kernel while parts run: to wait and to wake, and nothing of disk or net."""

import contextlib
import re
import signal
import stat
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.live.box import wait_until

pytestmark = pytest.mark.strace

WATCH_S = 4.0
PARTS_BEFORE = 5

ALWAYS_FINE = {
    # Waiting and waking, of threads that share a lock and of loops that wait for pipes.
    "futex": "the lock that the two threads share, and the interpreter's own",
    "select": "waiting",
    "pselect6": "waiting",
    "poll": "waiting",
    "ppoll": "waiting",
    "restart_syscall": "a wait that strace itself interrupted",
    "clock_nanosleep": "waiting",
    "clock_gettime": "the time, where the kernel gives it by a call",
    "sched_yield": "a spinning thread of the runtime steps back",
    "gettid": "asked by a lock",
    "getpid": "asked by a lock",
    "rt_sigreturn": "the end of a signal",
    "rt_sigprocmask": "around a signal",
    # Memory: no file is behind it, which is checked.
    "mmap": "memory of the allocator",
    "munmap": "memory of the allocator",
    "mremap": "memory of the allocator",
    "brk": "memory of the allocator",
    "madvise": "memory of the allocator",
    "mprotect": "memory of the allocator",
}
ON_PIPES = {"read", "write", "readv", "writev"}
"""Fine on a pipe: bells, triggers, the alarm."""

_CALL = re.compile(r"^(?P<thread>\d+)\s+(?:<\.\.\. )?(?P<name>\w+)(?P<rest>.*)$")
_PATH = re.compile(r"^\(\d+<(?P<path>[^>]*)>")
_BELL = re.compile(r"^\(.*lane1\.bell")


@pytest.fixture
def said(make_box, tmp_path):
    """What strace says of a station whose line runs, and the station's process id."""
    box = make_box()
    box.start_rows("twin", "capture", "recorder", "station")
    wait_until(lambda: box.status().tally.passed > PARTS_BEFORE, "parts are judged")
    pid, file = box.pid("station"), tmp_path / "calls.txt"
    strace = subprocess.Popen(
        ["strace", "-f", "-y", "-qq", "-o", file, "-p", str(pid)], stderr=subprocess.PIPE, text=True
    )
    begun_s, before = time.monotonic(), box.status().tally.triggers
    wait_until(lambda: time.monotonic() - begun_s > WATCH_S or strace.poll() is not None, "strace watches")
    after, epoch = box.status().tally.triggers, box.status().epoch
    strace.send_signal(signal.SIGINT)
    problem = strace.communicate(timeout=10)[1]
    assert file.exists(), problem
    assert file.stat().st_size, f"strace saw nothing: {problem}"
    assert after > before + PARTS_BEFORE
    assert epoch == 1
    return file.read_text(errors="replace").splitlines(), pid, box


def calls_of(lines, thread):
    """Every call of a thread with what is told of its arguments, but not the second halves of interrupted lines."""
    for line in lines:
        found = _CALL.match(line)
        if found and int(found["thread"]) == thread and "resumed>" not in found["rest"]:
            yield found["name"], found["rest"]


def verdict_thread(lines, main):
    """The thread that reads the lane's bell."""
    readers = Counter()
    for line in lines:
        found = _CALL.match(line)
        if found and found["name"] == "read" and _BELL.match(found["rest"]):
            readers[int(found["thread"])] += 1
    readers.pop(main, None)
    assert len(readers) == 1, readers
    return next(iter(readers))


def is_pipe(rest):
    found = _PATH.match(rest)
    if not found:
        return False
    path = found["path"]
    if path.startswith("pipe:") or path == "anon_inode:[eventfd]":
        return True
    with contextlib.suppress(OSError):
        return stat.S_ISFIFO(Path(path).stat().st_mode)
    return False


def is_fine(name, rest):
    if name in ON_PIPES:
        return is_pipe(rest)
    if name == "mmap":
        return "MAP_ANONYMOUS" in rest
    return name in ALWAYS_FINE


def test_no_disk_and_no_network_call_in_the_stations_two_threads(said, tmp_path):
    lines, main, _ = said
    threads = {"line": main, "verdict": verdict_thread(lines, main)}

    seen = {name: Counter(call for call, _ in calls_of(lines, thread)) for name, thread in threads.items()}
    wrong = [
        f"{name}: {call}{rest[:120]}"
        for name, thread in threads.items()
        for call, rest in calls_of(lines, thread)
        if not is_fine(call, rest)
    ]

    (tmp_path / "figures.txt").write_text("\n".join(f"{name}: {calls}" for name, calls in seen.items()))
    assert all(sum(calls.values()) > 100 for calls in seen.values()), seen
    assert wrong == []
