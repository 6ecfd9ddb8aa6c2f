"""`takt bench`: the real processes for a few seconds, and what it refuses."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import pytest

from app.bench.stand import _PREFIX
from app.station import STAGES
from tests.groups import ROOT
from tests.unit.cli.conftest import only_sentence

SHORT = ("--warm-up", "1", "-n")


def folders():
    """Stands that are there now."""
    return {each for root in (Path("/dev/shm"), Path(tempfile.gettempdir())) for each in root.glob(f"{_PREFIX}*")}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--rate", "7000"), "ask for 5 to 6000"),
        (("--rate", "nan"), "cannot be sent"),
        (("--load", "noise"), "use web, record, disk, cpu"),
        (("--load", "cpu", "-n", "3"), "ask for at least 8"),
        (("-n", "99999"), "ask for at most"),
        (("--no-inference", "--runtime", "onnx"), "leave --runtime"),
        (("--plot", "bench.txt"), "no picture format"),
        (("--fail", "flu@3"), "there is no fault 'flu'"),
        (("--fail", "kill"), "kill@100"),
        (("--fail", "kill@5", "-n", "4"), "ask for -n 5"),
        (("--fail", "kill@5", "--peer", "ultralytics"), "leave --fail or --peer out"),
        (("--peer", "ultralytics", "--load", "cpu"), "leave --load or --peer out"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(takt, words, said):
    result = takt.run("bench", *words)
    assert result.exit_code == 2
    assert said in only_sentence(result.stderr)


def test_a_line_that_is_not_there_is_named(takt):
    result = takt.run("bench", "--line", "/nowhere/line.toml")
    assert result.exit_code == 3
    assert "/nowhere/line.toml" in only_sentence(result.stderr)


def test_the_peers_licence_stands_in_the_help(takt):
    assert "AGPL-3.0" in takt.run("bench", "--help").stdout


def test_every_stage_of_the_real_processes_is_measured(takt, tmp_path):
    takt.env.pop("TAKT_ZOO")
    before = folders()
    done = takt.process("bench", *SHORT, "12", "--rate", "500", "--plot", tmp_path / "bench.png", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert {stage for stage in STAGES if figures["stages"][stage]["count"]} >= set(STAGES[:7])
    assert figures["stages"]["frame_to_verdict"]["count"] >= 12
    assert (figures["account"]["missed"], figures["account"]["unaccounted"]) == (0, 0)
    assert figures["scheduling"]
    assert figures["versions"]["takt"]
    assert cv2.imread(str(tmp_path / "bench.png")).shape[1] == 1500
    assert folders() <= before


def test_an_accelerator_that_is_killed_loses_no_part(takt):
    takt.env.pop("TAKT_ZOO")
    done = takt.process("bench", *SHORT, "4", "--rate", "120", "--budget", "200", "--fail", "kill@2", "--json")
    assert done.returncode == 0, done.stderr
    failover = json.loads(done.stdout)["failover"]
    [fault] = failover["faults"]
    assert (failover["lost"], failover["without_verdict"]) == (0, 0)
    assert (fault["kind"], fault["is_parked"]) == ("kill", False)
    assert fault["causes"][0].startswith("accelerator ")
    assert fault["trusted_ms"] > fault["degraded_ms"] > 0


def test_a_line_that_stops_says_why(takt):
    # The tiny package without golden samples takes every board for a defect.
    done = takt.process("bench", *SHORT, "60", "--rate", "500", "--model", "plain", "--runtime", "onnx")
    assert done.returncode == 9
    last = done.stderr.strip().splitlines()[-1]
    assert "parts rejected in a row" in last
    assert "DEFECT" in last


def test_ctrl_c_leaves_nothing_behind(takt):
    takt.env.pop("TAKT_ZOO")
    environment = {**os.environ, **takt.env, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "app.cli", "bench", "--load", "cpu"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        own = f"{_PREFIX}{process.pid}-"
        end_s = time.monotonic() + 60
        while not any(path.name.startswith(own) and (path / "lane1.ring").exists() for path in folders()):
            assert time.monotonic() < end_s
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert not any(path.name.startswith(own) for path in folders())
