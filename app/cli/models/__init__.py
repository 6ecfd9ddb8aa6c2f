"""`takt models`: the packages on this box, what they are, how they differ, and the one that judges."""

from __future__ import annotations

from app.cli.models.commands import group

__all__ = ["group"]
