"""The browser's command line: full screen, for fingers, silent, and without a word to anybody outside the box."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from app.errors import ConfigError, UsageError
from app.kiosk.screen import WAYLAND, X11, size_of_x

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
NO_SANDBOX = "--no-sandbox"

_SCREEN = (
    "--kiosk",
    "--hide-scrollbars",
    # Fingers: no zoom by two of them, and no page back by a wipe over the edge.
    "--touch-events=enabled",
    "--disable-pinch",
    "--overscroll-history-navigation=0",
)
_SILENT = (
    "--no-first-run",
    "--no-default-browser-check",
    "--noerrdialogs",
    "--disable-infobars",
    "--hide-crash-restore-bubble",
    "--disable-session-crashed-bubble",
    "--disable-search-engine-choice-screen",
    "--disable-prompt-on-repost",
    "--disable-notifications",
    "--deny-permission-prompts",
    "--password-store=basic",
    "--disable-extensions",
    "--disable-default-apps",
)
_ALONE = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-domain-reliability",
    "--disable-client-side-phishing-detection",
    "--disable-breakpad",
    "--disable-crash-reporter",
    "--metrics-recording-only",
    "--no-pings",
    "--no-proxy-server",
    "--disk-cache-size=16777216",
)
# What would ask, offer or fetch something by itself.
_FEATURES_OFF = (
    "AutofillServerCommunication",
    "CertificateTransparencyComponentUpdater",
    "InterestFeedContentSuggestions",
    "MediaRouter",
    "OptimizationHints",
    "PasswordManagerOnboarding",
    "TouchpadOverscrollHistoryNavigation",
    "Translate",
)


def command(
    browser: Path, profile: Path, url: str, first: str, *, pin: str = "", more: Sequence[str] = ()
) -> list[str]:
    """The command line of a browser that is asked over its file descriptors 3 and 4.

    Args:
        browser: The program.
        profile: The folder of its profile.
        url: The page that it is for; nobody else is ever looked up by name.
        first: The page that it starts with.
        pin: SHA-256 of the one public key that is trusted without further proof, as `app.kiosk.pins` gives it.
        more: Further flags.
    """
    wanted = [
        *_SCREEN,
        *_SILENT,
        *_ALONE,
        f"--disable-features={','.join(_FEATURES_OFF)}",
        f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {urlsplit(url).hostname}",
        f"--user-data-dir={profile}",
        "--remote-debugging-pipe",
    ]
    wanted += [f"--ignore-certificate-errors-spki-list={pin}"] if pin else []
    return [str(browser), *wanted, *more, first]


def screen_flags(platform: str) -> list[str]:
    """What makes the window as large as the screen.

    Args:
        platform: As `platform_of` gives it.
    """
    flags = [f"--ozone-platform={platform}"] if platform else []
    size = size_of_x() if platform == X11 else None
    if size is None:
        return flags
    # Chromium makes a window of exactly the screen's size one pixel smaller, and the screen's rim would stay black.
    return [*flags, "--window-position=0,0", f"--window-size={size[0] + 1},{size[1] + 1}"]


def find_browser(named: Path | None) -> Path:
    """The browser that was named, else the Chromium of this machine.

    Raises:
        ConfigError: There is none.
    """
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None and named:
        raise ConfigError(f"{named} is no program that can be run", "name a Chromium with --browser")
    if found is None:
        raise ConfigError("there is no Chromium on this machine", "install chromium, or name one with --browser")
    return Path(found)


def platform_of(environ: Mapping[str, str], more: Sequence[str]) -> str:
    """What the browser draws on.

    Args:
        environ: The environment.
        more: The flags that were given.

    Raises:
        ConfigError: There is no screen.
    """
    if any(each.startswith(("--headless", "--ozone-platform")) for each in more):
        return ""
    if environ.get("WAYLAND_DISPLAY"):
        return WAYLAND
    if environ.get("DISPLAY"):
        return X11
    raise ConfigError(
        "there is no screen: neither WAYLAND_DISPLAY nor DISPLAY is set",
        "run it under a compositor, as in `cage -d -- takt kiosk`, or in a desktop session",
    )


def check_user(uid: int, more: Sequence[str]) -> None:
    """Refuses root, for whom Chromium keeps no sandbox.

    Raises:
        UsageError: The user is root, and nobody has said that there shall be no sandbox.
    """
    if uid == 0 and NO_SANDBOX not in more:
        raise UsageError(
            "the browser keeps its sandbox for ordinary users only, and this is root",
            "run it as a user of its own, as deploy/kiosk does",
        )


def checked(url: str) -> SplitResult:
    """An address that the kiosk can show, in its parts.

    Raises:
        UsageError: It is none.
    """
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError(f"{url!r} is no address of a page", "give one as http://127.0.0.1:8080/operator/")
    return parts
