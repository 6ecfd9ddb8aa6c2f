import pytest

from app.web.reports.certificate import certified
from app.web.reports.pdf import draw_certificate
from app.web.reports.signing import Signer
from app.web.texts import Texts
from tests.unit.cli.conftest import only_sentence
from tests.unit.web.test_lot_certificate import account, made


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    """A state folder with a closed lot, and its certificate beside it."""
    state = tmp_path_factory.mktemp("box") / "state"
    made(state, lot="4711-01", parts=5)
    signer, known = Signer.of(state), account(state, "4711-01")
    content = certified(known, draw_certificate(known, Texts(), {}, signer.name, "Quinn"), signer, "Quinn")
    (state.parent / "lot.pdf").write_bytes(content)
    return state


@pytest.fixture
def pdf(station):
    return station.parent / "lot.pdf"


def test_a_certificate_verifies_with_the_key_that_the_box_wrote_out(takt, station, pdf, tmp_path):
    key = tmp_path / "box.pem"
    assert takt.run("certificate", "key", "--out", key, "--state", station).exit_code == 0

    result = takt.run("certificate", "verify", pdf, "--key", key, "--ledger", station)

    assert result.exit_code == 0
    assert "Lot 4711-01 of Line 1, lane 1: 5 triggers = 4 passed + 1 rejected + 0 lost + 0 in flight" in result.stdout
    assert "the key that was named" in result.stdout
    assert "the ledger says the same" in result.stdout


def test_without_a_key_it_says_that_nobody_vouches_for_it(takt, pdf):
    assert "nobody vouches" in takt.run("certificate", "verify", pdf).stdout


def test_one_changed_byte_is_refused(takt, pdf, tmp_path):
    content = bytearray(pdf.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "forged.pdf").write_bytes(content)

    document, result = takt.json("certificate", "verify", tmp_path / "forged.pdf")

    assert (result.exit_code, document["is_sound"], document["certificate"]) == (1, False, {})
    assert "at least one byte of it was changed" in only_sentence(result.stderr)


def test_another_ledger_is_told_apart(takt, pdf, tmp_path):
    made(tmp_path / "other", lot="4711-01", parts=6)

    result = takt.run("certificate", "verify", pdf, "--ledger", tmp_path / "other")

    assert result.exit_code == 1
    assert "triggers: the ledger has 6, the certificate 5" in only_sentence(result.stderr)


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7\n%%EOF\n"])
def test_what_is_no_certificate_is_told(takt, tmp_path, content):
    (tmp_path / "none.pdf").write_bytes(content)

    result = takt.run("certificate", "verify", tmp_path / "none.pdf")

    assert result.exit_code == 4
    assert "does not end with a signature" in only_sentence(result.stderr)


def test_an_absent_file_is_told(takt, tmp_path):
    result = takt.run("certificate", "verify", tmp_path / "none.pdf")

    assert (result.exit_code, "cannot be read" in only_sentence(result.stderr)) == (4, True)


def test_the_key_is_printed_as_json(takt, station):
    document, result = takt.json("certificate", "key", "--state", station)

    assert result.exit_code == 0
    assert document["public_key"].startswith("-----BEGIN PUBLIC KEY-----")
    assert document["fingerprint"] == Signer.of(station).name
