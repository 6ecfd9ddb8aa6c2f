"""A feeder over a camera that a test breaks in every way, in virtual time."""

import select
from collections import deque

import numpy as np

from app.bus.bell import TriggerPipe
from app.bus.place import Place
from app.bus.slots import SlotReader, SlotWriter
from app.capture.feeder import Feeder
from app.clock import NS_PER_MS, NS_PER_S, VirtualClock
from app.config import CameraSettings
from app.errors import CameraError, FrameTimeoutError
from app.types import Frame

HEIGHT, WIDTH = 24, 32
GREY = 90
GONE = CameraError("camera 'top' is gone", "check its cable")


class BreakingCamera:
    """Answers each trigger at once, unless a test says otherwise."""

    name = "top"

    def __init__(self, clock):
        self.clock = clock
        self.triggers = []
        self.ready = deque()
        self.opens = self.closes = 0
        self.counter = 0
        self.is_open = False
        self.opens_with = None
        self.grabs_with = None
        self.triggers_with = None
        self.answers = True
        self.level = GREY
        self.delay_ms = 1.0
        self.refused = 0
        self.last_refusal = ""
        self.heard_ns = None
        self.is_streaming = False

    def open(self):
        self.opens += 1
        if self.opens_with is not None:
            raise self.opens_with
        self.is_open = True
        self.counter = 0

    def stream(self):
        self.is_streaming = True

    def close(self):
        self.closes += 1
        self.is_open = self.is_streaming = False
        self.ready.clear()

    def trigger(self, at_ns):
        assert self.is_open
        if self.triggers_with is not None:
            raise self.triggers_with
        self.triggers.append(at_ns)
        if self.answers:
            self.send(at_ns=at_ns)

    def send(self, image=None, at_ns=None, **stamps):
        self.counter += 1
        image = np.full((HEIGHT, WIDTH), self.level, np.uint8) if image is None else image
        host_ns = self.clock.now_ns() if at_ns is None else at_ns + round(self.delay_ms * NS_PER_MS)
        self.ready.append(Frame(image, "top", host_ns, **{"counter": self.counter, **stamps}))

    def grab(self, deadline_ns):
        assert self.is_open
        if self.grabs_with is not None:
            raise self.grabs_with
        if not self.ready:
            raise FrameTimeoutError("no frame", "wait")
        return self.ready.popleft()


class FeederBench:
    """The feeder, both its pipes and its slots."""

    def __init__(self, folder, spotter=None, **changes):
        settings = {"name": "top", "width_px": WIDTH, "height_px": HEIGHT, "channels": 1, **changes}
        self.settings = CameraSettings.model_validate(settings)
        self.place = Place(folder / "bus")
        self.clock = VirtualClock(start_ns=10 * NS_PER_S)
        self.camera = BreakingCamera(self.clock)
        self.slots = SlotWriter(self.place.frames(1, "top"), 8, HEIGHT, WIDTH, 1)
        self.reader = SlotReader(self.place.frames(1, "top"), "station")
        self.triggers = TriggerPipe(self.place.triggers(1, "top"))
        self.states = []
        self.reported_ns = []
        self.waited_s = []
        self.feeder = Feeder(
            self.camera, self.settings, self.slots, self.triggers, self._report, self.clock, spotter, self._wait
        )

    @property
    def state(self):
        """How the camera is now, be it reported yet or not."""
        self.feeder._tell(is_due=True)
        return self.states[-1]

    @property
    def texts(self):
        """The sentences in order, each once."""
        seen = [""]
        for state in self.states:
            if state.text != seen[-1]:
                seen.append(state.text)
        return seen[1:]

    def open(self):
        self.feeder.step()
        assert not self.state.is_away
        return self

    def ask(self):
        """The station asks for a picture and the feeder goes round once."""
        self.triggers.send(self.clock.now_ns(), len(self.camera.triggers) + 1)
        self.feeder.step()

    def run_ms(self, ms):
        """The feeder goes round for so long."""
        end_ns = self.clock.now_ns() + round(ms * NS_PER_MS)
        while self.clock.now_ns() < end_ns:
            before_ns = self.clock.now_ns()
            self.feeder.step()
            if self.clock.now_ns() == before_ns:
                self.clock.advance_to(before_ns + 2 * NS_PER_MS)

    def taken(self):
        """The frames that the station gets now."""
        frames = []
        while (frame := self.reader.take()) is not None:
            frames.append(frame)
        return frames

    def _report(self, state, now_ns):
        self.states.append(state)
        self.reported_ns.append(now_ns)

    def _wait(self, descriptors, longest_s):
        self.waited_s.append(longest_s)
        if select.select(descriptors, (), (), 0)[0]:
            return
        self.clock.advance_to(self.clock.now_ns() + round(longest_s * NS_PER_S))
