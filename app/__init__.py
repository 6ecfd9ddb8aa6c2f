"""Takt: an inspection station in a box. `docs/architecture.md` follows one part through these rooms."""

__version__ = "0.1.0"
