"""A real fault of CUDA in the real process: the same picture is judged by the standby, and trust comes back."""

import subprocess
import sys
import time

import numpy as np
import pytest

from app.clock import NS_PER_MS
from app.detect.curtain import Phase
from tests.contract.accelerator_rig import Rig, tolerant
from tests.contract.bus_peers import ROOT
from tests.unit.detect.tiny_model import with_spot

pytestmark = pytest.mark.gpu

SPOTS = {"left": (3, 3), "right": (20, 10)}
BUILD_S = 300.0
"""A first engine may take minutes on a Jetson."""


class GpuRig(Rig):
    """The accelerator's process on TensorRT, which can be struck."""

    def __init__(self, folder):
        super().__init__(folder, "tensorrt")
        self.strike = folder / "strike"
        self.said = folder / "said"

    def start(self):
        words = ["process", "accelerator", "--bus", self.place.root, "--state", self.state, "--line", self.lines[0]]
        command = [sys.executable, "-m", "tests.gpu.faulty_accelerator", self.strike, *words]
        self.starts += 1
        with self.said.open("a") as said:
            self.process = subprocess.Popen(list(map(str, command)), cwd=ROOT, stderr=said, stdout=said)
        return self.process

    def until_trusted(self):
        """Rests and is looked after until the accelerator judges."""
        end_s, curtain = time.monotonic() + BUILD_S, self.both.curtain
        while curtain.phase is not Phase.TRUSTED:
            assert time.monotonic() < end_s, f"{curtain.why}\n{self.said.read_text()}"
            self.look()
            curtain.step()
            time.sleep(0.002)

    def judged(self, label):
        """Has a picture judged, whose finding must be right whoever found it, and says who did."""
        picture = with_spot(*SPOTS[label])
        found = self.both.detect(picture, np.zeros_like(picture)).detections
        assert [each.label for each in found] == [label]
        return "standby" if self.both.why else "accelerator"


@pytest.fixture
def rig(tmp_path):
    one = GpuRig(tmp_path)
    one.start()
    one.station(rules=tolerant(slice_ns=500 * NS_PER_MS))
    one.until_trusted()
    yield one
    one.close()


def test_illegal_access_costs_no_picture_and_its_process_is_started_again_and_trusted(rig):
    assert rig.judged("left") == "accelerator"
    for number in range(1, 4):
        rig.strike.touch()
        assert rig.judged("right") == "standby"
        assert rig.both.why.startswith("accelerator failed: CUDA failed: ")
        assert "illegal" in rig.both.why
        assert rig.judged("left") == "standby"
        assert rig.both.failovers == number, "only one picture waited for it"
        rig.until_trusted()
        assert rig.starts == 1 + number
        assert rig.judged("right") == "accelerator"


def test_process_that_is_killed_costs_no_picture_and_its_successor_is_trusted(rig):
    rig.process.kill()
    rig.process.wait()
    assert rig.judged("left") == "standby"
    assert rig.both.why.startswith("accelerator gone: ")
    rig.until_trusted()
    assert rig.judged("right") == "accelerator"
