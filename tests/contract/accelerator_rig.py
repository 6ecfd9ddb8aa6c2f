"""A package, lines that want an accelerator, its process, and the detector of each lane's station."""

import contextlib
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.bus.bell import Bell
from app.bus.place import Place
from app.clock import NS_PER_MS, NS_PER_S, SystemClock
from app.detect.attachment import Attachment
from app.detect.curtain import Curtain, Phase, Rules
from app.detect.failover import Accelerated, Slices
from app.detect.package import load_package
from app.detect.runtimes import open_detector
from app.detect.sickness import Sickness
from app.setup import twin_line
from tests.contract.accelerator_starter import starter
from tests.contract.bus_peers import eventually
from tests.unit.detect.tiny_model import read, tiny_onnx, with_spot, write_package

SLICE_NS = NS_PER_S // 2
RULES = Rules(SLICE_NS, samples=5, attach_every_ns=5 * NS_PER_MS)
MODEL = '[model]\npackage = "{package}"\nruntime = "onnx"\naccelerator = "{accelerator}"\nthreads = 1\n'


class Rig:
    """All of it in one folder; the process is started, and started again, by whoever tests."""

    def __init__(self, folder, accelerator="onnx", lanes=1):
        self.place = Place(folder / "bus")
        self.state = folder / "state"
        self.package = folder / "package"
        write_package(self.package, tiny_onnx())
        self.lines = [self._line(folder / f"line{lane}.toml", lane, accelerator) for lane in range(1, lanes + 1)]
        shutil.copy(twin_line().parent / "recipe.toml", folder)
        self.sickness = Sickness(self.place.sickness())
        self.process = None
        self.starts = 0
        self.stations = {}

    def _line(self, path, lane, accelerator):
        before, _, rest = twin_line().read_text(encoding="utf-8").partition("[model]")
        model = MODEL.format(package=self.package, accelerator=accelerator)
        text = before + model + "\n" + rest[rest.index("[[gate]]") :]
        path.write_text(text.replace("lane = 1", f"lane = {lane}"), encoding="utf-8")
        return path

    @property
    def both(self):
        """The station of lane 1."""
        return self.stations.get(1)

    def start(self):
        words = ["process", "accelerator", "--bus", self.place.root, "--state", self.state]
        for line in self.lines:
            words += ["--line", line]
        self.starts += 1
        self.process = starter().start(self.place.root.parent / f"said{self.starts}", words)
        return self.process

    def end(self):
        """The process has ended: its exit code and what it said."""
        return self.process.end()

    def look(self):
        """What the supervisor does: whatever has ended is started again."""
        if self.process.poll() is not None:
            self.start()

    def station(self, lane=1, rules=RULES):
        clock, package = SystemClock(), load_package(self.package)
        bell, answered = Bell(self.place.bell("accelerator")), Bell(self.place.bell(f"lane{lane}-answer"))
        attach = Attachment(self.place.exchange(lane), package, read, bell.ring, answered, clock)
        standby = open_detector(package, "onnx", threads=1)
        slices = Slices(rules.slice_ns + NS_PER_MS, standby_ns=NS_PER_MS, least_ns=NS_PER_MS)
        curtain = Curtain(attach, rules, clock)
        self.stations[lane] = Accelerated(standby, package.spec, curtain, (0.5, 0.5), clock, slices)
        return self.stations[lane]

    def trusted(self, lane=1):
        curtain = self.stations[lane].curtain
        eventually(lambda: curtain.step() or curtain.phase is Phase.TRUSTED)

    def judge(self, lane=1):
        """Has one picture judged, and says what was found and by whom."""
        both = self.stations[lane]
        found = both.detect(with_spot(3, 3), np.zeros_like(with_spot(3, 3))).detections
        return [each.label for each in found], "accelerator" if not both.why else "standby"

    def close(self):
        for each in self.stations.values():
            each.close()
        self.sickness.close()
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def rig_of(accelerator="onnx", lanes=1):
    """A rig in memory, as the real bus is."""
    home = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with (
        tempfile.TemporaryDirectory(prefix="takt-test-", dir=home) as folder,
        contextlib.closing(Rig(Path(folder), accelerator, lanes)) as rig,
    ):
        yield rig


def tolerant(**more):
    """Rules under which nothing is parked."""
    return replace(RULES, flaps=10_000, **more)
