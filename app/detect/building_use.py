"""What was measured on this device decides which model on which runtime is tried first, as long as it still holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from app.detect.building_file import has_builds, read_build
from app.detect.building_key import AskGpu, ask_gpu, difference, key_of
from app.detect.building_record import RoleBuild
from app.detect.choose import Candidate
from app.detect.manifest import Role
from app.detect.package import Package
from app.errors import PackageError

DUE = "run: takt models build"

Tell = Callable[[str], None]
"""Takes a sentence that a person should see."""


def current_build(
    state: Path, package: Package, role: Role, threads: int | None, ask: AskGpu = ask_gpu
) -> tuple[RoleBuild | None, str]:
    """What was found for a role of a package, if it was found on this device, with these versions.

    Args:
        state: The station's state folder.
        package: Any model of the package.
        role: The role.
        threads: Of one inference; `None`: whatever it was measured with.
        ask: Asks for the GPU.

    Returns:
        What was found, and an empty text; else `None`, and in a sentence why there is nothing that holds.
    """
    try:
        build = read_build(state, package)
    except PackageError as error:
        return None, str(error)
    if build is None:
        if has_builds(state, package):
            return None, f"the builds there are of {package.name} are of others than {package.version} as it is; {DUE}"
        return None, f"{package.name} was never built on this device; {DUE}"
    found = build.roles.get(role)
    if found is None:
        return None, f"{package.name} was never built as {role} on this device; {DUE}"
    changed = difference(found.key, key_of(role, found.key.threads if threads is None else threads, ask))
    if changed:
        return None, f"the build of {package.name} as {role} of {found.at:%Y-%m-%d %H:%M} {changed}; {DUE}"
    return found, ""


def why_due(state: Path, package: Package, ask: AskGpu = ask_gpu) -> str:
    """Why a package is to be built on this device, now or again, as a sentence; empty where it is not.

    One that was never built as an accelerator is not due for that: not every line has one.
    """
    _, why = current_build(state, package, "standby", None, ask)
    if why:
        return why
    build = read_build(state, package)
    if build is None or "accelerator" not in build.roles:
        return ""
    return current_build(state, package, "accelerator", None, ask)[1]


def measured_first(
    candidates: Sequence[Candidate],
    state: Path,
    package: Package,
    role: Role,
    threads: int,
    tell: Tell,
    ask: AskGpu = ask_gpu,
    unused: Tell | None = None,
) -> tuple[Candidate, ...]:
    """Candidates in the order that was measured on this device; what was not measured follows in its own order.

    Args:
        candidates: The preferred one first.
        state: The station's state folder.
        package: Any model of the package.
        role: What they are to be.
        threads: Of one inference.
        tell: Told what decides, and why what was measured does not; nothing where nothing ever was.
        ask: Asks for the GPU.
        unused: Told in the place of `tell` why a build is not used, and what did not pass it.
    """
    if not has_builds(state, package):
        return tuple(candidates)
    found, why = current_build(state, package, role, threads, ask)
    if found is None:
        (unused or tell)(f"{why}; until then the order of preference decides")
        return tuple(candidates)
    known = {each: place for place, each in enumerate(found.ranking)}
    ordered = sorted(candidates, key=lambda each: known.get(each, len(known)))
    for refusal in found.refused if unused else ():
        if unused and refusal.candidate in candidates:
            unused(f"{refusal.candidate} did not pass the build of {found.at:%Y-%m-%d %H:%M}: {refusal.why}")
    best = next((each for each in found.passed if each.candidate in candidates), None)
    if best is None:
        (unused or tell)(
            f"none of what is asked for passed the build of {found.at:%Y-%m-%d %H:%M}; the order of preference decides"
        )
    else:
        tell(f"{best.candidate} was the fastest here on {found.at:%Y-%m-%d %H:%M}: {best.times.p50_ms:.2f} ms")
    return tuple(ordered)
