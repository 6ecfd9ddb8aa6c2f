"""`python -m app.cli` is `takt`, where the command itself is not installed."""

from app.cli import main

main()
