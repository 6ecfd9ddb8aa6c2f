"""A driver that hangs in a call is left behind with its process, and a new one takes its place."""

import sys
import time
from dataclasses import replace

from app.bus.place import Place
from app.child import Child
from app.clock import SystemClock
from app.processes import Sign, Watchdog, row_of, table
from app.setup import load_setup
from app.signs import watch_of
from tests.live.box import LOOK_S, gone_ns, line_file, wait_until
from tests.unit.capture.recordings import make_folder

HANGS = """
import threading
from app.capture.playback import PlaybackCamera
PlaybackCamera.{call} = lambda *_: threading.Event().wait()
from app.cli import main
main()
"""
FOLDER_CAMERA = """driver = "folder"
source = "{folder}"
"""
MAX_AGE_MS = 700


class Capture:
    """A capture process as the supervisor runs it, whose driver hangs in a call."""

    def __init__(self, folder, call):
        pictures = make_folder(folder / "pictures")
        line = line_file(folder / "line", {'driver = "twin"\n': FOLDER_CAMERA.format(folder=pictures)})
        place = Place(folder / "bus")
        row = row_of(table({line: load_setup(line).line}), "capture")
        row = replace(row, watchdog=Watchdog(Sign.BEAT, MAX_AGE_MS, row.watchdog.start_ms))
        command = [sys.executable, "-c", HANGS.format(call=call), *row.words(place.root, folder / "state")]
        self.pids, self.said = set(), []
        watch = watch_of(row, place, ("127.0.0.1", 9))
        self._child = Child(row, command, (), watch, lambda _, words: self.said.append(words))
        self._clock = SystemClock()

    def is_replaced(self):
        self._child.look(self._clock.now_ns())
        self.pids.add(self._child.pid)
        return self._child.starts > 1

    def end(self):
        self._child.retire()
        self._child.kill("the test is over")
        while self._child.is_running:
            self._child.look(self._clock.now_ns())
            time.sleep(LOOK_S)
        for pid in self.pids - {0}:
            gone_ns(pid)


def test_process_whose_driver_hangs_is_killed_and_replaced_also_while_it_opens_its_camera(tmp_path):
    captures = []
    for call in ("open", "grab"):
        (tmp_path / call).mkdir()
        captures.append(Capture(tmp_path / call, call))
    try:
        wait_until(lambda: {each.is_replaced() for each in captures} == {True}, "both hung processes are replaced")
    finally:
        for capture in captures:
            capture.end()
    for capture in captures:
        assert any("hung, no sign of life for 0." in words for words in capture.said), capture.said
        assert len(capture.pids - {0}) > 1
