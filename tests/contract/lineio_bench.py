"""A board, a clock and a line: what the contract tests of `LineIO` stand on.

The machine's side sees levels only: high and low. Each test wires a line of its own.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from gpiozero.pins.mock import MockFactory, MockPin
from gpiozero.pins.pi import PiPin

from app.clock import NS_PER_S, VirtualClock
from app.config import Line
from app.reject.gpio import open_line
from app.twin.pins import TwinFactory
from tests.contract.fake_gpiochip import FakeGpioChip
from tests.contract.gpio_benches import PI, FakeBench
from tests.contract.linked_board import LinkedBoard

MS = 1_000_000
A, B, PART, EXIT, RUNNING, GATE, CONTACT, PERMIT, RELAY = 5, 6, 12, 13, 16, 19, 20, 21, 22


class TwinBoard:
    """The machine's side of the twin's pins."""

    def __init__(self, clock):
        self.factory = TwinFactory(clock)

    def drive(self, pin, is_high):
        self.factory.drive(pin, is_high)

    def level(self, pin):
        return self.factory.level(pin)

    def close(self):
        self.factory.close()


class LinkBoard(LinkedBoard):
    """The machine's side of pins that a box in another process holds."""

    def __init__(self, clock):
        self._folder = TemporaryDirectory(prefix="takt-test-")
        super().__init__(clock, Path(self._folder.name) / "bus")

    def close(self):
        super().close()
        self._folder.cleanup()


class ClockedPin(MockPin):
    """A mock pin on the board's clock instead of the machine's, whose driver is stronger than its pull."""

    driven = None

    def _call_when_changed(self):
        PiPin._call_when_changed(self, self.factory.ticks(), self._state)

    def _set_pull(self, value):
        super()._set_pull(value)
        if self.driven is not None:
            self._change_state(self.driven)


class MockBoard(MockFactory):
    """The machine's side of gpiozero's mock pins, on an injected clock."""

    def __init__(self, clock):
        super().__init__(pin_class=ClockedPin)
        self.clock = clock
        self.factory = self

    def ticks(self):
        return self.clock.now_ns() / NS_PER_S

    def drive(self, pin, is_high):
        mock = self.pin(pin)
        mock.driven = is_high
        mock.drive_high() if is_high else mock.drive_low()

    def level(self, pin):
        return bool(self.pin(pin).state)


class ChipBoard:
    """The machine's side of a Raspberry Pi whose GPIO chip is made of software."""

    def __init__(self, clock):
        self._bench = FakeBench(clock, FakeGpioChip("gpiochip0", "pinctrl-bcm2711", [""] * 58), PI)
        self.factory = self._bench.make_factory(clock=clock, is_pumped=True)

    def drive(self, pin, is_high):
        self._bench.drive_offset(pin, is_high)
        self.factory.pump()

    def level(self, pin):
        return self._bench.level_at(pin)

    def close(self):
        self._bench.close()


@dataclass
class Bench:
    """A board, a clock and the line that is tested."""

    clock: VirtualClock
    board: object
    line: object = None

    def open(self, **settings):
        self.line = open_line(make_line(**settings), self.clock, self.board.factory)
        return self.line

    def at(self, at_ns):
        self.clock.advance_to(at_ns)
        return at_ns

    def drive(self, pin, is_high, at_ns):
        self.at(at_ns)
        self.board.drive(pin, is_high)

    @contextmanager
    def broken(self, pin):
        """While something else has turned an output into an input."""
        self.board.factory.pin(pin).function = "input"
        yield
        self.board.factory.pin(pin).function = "output"

    def energised(self, pin, *, active_low=False):
        return self.board.level(pin) is not active_low


def make_line(*, gate=None, second_gate=None, permit=None, part=None, encoder=None, **others):
    return Line.model_validate(
        {
            "schema": 1,
            "encoder": encoder or {"a": A, "b": B},
            "trigger": {"sensor": {"pin": PART, **(part or {})}},
            "gate": [{"output": {"pin": GATE}, **(gate or {})}, *([second_gate] if second_gate else [])],
            **({"permit": permit} if permit else {}),
            **others,
        }
    )


DIVERTER = {"kind": "diverter", "refresh_ms": 100}
PROVEN_GATE = {"output": {"pin": GATE, "read_back": {"pin": CONTACT}}, "lag_ms": 12, "margin_ms": 5}
PERMIT_ONLY = {"output": {"pin": PERMIT}, "toggle_ms": 20, "hold_ms": 100}
PROVEN_PERMIT = {**PERMIT_ONLY, "output": {"pin": PERMIT, "read_back": {"pin": RELAY}}}
VIRTUAL = {
    "encoder": {"driver": "virtual", "counts_per_mm": 2, "speed_mm_s": 500},
    "belt": {"running": {"pin": RUNNING, "debounce_ms": 5}},
}

BOARDS = {"twin": TwinBoard, "link": LinkBoard, "gpiozero-mock": MockBoard, "gpiod": ChipBoard}
