"""The pin factory on boards that cannot be had here: chips without pulls or interrupts, headers, several chips."""

from importlib.metadata import entry_points
from types import SimpleNamespace

import pytest
from gpiozero import LED, Button, InputDevice, exc

from app.bus.place import Place
from app.clock import SystemClock, VirtualClock
from app.errors import ConfigError, LineError, MissingDriverError
from app.main import pins_for
from app.reject import gpiod_factory
from app.reject.gpiod_factory import ENTRY_POINT, GpiodFactory, factory_of_this_board, is_usable, load_gpiod
from app.reject.pins import EdgePin, pin_failures
from tests.contract.fake_gpiochip import FakeGpioChip
from tests.contract.gpio_benches import PI, FakeBench
from tests.contract.lineio_bench import make_line

ORIN_NANO = ("nvidia,p3768-0000+p3767-0005-super", "nvidia,p3767-0005", "nvidia,tegra234")
TEGRA_LINES = [f"P{port}.{pin:02}" for port in ("N", "Y", "AC") for pin in range(8)]


@pytest.fixture
def make():
    benches = []

    def make(*chips, compatible=()):
        bench = FakeBench(None, chips[0], compatible)
        for chip in chips[1:]:
            bench.library.add(chip)
        benches.append(bench)
        return bench

    yield make
    for bench in benches:
        bench.close()


def tegra():
    return FakeGpioChip("gpiochip0", "tegra234-gpio", TEGRA_LINES, has_bias=False)


def always_on():
    return FakeGpioChip("gpiochip1", "tegra234-gpio-aon", ["PAA.00", "PAA.01"], has_bias=False)


def expander(name="gpiochip2", label="1-0020", **how):
    return FakeGpioChip(name, label, ["", "VALVE", "VALVE", ""], **how)


def put(bench, chip, driver, kind=""):
    """What sysfs tells of a chip's device."""
    device = bench.root / "sys/devices" / chip.label
    (device / chip.name).mkdir(parents=True)
    (bench.root / "sys/drivers" / driver).mkdir(parents=True)
    (device / "driver").symlink_to(bench.root / "sys/drivers" / driver)
    (device / "name").write_text(kind)
    links = bench.root / "sys/bus/gpio/devices"
    links.mkdir(parents=True, exist_ok=True)
    (links / chip.name).symlink_to(device / chip.name)


# ---- names ----


def test_jetson_pins_go_by_line_position_and_chip(make):
    factory = make(tegra(), always_on(), compatible=ORIN_NANO).make_factory()
    names = ["PAC.06", "BOARD7", "J12:7", "tegra234-gpio:PAC.06", "gpiochip0:22"]
    assert len({factory.pin(name) for name in names}) == 1
    assert repr(factory.pin("J12:7")) == "PAC.06"


def test_bare_number_on_a_jetson_asks_what_it_means(make):
    factory = make(tegra(), always_on(), compatible=ORIN_NANO).make_factory()
    with pytest.raises(
        exc.PinInvalidPin, match=r"15 may mean 'BOARD15' \(a position .*\) or 'tegra234-gpio:15': write"
    ):
        factory.pin(15)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("BOARD6", "it carries no GPIO line"),
        ("J12:40", "its chip tegra234-gpio is not there"),
        ("GPIO17", "no line of this machine is called 'GPIO17'"),
        ("PAC.6", "there is PAC.06"),
    ],
)
def test_jetson_pin_that_is_none_says_why(make, name, why):
    factory = make(tegra(), always_on(), compatible=ORIN_NANO).make_factory()
    with pytest.raises(exc.PinInvalidPin, match=why):
        factory.pin(name)


@pytest.mark.parametrize("name", [17, "17", "GPIO17", "BCM17", "BOARD11", "J8:11", "pinctrl-rp1:17"])
def test_raspberry_pi_pins_go_by_their_usual_names(make, name):
    chip = FakeGpioChip("gpiochip0", "pinctrl-rp1", [""] * 54)
    factory = make(chip, expander("gpiochip1"), compatible=PI).make_factory()
    assert repr(factory.pin(name)) == "GPIO17"
    assert factory.pin(name).info.number == 11


def test_raspberry_pi_resistors_are_known(make):
    bench = make(FakeGpioChip("gpiochip0", "pinctrl-bcm2711", [""] * 58), compatible=PI)
    factory = bench.make_factory()
    with Button(2, pull_up=True, pin_factory=factory) as button:
        assert not button.is_pressed
    with pytest.raises(exc.PinFixedPull, match="has a resistor on the board that pulls it up"):
        InputDevice(3, pull_up=False, pin_factory=factory)


def test_number_is_a_line_where_there_is_one_chip_only(make):
    factory = make(expander("gpiochip0")).make_factory()
    assert repr(factory.pin(3)) == "gpiochip0:3"


