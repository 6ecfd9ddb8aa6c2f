"""Who may ask, and what a browser may do with the answer."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from flask import Flask, Request, Response, request

from app.errors import CommandRefusedError
from app.web.access.gate import HARMLESS, admit
from app.web.context import Context

POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""No inline script or style, no eval, nothing from elsewhere."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), usb=(), serial=()",
}
MOST_BODY_BYTES = 16 * 1024


def guard(app: Flask, context: Context) -> None:
    """Puts the headers on every answer, and refuses what may not be asked, or not from there, or not by this person.

    Args:
        app: The application.
        context: Who may come in, and the name that the settings give this box; its addresses and own names always hold.
    """
    known = {"localhost", *_own_names(), context.ui.host.lower()}
    app.config["MAX_CONTENT_LENGTH"] = MOST_BODY_BYTES

    @app.before_request
    def check() -> None:
        host = host_of(request)
        if not _is_address(host) and host not in known:
            raise CommandRefusedError(
                f"this box is not called {host[:80]!r}", "use its address, or the name that it was given"
            )
        if request.method not in HARMLESS:
            _check_origin(request)
        admit(context.access, request)

    @app.after_request
    def seal(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        return response


def host_of(asked: Request) -> str:
    """The name or address that the request was sent to, without its port."""
    return (urlsplit(f"//{asked.host}").hostname or "").rstrip(".").lower()


def _check_origin(asked: Request) -> None:
    """Browsers say which page sends a request that changes something; what is no browser has no cookies to abuse."""
    origin = asked.headers.get("Origin")
    if origin is not None and origin != asked.host_url.rstrip("/"):
        raise CommandRefusedError(f"a page of {origin[:80]!r} may not command this line", "use the page of this box")
    if asked.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise CommandRefusedError("a page from elsewhere may not command this line", "use the page of this box")
    if asked.mimetype != "application/json":
        raise CommandRefusedError("a command must be JSON", "send it with Content-Type: application/json")


def _own_names() -> set[str]:
    name = socket.gethostname().lower()
    return {name, name.partition(".")[0], f"{name.partition('.')[0]}.local"}


def _is_address(host: str) -> bool:
    """A name can be made to point anywhere after a page was loaded; an address cannot."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
