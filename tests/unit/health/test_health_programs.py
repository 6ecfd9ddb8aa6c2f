"""NVIDIA's own programs, asked for what no file tells: answers, nonsense, silence."""

import pytest

from app.health.collected import Collected
from app.health.power_mode import ask_mode, fastest
from app.health.tegrastats import Line, ask_line, parse_line

ORIN_NANO = (
    "10-05-2026 21:03:35 RAM 2137/7619MB (lfb 2x4MB) SWAP 0/3809MB (cached 0MB) CPU [1%@729,25%@729,off,off,1%@729,"
    "0%@729] GR3D_FREQ 0% cpu@46.187C soc2@45.656C soc0@46.062C gpu@46.25C tj@46.875C soc1@46.031C VDD_IN 5016mW/4980mW"
    " VDD_CPU_GPU_CV 794mW/794mW VDD_SOC 1421mW/1421mW"
)
AGX_ORIN = (
    "RAM 5137/62841MB (lfb 2x4MB) CPU [1%@729] GR3D_FREQ 0% cpu@52.875C soc2@48.656C tj@52.875C VDD_GPU_SOC"
    " 3178mW/3178mW VDD_CPU_CV 794mW/794mW VIN_SYS_5V0 4543mW/4543mW"
)


def program(folder, text):
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_line_of_an_orin_nano_tells_gpu_and_module():
    assert parse_line(ORIN_NANO, Collected()) == Line(46.25, 5.016, "VDD_IN")


def test_a_line_of_an_agx_orin_tells_junction_and_rail():
    assert parse_line(AGX_ORIN, Collected()) == Line(52.875, 3.178, "VDD_GPU_SOC")


@pytest.mark.parametrize("text", ["", "gpu@C VDD_IN mW", "\x1b[2Jgpu@1e9C", "RAM 1/2MB"])
def test_a_line_that_tells_nothing_is_nothing(text):
    assert parse_line(text, Collected()) == Line()


def test_a_sensor_that_cannot_be_right_is_a_remark():
    found = Collected()

    assert parse_line("gpu@-256C", found) == Line()
    assert "-256" in found.remarks[0]


def test_the_first_line_of_a_program_that_never_ends_is_taken(tmp_path):
    said = ask_line(Collected(), program(tmp_path, f"echo '{ORIN_NANO}'; exec sleep 600"), limit_s=60)

    assert said.temperature_c == 46.25


def test_a_program_that_says_nothing_is_ended_and_told(tmp_path):
    found = Collected()

    assert ask_line(found, program(tmp_path, "exec sleep 600"), limit_s=0.01) == Line()
    assert found.remarks == ["tegrastats says nothing within 0.01 s"]


def test_a_program_that_is_not_there_is_no_remark():
    found = Collected()

    assert ask_line(found, "/nowhere/tegrastats") == Line()
    assert ask_mode(found, "/nowhere/nvpmodel") is None
    assert found.remarks == []


def test_a_program_that_may_not_be_started_is_a_remark(tmp_path):
    found = Collected()

    assert ask_line(found, str(tmp_path)) == Line()
    assert ask_mode(found, str(tmp_path)) is None
    assert len(found.remarks) == 2


def test_nvpmodel_names_the_mode(tmp_path):
    assert ask_mode(Collected(), program(tmp_path, "echo 'NV Power Mode: MODE_15W_6CORE'; echo 2")) == "MODE_15W_6CORE"


def test_nvpmodel_that_names_none_is_a_remark(tmp_path):
    found = Collected()

    assert ask_mode(found, program(tmp_path, "exit 3")) is None
    assert found.remarks == ["nvpmodel names no mode (it ended with code 3)"]


def test_nvpmodel_that_hangs_is_ended_and_told(tmp_path):
    found = Collected()

    assert ask_mode(found, program(tmp_path, "exec sleep 600"), limit_s=0.01) is None
    assert "does not answer" in found.remarks[0]


def test_the_fastest_mode_is_the_one_without_a_cap():
    assert fastest((("0", "15W"), ("2", "MAXN_SUPER"))) == ("2", "MAXN_SUPER")
    assert fastest((("0", "MAXN"), ("3", "MODE_30W"))) == ("0", "MAXN")
    assert fastest((("0", "MODE_15W_6CORE"),)) is None
