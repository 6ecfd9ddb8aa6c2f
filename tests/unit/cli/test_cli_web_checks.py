"""What `takt doctor` says of how the pages are reached."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from app.cli.checks import Level
from app.cli.web_checks import check_https
from app.config import UiSettings
from app.web.certificate import LIFE, device_certificate, given_certificate

NOW = datetime(2026, 11, 21, tzinfo=timezone.utc)
SECURE = UiSettings(host="0.0.0.0", https_port=8443)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.0.1.9"])
def test_pages_for_this_box_alone_need_no_https(host):
    found = check_https(UiSettings(host=host), None, NOW)

    assert (found.level, found.mend) == (Level.OK, "")


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.7", "line-3.example"])
def test_pages_open_to_the_network_in_the_clear_are_warned_of(host):
    found = check_https(UiSettings(host=host), None, NOW)

    assert found.level is Level.WARN
    assert "passwords can be read" in found.text
    assert "https_port" in found.mend


def test_fingerprint_is_told(tmp_path):
    made = device_certificate(tmp_path, "", NOW)
    found = check_https(SECURE, made, NOW)

    assert found.level is Level.OK
    assert made.fingerprint in found.text
    assert "good for 824 days" in found.text


def test_certificate_that_is_still_to_be_made_is_no_fault():
    assert check_https(SECURE, None, NOW).level is Level.OK


@pytest.mark.parametrize(("is_own", "words"), [(True, "restart the web process"), (False, "replace it")])
@pytest.mark.parametrize("days", [LIFE.days, -2])
def test_certificate_that_does_not_count_today_is_warned_of(tmp_path, is_own, words, days):
    made = device_certificate(tmp_path, "", NOW)
    shown = made if is_own else given_certificate(made.path, made.key)
    found = check_https(SECURE, shown, NOW + timedelta(days=days))

    assert found.level is Level.WARN
    assert words in found.mend
