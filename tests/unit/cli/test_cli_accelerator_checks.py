"""What `takt doctor` says of an accelerator: true of the reading, and with a mend where something is to be done."""

from dataclasses import replace

import pytest

from app.cli import accelerator_checks as checks
from app.cli.checks import Level
from app.health import Health
from app.health.jetson import JetsonHealth
from tests.unit.health.jetson_tree import GPU, PROTECTION, lay_out, write

CARD = Health(
    "nvml",
    device="NVIDIA RTX A2000",
    temperature_c=61.0,
    clock_mhz=1200.0,
    clock_max_mhz=2100.0,
    power_w=34.5,
    power_of="board",
    throttling=(),
    memory_used_mib=700.0,
    memory_total_mib=6138.0,
    driver="580.95.05",
    versions=(("CUDA of the driver", "12.6"),),
)
ADDRESS = ("0000:01:00.0",)


def everything(health, cards=ADDRESS, has_driver=True):
    return {each.topic: each for each in checks.check_accelerator(health, cards, has_driver=has_driver)}


@pytest.fixture
def jetson(tmp_path):
    """Readings of an Orin Nano whose files a test may change first."""
    root = lay_out(tmp_path)

    def read(**files):
        for path, text in files.items():
            write(root, path, text)
        return JetsonHealth(root, may_ask=False).read()

    return read


def test_a_box_without_any_is_in_order():
    (finding,) = everything(Health("none"), cards=(), has_driver=False).values()

    assert (finding.level, finding.text) == (Level.OK, "no NVIDIA card and no Jetson; the CPU judges")


def test_a_card_in_order_is_told_with_its_figures():
    said = everything(CARD)

    assert {each.level for each in said.values()} == {Level.OK}
    assert said["Accelerator"].text == (
        "NVIDIA RTX A2000; driver 580.95.05; CUDA of the driver 12.6; 700 of 6138 MiB of memory in use"
    )
    assert said["Accelerator, heat"].text == "61 °C, 34.5 W (board); nothing slows it"
    assert said["Accelerator, clock"].text == "1200 MHz of 2100"


def test_a_card_without_its_driver_is_named_by_its_address():
    (finding,) = everything(Health("nvml", remarks=("NVML does not start",)), has_driver=False).values()

    assert finding.level is Level.WARN
    assert "0000:01:00.0" in finding.text
    assert "install NVIDIA's driver" in finding.mend


def test_a_card_that_cannot_be_asked_for_want_of_a_library_names_the_extra():
    (finding,) = everything(Health("nvml", remarks=("nvidia-ml-py does not load: No module named 'pynvml'",))).values()

    assert finding.level is Level.WARN
    assert finding.mend == 'run: pip install "takt-inspect[gpu]"'


def test_a_card_that_is_lost_is_told_with_the_drivers_words():
    (finding,) = everything(Health("nvml", remarks=("NVML does not tell its name: GPU is lost",))).values()

    assert finding.level is Level.WARN
    assert "GPU is lost" in finding.text
    assert "start the box again" in finding.mend


def test_what_slows_it_is_a_warning_and_says_what_to_clean():
    finding = everything(replace(CARD, temperature_c=92.0, throttling=("slowed by the driver: too hot",)))[
        "Accelerator, heat"
    ]

    assert finding.level is Level.WARN
    assert finding.text.startswith("92 °C, 34.5 W (board); slowed by the driver: too hot")
    assert "fan" in finding.mend


def test_a_temperature_that_is_not_known_is_not_in_order():
    finding = everything(replace(CARD, temperature_c=None, remarks=("NVML says 255",)))["Accelerator, heat"]

    assert finding.level is Level.WARN
    assert "NVML says 255" in finding.text
    assert finding.mend


def test_whether_it_is_slowed_may_be_unknown():
    assert "it does not say" in everything(replace(CARD, throttling=None))["Accelerator, heat"].text


def test_a_jetson_at_its_fastest_whose_clock_is_held_up_is_in_order(jetson):
    said = everything(jetson(**{f"{GPU}/min_freq": "1020000000"}), cards=())

    assert {each.level for each in said.values()} == {Level.OK}
    assert "L4T 36.4.7" in said["Accelerator"].text
    assert said["Accelerator, clock"].text == "306 MHz of 1020, mode MAXN_SUPER"


def test_a_mode_with_a_cap_is_mended_by_this_boards_own_number(jetson):
    finding = everything(jetson(**{f"{GPU}/max_freq": "612000000", "var/lib/nvpmodel/status": "pmode:0000"}))[
        "Accelerator, clock"
    ]

    assert finding.level is Level.WARN
    assert "mode 15W: it may not go beyond 612 MHz" in finding.text
    assert "sudo nvpmodel -m 2 (MAXN_SUPER)" in finding.mend


def test_a_limit_below_the_fastest_mode_is_no_matter_of_the_mode(jetson):
    finding = everything(jetson(**{f"{GPU}/max_freq": "612000000"}))["Accelerator, clock"]

    assert finding.level is Level.WARN
    assert "nvpmodel" not in finding.mend


def test_a_clock_that_falls_between_parts_is_worth_a_warning(jetson):
    finding = everything(jetson())["Accelerator, clock"]

    assert finding.level is Level.WARN
    assert "may fall to 306 MHz" in finding.text
    assert "jetson_clocks" in finding.mend


def test_what_slowed_it_since_the_start_is_told_with_a_mode_that_spares_it(jetson):
    finding = everything(jetson(**{f"{PROTECTION}/oc3_event_cnt": "37"}))["Accelerator, heat"]

    assert finding.level is Level.WARN
    assert "(oc3), 37 times" in finding.text
    assert "sudo nvpmodel -m 1 (25W)" in finding.mend


@pytest.mark.parametrize(("mode", "mend"), [("pmode:0000", "sudo nvpmodel -m 3 (7W)"), ("pmode:0003", "")])
def test_a_mode_that_spares_it_has_a_lower_cap_than_the_present_one(jetson, mode, mend):
    finding = everything(jetson(**{f"{PROTECTION}/oc3_event_cnt": "1", "var/lib/nvpmodel/status": mode}))[
        "Accelerator, heat"
    ]

    assert finding.mend.endswith(mend or "its cable")


@pytest.mark.parametrize(
    ("source", "mend"), [("nvml", "takt-inspect[gpu]"), ("jetson", "--system-site-packages"), ("none", "")]
)
def test_an_accelerator_without_tensorrt_lies_idle(source, mend):
    finding = checks.check_tensorrt({"absent": "TensorRT is not installed"}, source)

    assert finding.level is (Level.WARN if mend else Level.OK)
    assert mend in finding.mend


def test_a_tensorrt_that_starts_is_in_order():
    assert checks.check_tensorrt({"ok": "tensorrt 10.3.0 starts"}, "jetson").level is Level.OK
