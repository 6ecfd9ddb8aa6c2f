"""What the pages and the API of reviews work with, put together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from werkzeug.exceptions import NotFound

from app.record import DOCUMENTS, LEDGER, PICTURES
from app.record.documents import find
from app.record.keys import PartKey
from app.record.readers import Records
from app.record.told import PartRecord
from app.web.context import Context
from app.web.review.labels import Labels
from app.web.review.opinions import Asked, Opinions
from app.web.review.pictures import Pictures
from app.web.review.queue import Queue
from app.web.review.saved import SavedFilters
from app.web.review.story import StoryAnswer, tell

THUMBS = "thumbs"
_MOST_INT = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class ReviewDesk:
    """What reviews need.

    Attributes:
        records: The ledger.
        queue: The parts to look at.
        labels: What people say of them.
        pictures: Their pictures.
        saved: Saved filters.
        opinions: What other models would have said.
        documents: The folder of recipes as they once were.
    """

    records: Records
    queue: Queue
    labels: Labels
    pictures: Pictures
    saved: SavedFilters
    opinions: Opinions
    documents: Path

    @classmethod
    def of(cls, context: Context) -> ReviewDesk:
        """That of a box."""
        return cls(
            records=context.records,
            queue=Queue(context.state / LEDGER, context.store),
            labels=Labels(context.store, context.audit, context.clock),
            pictures=Pictures(context.records, context.state / PICTURES, context.store.folder / THUMBS),
            saved=SavedFilters(context.store, context.clock),
            opinions=Opinions(context.store),
            documents=context.state / DOCUMENTS,
        )

    def part(self, lane: int, epoch: int, part_id: int) -> PartRecord:
        """A part of the record.

        Raises:
            NotFound: There is none.
        """
        found = None
        if max(lane, epoch, part_id) <= _MOST_INT:
            found = self.records.part(part_id, epoch, lane)
        if found is None:
            raise NotFound
        return found

    def story(self, part: PartRecord) -> StoryAnswer:
        """A part from its trigger to its outcome."""
        terms = self.records.terms(part)
        recipe = find(self.documents, terms.recipe_sha256) if terms else None
        return tell(self.records.story(part), terms, recipe, self.opinions.of(key_of(part)))

    def asked(self) -> list[Asked]:
        """The models that were asked for a second opinion, the one asked last first."""
        return self.opinions.models()


def key_of(part: PartRecord) -> PartKey:
    """What tells a part from every other."""
    return part.lane, part.epoch, part.part_id
