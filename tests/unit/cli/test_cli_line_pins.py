"""`takt line pins`: who holds which pin, what a line wants, what stands against it."""

import pytest

from app.cli import line_pins
from app.config import load_line, pins_of
from app.reject.gpiod_lines import GpioLines
from app.reject.pin_survey import wants_of
from app.setup import twin_line
from tests.contract.fake_gpiochip import FakeGpioChip
from tests.contract.gpio_benches import FakeBench
from tests.unit.cli.conftest import only_sentence

ORIN_NANO = ("nvidia,p3768-0000+p3767-0005", "nvidia,tegra234")
LINES = ["PAC.06", "PN.01", "PQ.05", "PQ.06", "PG.06", "PZ.06", "PA.00", ""]
SITE = """
schema = 1
[encoder]
a = "BOARD29"
b = "PQ.06,external-pull"
[trigger]
sensor = { pin = "PN.01" }
[[camera]]
driver = "opencv"
source = "/dev/video0"
[[gate]]
output = { pin = "J12:7", active_low = true }
"""


@pytest.fixture
def bench(monkeypatch):
    """A Jetson Orin Nano with some of its lines."""
    bench = FakeBench(None, FakeGpioChip("gpiochip0", "tegra234-gpio", LINES, has_bias=False), ORIN_NANO)
    monkeypatch.setattr(line_pins, "lines_of_this_machine", lambda: GpioLines(bench.library, bench.root))
    yield bench
    bench.close()


@pytest.fixture
def site(tmp_path):
    def write(text=SITE):
        path = tmp_path / "line.toml"
        path.write_text(text)
        return path

    return write


def row(document, line):
    (found,) = [each for each in document["rows"] if each["line"] == line]
    return found


def test_board_is_shown_with_its_holders(takt, bench):
    bench.library.hold(bench.chip, 5, "spi0 CS0", is_output=True)
    document, result = takt.json("line", "pins")

    assert result.exit_code == 0
    assert document["header"] == "J12"
    assert [each["position"] for each in document["rows"]] == [7, 15, 24, 29, 31, 32, 0, 0]
    assert row(document, "PZ.06") | {"holder": "spi0 CS0", "direction": "out"} == row(document, "PZ.06")


def test_line_is_laid_beside_the_board(takt, bench, site):
    document, result = takt.json("line", "pins", "--line", site())

    assert row(document, "PAC.06")["wanted"] == ["gate:reject (output, high when off)"]
    assert row(document, "PQ.05")["wanted"] == ["encoder a (input, pulled up)"]
    assert row(document, "PAC.06")["problems"] == []
    assert result.exit_code == 1, "inputs without a resistor"
    assert "fit a resistor and write 'PN.01,external-pull'" in row(document, "PN.01")["problems"][0]


def test_overlay_holds_the_lines_pins_and_no_others(takt, bench, site):
    document, _ = takt.json("line", "pins", "--line", site())

    assert [pad for pad in ("pac6", "pn1", "pq5", "pq6", "pg6") if pad in document["overlay"]] == [
        "pac6",
        "pn1",
        "pq5",
        "pq6",
    ]


def test_nothing_stands_against_a_line_that_fits(takt, bench, site):
    text = SITE.replace('"BOARD29"', '"BOARD29,external-pull"').replace('"PN.01"', '"PN.01,external-pull"')
    result = takt.run("line", "pins", "--line", site(text))

    assert result.exit_code == 0
    assert "Nothing stands against this line's pins" in result.stdout
    assert "config-by-hardware.py" in result.stdout


@pytest.mark.parametrize(
    ("was", "becomes", "problem"),
    [
        ('"J12:7"', '"BOARD15"', "PN.01: wanted by part and gate:reject; give one of them another pin"),
        ('"J12:7"', '"BOARD24"', "PZ.06: held by 'spi0 CS0'; end that program"),
        ('"J12:7"', '"PAC.07"', "pin 'PAC.07' of gate:reject does not exist here; correct the pin: no line of this"),
        ('"J12:7"', "17", "17 may mean 'BOARD17'"),
    ],
)
def test_what_stands_against_a_line_is_said_with_its_mend(takt, bench, site, was, becomes, problem):
    bench.library.hold(bench.chip, 5, "spi0 CS0")
    result = takt.run("line", "pins", "--line", site(SITE.replace(was, becomes)))

    assert result.exit_code == 1
    assert problem in result.stdout


def test_every_claim_of_a_line_is_looked_for():
    line = load_line(twin_line())

    assert sorted((want.claimant, want.pin) for want in wants_of(line)) == sorted(pins_of(line))


def test_lines_that_the_station_itself_holds_are_no_conflict(takt, bench, site):
    bench.library.hold(bench.chip, 0, "takt-lane1", is_output=True)
    document, _ = takt.json("line", "pins", "--line", site())

    assert row(document, "PAC.06")["problems"] == []


def test_lines_that_nobody_needs_are_counted_and_shown_on_demand(takt, bench):
    short, long = takt.run("line", "pins").stdout, takt.run("line", "pins", "--all").stdout

    assert "2 more lines: takt line pins --all" in short
    assert "PA.00" not in short
    assert "PA.00" in long


def test_board_that_is_not_known_shows_chips_and_lines(takt, monkeypatch):
    bench = FakeBench(None, FakeGpioChip("gpiochip0", "INTC1057:00", ["", "RELAY"]))
    monkeypatch.setattr(line_pins, "lines_of_this_machine", lambda: GpioLines(bench.library, bench.root))
    text = takt.run("line", "pins").stdout
    bench.close()

    assert "A board that is not known" in text
    assert "INTC1057:00:1" in text


def test_twins_line_has_the_twins_pins(takt):
    assert "its pins are made of software" in takt.run("line", "pins", "--line", twin_line()).stdout
    document, _ = takt.json("line", "pins", "--line", twin_line())
    assert document["twin"] is True
    assert "gate:reject" in [each["claimant"] for each in document["pins"]]


def test_machine_without_chips_says_so_in_one_sentence(takt, monkeypatch):
    monkeypatch.setattr("app.reject.gpiod_lines.chip_paths", lambda root=None: iter(()))
    result = takt.run("line", "pins")

    assert result.exit_code == 9
    assert "this machine has no GPIO chips" in only_sentence(result.stderr)
