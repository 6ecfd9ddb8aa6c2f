"""A real camera beside the twin's, killed and started at moments that nobody chose, on a line that runs."""

import json
import random
import signal
import time
from itertools import pairwise
from pathlib import Path

import pytest

from app.status import State
from app.types import EventKind
from tests.contract.fake_gige import ADDRESS, FakeGige
from tests.live.audit import Witness, audit
from tests.live.box import wait_until

pytestmark = pytest.mark.gige

ROUNDS, LONG_ROUNDS = 3, 50
SIDE = f"""window_ms = 5

[[camera]]
name = "side"
driver = "gige"
source = "{ADDRESS}"
position_mm = 150
width_px = 640
height_px = 640
exposure_ms = 5
transfer_ms = 60
frame_timeout_ms = 150
binding = "one_outstanding"
"""
MOST_GROWN_KB = 24 << 10
"""Of resident memory, over all rounds: pages that are touched for the first time come in late."""

MOST_HANDLES_GROWN = 4
WARM_ROUNDS = 2


@pytest.fixture
def camera():
    with FakeGige("SIDE1") as camera:
        camera.kill()
        yield camera


class Health:
    """Memory and handles of a process of the box."""

    def __init__(self, box, name):
        self.pids = []
        self.resident_kb = []
        self.handles = []
        self._box = box
        self._name = name

    def look(self):
        pid = self._box.pid(self._name)
        status = Path(f"/proc/{pid}/status").read_text()
        self.pids.append(pid)
        self.resident_kb.append(int(status.split("VmRSS:")[1].split()[0]))
        self.handles.append(len(list(Path(f"/proc/{pid}/fd").iterdir())))

    def is_flat(self):
        memory, handles = self.resident_kb[WARM_ROUNDS - 1 :], self.handles[WARM_ROUNDS - 1 :]
        return memory[-1] - memory[0] <= MOST_GROWN_KB and handles[-1] - handles[0] <= MOST_HANDLES_GROWN


def side(box):
    return next(each for each in box.status().cameras if each.name == "side")


def first_frame_s(box, since_ns):
    """How long after a moment the next good frame of the camera was in memory."""
    wait_until(lambda: side(box).last_frame_ns > since_ns, f"frames of the camera: {side(box)}")
    return (side(box).last_frame_ns - since_ns) / 1e9


def test_camera_that_comes_late_dies_at_random_and_hangs_leaves_no_part_unaccounted(
    make_box, camera, is_long, tmp_path
):
    chance, box = random.Random(11), make_box({"window_ms = 5\n": SIDE})
    witness = Witness(box)
    box.start()
    wait_until(lambda: box.status() is not None and side(box).is_away and side(box).text, "the absent one is named")
    absent = side(box)
    camera.start()
    resets = box.run_on()
    first_frame_s(box, 0)

    healths = {name: Health(box, name) for name in ("capture-side", "station")}
    back_s = []
    for _ in range(LONG_ROUNDS if is_long else ROUNDS):
        witness.look()
        time.sleep(chance.uniform(0, 0.4))
        camera.kill()
        time.sleep(chance.choice((0.0, chance.uniform(0, 1), chance.uniform(0, 4 if is_long else 1))))
        camera.start()
        back_s.append(round(first_frame_s(box, time.monotonic_ns()), 3))
        resets += box.run_on()
        for health in healths.values():
            health.look()

    triggers = box.status().tally.triggers
    camera.stall(signal.SIGSTOP)
    wait_until(lambda: side(box).is_away, f"the one that hangs is missed: {side(box)}")
    wait_until(lambda: box.status().tally.triggers > triggers + 5, "parts go on")
    hung = box.status()
    camera.stall(signal.SIGCONT)
    first_frame_s(box, time.monotonic_ns())
    wait_until(lambda: not side(box).text, f"all is well: {side(box)}")
    last = side(box)
    box.stop()

    told = [entry.event.data["text"] for entry in box.entries(EventKind.CAMERA) if entry.event.data["camera"] == "side"]
    figures = {"back_s": sorted(back_s), "refused": last.refused, "reopened": last.reopened, "resets": resets}
    figures |= {"ends": audit(box, witness), "told": told, "late_ms": witness.late_ms}
    figures |= {name: {"kb": each.resident_kb, "fds": each.handles} for name, each in healths.items()}
    (tmp_path / "figures.json").write_text(json.dumps(figures, indent=1))
    assert f"no GigE Vision camera answers at {ADDRESS}" in absent.text
    assert "it is opened again by itself" in absent.text
    assert hung.state is State.NO_CAMERA
    assert all(health.is_flat() for health in healths.values()), figures
    assert set(healths["station"].pids) == {healths["station"].pids[0]}, "the station does not die of a camera"
    assert told[-1] == ""
    assert all(text for text, over in pairwise(told) if not over), "nothing is over that was not named"
    assert told.count("") > len(back_s)
