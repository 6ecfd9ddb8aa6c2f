"""What a Jetson has to be told at boot so that header pins are GPIO: a device-tree overlay for exactly these pins.

Since JetPack 6 the kernel does not change the pinmux when a line is claimed (NVIDIA/jetson-gpio issue 114): a pin that
the boot configuration does not make a GPIO in both directions reads and drives nothing, and no call fails. The overlay
has the form of `jetsonhacks/jetson-orin-gpio-patch`, which NVIDIA's jetson-io takes; its values are those of the
kernel's `dt-bindings/pinctrl/pinctrl-tegra.h`. A carrier board of one's own has its pinmux spreadsheet instead.
"""

from __future__ import annotations

from collections.abc import Iterable

from app.reject.headers import ALWAYS_ON, Board, HeaderLine

FILE = "takt-pins"
OVERLAY_NAME = "Takt pins"
PULLS = {"": 0, "down": 1, "up": 2}
"""`nvidia,pull`: none, down, up."""


def overlay(board: Board, pins: Iterable[tuple[HeaderLine, str]]) -> str:
    """The source of a device-tree overlay that makes header pins GPIO.

    Args:
        board: The board.
        pins: Each pin with the pull that it needs: "up", "down", or "" for none.

    Returns:
        The source; empty where there are no pins.
    """
    groups: dict[str, list[str]] = {}
    for line, pull in sorted(pins, key=lambda each: each[0].position):
        target = "pinmux_aon" if line.chip == ALWAYS_ON else "pinmux"
        groups.setdefault(target, []).append(_pin(line, pull))
    if not groups:
        return ""
    names = ", ".join(f'"{each}"' for each in board.compatible)
    fragments = "".join(_fragment(number, target, pins) for number, (target, pins) in enumerate(groups.items()))
    return (
        "/dts-v1/;\n/plugin/;\n/ {\n"
        f'    overlay-name = "{OVERLAY_NAME}";\n'
        '    jetson-header-name = "Jetson 40pin Header";\n'
        f"    compatible = {names};\n{fragments}}};\n"
    )


def steps() -> tuple[str, ...]:
    """What to do with the overlay, step by step."""
    return (
        f"save the text as {FILE}.dts",
        f"run: dtc -O dtb -o {FILE}.dtbo {FILE}.dts && sudo cp {FILE}.dtbo /boot/",
        f'run: sudo /opt/nvidia/jetson-io/config-by-hardware.py -n "{OVERLAY_NAME}"',
        "restart, and try each pin by hand before the line runs",
    )


def _pin(line: HeaderLine, pull: str) -> str:
    return (
        f"                hdr40-pin{line.position} {{\n"
        f'                    nvidia,pins = "{line.pad}";\n'
        "                    nvidia,tristate = <0>;\n"
        "                    nvidia,enable-input = <1>;\n"
        f"                    nvidia,pull = <{PULLS[pull]}>;\n"
        "                };\n"
    )


def _fragment(number: int, target: str, pins: list[str]) -> str:
    label = f"jetson_io_{target}"
    return (
        f"    fragment@{number} {{\n"
        f"        target = <&{target}>;\n"
        "        __overlay__ {\n"
        '            pinctrl-names = "default";\n'
        f"            pinctrl-0 = <&{label}>;\n"
        f"            {label}: exp-header-pinmux {{\n"
        f"{''.join(pins)}"
        "            };\n"
        "        };\n"
        "    };\n"
    )
