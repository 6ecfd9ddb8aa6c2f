"""What may be wrong with how the pages of a box are reached."""

from __future__ import annotations

from datetime import datetime

from app.cli.checks import Finding, Level
from app.config import UiSettings
from app.web.certificate import Certificate, stays_here

TOPIC = "HTTPS"
_DAY_S = 86_400


def check_https(ui: UiSettings, certificate: Certificate | None, now: datetime) -> Finding:
    """Whether what goes to the pages can be read on its way, and by what a person knows the box.

    Args:
        ui: The settings of the pages.
        certificate: The one that is served, or will be; `None` where there is none yet.
        now: The present.
    """
    if not ui.https_port:
        if stays_here(ui.host):
            return Finding(TOPIC, Level.OK, f"not needed: the pages are for this box alone ({ui.host})")
        text = f"the pages are open to the network ({ui.host}) in the clear: passwords can be read on their way"
        return Finding(TOPIC, Level.WARN, text, "set [ui] https_port, for example to 8443")
    if certificate is None:
        return Finding(TOPIC, Level.OK, f"port {ui.https_port}; the certificate is made at the first start")
    days = int((certificate.ends_at - now).total_seconds() // _DAY_S)
    whose = "its own certificate" if certificate.is_own else f"the certificate {certificate.path}"
    text = f"port {ui.https_port}, {whose}, SHA-256 {certificate.fingerprint}"
    if not certificate.begins_at <= now < certificate.ends_at:
        mend = "restart the web process" if certificate.is_own else "replace it, or leave [ui] certificate and key out"
        return Finding(TOPIC, Level.WARN, f"{text}, does not count today ({certificate.ends_at:%Y-%m-%d})", mend)
    return Finding(TOPIC, Level.OK, f"{text}, good for {days} days")
