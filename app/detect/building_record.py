"""What `takt models build` finds: which model on which runtime passed, with what figures, and what that holds for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from app.detect.building_key import BuildKey
from app.detect.building_timing import Machine, Times
from app.detect.choose import Candidate, Refusal
from app.detect.manifest import Role


@dataclass(frozen=True, slots=True)
class Measured:
    """A candidate that passed, with its figures.

    Attributes:
        candidate: The model and its runtime.
        times: From the picture in memory to detections.
        worst_px: How far an edge lay at most from where the reference has it.
        worst_score: How far a score lay at most from the reference's.
        open_s: What compiling, loading and warming up took, in s.
    """

    candidate: Candidate
    times: Times
    worst_px: float
    worst_score: float
    open_s: float


@dataclass(frozen=True, slots=True)
class RoleBuild:
    """What was found for one role.

    Attributes:
        key: What it holds for.
        at: When it was made.
        machine: How busy the machine was, and how this process was scheduled.
        reference: What the candidates were held against; empty where none of the package's models could be.
        passed: The fastest first.
        refused: The others, with their reasons.
    """

    key: BuildKey
    at: datetime
    machine: Machine
    reference: str
    passed: tuple[Measured, ...]
    refused: tuple[Refusal, ...]

    @property
    def chosen(self) -> Measured | None:
        """The fastest that passed."""
        return self.passed[0] if self.passed else None

    @property
    def ranking(self) -> tuple[Candidate, ...]:
        """Those that passed, the fastest first."""
        return tuple(each.candidate for each in self.passed)


@dataclass(frozen=True, slots=True)
class Build:
    """What was found for a package.

    Attributes:
        package: Its name.
        version: Its version.
        manifest_sha256: Of its manifest.
        roles: By role.
    """

    package: str
    version: str
    manifest_sha256: str
    roles: Mapping[Role, RoleBuild]

    def with_role(self, role: Role, found: RoleBuild) -> Build:
        """The same with one role's part replaced."""
        return replace(self, roles=MappingProxyType({**self.roles, role: found}))


def as_data(build: Build) -> dict[str, Any]:
    """A build as JSON has it."""
    return {
        "schema": 1,
        "package": build.package,
        "version": build.version,
        "manifest_sha256": build.manifest_sha256,
        "roles": {role: role_data(found) for role, found in build.roles.items()},
    }


def role_data(found: RoleBuild) -> dict[str, Any]:
    """What was found for a role, as JSON has it."""
    return {
        **asdict(replace(found, key=replace(found.key, versions=dict(found.key.versions)))),
        "at": found.at.isoformat(timespec="seconds"),
    }
