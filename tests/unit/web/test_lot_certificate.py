from __future__ import annotations

import io
import json
import stat
from datetime import datetime, timezone

import pytest
from pypdf import PdfReader

from app.errors import ConfigError, DataError, RecordError
from app.record import DOCUMENTS, LEDGER
from app.record.documents import keep
from app.record.figures import Figures
from app.record.ledger import Ledger
from app.record.readers import Records
from app.types import EventKind
from app.web.reports.account import account_of
from app.web.reports.certificate import PAYLOAD, certified, check, compare
from app.web.reports.pdf import draw_certificate
from app.web.reports.signing import FILE, FOLDER, Signer, canonical, read_public, split
from app.web.texts import Texts
from tests.unit.record.station_events import StationEvents
from tests.unit.web.week import RECIPE

WALL = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
LOT = "<b>4711</b> \N{SNOWMAN}"


def made(state, lot=LOT, parts=20, is_closed=True):
    sha256 = keep(state / DOCUMENTS, RECIPE)
    station = StationEvents(lot=lot)
    said = {"lot": lot, "package": "pcb-golden", "package_sha256": "a" * 64, "recipe": "Board A"}
    events = [station.event(EventKind.STARTED, **said, recipe_sha256=sha256, runtime="onnx", threshold=0.3)]
    events += [station.event(EventKind.LOT_OPENED, lot=lot)]
    events += [station.event(EventKind.CHALLENGE, result="PASSED", text="all known-bad parts rejected")]
    for _ in range(parts):
        events += station.part()
    if is_closed:
        events += [station.event(EventKind.LOT_CLOSED, lot=lot, by="Otto", why="done")]
    ledger = Ledger.open(state / LEDGER)
    ledger.append(events, WALL)
    ledger.close()


def account(state, lot=LOT):
    records, figures = Records(state / LEDGER), Figures(state / LEDGER)
    try:
        return account_of(state, records, figures, 1, lot, "Line 1")
    finally:
        records.close()
        figures.close()


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    state = tmp_path_factory.mktemp("state")
    made(state)
    return state


@pytest.fixture(scope="module")
def signer(station):
    return Signer.of(station)


@pytest.fixture(scope="module")
def content(station, signer):
    known = account(station)
    return certified(known, draw_certificate(known, Texts(), {}, signer.name, "Quinn"), signer, "Quinn")


def test_a_certificate_says_what_the_ledger_says(content, station, signer):
    found = compare(check(content, signer.public), station / LEDGER)

    assert (found.problems, found.is_known_key, found.agrees) == ((), True, True)
    said = found.payload
    assert (said["lot"], said["by"], said["tally"]) == (
        LOT,
        "Quinn",
        {"triggers": 20, "passed": 16, "rejected": 4, "lost": 0, "in_flight": 0},
    )
    assert said["judged"][0]["thresholds"] == {"default": 0.5, "short": 0.35}
    assert [each["result"] for each in said["challenges"]] == ["PASSED"]


def test_the_page_prints_the_account_and_no_name_is_markup(content):
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)

    assert "20 = 16 + 4 + 0 + 0" in text
    assert "<b>4711</b> \\u2603" in text
    assert "pcb-golden" in text


def test_another_key_is_told(content, tmp_path):
    found = check(content, Signer.of(tmp_path).public)

    assert (found.is_known_key, found.payload) == (False, {})
    assert "another key" in found.problems[0]


def test_without_a_key_nothing_is_said_of_whose_it_is(content):
    assert check(content).is_known_key is None
    assert check(content).is_sound


def test_every_changed_byte_is_found(content):
    places = {*range(0, len(content), 997), *range(len(content) - 240, len(content)), content.index(b"%%EOF")}

    for place in sorted(places):
        changed = content[:place] + bytes([content[place] ^ 0x20]) + content[place + 1 :]
        assert not is_sound(changed), f"byte {place}"


@pytest.mark.parametrize(
    "change", [lambda it: it + b"\n", lambda it: it[:-1], lambda it: it[1:], lambda it: b"", lambda it: it[:-210]]
)
def test_what_was_cut_off_or_added_to_is_found(content, change):
    assert not is_sound(change(content))


def test_a_forged_account_in_a_document_of_another_key_is_found(content, station, tmp_path):
    other = Signer.of(tmp_path)
    forged = other.signed(split(content)[0])

    found = check(forged)

    assert found.problems == ("the account in it is not as it was signed",)


def test_a_signed_document_that_is_none_is_told(signer):
    with pytest.raises(DataError, match="no PDF"):
        check(signer.signed(b"%PDF-1.7 nothing\n"))


def test_a_ledger_that_went_on_still_agrees_and_another_does_not(content, station, signer, tmp_path):
    made(tmp_path, parts=25)

    found = compare(check(content, signer.public), tmp_path / LEDGER)

    assert not found.agrees
    assert any(each.startswith("triggers: the ledger has 25") for each in found.problems)
    assert any("another hash" in each or "no row" in each for each in found.problems)


def test_no_ledger_to_compare_with_is_an_error(content, tmp_path):
    with pytest.raises(RecordError, match="holds no ledger"):
        compare(check(content), tmp_path)


def test_the_payload_is_attached_as_canonical_json(content):
    attached = PdfReader(io.BytesIO(content)).attachments[PAYLOAD][0]

    assert canonical(json.loads(attached)) == attached


def test_a_lot_that_runs_has_no_time_of_closing(tmp_path):
    made(tmp_path, is_closed=False)

    assert account(tmp_path).payload("x")["closed"] is None


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path):
    first, second = Signer.of(tmp_path), Signer.of(tmp_path)

    assert first.public == second.public
    assert stat.S_IMODE((tmp_path / FOLDER / FILE).stat().st_mode) == 0o600
    assert [each.name for each in (tmp_path / FOLDER).iterdir()] == [FILE]


def test_a_key_that_others_may_read_is_refused(tmp_path):
    Signer.of(tmp_path)
    (tmp_path / FOLDER / FILE).chmod(0o640)

    with pytest.raises(ConfigError, match="chmod 600"):
        Signer.of(tmp_path)


def test_a_damaged_key_is_refused(tmp_path):
    Signer.of(tmp_path)
    (tmp_path / FOLDER / FILE).write_bytes(b"nothing")

    with pytest.raises(ConfigError, match="no signing key"):
        Signer.of(tmp_path)


def test_the_public_key_goes_through_its_file(tmp_path):
    signer = Signer.of(tmp_path)
    (tmp_path / "key.pem").write_bytes(signer.public_pem())

    assert read_public(tmp_path / "key.pem") == signer.public
    with pytest.raises(DataError, match="no public key"):
        read_public(tmp_path / FOLDER / FILE)


def is_sound(content):
    try:
        return check(content).is_sound
    except DataError:
        return False
