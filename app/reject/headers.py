"""Where the GPIO lines of known boards come out: position on the 40-pin header, chip and name in the kernel.

Sources. Jetson: NVIDIA's own table in Jetson.GPIO 2.1.13 (`gpio_pin_data.py`, for the carrier boards of the developer
kits) for position, kernel line, chip and signal, and for the names that a board goes by in
`/proc/device-tree/compatible`; the names of pads are those of the kernel's `nvidia,tegra234-pinmux.yaml`. Raspberry Pi:
gpiozero's table. What these do not list (supplies, ground, and pins that are I2C or UART for good) is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gpiozero.pins.data import PLUS_J8

MAIN = "tegra234-gpio"
ALWAYS_ON = "tegra234-gpio-aon"


@dataclass(frozen=True, slots=True)
class HeaderLine:
    """A GPIO line at a position of a header.

    Attributes:
        position: Number on the header.
        chip: Label of its chip.
        line: Its name in the kernel, or its offset on the chip.
        signal: What the board's maker calls it.
        pad: Its pad in the pinmux; empty where the kernel sets the pinmux by itself.
        note: What to mind, if anything.
    """

    position: int
    chip: str
    line: str | int
    signal: str
    pad: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Board:
    """A board that is known.

    Attributes:
        name: What people call it.
        header: The header's name on the board, such as `J12`; that of its pins in the pinmux where none is known.
        lines: Its GPIO lines by position.
        has_numbers: The lines have the numbers that everybody means by "GPIO17".
        needs_pinmux: A line works as GPIO only where the pinmux of the boot configuration says so.
        compatible: What the device tree calls it.
    """

    name: str
    header: str
    lines: Mapping[int, HeaderLine]
    has_numbers: bool = False
    needs_pinmux: bool = False
    compatible: tuple[str, ...] = ()


def _tegra(rows: str) -> dict[int, HeaderLine]:
    """Reads a table of position, kernel line, signal, pad and an optional note; ports AA to GG are always on."""
    lines = {}
    for row in rows.strip().splitlines():
        position, line, signal, pad, *note = row.split(maxsplit=4)
        chip = ALWAYS_ON if line[1:3] in ("AA", "BB", "CC", "DD", "EE", "GG") else MAIN
        lines[int(position)] = HeaderLine(int(position), chip, line, signal, pad, *note)
    return lines


_ORIN_NANO = _tegra("""
    7  PAC.06 GPIO09     soc_gpio59_pac6
    11 PR.04  UART1_RTS  uart1_rts_pr4
    12 PH.07  I2S0_SCLK  soc_gpio41_ph7
    13 PY.00  SPI1_SCK   spi3_sck_py0
    15 PN.01  GPIO12     soc_gpio39_pn1
    16 PY.04  SPI1_CS1   spi3_cs1_py4
    18 PY.03  SPI1_CS0   spi3_cs0_py3
    19 PZ.05  SPI0_MOSI  spi1_mosi_pz5
    21 PZ.04  SPI0_MISO  spi1_miso_pz4
    22 PY.01  SPI1_MISO  spi3_miso_py1
    23 PZ.03  SPI0_SCK   spi1_sck_pz3
    24 PZ.06  SPI0_CS0   spi1_cs0_pz6
    26 PZ.07  SPI0_CS1   spi1_cs1_pz7
    29 PQ.05  GPIO01     soc_gpio32_pq5
    31 PQ.06  GPIO11     soc_gpio33_pq6
    32 PG.06  GPIO07     soc_gpio19_pg6
    33 PH.00  GPIO13     soc_gpio21_ph0
    35 PI.02  I2S0_FS    soc_gpio44_pi2
    36 PR.05  UART1_CTS  uart1_cts_pr5
    37 PY.02  SPI1_MOSI  spi3_mosi_py2
    38 PI.01  I2S0_SDIN  soc_gpio43_pi1
    40 PI.00  I2S0_SDOUT soc_gpio42_pi0
