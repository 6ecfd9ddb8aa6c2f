"""A camera with knobs of its own, in memory: what is done to it stays with it when it is closed, as with real ones."""

import difflib

import numpy as np

from app.capture.camera import Found, Knob
from app.clock import NS_PER_MS
from app.errors import CameraError, FrameTimeoutError
from app.types import Frame

ADDRESS = "192.168.1.7"
WIDTH, HEIGHT = 64, 48


class Device:
    """The camera itself, wherever it is plugged in."""

    def __init__(self):
        self.found = Found("gige", ADDRESS, "Maker Model 12", "S-77", "1.4")
        self.knobs = {
            "ExposureTime": Knob("ExposureTime", 500.0, 10.0, 100_000.0, unit="us"),
            "Gain": Knob("Gain", 0.0, 0.0, 24.0, 0.5, unit="dB"),
            "GammaEnable": Knob("GammaEnable", False),
            "TestPattern": Knob("TestPattern", "Off", choices=("Off", "Ramp", "Checker")),
            "BlackLevel": Knob("BlackLevel", 8, 0, 64, 4),
            "FrameRate": Knob("FrameRate", 10.0, 1.0, 100.0, unit="Hz"),
            "SensorWidth": Knob("SensorWidth", WIDTH, is_writable=False),
            "SensorHeight": Knob("SensorHeight", HEIGHT, is_writable=False),
            "Throughput": Knob("Throughput", 1.0, 0.0, float("inf")),
        }
        self.level = 100
        self.period_ms = 20
        self.is_silent = False
        self.is_open = False
        self.triggers = []
        self.refusal = ""
        self.torn = 0
        self.on_grab = lambda: None

    def set(self, name, value):
        knob = self.knobs.get(name)
        if knob is None or not knob.is_writable:
            near = difflib.get_close_matches(name, self.knobs, n=1)
            raise CameraError(f"camera: it has no {name}", f"did you mean {near[0] if near else 'another'}?")
        if knob.choices and value not in knob.choices:
            raise CameraError(f"camera: {name} cannot be {value}", f"it may be {', '.join(knob.choices)}")
        if knob.low is not None and not knob.low <= value <= knob.high:
            raise CameraError(f"camera: {name} = {value} is out of bounds", f"it may be {knob.low:g} to {knob.high:g}")
        if name == "FrameRate":
            value = min(value, 30.0)
        if knob.step:
            value = type(value)(round(value / knob.step) * knob.step)
        self.knobs[name] = Knob(
            name, value, knob.low, knob.high, knob.step, knob.choices, knob.unit, is_writable=knob.is_writable
        )
        return value


class FakeCamera:
    """A driver for it."""

    devices = {}  # noqa: RUF012 - the world, which a test fills

    def __init__(self, settings, clock):
        self.name = settings.name
        self._settings = settings
        self._clock = clock
        self._frames = 0
        self._is_streaming = False
        self._device = None

    @property
    def refused(self):
        return self._device.torn

    @property
    def last_refusal(self):
        return self._device.refusal

    def open(self):
        self._device = self.devices.get(self._settings.source)
        if self._device is None:
            raise CameraError(f"camera {self.name!r}: nothing answers at {self._settings.source}", "check its cable")
        self._device.set("ExposureTime", self._settings.exposure_ms * 1000)
        if self._settings.gain_db is not None:
            self._device.set("Gain", self._settings.gain_db)
        for name, value in self._settings.controls.items():
            self._device.set(name, value)
        self._device.is_open = True

    def trigger(self, at_ns):
        self._device.triggers.append(self._settings.trigger)

    def grab(self, deadline_ns):
        self._device.on_grab()
        if self._device.is_silent:
            raise FrameTimeoutError(f"camera {self.name!r} sent no frame in time", "check its trigger")
        self._frames += 1
        shape = (self._settings.height_px, self._settings.width_px)
        shape = shape if self._settings.channels == 1 else (*shape, 3)
        image = np.full(shape, min(255, self._device.level), np.uint8)
        image[: shape[0] // 2] //= 2
        at_ns = self._frames * self._device.period_ms * NS_PER_MS
        return Frame(image, self.name, at_ns, 1000, at_ns, self._frames, in_memory_ns=at_ns + 7 * NS_PER_MS)

    def stream(self):
        self._is_streaming = True

    def close(self):
        if self._device is not None:
            self._device.is_open = False

    def about(self):
        return self._device.found

    def knobs(self):
        return tuple(self._device.knobs.values())

    def adjust(self, name, value):
        return self._device.set(name, value)
