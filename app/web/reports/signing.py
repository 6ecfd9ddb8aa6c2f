"""The key of this box, and what it signs: payloads and whole documents.

A document is signed by a last line behind its end: `%takt-signature:1:KEY:SIGNATURE`, in hexadecimal, over everything
before it. A PDF reader takes the line for a comment; a byte that is changed, added or taken away anywhere, within the
line too, is found. Signatures inside of PDF (PAdES) would need a certificate authority on every box and a form of
signature that few readers check; this one needs nothing but the public key. Ed25519: RFC 8032.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import ConfigError, DataError, RecordError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FOLDER = "identity"
FILE = "signing.pem"
_PAYLOAD = b"takt payload 1\n"
_DOCUMENT = b"takt document 1\n"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_LINE = re.compile(rb"%takt-signature:1:([0-9a-f]{64}):([0-9a-f]{128})\n\Z")


def canonical(payload: Mapping[str, Any]) -> bytes:
    """A payload as the bytes that are signed: JSON with sorted keys, no blanks, ASCII.

    Raises:
        ValueError: It holds what JSON has no word for, as NaN.
    """
    return json.dumps(payload, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def fingerprint(public: bytes) -> str:
    """What people compare of a public key: the first 16 bytes of its SHA-256, in groups.

    Args:
        public: 32 bytes.
    """
    digest = hashlib.sha256(public).hexdigest()[:32]
    return " ".join(digest[start : start + 4] for start in range(0, len(digest), 4))


class Signer:
    """Signs for this box.

    Args:
        key: The private key.

    Attributes:
        public: The public key, 32 bytes.
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public: bytes = key.public_key().public_bytes_raw()

    @classmethod
    def of(cls, state: Path) -> Signer:
        """The signer of a box; its key is made at the first use, readable by its owner alone.

        Args:
            state: The station's state folder.

        Raises:
            ConfigError: Others may read the key, or it is none.
            RecordError: It cannot be read or made.
        """
        path = state / FOLDER / FILE
        try:
            if not path.exists():
                _make(path)
            return cls(_load(path))
        except OSError as error:
            raise RecordError(
                f"{path} cannot be used: {error.strerror}", "check the folder, its owner and disk"
            ) from error

    @property
    def name(self) -> str:
        """The fingerprint of the public key."""
        return fingerprint(self.public)

    def public_pem(self) -> bytes:
        """The public key as a file for others."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign_payload(self, content: bytes) -> str:
        """The signature of a payload, in hexadecimal."""
        return self._key.sign(_PAYLOAD + content).hex()

    def signed(self, document: bytes) -> bytes:
        """A document with its signature behind it."""
        signature = self._key.sign(_DOCUMENT + hashlib.sha256(document).digest())
        return document + f"%takt-signature:1:{self.public.hex()}:{signature.hex()}\n".encode()


def split(content: bytes) -> tuple[bytes, bytes, bytes]:
    """A signed document apart: the document, the public key and the signature, which is not checked yet.

    Raises:
        DataError: It does not end with a signature.
    """
    match = _LINE.search(content, max(0, len(content) - 256))
    if match is None:
        raise DataError(
            "the document does not end with a signature: it was cut off, added to, or never signed",
            "ask for the file as the box made it",
        )
    return content[: match.start()], bytes.fromhex(match[1].decode()), bytes.fromhex(match[2].decode())


def is_signed(document: bytes, public: bytes, signature: bytes) -> bool:
    """The document is as it was signed."""
    return _is_right(public, signature, _DOCUMENT + hashlib.sha256(document).digest())


def is_payload_signed(content: bytes, public: bytes, signature: str) -> bool:
    """The payload is as it was signed."""
    try:
        return _is_right(public, bytes.fromhex(signature), _PAYLOAD + content)
    except ValueError:
        return False


def read_public(path: Path) -> bytes:
    """A public key out of a file, 32 bytes.

    Raises:
        DataError: It cannot be read, or is no such key.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    mend = "give the file that `takt certificate key --out FILE` wrote on the box"
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", mend) from error
    except ValueError as error:
        raise DataError(f"{path} is no public key", mend) from error
    if not isinstance(key, Ed25519PublicKey):
        raise DataError(f"{path} is a key of another kind than Ed25519", mend)
    return key.public_bytes_raw()


def _is_right(public: bytes, signature: bytes, message: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _make(path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat  # noqa: PLC0415

    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{FILE}.{secrets.token_hex(8)}.draft")
    content = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            # Whoever else makes one at this moment: the first wins, and both use it.
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)


def _load(path: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    if path.stat().st_mode & _OTHERS:
        raise ConfigError(f"others may read the signing key {path}", f"run: chmod 600 {path}")
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{path} is no signing key", "restore it from a copy, or move it away for a new one"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path} is a key of another kind than Ed25519", "restore it from a copy")
    return key
