"""What a process asks of the system, and what it says when it does not get it."""

import gc
import json
import os
import resource
import subprocess
import sys

import pytest

from app import realtime
from app.realtime import CAP_IPC_LOCK, FIFO, OTHER, Throttle
from tests.groups import ROOT

UNPRIVILEGED = """
import ctypes, resource
resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
resource.setrlimit(resource.RLIMIT_MEMLOCK, (1 << 16, 1 << 16))
version_3 = (ctypes.c_uint32 * 2)(0x20080522, 0)
assert ctypes.CDLL(None).capset(version_3, (ctypes.c_uint32 * 6)()) == 0
"""


def tell(body):
    """What a process of its own says as JSON; what it does to itself ends with it."""
    command = [sys.executable, "-c", f"import json\nfrom app import realtime\n{body}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_everything_that_is_refused_is_said_and_nothing_raises():
    body = f"""{UNPRIVILEGED}
granted = realtime.enter(realtime.FIFO, 80, [100_000])
print(json.dumps([granted.is_full, granted.text]))
"""

    is_full, text = tell(body)

    assert not is_full
    assert "SCHED_FIFO 80 is not permitted (LimitRTPRIO)" in text
    assert "core 100000 cannot be had" in text
    assert "memory not locked, the limit is" in text
    assert "(LimitMEMLOCK)" in text


def test_what_is_granted_is_in_force():
    body = """
import os, gc, sys
granted = realtime.enter(realtime.FIFO, 30, sorted(os.sched_getaffinity(0))[:1], is_memory_locked=False)
print(json.dumps([granted.scheduling.is_given, os.sched_getscheduler(0) & 7, os.sched_getparam(0).sched_priority,
                  len(os.sched_getaffinity(0)), gc.isenabled(), sys.getswitchinterval()]))
"""

    is_given, policy, priority, cores, is_collecting, interval = tell(body)

    assert (policy, priority) == ((os.SCHED_FIFO, 30) if is_given else (os.SCHED_OTHER, 0))
    assert cores == 1
    assert not is_collecting
    assert interval == pytest.approx(realtime.SWITCH_INTERVAL_S, abs=1e-6)


def test_what_a_real_time_process_starts_is_ordinary_unless_it_is_to_inherit():
    body = """
import os, subprocess, sys, threading
found = []
look = "import os; print(os.sched_getscheduler(0) & 7)"
def note():
    found.append(os.sched_getscheduler(0) & 7)
for is_inherited in (True, False):
    granted = realtime.schedule(realtime.FIFO, 30, is_inherited=is_inherited)
    thread = threading.Thread(target=note)
    thread.start()
    thread.join()
    found.append(int(subprocess.run([sys.executable, "-c", look], capture_output=True).stdout))
print(json.dumps([granted.is_given, found]))
"""

    is_given, found = tell(body)

    policy = os.SCHED_FIFO if is_given else os.SCHED_OTHER
    assert found == [policy, policy, os.SCHED_OTHER, os.SCHED_OTHER]


def test_another_thread_can_be_placed_by_its_number():
    body = """
import os, threading
ready, done = threading.Event(), threading.Event()
thread = threading.Thread(target=lambda: (ready.set(), done.wait()))
thread.start()
ready.wait()
core = sorted(os.sched_getaffinity(0))[:1]
granted = realtime.pin(core, thread.native_id)
given = realtime.schedule(realtime.FIFO, 30, thread_id=thread.native_id).is_given
found = [os.sched_getscheduler(thread.native_id) & 7, os.sched_getscheduler(0) & 7]
done.set()
print(json.dumps([granted.text == f"core {core[0]}", given, found]))
"""

    is_pinned, given, found = tell(body)

    assert is_pinned
    assert found == [os.SCHED_FIFO if given else os.SCHED_OTHER, os.SCHED_OTHER]


def test_memory_is_locked_where_that_is_permitted_and_said_where_not():
    body = """
grant = realtime.lock_memory()
locked = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmLck"))
print(json.dumps([grant.is_given, grant.text, locked]))
"""

    is_given, text, locked_kib = tell(body)

    assert (locked_kib > 0) is is_given
    assert text.startswith("memory locked" if is_given else "memory not locked")


def test_a_limit_of_computing_time_is_told_as_it_ends_the_process():
    body = """
import resource
resource.setrlimit(resource.RLIMIT_RTTIME, (200_000, 200_000))
grant = realtime.schedule(realtime.FIFO, 10)
print(json.dumps([grant.is_given, grant.text]))
"""

    is_given, text = tell(body)

    assert not is_given
    assert "200 ms (LimitRTTIME)" in text or "not permitted" in text


def test_stepping_back_is_always_granted():
    is_given, text, nice = tell(
        "import os\ngrant = realtime.schedule(realtime.OTHER, 0, nice=7)\n"
        "print(json.dumps([grant.is_given, grant.text, os.getpriority(os.PRIO_PROCESS, 0)]))"
    )

    assert (is_given, text, nice) == (True, "SCHED_OTHER, nice 7", 7)
    assert (FIFO, OTHER) == ("fifo", "other")


@pytest.mark.parametrize(
    ("limit", "capabilities", "may"),
    [(resource.RLIM_INFINITY, 0, True), (8 << 20, 0, False), (8 << 20, 1 << CAP_IPC_LOCK, True)],
)
def test_memory_under_a_limit_is_never_locked(limit, capabilities, may):
    assert realtime.may_lock_all(limit, capabilities) is may


def test_the_brake_on_real_time_threads_is_read(tmp_path):
    folder = tmp_path / "proc/sys/kernel"
    folder.mkdir(parents=True)
    (folder / "sched_rt_runtime_us").write_text("950000\n")
    (folder / "sched_rt_period_us").write_text("1000000\n")

    brake = realtime.throttle(tmp_path)

    assert brake == Throttle(950_000, 1_000_000)
    assert (brake.is_off, brake.longest_pause_ms) == (False, 50)
    assert Throttle(-1, 1_000_000).is_off


def test_a_system_without_that_brake_says_nothing(tmp_path):
    assert realtime.throttle(tmp_path) is None
    assert realtime.effective_capabilities(tmp_path) == 0


def test_this_process_is_as_it_was():
    assert gc.isenabled()