""")

_AGX_ORIN = _tegra("""
    7  PQ.06  MCLK05     soc_gpio33_pq6
    11 PR.04  UART1_RTS  uart1_rts_pr4    the carrier board makes it an output only
    12 PH.07  I2S2_CLK   soc_gpio41_ph7
    13 PR.00  PWM01      soc_gpio37_pr0
    15 PN.01  GPIO27     soc_gpio39_pn1
    16 PBB.01 GPIO08     can1_en_pbb1
    18 PH.00  GPIO35     soc_gpio21_ph0
    19 PZ.05  SPI1_MOSI  spi1_mosi_pz5
    21 PZ.04  SPI1_MISO  spi1_miso_pz4
    22 PP.04  GPIO17     soc_gpio23_pp4
    23 PZ.03  SPI1_CLK   spi1_sck_pz3
    24 PZ.06  SPI1_CS0_N spi1_cs0_pz6
    26 PZ.07  SPI1_CS1_N spi1_cs1_pz7
    29 PAA.01 CAN0_DIN   can0_din_paa1
    31 PAA.00 CAN0_DOUT  can0_dout_paa0
    32 PBB.00 GPIO09     can1_stb_pbb0
    33 PAA.02 CAN1_DOUT  can1_dout_paa2
    35 PI.02  I2S2_FS    soc_gpio44_pi2
    36 PR.05  UART1_CTS  uart1_cts_pr5
    37 PAA.03 CAN1_DIN   can1_din_paa3
    38 PI.01  I2S2_DIN   soc_gpio43_pi1
    40 PI.00  I2S2_DOUT  soc_gpio42_pi0
""")

_JETSONS = (
    ("Jetson Orin NX on its developer kit's carrier", "J12", _ORIN_NANO, ("p3767-0000", "p3767-0001")),
    (
        "Jetson Orin Nano on its developer kit's carrier",
        "J12",
        _ORIN_NANO,
        ("p3767-0003", "p3767-0004", "p3767-0005"),
    ),
    (
        "Jetson AGX Orin developer kit",
        "HDR40",
        _AGX_ORIN,
        ("p3701-0000", "p3701-0001", "p3701-0004", "p3701-0005", "p3701-0008"),
    ),
)
_CARRIERS = {"J12": ("nvidia,p3768-0000", "nvidia,p3509-0000"), "HDR40": ("nvidia,p3737-0000",)}
_TAILS = ("", "-super")
_PI_CHIPS = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")
_OLD_PIS = ("raspberrypi,model-a", "raspberrypi,model-b", "raspberrypi,model-b-rev2", "raspberrypi,model-b-i2c0")
PULLED_UP = (3, 5)
"""Positions on a Raspberry Pi with a resistor to the supply, for I2C, as gpiozero has it too."""

_PI_POSITIONS = {position: names["gpio"] for position, names in PLUS_J8[2].items() if "gpio" in names}


def find_board(compatible: tuple[str, ...], chips: tuple[str, ...]) -> Board | None:
    """The board that goes by these names.

    Args:
        compatible: What the device tree calls it, most particular first; see `compatible_of`.
        chips: Labels of its GPIO chips.

    Returns:
        The board; `None` for one that is not known: its lines have chips, offsets and names, and no positions.
    """
    for name, header, lines, modules in _JETSONS:
        pairs = {f"{carrier}+{module}{tail}" for carrier in _CARRIERS[header] for module in modules for tail in _TAILS}
        if pairs & set(compatible):
            return Board(name, header, lines, needs_pinmux=True, compatible=compatible)
    if any(each.startswith("raspberrypi,") for each in compatible) and not set(compatible) & set(_OLD_PIS):
        chip = next((chip for chip in _PI_CHIPS if chip in chips), None)
        if chip:
            lines = {n: HeaderLine(n, chip, int(name[4:]), name) for n, name in _PI_POSITIONS.items()}
            return Board("Raspberry Pi", "J8", lines, has_numbers=True, compatible=compatible)
    return None


def compatible_of(root: Path = Path("/")) -> tuple[str, ...]:
    """What the device tree calls this board, most particular first; empty where there is no device tree."""
    try:
        text = (root / "proc/device-tree/compatible").read_bytes()
    except OSError:
        return ()
    return tuple(each for each in text.decode("utf-8", "replace").split("\0") if each)


def model_of(root: Path = Path("/")) -> str:
    """The model in words, from the device tree or from the BIOS; empty where neither says."""
    for source in ("proc/device-tree/model", "sys/class/dmi/id/product_name"):
        try:
            text = (root / source).read_bytes()
        except OSError:
            continue
        return text.decode("utf-8", "replace").rstrip("\0").strip()
    return ""
