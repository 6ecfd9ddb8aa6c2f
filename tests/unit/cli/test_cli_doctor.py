import resource

import pytest

from app.cli import checks, probe
from app.cli.checks import Level
from app.realtime import CAP_IPC_LOCK
from tests.unit.detect.tiny_model import write_package


def test_a_supported_python_is_in_order():
    assert checks.check_python((3, 10, 0)).level is Level.OK
    assert checks.check_python((3, 12, 9)).level is Level.OK


@pytest.mark.parametrize("version", [(3, 9, 18), (3, 13, 0), (2, 7, 18), (4, 0, 0)])
def test_another_python_is_bad(version):
    assert checks.check_python(version).level is Level.BAD


def test_a_library_that_is_needed_and_absent_is_bad():
    (finding,) = checks.check_packages({"numpy": "2.0", "rich": None}, {"openvino": None})

    assert finding.level is Level.BAD
    assert "rich" in finding.text
    assert finding.mend == "run: pip install rich"


def test_a_library_that_is_optional_may_be_absent():
    (finding,) = checks.check_packages({"numpy": "2.0"}, {"openvino": None})

    assert (finding.level, finding.text) == (Level.OK, "numpy 2.0")


def test_both_onnxruntimes_at_once_are_bad():
    finding = checks.check_one_onnxruntime({"onnxruntime": "1.31", "onnxruntime-gpu": "1.31"})

    assert finding.level is Level.BAD
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in finding.mend


def test_no_onnxruntime_is_bad_and_one_is_in_order():
    assert checks.check_one_onnxruntime({"onnxruntime": None, "onnxruntime-gpu": None}).level is Level.BAD
    assert checks.check_one_onnxruntime({"onnxruntime": "1.31", "onnxruntime-gpu": None}).level is Level.OK


@pytest.mark.parametrize(
    ("said", "is_needed", "level"),
    [
        ({"ok": "2 golden frames reproduce"}, True, Level.OK),
        ({"absent": "not installed"}, False, Level.OK),
        ({"error": "it crashes with SIGILL"}, True, Level.BAD),
        ({"error": "it crashes with SIGILL"}, False, Level.WARN),
    ],
)
def test_what_a_runtime_said_decides(said, is_needed, level):
    assert checks.check_runtime("a runtime", said, is_needed=is_needed).level is level


def test_no_pins_and_no_cameras_are_worth_a_warning(tmp_path):
    assert checks.check_gpio(tmp_path, "2.2").level is Level.WARN
    assert checks.check_cameras(tmp_path).level is Level.WARN


def test_pins_need_their_library(tmp_path):
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "gpiochip0").touch()

    assert checks.check_gpio(tmp_path, "2.2").level is Level.OK
    assert "takt-inspect[gpio]" in checks.check_gpio(tmp_path, None).mend


def test_a_camera_is_named(tmp_path):
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "video0").touch()

    assert checks.check_cameras(tmp_path).text == "video0"


def test_real_time_scheduling_is_asked_for():
    assert checks.check_scheduler(is_permitted=True).level is Level.OK
    assert "LimitRTPRIO" in checks.check_scheduler(is_permitted=False).mend


@pytest.mark.parametrize(
    ("limit", "capabilities", "level"),
    [
        (resource.RLIM_INFINITY, 0, Level.OK),
        (64 << 10, 0, Level.WARN),
        (64 << 10, 1 << CAP_IPC_LOCK, Level.OK),
        (1 << 30, 0, Level.OK),
    ],
)
def test_memory_must_be_lockable(limit, capabilities, level):
    assert checks.check_memory_lock(limit, capabilities).level is level


@pytest.mark.parametrize(("free_gib", "level"), [(0.5, Level.BAD), (3, Level.WARN), (50, Level.OK)])
def test_a_disk_fills_up(tmp_path, free_gib, level):
    assert checks.check_disk(tmp_path, round(free_gib * checks.GIB)).level is level


def test_one_core_is_few():
    assert checks.check_cores(1).level is Level.WARN
    assert checks.check_cores(2).level is Level.OK


@pytest.mark.parametrize(
    ("governor", "level"), [("performance", Level.OK), ("powersave", Level.WARN), (None, Level.OK)]
)
def test_a_governor_that_saves_power_costs_latency(tmp_path, governor, level):
    folder = tmp_path / "sys/devices/system/cpu/cpu0/cpufreq"
    folder.mkdir(parents=True)
    if governor:
        (folder / "scaling_governor").write_text(f"{governor}\n")

    assert checks.check_governor(tmp_path).level is level


def test_a_plugin_that_does_not_load_is_worth_a_warning():
    assert checks.check_plugins(["the plug-in models does not load"]).level is Level.WARN
    assert checks.check_plugins([]).level is Level.OK


def test_a_probe_runs_a_real_inference(monkeypatch, tmp_path):
    write_package(tmp_path / "pcb-nano", golden=False)
    monkeypatch.setenv("TAKT_ZOO", str(tmp_path))

    assert probe.probe("onnx")["ok"] == "the golden frames of pcb-nano reproduce"


def test_a_probe_of_a_broken_package_says_why(monkeypatch, tmp_path):
    (write_package(tmp_path / "pcb-nano") / "model.onnx").write_bytes(b"torn")
    monkeypatch.setenv("TAKT_ZOO", str(tmp_path))

    said = probe.probe("onnx")

    assert "model.onnx" in said["error"]
    assert said["mend"]


def test_a_child_that_crashes_is_told_from_one_that_fails():
    assert probe.heard(-11, "", "") == {"error": "it crashes with SIGSEGV"}
    assert probe.heard(1, "", "Traceback\nImportError: no\n") == {"error": "it ends with code 1: ImportError: no"}
    assert probe.heard(0, "[1]", "") == {"error": "it said [1]"}
    assert probe.heard(0, 'a warning\n{"ok": "fine"}\n', "") == {"ok": "fine"}


def test_the_doctor_looks_at_everything_and_says_so_in_json(takt, zoo):
    write_package(zoo / "pcb-nano", golden=False)

    document, result = takt.json("doctor")

    topics = {each["topic"] for each in document["findings"]}
    assert {"Python", "ONNX Runtime", "TensorRT", "GPIO", "Cameras", "Real time", "Disk"} <= topics
    assert {"Accelerator", "Cores of their own", "Interrupts", "Huge pages"} <= topics
    assert document["accelerator"]["source"] in ("jetson", "nvml", "none")
    assert document["ok"] is all(each["level"] != "bad" for each in document["findings"])
    assert result.exit_code == (0 if document["ok"] else 1)


def test_a_line_that_cannot_be_read_is_told_before_anything_is_tried(takt, tmp_path):
    result = takt.run("doctor", "--line", tmp_path / "line.toml")

    assert result.exit_code == 3
    assert "line.toml cannot be read" in result.stderr


def test_a_box_whose_model_does_not_run_is_bad(takt):
    result = takt.run("doctor")

    assert result.exit_code == 1
    assert "◆ bad" in result.stdout
    assert "pcb-nano" in result.stdout
