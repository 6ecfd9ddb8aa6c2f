"""The process table as systemd units."""

import configparser
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from app.config import load_line
from app.processes import row_of, table
from app.setup import twin_line
from app.units import Box, unit_name, units

TWIN = load_line(twin_line())
ROWS = table({Path("/etc/takt/line.toml"): TWIN})
BOX = Box(Path("/opt/takt/bin/takt"), Path("/dev/shm/takt"), Path("/var/lib/takt"), "takt", tuple(range(4)), 249)


def real(source):
    """The rows of a line with a real camera."""
    camera = TWIN.cameras[0].model_copy(update={"driver": "opencv", "source": source})
    return table({Path("/etc/takt/line.toml"): TWIN.model_copy(update={"cameras": (camera,)})})


def service(kind, rows=ROWS, box=BOX):
    """The keys of one unit's section [Service]."""
    return parsed(units(rows, box)[unit_name(row_of(rows, kind))])["Service"]


def parsed(text):
    reader = configparser.RawConfigParser(delimiters=("=",), strict=True)
    reader.optionxform = str
    reader.read_string(text)
    return reader


def test_every_row_is_a_unit_and_the_target_wants_each():
    written = units(ROWS, BOX)

    assert set(written) == {"takt.target"} | {f"takt-{row.name}.service" for row in ROWS}
    wanted = re.findall(r"^Wants=(.+)$", written["takt.target"], re.MULTILINE)
    assert wanted == [unit_name(row) for row in ROWS]


def test_every_unit_is_well_formed_and_no_key_stands_twice():
    for name, text in units(ROWS, BOX).items():
        assert text.endswith("\n")
        if name != "takt.target":
            assert parsed(text).sections() == ["Unit", "Service", "Install"]


def test_a_unit_runs_the_words_of_its_row():
    assert service("capture")["ExecStart"] == (
        "/opt/takt/bin/takt process capture --line /etc/takt/line.toml --camera top"
        " --bus /dev/shm/takt --state /var/lib/takt"
    )


def test_words_that_systemd_would_read_otherwise_are_quoted():
    rows = [replace(row_of(ROWS, "web"), entry=("web", "--line", '/my "50%" $HOME\\line.toml'))]

    assert r'"/my \"50%%\" $$HOME\\line.toml"' in service("web", rows)["ExecStart"]


def test_the_station_may_take_its_priorities_and_lock_its_memory():
    keys = service("station")

    assert keys["LimitRTPRIO"] == "80"
    assert keys["LimitMEMLOCK"] == "infinity"
    assert "CPUSchedulingPolicy" not in keys
    assert keys["CPUAffinity"] == "2 3"


def test_a_camera_is_scheduled_by_systemd_and_what_it_starts_is_not():
    keys = service("capture")

    assert (keys["CPUSchedulingPolicy"], keys["CPUSchedulingPriority"]) == ("fifo", "75")
    assert keys["CPUSchedulingResetOnFork"] == "yes"


def test_whoever_serves_people_takes_no_time_from_the_line():
    keys = service("web")

    assert keys["RestrictRealtime"] == "yes"
    assert keys["CPUAffinity"] == "0 1"
    assert int(keys["Nice"]) > 0


def test_on_few_cores_nothing_is_pinned():
    assert "CPUAffinity" not in service("station", box=replace(BOX, cores=(0, 1)))


def test_only_who_needs_the_network_has_it():
    for kind in ("station", "recorder", "capture", "twin"):
        assert service(kind)["PrivateNetwork"] == "yes"
    assert "AF_INET" in service("web")["RestrictAddressFamilies"]
    assert "PrivateNetwork" not in service("capture", real("rtsp://10.0.0.7/1"))


def test_only_who_needs_a_device_has_it():
    rows = real("/dev/video0")

    assert service("capture", rows)["DeviceAllow"] == "char-video4linux rw"
    assert service("station", rows)["DeviceAllow"] == "char-gpiochip rw"
    assert "DeviceAllow" not in service("recorder", rows)
    assert service("recorder", rows)["DevicePolicy"] == "closed"


