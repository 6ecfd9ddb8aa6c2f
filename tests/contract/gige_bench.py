"""A GigE Vision camera before which the levels of LEVELS lie in turn, for the suite that every camera passes."""

import numpy as np

from app.capture.gige.camera import GigeCamera
from app.clock import SystemClock
from tests.contract.fake_gige import ADDRESS, HEIGHT_REGISTER, WIDTH_REGISTER, PaintedGige
from tests.unit.capture.recordings import LEVELS, settings


class Levels:
    """What the camera sees: the next level at each exposure."""

    def __init__(self, folder, size):
        self.world = PaintedGige(folder)
        self.world.start()
        self._picture = np.zeros((*size, 3), np.uint8)
        self._shown = 0

    def before(self):
        self._picture[:] = LEVELS[self._shown % len(LEVELS)]
        self.world.paint(self._picture)
        self._shown += 1

    def after(self):
        """The camera sends by itself."""

    def begin_anew(self):
        self._shown = 0

    def close(self):
        self.world.end()


class LevelCamera(GigeCamera):
    """Before which the levels begin anew when it is opened; its pictures then may get another size."""

    def __init__(self, levels, size, wanted, clock):
        super().__init__(wanted, clock)
        self._levels = levels
        self._size = size

    def open(self):
        is_new = self._link is None
        super().open()
        if is_new:
            self._levels.begin_anew()
            if self._size != (self._settings.height_px, self._settings.width_px):
                self._levels.world.set_register(HEIGHT_REGISTER, self._size[0])
                self._levels.world.set_register(WIDTH_REGISTER, self._size[1])


def make(folder, size, **changed):
    """The camera, its clock and its world."""
    clock = SystemClock()
    levels = Levels(folder, size)
    # Where the machine is busy, a picture that is on its way for long is still whole.
    wanted = settings("gige", ADDRESS, **{"frame_timeout_ms": 5000, "silent_ms": 20_000, **changed})
    return LevelCamera(levels, size, wanted, clock), clock, levels