def test_number_on_two_chips_asks_for_the_chip(make):
    factory = make(tegra(), expander()).make_factory()
    with pytest.raises(exc.PinInvalidPin, match="3 may mean 'tegra234-gpio:3' or '1-0020:3': write which"):
        factory.pin(3)


def test_name_of_two_lines_asks_for_the_number(make):
    factory = make(expander()).make_factory()
    with pytest.raises(
        exc.PinInvalidPin, match="2 lines are called 'VALVE': write one of 'gpiochip2:1', 'gpiochip2:2'"
    ):
        factory.pin("VALVE")
    with pytest.raises(exc.PinInvalidPin, match="2 lines of '1-0020' are called 'VALVE': write the number instead"):
        factory.pin("1-0020:VALVE")


def test_label_of_two_chips_asks_for_the_name(make):
    factory = make(expander(), expander("gpiochip3")).make_factory()
    with pytest.raises(
        exc.PinInvalidPin, match="2 chips are called '1-0020': write 'gpiochip2' or 'gpiochip3' instead"
    ):
        factory.pin("1-0020:0")
    assert repr(factory.pin("gpiochip3:0")) == "gpiochip3:0"


def test_expander_that_is_plugged_in_later_is_found(make):
    bench = make(tegra())
    factory = bench.make_factory()
    with pytest.raises(exc.PinInvalidPin):
        factory.pin("1-0020:0")
    bench.library.add(expander())
    assert factory.pin("1-0020:0").info.name == "gpiochip2:0"


def test_another_chip_under_the_same_number_is_not_taken_for_it(make):
    bench = make(expander("gpiochip0"))
    pin = bench.make_factory().pin("1-0020:0")
    bench.library.add(FakeGpioChip("gpiochip0", "something-else", [""] * 4))
    with pytest.raises(OSError, match="is gone"):
        pin.output_with_state(1)


def test_board_knows_its_header(make):
    factory = make(tegra(), compatible=ORIN_NANO).make_factory()
    board = factory.board_info
    assert "Orin Nano" in board.model
    assert board.headers["J12"].pins[7].name == "PAC.06"
    assert [info.number for _, info in board.find_pin("PAC.06")] == [7]
    assert list(board.find_pin("PAC.66")) == []


# ---- outputs ----


def test_output_has_its_safe_level_from_the_first_instant(make):
    bench = make(tegra())
    line = bench.chip.lines[TEGRA_LINES.index("PAC.06")]
    with LED("PAC.06", active_high=False, pin_factory=bench.make_factory()):
        assert line.history == [True]


def test_open_drain_output_lets_the_wire_go_and_reads_what_others_do(make):
    bench = make(tegra())
    line = bench.chip.lines[0]
    line.resistor = True
    with LED("PN.00,open-drain", initial_value=True, pin_factory=bench.make_factory()) as led:
        free = led.is_lit
        bench.library.drive(bench.chip, 0, False)
        assert (free, led.is_lit) == (True, False)


# ---- inputs ----


def part_sensor(pin, factory, *, is_pulled_up=True):
    return EdgePin("part", pin, is_pulled_up=is_pulled_up, on_edge=print, clock=SystemClock(), pin_factory=factory)


@pytest.mark.parametrize(("is_pulled_up", "way"), [(True, "up"), (False, "down")])
def test_chip_that_cannot_pull_asks_for_a_resistor(make, is_pulled_up, way):
    factory = make(tegra()).make_factory()
    sentence = f"pin PN.01 of part has no pull of its own; fit a resistor that pulls it {way}, .*'PN.01,external-pull'"
    with pytest.raises(ConfigError, match=sentence):
        part_sensor("PN.01", factory, is_pulled_up=is_pulled_up)


def test_resistor_outside_is_taken_at_its_word(make):
    bench = make(tegra())
    bench.chip.lines[1].resistor = True
    sensor = part_sensor("PN.01,external-pull", bench.make_factory())
    bench.drive_offset(1, False)
    assert sensor.is_active()
    sensor.close()


@pytest.mark.parametrize(
    ("driver", "kind", "can"),
    [("pca953x", "pca9555", False), ("pca953x", "pcal6416", True), ("pcf857x", "", False), ("pinctrl-intel", "", True)],
)
def test_drivers_that_cannot_pull_are_known(make, driver, kind, can):
    bench = make(expander())
    put(bench, bench.chip, driver, kind)
    assert bench.make_factory().lines.chips[0].has_pulls is can


def test_input_without_a_pull_needs_none(make):
    with InputDevice("PN.01", pull_up=None, active_state=True, pin_factory=make(tegra()).make_factory()) as device:
        assert not device.is_active


def test_chip_without_interrupts_says_that_it_reports_no_edges(make):
    factory = make(expander(has_interrupts=False)).make_factory()
    with pytest.raises(
        LineError, match=r"pin 1-0020:0 of part cannot be claimed: .* reports no edges: its chip has no"
    ):
        part_sensor("1-0020:0", factory)
    with InputDevice("1-0020:0", pin_factory=factory) as device:
        assert not device.is_active