def test_everything_is_read_only_but_the_state_of_those_who_keep_one():
    assert service("recorder")["ProtectSystem"] == "strict"
    assert service("recorder")["StateDirectory"] == "takt"
    assert "StateDirectory" not in service("capture")
    elsewhere = replace(BOX, state=Path("/data/my takt"), bus=Path("/run/takt"))
    assert service("recorder", box=elsewhere)["ReadWritePaths"] == '/run/takt "/data/my takt"'
    assert service("capture", box=elsewhere)["ReadWritePaths"] == "/run/takt"


def test_the_station_is_ordered_after_all_others_so_that_it_ends_first():
    unit = parsed(units(ROWS, BOX)["takt-station.service"])["Unit"]

    assert set(unit["After"].split()) == {unit_name(row) for row in ROWS} - {"takt-station.service"}


def test_nothing_ever_gives_up():
    for row in ROWS:
        text = units(ROWS, BOX)[unit_name(row)]
        assert "StartLimitIntervalSec=0" in text
        assert "Restart=always" in text


def test_a_process_that_hangs_is_found_by_systemd_too():
    for row in ROWS:
        keys = parsed(units(ROWS, BOX)[unit_name(row)])["Service"]

        assert keys["Type"] == "notify"
        assert keys["WatchdogSec"] == f"{row.watchdog.start_ms:.0f}ms"
        assert keys["WatchdogSignal"] == "SIGKILL"


def test_the_station_reaches_the_watchdog_and_the_counter_that_its_line_names():
    line = TWIN.model_copy(
        update={
            "cameras": (TWIN.cameras[0].model_copy(update={"driver": "opencv", "source": "0"}),),
            "encoder": TWIN.encoder.model_copy(update={"driver": "counter", "counter": "counter0/count0"}),
            "watchdog": TWIN.watchdog.model_copy(update={"device": "/dev/watchdog"}),
        }
    )
    text = units(table({Path("/etc/takt/line.toml"): line}), BOX)["takt-station.service"]

    for device in ("char-gpiochip", "char-counter", "/dev/watchdog"):
        assert f"DeviceAllow={device} rw" in text


def test_waits_grow_only_where_systemd_knows_how():
    assert "RestartSteps" not in service("web")
    keys = service("web", box=replace(BOX, systemd=254))
    assert (keys["RestartSteps"], keys["RestartMaxDelaySec"]) == ("5", "10000ms")


def test_the_accelerator_reaches_its_device_and_keeps_its_engines():
    wanting = TWIN.model.model_copy(update={"accelerator": "tensorrt", "standby": "none"})
    rows = table({Path("/etc/takt/line.toml"): TWIN.model_copy(update={"model": wanting})})
    text = units(rows, BOX)["takt-accelerator.service"]

    assert re.findall(r"^DeviceAllow=(\S+)", text, re.MULTILINE) == ["char-nvidia*", "char-nvhost*", "char-nvmap*"]
    assert "StateDirectory=takt" in text


def test_systemd_itself_finds_nothing_wrong(tmp_path):
    # Where it is not installed, the tests above have read every line.
    tool = shutil.which("systemd-analyze")
    if tool:
        version = int(subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout.split()[1])
        box = replace(BOX, program=Path(sys.executable), user="root", systemd=version)
        wanting = TWIN.model.model_copy(update={"accelerator": "auto", "standby": "none"})
        rows = table({Path("/etc/takt/line.toml"): TWIN.model_copy(update={"model": wanting})})
        for name, text in units(rows, box).items():
            (tmp_path / name).write_text(text)
        names = [str(path) for path in sorted(tmp_path.iterdir())]
        done = subprocess.run([tool, "verify", "--man=no", *names], capture_output=True, text=True, check=False)
        complaints = [line for line in done.stderr.splitlines() if "takt" in line]

        assert complaints == []
