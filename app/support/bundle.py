"""The support bundle: everything that somebody far away needs to see what is wrong, as one ZIP file, without secrets.

A part that cannot be collected becomes a line of `errors.txt`, and the bundle goes on. Nothing of it is held in memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

from app import __version__
from app.support import bundle_box, bundle_record
from app.support.bundle_order import Collected, Member, Order, why
from app.support.redaction import clean
from app.support.zip_stream import ZipStream

README, ERRORS, MANIFEST = "README.txt", "errors.txt", "manifest.json"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the bundle.

    Attributes:
        name: What it is called while it is collected.
        words: What is in it, for README.txt.
        collect: Collects it; may raise anything.
    """

    name: str
    words: str
    collect: Callable[[Order], Collected]


SECTIONS: tuple[Section, ...] = (
    Section("settings", "settings/: line.toml and recipe of each lane, and what was chosen since", bundle_box.settings),
    Section("box", "box/: versions, libraries, machine, disk, processes", bundle_box.box),
    Section("kernel", "box/kernel.txt: the end of the kernel's log", bundle_box.kernel),
    Section("status", "bus/: what each process tells of itself, and the times of each stage", bundle_box.status),
    Section("events", f"ledger/lane*-events.jsonl: the last {bundle_record.EVENTS} events", bundle_record.events),
    Section("counts", f"ledger/counts.json: {bundle_record.DAYS} days; lots.jsonl, terms.jsonl", bundle_record.counts),
    Section("ledger", "ledger/verify.json: whether the ledger is as it was recorded", bundle_record.verified),
    Section("audit", f"audit.jsonl: the last {bundle_record.AUDIT_ROWS} changes made by people", bundle_record.audit),
    Section("logs", "logs/: what the processes have said, the newest first", bundle_box.logs),
    Section("files", "state/files.jsonl: the files of the state folder with their sizes", bundle_box.files),
    Section("models", "models/: packages with their hashes, and what was built of them", bundle_box.models),
    Section("checks", "doctor.json: what takt doctor finds", bundle_box.checks),
    Section("pictures", "pictures/: the newest rejects, where they were asked for", bundle_record.pictures),
)


class Bundle:
    """A support bundle while it is made.

    Args:
        order: What is to be in it.
        sections: Its parts.

    Attributes:
        missing: What could not be collected, and why.
        members: How many files are in it so far.
    """

    def __init__(self, order: Order, sections: Sequence[Section] = SECTIONS) -> None:
        self.missing: list[tuple[str, str]] = []
        self._order = order
        self._sections = sections
        self._zip = ZipStream(order.wall)

    @property
    def members(self) -> int:
        """How many files are in it so far."""
        return len(self._zip.members)

    def pieces(self, tell: Callable[[str], None] = lambda _name: None) -> Iterator[bytes]:
        """The file, piece by piece.

        Args:
            tell: Called after each part, with its name.
        """
        yield from self._zip.add(README, (self._readme().encode(),))
        for section in self._sections:
            yield from self._section(section)
            tell(section.name)
        said = [f"{name}: {' '.join(clean(words).split())}\n" for name, words in self.missing]
        yield from self._zip.add(ERRORS, ("".join(said or ["Everything could be collected.\n"]).encode(),))
        yield from self._zip.add(MANIFEST, (self._manifest(),))
        yield self._zip.finish()

    def _section(self, section: Section) -> Iterator[bytes]:
        name = section.name
        try:
            for each in section.collect(self._order):
                if isinstance(each, Member):
                    name = each.name
                    yield from self._zip.add(each.name, each.pieces, is_packed=each.is_packed)
                else:
                    self.missing.append(each)
        except Exception as error:  # noqa: BLE001 - whatever a part meets, the others are needed all the more
            is_known = isinstance(error, (OSError, ValueError))
            self.missing.append((name, why(error) if is_known else f"{type(error).__name__}: {error}"))

    def _readme(self) -> str:
        order = self._order
        parts = "".join(f"  {each.words}\n" for each in self._sections)
        return (
            f"Support bundle of Takt {__version__}, made {order.wall:%Y-%m-%d %H:%M:%S} UTC.\n\n"
            f"What is inside:\n{parts}"
            f"  {ERRORS}: what could not be collected, and why\n"
            f"  {MANIFEST}: every file with its size and SHA-256\n\n"
            f"Logs reach back {order.days} days. Pictures: {order.pictures or 'none'}.\n"
            "Not inside: accounts, PINs, passwords and their hashes, sessions, tokens, private keys. Where a text\n"
            "looked like one of them, it reads ***. Files that end in .jsonl hold one JSON object a line.\n"
        )

    def _manifest(self) -> bytes:
        said = {
            "schema": 1,
            "version": __version__,
            "made": self._order.wall.isoformat(timespec="seconds"),
            "members": [asdict(each) for each in self._zip.members],
        }
        return json.dumps(said, indent=1).encode() + b"\n"
