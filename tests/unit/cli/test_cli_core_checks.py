"""What `takt doctor` says of the cores that the stations have for themselves, and of what disturbs them."""

import os
from pathlib import Path

import pytest

from app.cli import core_checks as checks
from app.cli.checks import Level
from app.config import load_line
from app.processes import table
from app.setup import twin_line
from tests.unit.health.jetson_tree import write

OWN = (2, 3)
INTERRUPTS = """\
            CPU0       CPU1       CPU2       CPU3
  9:          0          0          0          0   GICv3  25 Level     vgic
 45:      90210         11      36000       1200   ITS-MSI 524288 Edge      eth0
 46:          0          0       4000          0   ITS-MSI 524289 Edge      nvme0q3
 47:          3          0          2          0   GICv3 112 Edge      gpio-trigger
IPI0:      9021       8231    9999999     112210   Rescheduling interrupts
ERR:          0
"""


@pytest.fixture
def root(tmp_path):
    write(tmp_path, "proc/interrupts", INTERRUPTS)
    write(tmp_path, "proc/uptime", "1000.00 3000.00\n")
    write(tmp_path, "proc/1/status", "Name:\tsystemd\nCpus_allowed:\tf\nCpus_allowed_list:\t0-3\n")
    write(tmp_path, "sys/devices/system/cpu/isolated", "\n")
    return tmp_path


def test_a_station_has_the_upper_half_of_the_cores():
    rows = table({twin_line(): load_line(twin_line())})

    assert checks.own_cores(rows, range(4)) == OWN
    assert checks.own_cores(rows, range(2)) == ()


def test_the_cores_of_the_box_are_more_than_those_of_whoever_asks(tmp_path):
    asking = tuple(sorted(os.sched_getaffinity(0)))
    write(tmp_path, "sys/fs/cgroup/cpuset.cpus.effective", "0-31\n")

    assert checks.cores_of_box(tmp_path) == tuple(range(32))
    assert checks.cores_of_box(tmp_path / "nowhere") == asking


@pytest.mark.parametrize(
    ("text", "cores"), [("", set()), ("\n", set()), ("0-2,5\n", {0, 1, 2, 5}), ("7", {7}), ("0-1,4-5", {0, 1, 4, 5})]
)
def test_a_list_of_cores_is_read_as_the_kernel_writes_it(text, cores):
    assert checks.read_cores(text) == cores


def test_a_list_that_is_none_is_refused():
    with pytest.raises(ValueError, match="invalid literal"):
        checks.read_cores("0-x")


def test_cores_where_everything_may_run_are_worth_a_warning(root):
    finding = checks.check_alone(root, OWN)

    assert finding.level is Level.WARN
    assert "core 2, 3" in finding.text
    assert "deploy/README.md" in finding.mend


def test_cores_that_systemd_keeps_free_are_in_order(root):
    write(root, "proc/1/status", "Cpus_allowed_list:\t0-1\n")

    assert checks.check_alone(root, OWN).level is Level.OK


def test_cores_that_the_kernel_isolates_are_in_order(root):
    write(root, "sys/devices/system/cpu/isolated", "2-3\n")

    finding = checks.check_alone(root, OWN)

    assert finding.level is Level.OK
    assert "isolated" in finding.text


def test_only_the_cores_that_are_shared_are_named(root):
    write(root, "proc/1/status", "Cpus_allowed_list:\t0-2\n")

    assert "may run on core 2, which" in checks.check_alone(root, OWN).text


def test_a_kernel_that_says_nothing_or_nonsense_is_no_sign_of_order(root):
    write(root, "sys/devices/system/cpu/isolated", "many\n")
    (root / "proc/1/status").unlink()

    assert checks.check_alone(root, OWN).level is Level.WARN


def test_a_small_box_keeps_no_core_for_a_station(root):
    assert checks.check_alone(root, ()).level is Level.OK
    assert checks.check_interrupts(root, ()).level is Level.OK


def test_devices_that_interrupt_a_station_are_named_the_busiest_first(root):
    finding = checks.check_interrupts(root, OWN)

    assert finding.level is Level.WARN
    assert finding.text == ("core 2, 3 is interrupted by eth0 (irq 45) 37 a second, nvme0q3 (irq 46) 4 a second")
    assert "deploy/README.md" in finding.mend


def test_a_device_that_was_led_elsewhere_since_is_not_named(root):
    write(root, "proc/irq/45/effective_affinity_list", "0\n")
    write(root, "proc/irq/46/smp_affinity_list", "0-1\n")

    assert checks.check_interrupts(root, OWN).level is Level.OK


def test_a_core_that_is_off_has_no_column(root):
    lines = INTERRUPTS.splitlines()
    rows = [lines[0].replace("       CPU1", "")] + [f"{line[:16]}{line[27:]}" for line in lines[1:4]]
    write(root, "proc/interrupts", "\n".join(rows))

    assert "eth0 (irq 45) 37 a second" in checks.check_interrupts(root, OWN).text


@pytest.mark.parametrize("text", ["", "CPU0 CPU1\n 1: x y z\n 2:\n3", "\n\n"])
def test_a_table_that_is_none_names_nobody(root, text):
    write(root, "proc/interrupts", text)

    assert checks.check_interrupts(root, OWN).level is Level.OK


@pytest.mark.parametrize(
    ("enabled", "defrag", "level"),
    [
        ("always [madvise] never", "always defer defer+madvise [madvise] never", Level.OK),
        ("[always] madvise never", "always defer defer+madvise [madvise] never", Level.OK),
        ("[always] madvise never", "[always] defer defer+madvise madvise never", Level.WARN),
        ("always madvise [never]", "[always] defer defer+madvise madvise never", Level.OK),
        (None, None, Level.OK),
        ("nonsense", "", Level.OK),
    ],
)
def test_huge_pages_at_any_price_are_worth_a_warning(tmp_path, enabled, defrag, level):
    folder = "sys/kernel/mm/transparent_hugepage"
    if enabled is not None:
        write(tmp_path, f"{folder}/enabled", enabled)
        write(tmp_path, f"{folder}/defrag", defrag)

    finding = checks.check_huge_pages(tmp_path)

    assert finding.level is level
    assert bool(finding.mend) is (level is Level.WARN)


def test_the_notes_that_the_mends_name_are_there():
    page, title = checks.NOTES.split(", ")

    notes = (Path(__file__).parents[3] / page).read_text(encoding="utf-8")

    assert f"## {title.strip(chr(39))}\n" in notes


@pytest.mark.parametrize(
    ("stat", "level", "words"),
    [
        ("cpu  600 100 200 9000 50 0 50 0 0 0", "ok", "nobody else has these cores"),
        ("cpu  60000 100 200 900000 50 0 50 1 0 0", "ok", "0.00%"),
        ("cpu  600 100 200 8000 50 0 50 1000 0 0", "warn", "10.00% of the cores' time"),
        ("cpu  600 100", "ok", "does not say"),
        ("cpu  0 0 0 0 0 0 0 0", "ok", "does not say"),
        ("nonsense here", "ok", "does not say"),
    ],
)
def test_time_that_a_hypervisor_takes_is_told(tmp_path, stat, level, words):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/stat").write_text(f"{stat}\ncpu0 1 2 3\n", encoding="ascii")
    found = checks.check_stolen(tmp_path)
    assert (found.level.value, words in found.text) == (level, True)


def test_kernel_without_such_a_count_is_in_order(tmp_path):
    assert checks.check_stolen(tmp_path).level.value == "ok"
