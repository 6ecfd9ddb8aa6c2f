"""How every wired input stands, for whoever looks for a loose wire."""

from __future__ import annotations

from app.config import Line, inputs_of
from app.reject.lineio import Edge
from app.status import InputStatus


class InputLevels:
    """Follows the edges of every input.

    Args:
        line: The settings.
    """

    def __init__(self, line: Line) -> None:
        names = inputs_of(line)
        self._is_active = dict.fromkeys(names, False)
        self._edges = dict.fromkeys(names, 0)
        self._changed_ns = dict.fromkeys(names, 0)

    def start(self, active: list[str]) -> None:
        """These inputs are active before the first edge."""
        for name in active:
            self._is_active[name] = True

    def note(self, edge: Edge) -> None:
        """Takes an edge."""
        if edge.input in self._edges:
            self._is_active[edge.input] = edge.is_active
            self._edges[edge.input] += 1
            self._changed_ns[edge.input] = edge.at_ns

    def is_active(self, name: str) -> bool:
        """The present state of an input; `False` for one that is not wired."""
        return self._is_active.get(name, False)

    def status(self) -> tuple[InputStatus, ...]:
        """How every input is."""
        return tuple(
            InputStatus(name, is_active, self._edges[name], self._changed_ns[name])
            for name, is_active in self._is_active.items()
        )
