"""The one key that the kiosk's browser trusts: that of the box's own certificate.

A certificate which the box signs itself is known to no browser. Chromium takes one whose public key it was told, by the
SHA-256 of its SubjectPublicKeyInfo (RFC 7469, section 2.4), and goes on refusing every other.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from app.errors import ConfigError


def pin_of(path: Path) -> str:
    """The pin of a certificate's key, in base64. It stays the same when the certificate is renewed with its key.

    Args:
        path: The certificate in PEM format.

    Raises:
        ConfigError: It cannot be read, or is none.
    """
    from cryptography import x509  # noqa: PLC0415 - a kiosk that uses plain HTTP on its own box needs none of it
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"the certificate {path} cannot be read: {error.strerror}",
            "name one that this user can read with --certificate, or use http:// on the box itself",
        ) from error
    except ValueError as error:
        raise ConfigError(f"{path} is no certificate", "name a file in PEM format with --certificate") from error
    key = found.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(key).digest()).decode("ascii")
