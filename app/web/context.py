"""What every blueprint of the pages is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.bus.place import Place
from app.clock import Clock
from app.config import Line, UiSettings
from app.record import LEDGER
from app.record.readers import Records
from app.setup import Setup
from app.web.access.audit import Audit
from app.web.access.hashing import Hasher
from app.web.access.service import Access, open_access
from app.web.lane import Lane
from app.web.live import Live
from app.web.store.database import FOLDER, Store


@dataclass(frozen=True, slots=True)
class Context:
    """What the pages of a box work with; `app.extensions["takt"]`.

    Attributes:
        place: Where the processes meet.
        live: What is known of the lanes now.
        ui: The settings of the pages.
        clock: Time, the wall's for what is kept.
        state: The station's state folder.
        records: The ledger, for reading.
        store: What the pages write.
        access: Who may do what.
        setups: The lanes with their recipes, as they were when the pages were opened.
        language: Another one than the settings name; empty: none.
    """

    place: Place
    live: Live
    ui: UiSettings
    clock: Clock
    state: Path
    records: Records
    store: Store
    access: Access
    setups: tuple[Setup, ...] = ()
    language: str = ""

    @property
    def audit(self) -> Audit:
        """What was changed on the pages."""
        return self.access.audit

    @property
    def lines(self) -> tuple[Line, ...]:
        """The settings of the lanes."""
        return tuple(setup.line for setup in self.setups)

    def close(self) -> None:
        """Lets go of the files. Idempotent."""
        self.records.close()
        self.store.close()


def make_context(
    place: Place,
    lanes: Sequence[Lane] | Live,
    ui: UiSettings,
    clock: Clock,
    state: Path,
    *,
    setups: Sequence[Setup] = (),
    language: str = "",
    hasher: Hasher | None = None,
) -> Context:
    """What the pages of a box work with. Opens no file but the bus.

    Args:
        place: Where the processes meet.
        lanes: The lanes that are shown, the first one first; or what follows them.
        ui: The settings of the pages.
        clock: The clock of the stations.
        state: The station's state folder.
        setups: The lanes with their recipes.
        language: Another one than the settings name.
        hasher: Another than the one whose cost suits a box.

    Raises:
        BusError: The bus cannot be used.
    """
    live = lanes if isinstance(lanes, Live) else Live(place, lanes, clock)
    store = Store(state / FOLDER)
    return Context(
        place=place,
        live=live,
        ui=ui,
        clock=clock,
        state=state,
        records=Records(state / LEDGER),
        store=store,
        access=open_access(store, clock, ui, hasher=hasher),
        setups=tuple(setups),
        language=language,
    )
