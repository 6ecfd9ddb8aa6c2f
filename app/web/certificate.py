"""The certificate that the box shows to browsers: its own, signed by itself, or one that somebody has given it.

After RFC 5280; a browser takes the names from subjectAltName alone (RFC 9525). 825 days is the longest life that all of
them accept for a certificate that a person has trusted by hand.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import ConfigError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

CERTIFICATE = "device.crt"
KEY = "device.key"
LIFE = timedelta(days=825)
RENEWED_BEFORE = timedelta(days=60)
_CLOCKS_DIFFER = timedelta(days=1)
_MOST_NAMES = 64
_LONGEST_COMMON_NAME = 64
_SECRET_MODE = 0o600
_PUBLIC_MODE = 0o644
_LOCAL = re.compile(r"\|-- (?P<address>[\d.]+)\n\s+/32 host LOCAL")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its key, as files.

    Attributes:
        path: The certificate, with the chain above it where there is one.
        key: Its private key.
        fingerprint: SHA-256 of the certificate, as browsers show it: pairs of hexadecimal digits with colons.
        names: What it is good for.
        begins_at: From when it counts.
        ends_at: Until when.
        is_own: The box has made it.
    """

    path: Path
    key: Path
    fingerprint: str
    names: tuple[str, ...]
    begins_at: datetime
    ends_at: datetime
    is_own: bool

    def is_good_at(self, moment: datetime) -> bool:
        """It counts then, and will for a while."""
        return self.begins_at <= moment < self.ends_at - RENEWED_BEFORE


def device_certificate(folder: Path, host: str, now: datetime) -> Certificate:
    """The box's own certificate: made when there is none, and anew when it ends soon or lacks a name of the box.

    The key stays the same as long as it can be read. Where nothing can be written, one that has ended still serves: a
    browser says so, and the line can be watched.

    Args:
        folder: Where it lies; made where it is missing.
        host: The address or name that the pages are served under, besides those of the box.
        now: The present.

    Raises:
        ConfigError: The files cannot be written.
    """
    path, key = folder / CERTIFICATE, folder / KEY
    names = names_of_box(host)
    known = _known(path, key)
    if known is not None and known.is_good_at(now) and set(names) <= set(known.names):
        return known
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        private = _kept_key(key)
        older = [each for each in (known.names if known else ()) if each not in names]
        _write(path, _made(private, (*names, *older)[:_MOST_NAMES], now), _PUBLIC_MODE)
    except OSError as error:
        if known is not None:
            return known
        raise ConfigError(
            f"the certificate of this box cannot be written to {folder}: {error.strerror or error}",
            "give this user leave to write there, or name a certificate with [ui] certificate and key",
        ) from error
    made = _known(path, key)
    assert made is not None, "what was just written can be read"
    return made


def known_certificate(folder: Path) -> Certificate | None:
    """The box's own certificate as it lies there; `None` where there is none that can be used. Changes nothing."""
    return _known(folder / CERTIFICATE, folder / KEY)


def given_certificate(path: Path, key: Path) -> Certificate:
    """A certificate that somebody has given the box.

    Raises:
        ConfigError: The files cannot be read, are no certificate and key, or do not belong together.
    """
    try:
        found = _read(path, key, is_own=False)
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path, key, password=_no_password)
    except OSError as error:  # ssl.SSLError is one too
        what = error.strerror or str(error)
        raise ConfigError(
            f"[ui] certificate {path} with key {key} cannot be used: {what}",
            "name a PEM certificate and its own PEM key without a password",
        ) from error
    except ValueError as error:
        raise ConfigError(f"[ui] certificate {path} is no certificate", "name a file in PEM format") from error
    return found


def names_of_box(host: str) -> tuple[str, ...]:
    """The names and addresses by which browsers may call this box, without those that mean every address."""
    full = socket.gethostname().lower()
    short = full.partition(".")[0]
    found = ["localhost", full, short, f"{short}.local", "127.0.0.1", "::1", host.lower(), *own_addresses()]
    return tuple(dict.fromkeys(each for each in found if _is_name(each)))


def stays_here(host: str) -> bool:
    """Whoever listens at this address is reached from the box itself alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def server_context(certificate: Certificate) -> ssl.SSLContext:
    """TLS 1.2 or newer, with forward secrecy, for HTTP/1.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    load(context, certificate)
    return context


def load(context: ssl.SSLContext, certificate: Certificate) -> None:
    """Shows this certificate to whoever comes from now on."""
    context.load_cert_chain(certificate.path, certificate.key, password=_no_password)


def _no_password() -> str:
    """Without this OpenSSL would ask at the terminal."""
    return ""


def own_addresses() -> list[str]:
    """The addresses of this box, but those that hold on one cable only."""
    found: list[str] = []
    try:
        found += _LOCAL.findall(Path("/proc/net/fib_trie").read_text(encoding="ascii"))
        lines = Path("/proc/net/if_inet6").read_text(encoding="ascii").splitlines()
        found += [str(ipaddress.IPv6Address(int(line.split()[0], 16))) for line in lines]
    except (OSError, ValueError):
        pass  # a system that does not tell: its names remain
    return [each for each in sorted(found) if not ipaddress.ip_address(each).is_link_local]


def _is_name(name: str) -> bool:
    try:
        return not ipaddress.ip_address(name).is_unspecified
    except ValueError:
        return re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", name) is not None


def _known(path: Path, key: Path) -> Certificate | None:
    """The certificate that lies there; `None` where there is none that can be used."""
    try:
        found = _read(path, key, is_own=True)
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path, key, password=_no_password)
    except (OSError, ValueError):
        return None
    return found


def _read(path: Path, key: Path, *, is_own: bool) -> Certificate:
    from cryptography import x509  # noqa: PLC0415 - a box that serves no HTTPS needs none of it
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    found = x509.load_pem_x509_certificate(path.read_bytes())
    try:
        said = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = [*said.get_values_for_type(x509.DNSName), *map(str, said.get_values_for_type(x509.IPAddress))]
    except x509.ExtensionNotFound:
        names = []
    begins, ends = found.not_valid_before_utc, found.not_valid_after_utc
    return Certificate(path, key, found.fingerprint(SHA256()).hex(":").upper(), tuple(names), begins, ends, is_own)


def _kept_key(path: Path) -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    try:
        found = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if isinstance(found, ec.EllipticCurvePrivateKey):
            return found
    except (FileNotFoundError, ValueError, TypeError):
        pass  # there is none, or none that can be used: a new one takes its place
    made = ec.generate_private_key(ec.SECP256R1())
    content = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(path, content, _SECRET_MODE)
    return made


def _made(private: EllipticCurvePrivateKey, names: Iterable[str], now: datetime) -> bytes:
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID  # noqa: PLC0415

    common = f"Takt {socket.gethostname()}"[:_LONGEST_COMMON_NAME]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    usage = {"digital_signature": True, "key_agreement": True} | dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    public = private.public_key()
    begins = now.astimezone(timezone.utc) - _CLOCKS_DIFFER
    made = (
        x509.CertificateBuilder(subject, subject, public, x509.random_serial_number(), begins, begins + LIFE)
        .add_extension(x509.SubjectAlternativeName([_general(each) for each in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(private, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def _general(name: str) -> x509.GeneralName:
    from cryptography import x509  # noqa: PLC0415

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all, and never for a moment with more rights than it has in the end."""
    draft = path.with_suffix(f"{path.suffix}.draft")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
