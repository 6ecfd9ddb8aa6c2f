"""What the kernel's files say of the box, and what becomes of files that are absent, garbled or hostile."""

from __future__ import annotations

import pytest

from app.support.machine import Ticks, Wall, Zone, kernel_wall, read_machine, room_of, versions

STAT = "cpu  100 5 20 800 10 3 2 60 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n"
MEMORY = "MemTotal:       2000 kB\nMemAvailable:    500 kB\nSwapTotal:  100 kB\nSwapFree:   40 kB\nnonsense\nX: y\n"


@pytest.fixture
def box(tmp_path):
    """A box whose files a test writes."""

    def write(path, text):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    write("proc/stat", STAT)
    write("proc/meminfo", MEMORY)
    write("proc/loadavg", "1.25 0.50 0.10 2/300 4711\n")
    write("proc/uptime", "3600.50 100.00\n")
    return tmp_path, write


def read(root):
    return read_machine(root, lambda: None)


def test_cores_memory_and_time_are_read(box):
    machine = read(box[0])

    assert machine.ticks == Ticks(busy=130, stolen=60, idle=810)
    assert (machine.memory_total_bytes, machine.memory_available_bytes) == (2000 * 1024, 500 * 1024)
    assert machine.swap_used_bytes == 60 * 1024
    assert (machine.load, machine.uptime_s) == (1.25, 3600.5)


def test_sensor_says_from_where_on_it_slows_the_box_down(box):
    root, write = box
    zone = "sys/class/thermal/thermal_zone0"
    for name, text in {
        "type": "cpu-thermal\n",
        "temp": "61500\n",
        "trip_point_0_type": "passive\n",
        "trip_point_0_temp": "95000\n",
        "trip_point_1_type": "critical\n",
        "trip_point_1_temp": "105000\n",
        "trip_point_2_type": "active\n",
        "trip_point_2_temp": "-40000\n",
    }.items():
        write(f"{zone}/{name}", text)

    assert read(root).zones == (Zone("cpu-thermal", 61.5, 95.0, 105.0),)


@pytest.mark.parametrize("said", ["", "hot\n", "999000\n", "-274000\n"])
def test_sensor_that_says_nothing_that_can_be_is_left_out(box, said):
    root, write = box
    write("sys/class/thermal/thermal_zone0/temp", said)

    assert read(root).zones == ()


def test_clock_of_the_cores_and_how_often_heat_slowed_them(box):
    root, write = box
    for core, mhz in (("cpu0", 1200), ("cpu1", 2400)):
        folder = f"sys/devices/system/cpu/{core}"
        write(f"{folder}/cpufreq/scaling_cur_freq", f"{mhz * 1000}\n")
        write(f"{folder}/cpufreq/cpuinfo_max_freq", "3000000\n")
        write(f"{folder}/thermal_throttle/core_throttle_count", "2\n")
    machine = read(root)

    assert (machine.clock_mhz, machine.clock_max_mhz, machine.clock_most_mhz) == (2400.0, None, 3000.0)
    assert machine.throttled == 4


def test_box_without_any_file_is_not_known_and_no_failure(tmp_path):
    machine = read(tmp_path)

    assert (machine.ticks, machine.load, machine.uptime_s, machine.memory_total_bytes) == (None, None, None, None)
    assert machine.wall == Wall(is_synchronised=None)


@pytest.mark.parametrize("text", ["", "cpu\n", "cpu a b c d e f g h\n", "intr 5\n", "\x00\xff"])
def test_garbled_counters_are_not_known(box, text):
    root, write = box
    write("proc/stat", text)
    write("proc/loadavg", "x")

    machine = read(root)

    assert (machine.ticks, machine.load) == (None, None)


def test_mark_of_the_time_service_counts_where_the_kernel_does_not_say(box):
    root, write = box
    write("run/systemd/timesync/synchronized", "")

    assert read(root).wall.is_synchronised


def test_this_kernel_says_how_sure_it_is_of_the_time():
    said = kernel_wall()

    assert said is None or isinstance(said.is_synchronised, bool)


def test_room_is_that_of_the_folder_that_will_hold_it(tmp_path):
    room = room_of(tmp_path / "not" / "yet")

    assert room is not None
    assert 0 < room.free_bytes <= room.total_bytes


def test_versions_name_takt_the_system_and_the_release_of_a_jetson(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text('NAME="X"\nPRETTY_NAME="Demo OS 12"\n')
    (tmp_path / "etc/nv_tegra_release").write_text("# R36 (release), REVISION: 4.0, GCID: 1, BOARD: x\n")
    found = dict(versions(tmp_path))

    assert found["System"] == "Demo OS 12"
    assert found["Jetson Linux"] == "R36 (release), REVISION: 4.0"
    assert "Takt" in found
    assert "numpy" in found
