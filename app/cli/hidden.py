"""A PIN or password from whoever runs a command: never on the command line, where every user could read it."""

from __future__ import annotations

import getpass
import sys

from app.errors import UsageError


def read_secret(what: str) -> str:
    """A new secret: typed twice without being shown, or one line of stdin where that is no terminal.

    Args:
        what: What is asked for, as `PIN of Anna`.

    Raises:
        UsageError: Nothing was given, or the two differ.
    """
    if not sys.stdin.isatty():
        secret = sys.stdin.readline().rstrip("\r\n")
    else:
        secret = getpass.getpass(f"New {what}: ")
        if secret and secret != getpass.getpass(f"New {what}, once more: "):
            raise UsageError("the two differ", "type the same twice")
    if not secret:
        raise UsageError(f"there is no {what}", "type it, or send it as one line on stdin")
    return secret
