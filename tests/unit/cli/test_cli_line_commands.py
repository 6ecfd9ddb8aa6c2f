"""`takt line stop | purge | reset` against a station that answers as it is told."""

import getpass
import threading

import pytest

from app.bus.commands import CommandServer, Reply
from app.bus.place import Place
from tests.unit.cli.conftest import only_sentence


class Desk:
    """Answers one request after the other."""

    def __init__(self, path, reply):
        self.asked = []
        self._reply = reply
        self._server = CommandServer(path)
        self._is_done = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        while not self._is_done.wait(0.005):
            for received in self._server.receive():
                self.asked.append(received.request)
                self._server.answer(received, self._reply)

    def close(self):
        self._is_done.set()
        self._thread.join()
        self._server.close()


@pytest.fixture
def desk(tmp_path):
    open_desks = []

    def build(lane=1, **reply):
        place = Place(tmp_path / "bus")
        open_desks.append(Desk(place.commands(lane), Reply(**{"ok": True, "epoch": 4, "sequence": 711, **reply})))
        return open_desks[-1]

    yield build
    for each in open_desks:
        each.close()


@pytest.fixture
def line(takt, tmp_path):
    return lambda *words: takt.run("line", *words, "--bus", tmp_path / "bus")


def test_a_stop_is_acknowledged_by_its_place_in_the_ledger(desk, line):
    answering = desk()

    result = line("stop", "--by", "Ann")

    assert result.exit_code == 0
    assert result.stdout == "lane 1: stopped, by Ann; in the ledger as epoch 4, sequence 711\n"
    assert [(each.command, each.by) for each in answering.asked] == [("stop", "Ann")]


def test_who_asks_is_the_user_of_the_shell_unless_named(desk, line):
    answering = desk()

    line("purge")

    assert answering.asked[0].command == "purge"
    assert answering.asked[0].by == getpass.getuser()


def test_a_reset_says_who_as_what_and_why(desk, line):
    answering = desk(lane=2)

    line("reset", "--lane", 2, "--by", "Bo", "--role", "lead", "--reason", "bin emptied", "--cleared")

    request = answering.asked[0]
    assert (request.by, request.role, request.reason, request.is_cleared) == ("Bo", "lead", "bin emptied", True)


def test_json_tells_the_sequence(desk, takt, tmp_path):
    desk()

    document, result = takt.json("line", "stop", "--by", "Ann", "--bus", tmp_path / "bus")

    assert result.exit_code == 0
    assert document == {"lane": 1, "command": "stop", "by": "Ann", "epoch": 4, "sequence": 711}


def test_what_the_station_refuses_is_an_error_with_its_mend(desk, line):
    desk(ok=False, what="still present: BIN_FULL (bin)", mend="clear the cause first")

    result = line("reset", "--role", "lead", "--reason", "again")

    assert result.exit_code == 9
    assert only_sentence(result.stderr) == (
        "takt: lane 1 refuses: still present: BIN_FULL (bin); clear the cause first"
    )


@pytest.mark.parametrize("command", ["stop", "purge"])
def test_without_a_station_the_sentence_says_how_to_start_one(line, command):
    result = line(command)

    assert result.exit_code == 9
    assert "takt run" in only_sentence(result.stderr)


def test_looking_for_a_station_makes_no_bus(line, tmp_path):
    line("stop")

    assert not (tmp_path / "bus").exists()


def test_a_reset_without_a_reason_asks_nobody(desk, line):
    answering = desk()

    result = line("reset", "--role", "lead", "--reason", "  ")

    assert result.exit_code == 2
    assert "--reason" in only_sentence(result.stderr)
    assert answering.asked == []


@pytest.mark.parametrize("name", ["a\nb", "x" * 200])
def test_a_name_that_is_no_text_of_one_line_is_refused_before_it_is_sent(desk, line, name):
    answering = desk()

    result = line("stop", "--by", name)

    assert result.exit_code == 2
    assert "--by" in only_sentence(result.stderr)
    assert answering.asked == []


def test_parked_accelerator_is_asked_for_by_name(desk, line):
    answering = desk(lane=2)

    result = line("unpark", "--lane", 2, "--by", "Bo", "--reason", "fan cleaned")

    assert result.exit_code == 0
    assert result.stdout == (
        "lane 2: the accelerator is looked for again, by Bo; in the ledger as epoch 4, sequence 711\n"
    )
    assert [(each.command, each.by, each.reason) for each in answering.asked] == [("unpark", "Bo", "fan cleaned")]


def test_accelerator_that_is_not_parked_is_an_error_with_its_mend(desk, line):
    desk(ok=False, what="the accelerator is not parked: it judges", mend="nothing has to be asked for")

    result = line("unpark")

    assert result.exit_code == 9
    assert "the accelerator is not parked" in only_sentence(result.stderr)


def test_a_pulse_says_which_output_how_long_and_why(desk, line):
    answering = desk()

    result = line("pulse", "gate:reject", "--ms", 50, "--by", "Bo", "--reason", "new valve")

    assert result.exit_code == 0
    assert result.stdout == ("lane 1: pulses gate:reject for 50 ms, by Bo; in the ledger as epoch 4, sequence 711\n")
    request = answering.asked[0]
    assert (request.command, request.output, request.pulse_ms) == ("pulse", "gate:reject", 50)
    assert (request.by, request.role, request.reason) == ("Bo", "technician", "new valve")


def test_a_pulse_that_the_interlock_refuses_is_an_error_with_its_mend(desk, takt, tmp_path):
    desk(ok=False, what="the line is not stopped", mend="stop it, and wait until the belt stands")

    result = takt.run("line", "pulse", "ready", "--reason", "wires", "--json", "--bus", tmp_path / "bus")

    assert result.exit_code == 9
    assert "the line is not stopped; stop it" in only_sentence(result.stderr)


def test_a_pulse_without_a_reason_asks_nobody(desk, line):
    answering = desk()

    result = line("pulse", "ready")

    assert result.exit_code == 2
    assert "--reason" in only_sentence(result.stderr)
    assert answering.asked == []
