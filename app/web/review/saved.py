"""Filters of the queue that people have saved under a name, each for themselves."""

from __future__ import annotations

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.sqlite import insert

from app.clock import Clock
from app.errors import UsageError
from app.record.walltime import micros
from app.web.store.database import Store
from app.web.store.reviews import FILTERS

MOST = 50


class SavedFilters:
    """The saved filters.

    Args:
        store: Where they are.
        clock: For when they were made.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def of(self, person: str) -> list[tuple[str, str]]:
        """A person's filters as name and query, by name.

        Raises:
            RecordError: The store cannot be used; so do all calls below.
        """
        with self._store.reading() as connection:
            query = select(FILTERS.c.name, FILTERS.c.query).where(FILTERS.c.person == person)
            return [(row.name, row.query) for row in connection.execute(query.order_by(FILTERS.c.name))]

    def save(self, person: str, name: str, query: str) -> None:
        """Saves a filter, in place of the one of that name.

        Raises:
            UsageError: The person has too many.
        """
        made_us = micros(self._clock.wall())
        with self._store.writing() as connection:
            others = select(func.count()).where((FILTERS.c.person == person) & (FILTERS.c.name != name))
            if connection.execute(others).scalar_one() >= MOST:
                raise UsageError(f"nobody can have more than {MOST} filters", "delete one that you no longer need")
            statement = insert(FILTERS).values(person=person, name=name, query=query, made_us=made_us)
            changed = {"query": query, "made_us": made_us}
            connection.execute(statement.on_conflict_do_update(index_elements=["person", "name"], set_=changed))

    def forget(self, person: str, name: str) -> None:
        """Deletes a filter. Idempotent."""
        with self._store.writing() as connection:
            connection.execute(delete(FILTERS).where((FILTERS.c.person == person) & (FILTERS.c.name == name)))