# ---- machines ----


def test_machine_without_chips_says_so(tmp_path):
    with pytest.raises(LineError, match=r"no GPIO chips \(/dev/gpiochip\*\); run it on a board with pins") as refusal:
        GpiodFactory(root=tmp_path)
    assert isinstance(refusal.value, pin_failures())
    assert not is_usable(tmp_path)


@pytest.mark.parametrize(
    "library", [None, SimpleNamespace(Chip=object, __version__="1.6.3")], ids=["none", "version 1"]
)
def test_missing_library_names_the_extra_and_leaves_the_board_to_gpiozero(make, monkeypatch, library):
    def load(name):
        if library is None:
            raise ModuleNotFoundError(name)
        return library

    monkeypatch.setattr(gpiod_factory.importlib, "import_module", load)
    with pytest.raises(MissingDriverError, match=r'takt-gpiod needs gpiod.*; run: pip install "takt-inspect\[gpio\]"'):
        load_gpiod()
    assert not is_usable(make(tegra()).root)


def test_chips_that_this_user_may_not_open_are_told_of(make):
    bench = make(tegra())
    bench.library.forbidden.add(bench.path)
    with pytest.raises(
        LineError, match=r"pin PN\.01 of part may not be used by this user; add the user to the group gpio"
    ):
        part_sensor("PN.01", bench.make_factory())


def test_edges_of_a_virtual_clock_carry_its_time():
    clock = VirtualClock()
    bench = FakeBench(clock, expander())
    factory = bench.make_factory(clock=clock, is_pumped=True)
    edges = []
    sensor = EdgePin(
        "part",
        "1-0020:0",
        is_pulled_up=False,
        on_edge=lambda is_active, at_ns: edges.append((is_active, at_ns)),
        clock=clock,
        pin_factory=factory,
    )
    clock.advance_to(86_400_000_000_123)
    bench.drive_offset(0, True)
    clock.advance_to(86_400_500_000_000)
    factory.pump()
    sensor.close()
    bench.close()
    assert edges == [(True, 86_400_000_000_123)]


class HastyClock(SystemClock):
    """The machine loses a millisecond at every look at the clock."""

    late_ns = 0

    def now_ns(self):
        self.late_ns += 1_000_000
        return super().now_ns() + self.late_ns


def test_edges_have_the_kernels_time_however_busy_the_machine_is():
    bench = FakeBench(HastyClock(), expander())
    factory = bench.make_factory(clock=HastyClock(), is_pumped=True)
    edges, stamps = [], []
    sensor = EdgePin(
        "part",
        "1-0020:0",
        is_pulled_up=False,
        on_edge=lambda is_active, at_ns: edges.append(at_ns),
        clock=HastyClock(),
        pin_factory=factory,
    )
    request = bench.chip.lines[0].request
    for level in (True, False, True):
        bench.drive_offset(0, level)
        stamps.append(request._ring[-1].timestamp_ns)
    factory.pump()
    sensor.close()
    bench.close()
    assert edges == stamps


def test_gpiozero_finds_the_factory_by_its_entry_point():
    (found,) = entry_points(group="gpiozero_pin_factories", name=ENTRY_POINT)
    assert found.load() is GpiodFactory


# ---- the choice ----


def test_board_with_chips_gets_this_factory_for_a_station_that_pumps(make):
    bench = make(tegra())
    with factory_of_this_board("takt-lane1", "", bench.root) as factory:
        assert isinstance(factory, GpiodFactory)


@pytest.mark.parametrize("named", ["lgpio", "takt-twin"])
def test_other_factory_that_is_named_is_left_to_gpiozero(make, named):
    assert factory_of_this_board("takt-lane1", named, make(tegra()).root) is None


def test_board_without_chips_is_left_to_gpiozero_unless_this_factory_is_named(tmp_path):
    assert factory_of_this_board("takt-lane1", "", tmp_path) is None
    with pytest.raises(LineError, match="no GPIO chips"):
        factory_of_this_board("takt-lane1", ENTRY_POINT, tmp_path)


def test_line_on_a_real_board_asks_for_this_factory_under_its_lane(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(gpiod_factory, "factory_of_this_board", lambda *how: asked.append(how))
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "lgpio")
    pins_for(
        make_line(line={"lane": 3}, camera=[{"driver": "opencv", "source": "/dev/video0"}]), Place(tmp_path / "bus")
    )
    assert asked == [("takt-lane3", "lgpio")]


# ---- a chip that comes back ----


def test_line_of_a_chip_that_came_back_can_be_claimed_again(make):
    chip = expander("gpiochip0")
    bench = make(chip)
    factory = bench.make_factory(is_pumped=True)
    gone = LED("1-0020:0", pin_factory=factory)
    bench.library.unplug(chip)
    factory.lines.look()
    gone.close()
    back = bench.library.add(expander("gpiochip0"))
    with LED("1-0020:0", initial_value=True, pin_factory=factory):
        assert back.lines[0].level
