"""Certificates: the account of a lot as a PDF that carries it for machines too, signed twice, and the check of one."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.errors import DataError, RecordError
from app.record.figures import Figures
from app.record.readers import Records
from app.record.witness import hash_at
from app.web.reports.account import FORM, VERSION, LotAccount
from app.web.reports.signing import (
    Signer,
    canonical,
    fingerprint,
    is_payload_signed,
    is_signed,
    split,
)

PAYLOAD = "certificate.json"
SIGNATURE = "certificate.json.sig"
MOST_BYTES = 64 << 20
_TALLY = ("triggers", "passed", "rejected", "lost")


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check of a certificate found.

    Attributes:
        fingerprint: Of the key that signed it.
        is_known_key: It is the key that was named; `None` where none was.
        payload: What it says; empty where that could not be trusted.
        problems: What is wrong; empty where nothing is.
        agrees: The ledger says the same; `None` where none was named.
    """

    fingerprint: str
    is_known_key: bool | None
    payload: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    agrees: bool | None = None

    @property
    def is_sound(self) -> bool:
        """Nothing is wrong."""
        return not self.problems


def certified(account: LotAccount, drawn: bytes, signer: Signer, by: str) -> bytes:
    """Puts the account into its drawing, and signs both.

    Args:
        account: The lot.
        drawn: The PDF.
        signer: Who signs.
        by: Who asked for it.
    """
    from pypdf import PdfReader, PdfWriter  # noqa: PLC0415 - a check or a page without certificates needs none of it

    content = canonical({**account.payload(by), "key": signer.public.hex()})
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(drawn)))
    writer.add_attachment(PAYLOAD, content)
    writer.add_attachment(SIGNATURE, signer.sign_payload(content).encode())
    target = io.BytesIO()
    writer.write(target)
    return signer.signed(target.getvalue().rstrip(b"\n") + b"\n")


def check(content: bytes, key: bytes | None = None) -> Checked:
    """Checks a certificate, without anything but the file.

    Args:
        content: The file.
        key: The public key of the box that it should come from, 32 bytes; without it the check only says that the
            file is as somebody signed it, and by which key.

    Raises:
        DataError: It is no signed certificate at all.
    """
    document, public, signature = split(content)
    known = None if key is None else public == key
    name = fingerprint(public)
    if not is_signed(document, public, signature):
        what = "the document is not as it was signed: at least one byte of it was changed"
        return Checked(name, known, problems=(what,))
    if known is False:
        return Checked(name, known, problems=(f"it was signed by another key than the one that was named: {name}",))
    payload, problems = _payload(document, public)
    return Checked(name, known, payload, tuple(problems))


def compare(checked: Checked, ledger: Path) -> Checked:
    """Holds what a certificate says against a ledger.

    Args:
        checked: A certificate that is sound.
        ledger: The folder of the ledger.

    Raises:
        RecordError: There is no ledger, or it cannot be read.
    """
    said, problems = checked.payload, []
    lane, lot = int(said["lane"]), str(said["lot"])
    records, figures = Records(ledger), Figures(ledger)
    try:
        if lane not in records.lanes():
            raise RecordError(f"{ledger} holds no ledger of lane {lane}", "name the ledger of the box that made it")
        found = hash_at(ledger, lane, int(said["chain"]["row"]))
        if found is None:
            problems.append(f"the ledger of lane {lane} has no row {said['chain']['row']}")
        elif found.hex() != said["chain"]["hash"]:
            problems.append(f"row {said['chain']['row']} of the ledger has another hash than the certificate names")
        record = next((each for each in records.lots(lane, most=10**9) if each.lot == lot), None)
        if record is None:
            problems.append(f"the ledger knows no lot {lot!r}")
        else:
            for name in _TALLY:
                now = getattr(record.tally, name)
                if now != said["tally"][name]:
                    problems.append(f"{name}: the ledger has {now}, the certificate {said['tally'][name]}")
            terms = {(each.package_sha256, each.recipe_sha256) for each in figures.terms_of_lot(lot, lane)}
            if terms != {(each["package_sha256"], each["recipe_sha256"]) for each in said["judged"]}:
                problems.append("model or recipe: the ledger names others than the certificate")
    finally:
        records.close()
        figures.close()
    return Checked(checked.fingerprint, checked.is_known_key, said, tuple(problems), agrees=not problems)


def _payload(document: bytes, public: bytes) -> tuple[dict[str, Any], list[str]]:
    """What the document carries for machines; nothing where its own signature does not fit."""
    attachments = _attachments(document)
    content, signature = attachments.get(PAYLOAD), attachments.get(SIGNATURE)
    if content is None or signature is None:
        return {}, ["it carries no account for machines: it is signed, and no certificate of a lot"]
    if not is_payload_signed(content, public, signature.decode("ascii", "replace")):
        return {}, ["the account in it is not as it was signed"]
    said = json.loads(content)
    if said.get("form") != FORM or said.get("version") != VERSION:
        return {}, ["its account has a form that this version of Takt does not know"]
    problems = [] if said["key"] == public.hex() else ["the account names another key than the one that signed it"]
    tally = said["tally"]
    if tally["triggers"] != sum(tally[name] for name in ("passed", "rejected", "lost", "in_flight")):
        problems.append("its account does not balance: triggers are not passed + rejected + lost + in flight")
    return said, problems


def _attachments(document: bytes) -> dict[str, bytes]:
    from pypdf import PdfReader  # noqa: PLC0415
    from pypdf.errors import PyPdfError  # noqa: PLC0415

    try:
        found = PdfReader(io.BytesIO(document)).attachments
        return {name: contents[0] for name, contents in found.items()}
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError("what was signed is no PDF that can be read", "ask for the file as the box made it") from error
