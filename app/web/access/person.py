"""Who somebody is to the pages."""

from __future__ import annotations

from dataclasses import dataclass

from app.web.access.roles import Role


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks.

    Attributes:
        name: As it goes into the audit trail.
        role: What they may.
        is_machine: A machine with a token.
    """

    name: str
    role: Role
    is_machine: bool = False
