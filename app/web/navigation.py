"""What stands at the side of every page: the one table of where one can go. A row shows to whom its endpoint allows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One place to go. Its words are the text `nav.` and its endpoint.

    Attributes:
        endpoint: The page; a row whose endpoint does not exist is not shown.
        icon: The icon's name, without `i-`.
    """

    endpoint: str
    icon: str


NAVIGATION: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    ("line", (Entry("operator.overview", "belt"), Entry("line.alarm_page", "bell"))),
    ("review", (Entry("review.queue", "list"),)),
    (
        "figures",
        (
            Entry("figures.page", "chart"),
            Entry("figures.what_if", "sliders"),
            Entry("figures.opinion_page", "compare"),
            Entry("reports.page", "seal"),
        ),
    ),
    (
        "machine",
        (
            Entry("machine.diagnosis", "pulse"),
            Entry("machine.camera", "camera"),
            Entry("machine.io_page", "plug"),
            Entry("machine.processes", "gear"),
            Entry("machine.logs", "log"),
            Entry("reference.page", "book"),
        ),
    ),
    (
        "people",
        (
            Entry("access.account", "user"),
            Entry("access.users", "people"),
            Entry("access.machines", "key"),
            Entry("access.trail", "trail"),
        ),
    ),
)
"""The groups from top to bottom, each with its pages; a group's words are the text `nav.group.` and its name."""

FROM_OPERATOR = (
    "line.alarm_page",
    "figures.page",
    "review.queue",
    "machine.diagnosis",
    "access.account",
    "access.users",
)
"""Where the operator's page leads: to one page of each group, from which the navigation at the side goes on."""
