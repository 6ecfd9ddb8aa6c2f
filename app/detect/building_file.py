"""What `takt models build` found, written down: `builds/NAME-HASH.json` in the state folder.

HASH is of the package's manifest, which names every model by its own hash: another package is another file.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from app.config import Name, Settings
from app.detect.building_key import BuildKey
from app.detect.building_record import Build, Measured, RoleBuild, as_data
from app.detect.building_timing import Machine, Times
from app.detect.choose import Candidate, Refusal
from app.detect.manifest import MANIFEST, Role
from app.detect.package import Package
from app.durable import replace_text
from app.errors import ConfigError, PackageError
from app.toml import validated

BUILDS = "builds"
MAX_FILES = 32
MAX_BYTES = 1_000_000
_HASH_SHOWN = 12
_PASSABLE = 0o755
"""Whoever builds may have another mask than the station that reads, and be another user."""


class _Key(Settings):
    device: str
    versions: dict[str, str]
    threads: int = Field(ge=0, le=1000)


class _Times(Settings):
    count: int = Field(ge=1)
    p50_ms: float = Field(ge=0)
    p95_ms: float = Field(ge=0)
    p99_ms: float = Field(ge=0)
    max_ms: float = Field(ge=0)


class _Candidate(Settings):
    variant: Name
    runtime: Name


class _Measured(Settings):
    candidate: _Candidate
    times: _Times
    worst_px: float
    worst_score: float
    open_s: float


class _Refusal(Settings):
    candidate: _Candidate
    why: str


class _Machine(Settings):
    cores: int
    load_before: float
    load_after: float
    scheduling: str


class _RoleBuild(Settings):
    key: _Key
    at: AwareDatetime
    machine: _Machine
    reference: str
    passed: tuple[_Measured, ...] = Field(max_length=1000)
    refused: tuple[_Refusal, ...] = Field(max_length=1000)


class _File(Settings):
    schema_version: Literal[1] = Field(1, alias="schema")
    package: Name
    version: Name
    manifest_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    roles: dict[Role, _RoleBuild]


def read_build(state: Path, package: Package) -> Build | None:
    """What was found for a package; `None` where nothing was.

    Args:
        state: The station's state folder.
        package: Any model of the package.

    Raises:
        PackageError: The file is damaged.
    """
    path = build_path(state, package)
    try:
        content = _read_json(path)
    except FileNotFoundError:
        return None
    try:
        found = validated(_File, content if isinstance(content, dict) else {}, str(path))
    except ConfigError as error:
        raise PackageError(error.what, _mend(path)) from error
    if found.manifest_sha256 != manifest_hash(package):
        return None
    return _build(found)


def write_build(state: Path, package: Package, role: Role, found: RoleBuild) -> Path:
    """Writes down what was found for one role of a package, beside what is known of its other role.

    Args:
        state: The station's state folder.
        package: Any model of the package.
        role: The role.
        found: What was found.

    Returns:
        The file.

    Raises:
        PackageError: It cannot be written; what was there before is unchanged.
    """
    path = build_path(state, package)
    build = Build(package.name, package.version, manifest_hash(package), MappingProxyType({}))
    with suppress(PackageError):  # a damaged one is replaced
        build = read_build(state, package) or build
    make_folder(state)
    try:
        replace_text(path, json.dumps(as_data(build.with_role(role, found)), indent=1, allow_nan=False) + "\n")
        _trim(path)
    except OSError as error:
        raise PackageError(f"{path} cannot be written: {error.strerror}", "make room, or check the folder") from error
    return path


def make_folder(state: Path) -> None:
    """Makes sure that a build can be written down, before it takes minutes.

    Raises:
        PackageError: It cannot.
    """
    folder = state / BUILDS
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True)
            folder.chmod(_PASSABLE)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise PackageError(
            f"{folder} cannot be written: {error.strerror}", "run it as the station's user, or name another --state"
        ) from error


def build_path(state: Path, package: Package) -> Path:
    """The file of a package's build."""
    return state / BUILDS / f"{package.name}-{manifest_hash(package)[:_HASH_SHOWN]}.json"


def manifest_hash(package: Package) -> str:
    """SHA-256 of the package's manifest, in hexadecimal.

    Raises:
        PackageError: It cannot be read.
    """
    try:
        return hashlib.sha256((package.folder / MANIFEST).read_bytes()).hexdigest()
    except OSError as error:
        raise PackageError(
            f"{package.folder / MANIFEST} cannot be read: {error.strerror}", "restore the whole package"
        ) from error


def has_builds(state: Path, package: Package) -> bool:
    """There is a build of a package of that name, of this one or of another version."""
    return any(build_path(state, package).parent.glob(f"{package.name}-{'?' * _HASH_SHOWN}.json"))


def _mend(path: Path) -> str:
    return f"remove {path} and run takt models build again"


def _read_json(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise PackageError(f"{path} cannot be read: {error.strerror}", "check its owner") from error
    if len(content) > MAX_BYTES:
        raise PackageError(f"{path} is larger than {MAX_BYTES} bytes", _mend(path))
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise PackageError(f"{path} is not valid JSON: {error}", _mend(path)) from error


def _trim(latest: Path) -> None:
    """Forgets builds of packages that nobody has built for longest."""
    others = [each for each in latest.parent.glob("*.json") if each != latest]
    newest_first = sorted(others, key=lambda each: each.stat().st_mtime_ns, reverse=True)
    for each in newest_first[MAX_FILES - 1 :]:
        each.unlink(missing_ok=True)


def _build(found: _File) -> Build:
    roles = {role: _role_build(each) for role, each in found.roles.items()}
    return Build(found.package, found.version, found.manifest_sha256, MappingProxyType(roles))


def _role_build(found: _RoleBuild) -> RoleBuild:
    return RoleBuild(
        key=BuildKey(found.key.device, MappingProxyType(found.key.versions), found.key.threads),
        at=found.at,
        machine=Machine(**found.machine.model_dump()),
        reference=found.reference,
        passed=tuple(
            Measured(
                Candidate(each.candidate.variant, each.candidate.runtime),
                Times(**each.times.model_dump()),
                each.worst_px,
                each.worst_score,
                each.open_s,
            )
            for each in found.passed
        ),
        refused=tuple(
            Refusal(Candidate(each.candidate.variant, each.candidate.runtime), each.why) for each in found.refused
        ),
    )
