"""The address of the pages: whether it can be had, who has it, and how a browser reaches it."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.errors import ConfigError, UsageError

ANY_HOSTS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read from the settings, where a person chose it
_LISTENING = "0A"


@dataclass(frozen=True, slots=True)
class Address:
    """Where the pages are served.

    Attributes:
        host: The address to listen on.
        port: The port.
    """

    host: str
    port: int

    @property
    def reachable(self) -> tuple[str, int]:
        """Host and port as seen from this machine."""
        return ANY_HOSTS.get(self.host, self.host), self.port

    @property
    def url(self) -> str:
        """What a browser on this machine opens."""
        host = self.reachable[0]
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"


def settled(host: str, port: int) -> Address:
    """Tries whether the pages can be served there, and lets go of it again.

    Args:
        host: The address to listen on.
        port: The port; 0: any free one, which is chosen now.

    Raises:
        ConfigError: This machine has no such address.
        UsageError: The port is in use, or may not be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as door:
        # A server that has just ended leaves its port waiting; that is not in use.
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((host, port))
            door.listen(1)
            return Address(host, door.getsockname()[1])
        except OSError as error:
            raise _refusal(host, port, error) from error


def holder_of(port: int, root: Path = Path("/")) -> str:
    """Who listens on a TCP port of this machine, in words; empty where that cannot be seen.

    Args:
        port: The port.
        root: Where `proc` is.
    """
    sockets = {f"socket:[{inode}]" for inode in _inodes(port, root)}
    for process in root.glob("proc/[0-9]*") if sockets else ():
        with suppress(OSError):
            if any(str(each.readlink()) in sockets for each in (process / "fd").iterdir()):
                return f"process {process.name} ({(process / 'comm').read_text(encoding='utf-8').strip()})"
    return ""


def _refusal(host: str, port: int, error: OSError) -> ConfigError | UsageError:
    if error.errno == errno.EADDRINUSE:
        holder = holder_of(port)
        by = f" by {holder}" if holder else ""
        return UsageError(f"port {port} on {host} is in use{by}", "stop that, or take another port: --port 8081")
    if error.errno == errno.EACCES:
        return UsageError(f"port {port} may not be used by this user", "take one above 1023: --port 8080")
    return ConfigError(
        f"the pages cannot be served on {host}: {error.strerror or error}", "correct ui.host; 0.0.0.0: every address"
    )


def _inodes(port: int, root: Path) -> list[str]:
    found = []
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (root / "proc/net" / name).read_text(encoding="ascii").splitlines()[1:]:
                cells = line.split()
                if int(cells[1].rpartition(":")[2], 16) == port and cells[3] == _LISTENING:
                    found.append(cells[9])
    return found
