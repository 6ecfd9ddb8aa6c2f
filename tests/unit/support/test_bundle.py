"""The support bundle: what is in it, what never is, and that one part which fails does not take the others with it."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from app.bus.block import BlockWriter
from app.clock import SystemClock
from app.config import UiSettings
from app.latency import mapped_ledger
from app.record import LEDGER, PICTURES
from app.record.database import FILE as LEDGER_FILE
from app.record.ledger import Ledger
from app.record.tables import PICTURES as REGISTER
from app.record.walltime import micros
from app.setup import twin_line
from app.support import bundle_record
from app.support.bundle import SECTIONS, Bundle, Section
from app.support.bundle_box import lines_at_work
from app.support.bundle_order import Member, Order, rows_member
from app.support.log_file import FOLDER, LogFile
from app.support.processes import Line, Processes
from app.web.access.hashing import Cost, Hasher
from app.web.access.roles import Role
from app.web.access.service import open_access
from app.web.access.setting_up import prepare_setup
from app.web.access.setup_code import SetupCode
from app.web.store.database import FOLDER as WEB
from app.web.store.database import Store
from tests.unit.record.station_events import StationEvents

WALL = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
STAGES = ("pre", "infer")
QUICK = tuple(each for each in SECTIONS if each.name not in ("checks", "models", "kernel"))
"""Without those that start a program."""


@pytest.fixture
def order(tmp_path):
    state, bus = tmp_path / "state", tmp_path / "bus"
    state.mkdir()
    bus.mkdir()
    return Order(state, bus, WALL, 0, lines=(twin_line(),), stages=STAGES)


def record(state, parts=3):
    """Rejects, with their pictures."""
    station = StationEvents()
    events = station.start()
    for _ in range(parts):
        trigger = station.trigger()
        number = trigger.part_id
        events += [trigger, station.verdict(number, "reject"), station.outcome(number, "REJECTED", reason="DEFECT")]
    ledger = Ledger.open(state / LEDGER)
    ledger.append(events, WALL)
    (state / PICTURES).mkdir()
    with ledger.transaction() as connection:
        for number in range(1, parts + 1):
            content = bytes([number]) * 1000
            (state / PICTURES / f"{number}.png").write_bytes(content)
            row = {"lane": 1, "epoch": 1, "part_id": number, "camera": "top", "exposure": 0, "kind": "reject"}
            row |= {"file": f"{number}.png", "bytes": 1000, "sha256": "", "taken_us": number}
            connection.execute(REGISTER.insert().values(row))
    ledger.close()
    return len(events)


def made(order, sections=QUICK):
    """The bundle, opened, and what was missing."""
    bundle = Bundle(order, sections)
    found = zipfile.ZipFile(io.BytesIO(b"".join(bundle.pieces())))
    assert found.testzip() is None
    return found, bundle.missing


def rows(found, name):
    return [json.loads(each) for each in found.read(name).splitlines()]


# What is in it


def test_empty_box_gives_a_whole_bundle(order):
    found, missing = made(order)

    assert {"README.txt", "errors.txt", "manifest.json", "box/machine.json"} <= set(found.namelist())
    assert {"events", "counts", "ledger"} <= {name for name, _ in missing}
    assert "holds no ledger" in found.read("errors.txt").decode()


def test_manifest_has_the_hash_of_every_file(order):
    record(order.state)
    found, _ = made(order)
    said = json.loads(found.read("manifest.json"))

    assert [each["name"] for each in said["members"]] == [each for each in found.namelist() if each != "manifest.json"]
    for each in said["members"]:
        content = found.read(each["name"])
        assert (each["size"], each["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


def test_readme_names_every_part(order):
    readme = made(order)[0].read("README.txt").decode()

    assert all(each.words in readme for each in QUICK)
    assert "2026-03-01 12:00:00 UTC" in readme


def test_settings_are_as_the_files_say(order):
    found, _ = made(order)

    assert found.read("settings/1/line.toml") == twin_line().read_bytes()
    assert found.read("settings/1/recipe.toml") == (twin_line().parent / "recipe.toml").read_bytes()


def test_newest_events_counts_and_the_check_of_the_chain(order, monkeypatch):
    count = record(order.state)
    monkeypatch.setattr(bundle_record, "EVENTS", 4)
    found, _ = made(order)
    said = json.loads(found.read("ledger/verify.json"))

    assert [each["row"] for each in rows(found, "ledger/lane1-events.jsonl")] == list(range(count - 3, count + 1))
    assert json.loads(found.read("ledger/counts.json"))["lanes"]["1"]["by_day"]["2026-03-01"]["rejected"] == 3
    assert (said["is_sound"], said["checked"]) == (True, "all")


@pytest.mark.parametrize("is_changed", [False, True])
def test_of_a_long_ledger_the_last_segment_is_checked(order, monkeypatch, is_changed):
    record(order.state)
    monkeypatch.setattr(bundle_record, "VERIFIED_ROWS", 6)
    if is_changed:
        path = order.state / LEDGER / LEDGER_FILE
        with bundle_record.closing(bundle_record.sqlite3.connect(path)) as connection:
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                connection.execute(f"DROP TRIGGER {name}")
            connection.execute("UPDATE events SET at_ns = at_ns + 1 WHERE row = 3")
            connection.commit()
    said = json.loads(made(order)[0].read("ledger/verify.json"))

    assert said["checked"] == "last segments"
    assert said["is_sound"] is not is_changed
    assert said["lanes"][0]["rows"] == 6
    assert ("row 3" in "".join(said["lanes"][0]["problems"])) is is_changed


def test_status_blocks_and_latencies_are_decoded(order):
    block = BlockWriter(order.bus / "lane1.status", 1_000)
    block.write(b'{"state":"RUNNING"}')
    block.close()
    torn = BlockWriter(order.bus / "web.status", 1_000)
    torn.write(b"{")
    torn.close()
    ledger = mapped_ledger(order.bus / "lane1.latency", STAGES, is_writing=True)
    for took_ms in (1, 2, 200):
        ledger.note("infer", round(took_ms * 1e6))
    found, missing = made(order)
    said = json.loads(found.read("bus/lane1.latency.json"))["stages"]["infer"]

    assert json.loads(found.read("bus/lane1.status.json")) == {"state": "RUNNING"}
    assert "bus/web.status" in dict(missing)
    assert (said["count"], said["max"], int(np.sum(said["histogram"]))) == (3, 200.0, 3)


def test_logs_reach_back_as_far_as_was_asked(order):
    log = LogFile(order.state / FOLDER)
    for days in (9, 6, 0):
        log.append(micros(WALL - timedelta(days=days)), "web", None, f"{days} days ago")
    log.close()

    assert [each["text"] for each in rows(made(order)[0], "logs/takt.jsonl")] == ["0 days ago", "6 days ago"]


def test_files_are_listed_and_pictures_only_counted(order):
    record(order.state)
    (order.state / "link").symlink_to("/etc")
    found = rows(made(order)[0], "state/files.jsonl")

    assert {"folder": "pictures", "files": 3, "bytes": 3000} in found
    assert not any("passwd" in str(each) for each in found)
    assert any(each.get("file") == "ledger/ledger.sqlite" for each in found)


def test_pictures_come_only_where_they_are_asked_for(order):
    record(order.state)
    (order.state / PICTURES / "3.png").unlink()

    assert not any(name.startswith("pictures/") for name in made(order)[0].namelist())
    asked = Order(order.state, order.bus, WALL, 0, pictures=2)
    found, missing = made(asked)
    assert [name for name in found.namelist() if name.startswith("pictures/")] == ["pictures/lane1-1-2.png"]
    assert dict(missing)["pictures/lane1-1-3.png"] == "3.png is gone"


@pytest.mark.parametrize("file", ["../secret.png", "/etc/hostname", "link.png"])
def test_picture_outside_its_folder_is_left_where_it_is(order, file):
    record(order.state, parts=1)
    (order.state / "secret.png").write_bytes(b"not yours")
    (order.state / PICTURES / "link.png").symlink_to("../secret.png")
    ledger = Ledger.open(order.state / LEDGER)
    with ledger.transaction() as connection:
        connection.execute(REGISTER.update().values(file=file))
    ledger.close()
    found, missing = made(Order(order.state, order.bus, WALL, 0, pictures=5))

    assert not any(name.startswith("pictures/") for name in found.namelist())
    assert any("outside" in words for _, words in missing)


def test_audit_trail_is_what_the_store_gives(order):
    asked = []

    def trail(most):
        asked.append(most)
        yield {"who": "Ann", "reason": "her PIN 482913"}

    found, _ = made(Order(order.state, order.bus, WALL, 0, trail=trail))

    assert asked == [500]
    assert rows(found, "audit.jsonl") == [{"who": "Ann", "reason": "her PIN ***"}]


def test_lines_are_those_of_the_stations_at_work(tmp_path):
    station = ("python", "-m", "app.cli", "process", "station", "--line", "/etc/a b.toml")
    for pid, words in ((7, station), (8, ("web",))):
        (tmp_path / "proc" / str(pid)).mkdir(parents=True)
        (tmp_path / "proc" / str(pid) / "cmdline").write_bytes(b"\0".join(each.encode() for each in words) + b"\0")
    lines = [Line(kind, kind, 1, pid, 0, True, 0, "") for kind, pid in (("station", 7), ("web", 8), ("station", 9))]

    assert [str(each) for each in lines_at_work(Processes("takt run", tuple(lines)), tmp_path)] == ["/etc/a b.toml"]


# What never is


def test_no_secret_of_the_box_is_in_it(order):
    record(order.state)
    store = Store(order.state / WEB)
    access = open_access(store, SystemClock(), UiSettings(), hasher=Hasher(Cost(passes=1, memory_kib=8)))
    prepare_setup(access)
    code = SetupCode(order.state / WEB).read()
    access.people.add("Ann", Role.ADMIN, by="test", pin="739154", password="a few words in a row")
    token, _ = access.tokens.make("mes", ["read"], 30, "Ann")
    session = access.sessions.open("ann", "password", "127.0.0.1", "browser")
    with store.reading() as connection:
        hashes = [each for row in connection.exec_driver_sql("SELECT pin, password FROM people") for each in row]
    store.close()
    log = LogFile(order.state / FOLDER)
    for words in (code, f"code is {code}", token, f"takt={session}", hashes[0], "PIN 739154"):
        log.append(micros(WALL), "web", None, words)
    log.close()
    (order.state / WEB / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n")
    found, _ = made(order)
    content = b"".join(found.read(name) for name in found.namelist())

    for secret in (code, token, session, *hashes, "739154", "a few words", "MIGHAgEAMBMG"):
        assert secret.encode() not in content


def test_password_of_a_camera_is_hidden(order, tmp_path):
    text = (
        twin_line().read_text().replace('driver = "twin"', 'driver = "opencv"\nsource = "rtsp://cam:s3cret@10.0.0.9/1"')
    )
    (tmp_path / "line.toml").write_text(text)
    found, _ = made(order.with_lines((tmp_path / "line.toml",)))

    assert b"rtsp://cam:***@10.0.0.9/1" in found.read("settings/1/line.toml")


# What goes wrong


def broken(_order):
    yield Member("half.txt", (b"before",))
    raise RuntimeError("the disk went away")


def half(_order):
    def content():
        yield b"first\n"
        raise OSError(5, "Input/output error")

    yield Member("cut.txt", content())


@pytest.mark.parametrize(
    ("collect", "why"),
    [(broken, "half.txt: RuntimeError: the disk went away"), (half, "cut.txt: Input/output error")],
)
def test_part_that_fails_is_named_and_the_others_are_there(order, collect, why):
    after = Section("after", "after it", lambda _order: iter([rows_member("after.jsonl", [1])]))
    found, _ = made(order, (Section("bad", "bad", collect), after))

    assert found.read("errors.txt").decode() == f"{why}\n"
    assert found.read("after.jsonl") == b"1\n"


@pytest.mark.parametrize("content", [b"", b"no database" * 100, b"SQLite format 3\0" + b"\xff" * 5_000])
def test_damaged_ledger_is_named_and_the_rest_collected(order, content):
    (order.state / LEDGER).mkdir()
    (order.state / LEDGER / LEDGER_FILE).write_bytes(content)
    found, _ = made(order)

    assert "box/machine.json" in found.namelist()


def test_state_and_bus_that_are_not_there_are_named(tmp_path):
    _, missing = made(Order(tmp_path / "no state", tmp_path / "no bus", WALL, 0))
    said = dict(missing)

    assert "nothing has run" in said["bus"]
    assert "No such file" in said["files"]


def test_settings_that_cannot_be_read_are_named(order, tmp_path):
    (tmp_path / "bad.toml").write_text("= nonsense")
    found, missing = made(order.with_lines((tmp_path / "bad.toml", tmp_path / "gone.toml")))

    assert found.read("settings/1/line.toml") == b"= nonsense"
    assert {name.split(" ")[0] for name, _ in missing if name.startswith("settings")} == {"settings/1", "settings/2"}


def test_memory_stays_flat_whatever_is_collected(order):
    def many(_order):
        yield Member("many.bin", (bytes(1 << 16) for _ in range(1_000)), is_packed=True)

    sizes = [len(piece) for piece in Bundle(order, (Section("many", "many", many),)).pieces()]

    assert sum(sizes) > 60_000_000
    assert max(sizes) < 200_000
