"""A tied process does not outlive the one that started it, even where that is killed and has threads."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading

from app.tied import tied
from tests.groups import ROOT

STARTER = """
import subprocess, sys, threading
from app.tied import tied
def run():
    child = subprocess.Popen(tied(["sleep", "600"]), start_new_session=True)
    print(child.pid, flush=True)
    child.wait()
threading.Thread(target=run).start()
"""
GONE_S = 20


def test_tied_process_ends_when_its_parent_is_killed():
    starter = subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    with starter:
        pid = int(starter.stdout.readline())
        watched = os.pidfd_open(pid)
        try:
            starter.send_signal(signal.SIGKILL)
            assert ends(watched), "it lives on"
        finally:
            os.close(watched)
            if starter.poll() is None:
                starter.kill()


def ends(watched):
    """The process behind a descriptor has ended, or does so before long."""
    return bool(select.select([watched], [], [], GONE_S)[0])


def test_tied_process_says_what_the_command_says_and_ends_as_it_does():
    done = subprocess.run(
        tied(["sh", "-c", "echo said; exit 7"]), capture_output=True, text=True, cwd=ROOT, check=False
    )

    assert (done.stdout, done.returncode) == ("said\n", 7)


def test_tied_command_that_is_not_there_is_said():
    done = subprocess.run(tied(["/nowhere/at/all"]), capture_output=True, text=True, cwd=ROOT, check=False)

    assert done.returncode == 127
    assert done.stderr == "/nowhere/at/all cannot be started: No such file or directory\n"


def test_tied_process_of_a_parent_that_has_gone_ends_at_once():
    gone = subprocess.Popen(["true"])
    gone.wait()
    command = [str(gone.pid) if each == str(os.getpid()) else each for each in tied(["echo", "said"])]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)

    assert (done.stdout, done.returncode) == ("", 1)


def test_tied_process_lives_as_long_as_the_thread_that_started_it():
    found = []

    def run():
        found.append(
            subprocess.run(tied(["echo", "said"]), capture_output=True, text=True, cwd=ROOT, check=False).stdout
        )

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

    assert found == ["said\n"]
