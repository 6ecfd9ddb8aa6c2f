"""The certificate that the box makes for itself, and one that it is given."""

from __future__ import annotations

import socket
import ssl
from datetime import datetime, timedelta, timezone

import pytest

from app.errors import ConfigError
from app.web.certificate import CERTIFICATE, KEY, LIFE, device_certificate, given_certificate, server_context

NOW = datetime(2026, 11, 21, tzinfo=timezone.utc)
ONE_DAY = timedelta(days=1)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "web"


def test_certificate_is_good_for_every_name_of_the_box(folder):
    made = device_certificate(folder, "line-3.factory.example", NOW)

    name = socket.gethostname().lower()
    assert {"localhost", name, f"{name.partition('.')[0]}.local", "127.0.0.1", "::1"} <= set(made.names)
    assert "line-3.factory.example" in made.names
    assert (made.begins_at, made.ends_at) == (NOW - ONE_DAY, NOW - ONE_DAY + LIFE)
    assert len(made.fingerprint.split(":")) == 32


def test_address_that_means_every_address_is_no_name(folder):
    assert "0.0.0.0" not in device_certificate(folder, "0.0.0.0", NOW).names


def test_key_may_be_read_by_its_owner_alone(folder):
    device_certificate(folder, "", NOW)

    assert (folder / KEY).stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert sorted(each.name for each in folder.iterdir()) == [CERTIFICATE, KEY]


def test_same_certificate_serves_as_long_as_it_lasts(folder):
    first = device_certificate(folder, "", NOW)

    assert device_certificate(folder, "", NOW + timedelta(days=700)) == first


@pytest.mark.parametrize("days", [780, 2000, -400], ids=["soon ends", "has ended", "clock was set back"])
def test_certificate_is_made_anew_before_it_ends_and_when_the_clock_has_jumped(folder, days):
    first = device_certificate(folder, "", NOW)
    key = (folder / KEY).read_bytes()
    later = NOW + timedelta(days=days)

    second = device_certificate(folder, "", later)

    assert second.fingerprint != first.fingerprint
    assert second.is_good_at(later)
    assert (folder / KEY).read_bytes() == key


def test_new_name_of_the_box_comes_into_the_certificate_and_the_old_ones_stay(folder):
    device_certificate(folder, "first.example", NOW)

    assert {"first.example", "second.example"} <= set(device_certificate(folder, "second.example", NOW).names)


@pytest.mark.parametrize("broken", [CERTIFICATE, KEY])
@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_broken_or_missing_file_is_replaced_by_one_that_serves(folder, broken, content):
    device_certificate(folder, "", NOW)
    if content is None:
        (folder / broken).unlink()
    else:
        (folder / broken).write_bytes(content)

    server_context(device_certificate(folder, "", NOW))

    assert (folder / KEY).stat().st_mode & 0o777 == 0o600


def test_folder_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "web").write_text("a file")

    with pytest.raises(ConfigError, match=r"certificate of this box cannot be written .*; give this user leave"):
        device_certificate(tmp_path / "web", "", NOW)


def test_old_certificate_serves_on_where_no_new_one_can_be_written(folder, monkeypatch):
    first = device_certificate(folder, "", NOW)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.web.certificate._write", full)

    assert device_certificate(folder, "", NOW + 2 * LIFE) == first


# Given


def test_given_certificate_serves(folder, tmp_path):
    made = device_certificate(folder, "", NOW)
    other = given_certificate(made.path, made.key)

    assert (other.fingerprint, other.is_own) == (made.fingerprint, False)
    assert server_context(other).minimum_version == ssl.TLSVersion.TLSv1_2


def test_given_key_of_another_certificate_is_refused(tmp_path):
    one, other = (device_certificate(tmp_path / name, "", NOW) for name in ("one", "other"))

    with pytest.raises(ConfigError, match=r"cannot be used: .*; name a PEM certificate and its own PEM key"):
        given_certificate(one.path, other.key)


def test_given_key_with_a_password_is_refused_and_nobody_is_asked_for_it(folder):
    from cryptography.hazmat.primitives import serialization

    made = device_certificate(folder, "", NOW)
    private = serialization.load_pem_private_key(made.key.read_bytes(), None)
    made.key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )

    with pytest.raises(ConfigError, match="cannot be used"):
        given_certificate(made.path, made.key)


@pytest.mark.parametrize("content", [None, b"", b"nonsense"])
def test_given_file_that_is_no_certificate_is_one_clear_error(folder, content):
    made = device_certificate(folder, "", NOW)
    made.path.unlink()
    if content is not None:
        made.path.write_bytes(content)

    with pytest.raises(ConfigError, match=r"\[ui\] certificate .*; name a"):
        given_certificate(made.path, made.key)
