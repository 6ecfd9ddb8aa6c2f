"""Inputs and outputs on the pages: who may look, who may try, and what reaches station and record."""

from __future__ import annotations

import pytest

from app.clock import NS_PER_MS
from app.config import UiSettings
from app.setup import load_setup, twin_line
from app.status import InputStatus, OutputStatus, State
from app.web.access.audit import AuditFilter
from app.web.access.roles import Role
from app.web.application import create_app
from app.web.context import make_context
from tests.unit.web.answering import Answering
from tests.unit.web.bench import Bench
from tests.unit.web.people import machine

IO = "/api/v1/lanes/1/io"
PULSE = f"{IO}/pulse"
WISH = {"output": "gate:reject", "pulse_ms": 200}


class Cabinet(Bench):
    """A bench with the twin's own line and a station that takes commands."""

    def __init__(self, root):
        super().__init__(root)
        self.context.close()
        self.context = make_context(
            self.place,
            self.live,
            UiSettings(),
            self.clock,
            self.state,
            setups=[load_setup(twin_line())],
            hasher=self.hasher,
        )
        self.app = create_app(self.context)
        self.client = self.app.test_client()
        self.station = Answering(self.place.commands(1))

    def tell(self, **fields):
        now_ns = self.clock.now_ns()
        said = {
            "state": State.STOPPED,
            "pulse_bar": "",
            "inputs": (InputStatus("part", True, 12, now_ns - 300 * NS_PER_MS), InputStatus("bin_full:reject")),
            "outputs": (OutputStatus("gate:reject", False, False, 10, 2000), OutputStatus("permit")),
            **fields,
        }
        self.publish(**said)

    def close(self):
        self.station.close()
        super().close()


@pytest.fixture
def cabinet(tmp_path):
    made = Cabinet(tmp_path / "bus")
    yield made
    made.close()


def test_levels_come_with_their_changes_and_their_wires(cabinet) -> None:
    cabinet.tell(count=-4, position_mm=-2.0, missed=3)
    answer = cabinet.client.get(IO, headers=cabinet.as_role(Role.TECHNICIAN)).json

    part, bin_full = answer["inputs"]
    wire = {"pin": "4", "active_low": False, "debounce_ms": 1.0, "read_back": ""}
    assert part == {"name": "part", "is_active": True, "edges": 12, "changed_ms": 300.0, "wire": wire}
    assert bin_full["changed_ms"] is None
    gate, permit = answer["outputs"]
    assert (gate["least_ms"], gate["most_ms"], gate["wire"]["pin"]) == (10, 2000, "22")
    assert permit["most_ms"] == 0
    assert answer["encoder"] == {
        "driver": "gpio",
        "pins": ["5", "6"],
        "count": -4,
        "position_mm": -2.0,
        "speed_mm_s": 0.0,
        "missed": 3,
    }
    assert (answer["bar"], answer["age_ms"]) == ("", 0.0)


def test_wires_are_unknown_where_the_pages_have_no_settings(bench) -> None:
    bench.publish(inputs=(InputStatus("part"),), outputs=(OutputStatus("ready"),))
    answer = bench.client.get(IO, headers=bench.as_role(Role.TECHNICIAN)).json

    assert [each["wire"] for each in (*answer["inputs"], *answer["outputs"])] == [None, None]
    assert (answer["encoder"]["driver"], answer["bar"]) == ("", "RUNNING")


def test_what_the_station_told_long_ago_says_how_old_it_is(cabinet) -> None:
    cabinet.tell()
    technician = cabinet.as_role(Role.TECHNICIAN)
    cabinet.clock.advance_to(cabinet.clock.now_ns() + 1500 * NS_PER_MS)

    assert cabinet.client.get(IO, headers=technician).json["age_ms"] == 1500.0


def test_lane_without_a_station_says_so(cabinet) -> None:
    answer = cabinet.client.get(IO, headers=cabinet.as_role(Role.TECHNICIAN))

    assert answer.status_code == 503
    assert answer.json["mend"]
    assert cabinet.client.get("/api/v1/lanes/9/io").status_code == 404


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.LEAD, Role.QUALITY])
def test_nobody_below_a_technician_sees_or_tries_them(cabinet, role) -> None:
    cabinet.tell()
    headers = cabinet.as_role(role)

    assert cabinet.client.get("/machine/io", headers=headers).status_code == 403
    assert cabinet.client.get(IO, headers=headers).status_code == 403
    assert cabinet.client.post(PULSE, json={**WISH, "reason": "x"}, headers=headers).status_code == 403
    assert cabinet.station.asked == []


def test_machine_never_tries_an_output(cabinet) -> None:
    headers = machine(cabinet.context, "read", "review", "line")

    assert cabinet.client.post(PULSE, json={**WISH, "reason": "x"}, headers=headers).status_code == 403
    assert cabinet.station.asked == []


def test_pulse_needs_a_reason_and_is_known_by_name_to_station_and_trail(cabinet) -> None:
    ann = cabinet.as_role(Role.TECHNICIAN, "Ann")
    assert cabinet.client.post(PULSE, json=WISH, headers=ann).status_code == 428
    answer = cabinet.client.post(PULSE, json=WISH, headers={**ann, "X-Reason": "new%20valve"})

    assert answer.json == {"epoch": 1, "sequence": 41}
    [asked] = cabinet.station.asked
    assert (asked.command, asked.output, asked.pulse_ms) == ("pulse", "gate:reject", 200)
    assert (asked.by, asked.role, asked.reason) == ("Ann", "technician", "new valve")
    [row] = cabinet.context.audit.rows(AuditFilter(what="machine.pulse"))
    assert (row.who, row.reason) == ("Ann", "new valve")


def test_pulse_that_the_station_refuses_is_told_and_leaves_no_trail(cabinet) -> None:
    cabinet.station.refuse("pulse", "the belt has not stood still for a second", "wait until it has")
    headers = {**cabinet.as_role(Role.ADMIN), "X-Reason": "wires"}
    answer = cabinet.client.post(PULSE, json=WISH, headers=headers)

    assert (answer.status_code, answer.json["mend"]) == (409, "wait until it has")
    assert cabinet.context.audit.rows(AuditFilter(what="machine.pulse")) == []


@pytest.mark.parametrize(
    "wrong", [{"pulse_ms": 9}, {"pulse_ms": 2001}, {"pulse_ms": "x"}, {"output": ""}, {"output": "a\nb"}, {"more": 1}]
)
def test_pulse_that_is_none_asks_nobody(cabinet, wrong) -> None:
    headers = {**cabinet.as_role(Role.TECHNICIAN), "X-Reason": "wires"}

    assert cabinet.client.post(PULSE, json={**WISH, **wrong}, headers=headers).status_code == 400
    assert cabinet.station.asked == []


@pytest.mark.parametrize("lang", ["en", "de"])
def test_page_warns_of_fingers_at_the_gate(cabinet, lang) -> None:
    page = cabinet.client.get(f"/machine/io?lang={lang}", headers=cabinet.as_role(Role.TECHNICIAN))

    assert page.status_code == 200
    assert {"en": "Hands away", "de": "Hände weg"}[lang] in page.text
