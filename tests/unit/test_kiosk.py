"""The kiosk's command line, its profile, its certificate and its units."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.clock import SystemClock
from app.errors import ConfigError, UsageError
from app.kiosk.flags import check_user, checked, command, find_browser, platform_of
from app.kiosk.pins import pin_of
from app.kiosk.profile import Profile, default_folder
from app.kiosk.waiting import WAITING
from app.units import _HARDENING
from tests.groups import ROOT

URL = "http://127.0.0.1:8080/operator/"
DEPLOY = ROOT / "deploy" / "kiosk"

# The command line


def words(**more):
    return command(Path("/usr/bin/chromium"), Path("/run/kiosk"), URL, WAITING, **more)


def test_the_browser_is_asked_by_a_pipe_and_never_by_a_port():
    assert "--remote-debugging-pipe" in words()
    assert not any(each.startswith("--remote-debugging-port") for each in words())


def test_the_sandbox_stays_and_every_other_host_is_unknown():
    assert "--no-sandbox" not in words()
    assert "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1" in words()


def test_further_flags_come_last_before_the_page():
    assert words(more=["--lang=de"])[-2:] == ["--lang=de", WAITING]


def test_only_a_key_that_was_named_is_trusted():
    assert not any("certificate" in each for each in words())
    assert "--ignore-certificate-errors-spki-list=abc=" in words(pin="abc=")


@pytest.mark.parametrize(
    ("environ", "more", "platform"),
    [
        ({"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}, (), "wayland"),
        ({"DISPLAY": ":0"}, (), "x11"),
        ({}, ("--headless=new",), ""),
        ({"DISPLAY": ":0"}, ("--ozone-platform=wayland",), ""),
    ],
)
def test_it_draws_where_there_is_a_screen(environ, more, platform):
    assert platform_of(environ, more) == platform


def test_without_a_screen_it_says_how_to_get_one():
    with pytest.raises(ConfigError, match="cage"):
        platform_of({}, ())


@pytest.mark.parametrize(
    "url", ["", "operator", "file:///etc/passwd", "http://", "http://[::1", "javascript:1", "http://a b/"]
)
def test_what_is_no_address_of_a_page_is_refused(url):
    with pytest.raises(UsageError):
        checked(url)


def test_root_is_refused_unless_it_does_without_the_sandbox():
    with pytest.raises(UsageError):
        check_user(0, ())
    check_user(0, ("--no-sandbox",))
    check_user(1000, ())


def test_a_browser_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match="nobrowser"):
        find_browser(tmp_path / "nobrowser")


def test_the_pin_of_a_certificate_is_that_of_its_key_and_stays_with_it(tmp_path):
    from app.web.certificate import device_certificate

    path = device_certificate(tmp_path, "", SystemClock().wall()).path
    first = pin_of(path)
    path.unlink()
    device_certificate(tmp_path, "", SystemClock().wall())

    assert re.fullmatch(r"[A-Za-z0-9+/]{43}=", first)
    assert pin_of(path) == first


def test_a_file_that_is_no_certificate_is_refused(tmp_path):
    (tmp_path / "not.crt").write_text("hello")

    for name in ("not.crt", "absent.crt"):
        with pytest.raises(ConfigError, match=name):
            pin_of(tmp_path / name)


# The profile


def test_a_profile_is_held_by_one_kiosk(tmp_path):
    with (
        Profile(tmp_path / "p").held(),
        pytest.raises(UsageError, match="another kiosk"),
        Profile(tmp_path / "p").held(),
    ):
        pass


def test_a_folder_that_others_may_write_to_is_refused(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p").chmod(0o777)

    with pytest.raises(ConfigError, match="only this user"), Profile(tmp_path / "p").held():
        pass


def test_a_link_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "p").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ConfigError), Profile(tmp_path / "p").held():
        pass


def test_the_marks_of_a_crash_go_and_what_the_pages_keep_stays(tmp_path):
    home = tmp_path / "Default"
    (home / "Local Storage").mkdir(parents=True)
    (home / "Sessions").mkdir()
    (tmp_path / "SingletonLock").symlink_to("gone-1")
    (home / "Preferences").write_text(json.dumps({"profile": {"exit_type": "Crashed"}, "kept": 1}))

    Profile(tmp_path).tidy()

    said = json.loads((home / "Preferences").read_text())
    assert said == {"profile": {"exit_type": "Normal", "exited_cleanly": True}, "kept": 1}
    assert sorted(each.name for each in home.iterdir()) == ["Local Storage", "Preferences"]
    assert not (tmp_path / "SingletonLock").is_symlink()


@pytest.mark.parametrize("content", ["", '{"profile": ', "[]", '{"profile": 3}'])
def test_preferences_that_cannot_be_read_are_made_anew(tmp_path, content):
    (tmp_path / "Default").mkdir()
    (tmp_path / "Default" / "Preferences").write_text(content)

    Profile(tmp_path).tidy()

    assert not (tmp_path / "Default" / "Preferences").exists()


def test_a_profile_can_be_thrown_away_while_it_is_held(tmp_path):
    profile = Profile(tmp_path / "p")
    with profile.held():
        (profile.folder / "Default").mkdir()
        (profile.folder / "Local State").write_text("{}")
        profile.clear()

        assert [each.name for each in profile.folder.iterdir()] == ["takt-kiosk.lock"]


def test_by_default_it_lies_in_memory():
    assert default_folder({"XDG_RUNTIME_DIR": "/run/user/7"}, 7) == Path("/run/user/7/takt-kiosk")
    assert default_folder({}, 7).name == "takt-kiosk-7"


# The command and the units


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--url", "ftp://x/"), 2, "no address"),
        (("--browser", "/nowhere/chromium", "--flag=--no-sandbox"), 3, "--browser"),
        (
            (
                "--url",
                "https://127.0.0.1/",
                "--certificate",
                "/nowhere.crt",
                "--flag=--no-sandbox",
                "--flag=--headless=new",
            ),
            3,
            "certificate",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_started(words, code, sentence, tmp_path):
    said = subprocess.run(
        [sys.executable, "-m", "app.cli", "kiosk", "--profile", str(tmp_path / "p"), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == code, said.stderr
    assert sentence in said.stderr
    assert not (tmp_path / "p").exists()


def unit(name):
    return (DEPLOY / name).read_text(encoding="utf-8")


def test_the_unit_is_hardened_as_the_others_but_for_what_the_browsers_sandbox_needs():
    lines = unit("takt-kiosk.service").splitlines()
    missing = [line for line in _HARDENING.splitlines() if line not in lines]

    assert missing == ["RestrictNamespaces=yes", "UMask=0007"]
    assert "RestrictNamespaces=user pid net" in lines
    assert "UMask=0077" in lines


def test_systemd_finds_nothing_wrong_with_the_kiosks_units(tmp_path):
    tool = shutil.which("systemd-analyze")
    if not tool:
        return  # elsewhere the test above has read the unit
    for name, options in (("takt-kiosk.service", ()), ("takt-kiosk-desktop.service", ("--user",))):
        text = unit(name)
        for program in ("/usr/bin/chvt", "/usr/bin/cage", "/opt/takt/bin/takt"):
            text = text.replace(program, sys.executable)
        (tmp_path / name).write_text(re.sub(r"^(User|Group)=.*$", r"\1=root", text, flags=re.MULTILINE))
        environ = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
        words = [tool, *options, "verify", "--man=no", str(tmp_path / name)]
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=environ)

        assert [line for line in done.stderr.splitlines() if "takt" in line] == []
