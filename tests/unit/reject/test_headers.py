"""Pin maps of the boards that are known, and the overlay that their pins need."""

import re

import pytest

from app.reject.headers import ALWAYS_ON, MAIN, compatible_of, find_board, model_of
from app.reject.pinmux import OVERLAY_NAME, overlay, steps

JETSONS = {
    "Orin Nano": "nvidia,p3768-0000+p3767-0005",
    "Orin Nano super": "nvidia,p3768-0000+p3767-0005-super",
    "Orin NX": "nvidia,p3768-0000+p3767-0000",
    "Orin NX on the older carrier": "nvidia,p3509-0000+p3767-0001",
    "AGX Orin": "nvidia,p3737-0000+p3701-0005",
}
HEADER_GPIO = (7, 11, 12, 13, 15, 16, 18, 19, 21, 22, 23, 24, 26, 29, 31, 32, 33, 35, 36, 37, 38, 40)


@pytest.fixture(params=JETSONS.values(), ids=JETSONS)
def jetson(request):
    return find_board((request.param, "nvidia,tegra234"), (MAIN, ALWAYS_ON))


def test_every_jetson_header_has_its_22_lines(jetson):
    assert tuple(jetson.lines) == HEADER_GPIO
    assert len({line.line for line in jetson.lines.values()}) == len(HEADER_GPIO)


def test_pad_of_a_jetson_line_ends_with_the_lines_own_name(jetson):
    for line in jetson.lines.values():
        port, pin = re.fullmatch(r"P([A-Z]+)\.0(\d)", line.line).groups()
        assert line.pad.endswith(f"_p{port.lower()}{pin}")


def test_jetson_line_lies_on_the_chip_of_its_port(jetson):
    for line in jetson.lines.values():
        assert (line.chip == ALWAYS_ON) is line.line.startswith(("PAA", "PBB"))


def test_orin_nano_and_agx_differ():
    nano, agx = (find_board((name,), ()) for name in (JETSONS["Orin Nano"], JETSONS["AGX Orin"]))
    assert (nano.lines[7].line, agx.lines[7].line) == ("PAC.06", "PQ.06")
    assert "output only" in agx.lines[11].note


@pytest.mark.parametrize("compatible", [(), ("nvidia,p9999-0000+p3767-0005",), ("acme,board", "nvidia,tegra234")])
def test_board_of_ones_own_is_not_known(compatible):
    assert find_board(compatible, (MAIN,)) is None


@pytest.mark.parametrize("chip", ["pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835"])
def test_raspberry_pi_has_its_numbers_on_the_header(chip):
    board = find_board(("raspberrypi,some-model", "brcm,some-chip"), ("raspberrypi-exp-gpio", chip))
    assert (board.lines[11].line, board.lines[40].line, board.lines[11].chip) == (17, 21, chip)
    assert len(board.lines) == 28
    assert not board.needs_pinmux


def test_raspberry_pi_with_the_short_header_is_not_known():
    assert find_board(("raspberrypi,model-b", "brcm,bcm2835"), ("pinctrl-bcm2835",)) is None


def test_device_tree_names_the_board(tmp_path):
    tree = tmp_path / "proc/device-tree"
    tree.mkdir(parents=True)
    (tree / "compatible").write_bytes(b"nvidia,p3768-0000+p3767-0005\0nvidia,tegra234\0")
    (tree / "model").write_bytes(b"NVIDIA Jetson Orin Nano\0")
    assert compatible_of(tmp_path) == ("nvidia,p3768-0000+p3767-0005", "nvidia,tegra234")
    assert model_of(tmp_path) == "NVIDIA Jetson Orin Nano"


def test_machine_without_a_device_tree_has_no_names_but_perhaps_a_model(tmp_path):
    before = compatible_of(tmp_path), model_of(tmp_path)
    bios = tmp_path / "sys/class/dmi/id"
    bios.mkdir(parents=True)
    (bios / "product_name").write_text("Box 3000\n")
    assert before == ((), "")
    assert model_of(tmp_path) == "Box 3000"


def test_overlay_has_each_pin_with_its_pad_and_its_pull():
    board = find_board((JETSONS["Orin Nano"],), ())
    text = overlay(board, [(board.lines[15], "up"), (board.lines[7], "")])
    pins = re.findall(r'hdr40-pin(\d+) \{\s+nvidia,pins = "(\w+)";.*?nvidia,pull = <(\d)>', text, re.DOTALL)
    assert pins == [("7", "soc_gpio59_pac6", "0"), ("15", "soc_gpio39_pn1", "2")]
    assert f'compatible = "{JETSONS["Orin Nano"]}";' in text
    assert text.count("target = ") == 1


def test_overlay_reaches_both_pinmuxes():
    board = find_board((JETSONS["AGX Orin"],), ())
    text = overlay(board, [(board.lines[16], "down"), (board.lines[7], "")])
    assert re.findall(r"target = <&(\w+)>", text) == ["pinmux", "pinmux_aon"]
    assert text.count("{") == text.count("}")


def test_overlay_of_no_pins_is_empty():
    assert overlay(find_board((JETSONS["Orin NX"],), ()), []) == ""


def test_steps_name_the_overlay():
    assert any(f'config-by-hardware.py -n "{OVERLAY_NAME}"' in step for step in steps())
