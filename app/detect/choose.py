"""Which model of a package on which runtime: the first, in order of preference, that its golden frames prove here.

An 8-bit file may be the fastest on one processor and collapse on the next, and a runtime may be missing. So what is
preferred is tried, and what fails is passed over with its reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.clock import Clock
from app.detect.detector import Detector
from app.detect.package import Package, load_package
from app.detect.proof import ProofReport, ReadPicture, prove
from app.detect.runtimes import open_detector
from app.errors import ConfigError, DetectorError, MissingDriverError, PackageError

_PASSED_OVER = (PackageError, DetectorError, MissingDriverError)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model of a package, and a runtime for it.

    Attributes:
        variant: The model, such as `standby-int8`.
        runtime: A key of `RUNTIMES`, or `auto`.
    """

    variant: str
    runtime: str

    def __str__(self) -> str:
        return f"{self.variant} on {self.runtime}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A candidate that was passed over.

    Attributes:
        candidate: Which.
        why: The reason, as a sentence with its mend.
    """

    candidate: Candidate
    why: str


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The first candidate that passed.

    Attributes:
        detector: Open and warm; whoever asked closes it.
        package: The model that runs.
        proof: How well its golden frames were reproduced.
        refusals: What was preferred and did not pass, in the order in which it was tried.
    """

    detector: Detector
    package: Package
    proof: ProofReport
    refusals: tuple[Refusal, ...]


def candidates_of(package: Package, runtimes: Sequence[str], role: str = "") -> tuple[Candidate, ...]:
    """Every model of a package on every runtime: models in the order of the manifest, each on the runtimes in turn.

    Args:
        package: Any model of the package.
        runtimes: The preferred runtime first.
        role: `accelerator` or `standby`, for models of that role only; none of it gives no candidate.
    """
    chosen = [each for each in package.variants if not role or each.startswith(f"{role}-")]
    return tuple(Candidate(variant, runtime) for variant in chosen for runtime in runtimes)


def open_first_proven(
    package: Package,
    candidates: Sequence[Candidate],
    read: ReadPicture,
    threads: int = 2,
    clock: Clock | None = None,
) -> Choice:
    """Opens and proves one candidate after another, and returns the first that passes.

    Args:
        package: Any model of the package.
        candidates: The preferred one first.
        read: Reads a golden frame.
        threads: Threads of one inference.
        clock: As for `open_detector`.

    Raises:
        ConfigError: A candidate names a runtime that there is none of.
        PackageError: None passes; says why of each.
        DataError: A golden frame cannot be read.
    """
    if not candidates:
        raise ConfigError(
            f"there is no model of package {package.name} to choose from",
            f"name a runtime and one of {', '.join(package.variants)}",
        )
    refusals: list[Refusal] = []
    for candidate in candidates:
        try:
            model = _model(package, candidate.variant)
            detector, proof = open_and_prove(model, candidate.runtime, read, threads, clock)
        except _PASSED_OVER as error:
            refusals.append(Refusal(candidate, str(error)))
        else:
            return Choice(detector, model, proof, tuple(refusals))
    reasons = " / ".join(f"{each.candidate}: {each.why}" for each in refusals)
    raise PackageError(f"no model of package {package.name} is proven here: {reasons}", "use another package")


def _model(package: Package, variant: str) -> Package:
    return package if package.variant == variant else load_package(package.folder, variant=variant)


def open_and_prove(
    model: Package, runtime: str, read: ReadPicture, threads: int = 2, clock: Clock | None = None
) -> tuple[Detector, ProofReport]:
    """Opens a model on a runtime; closes it again where its golden frames do not reproduce.

    Args:
        model: The model of a package.
        runtime: A runtime, or `auto`.
        read: Reads a golden frame.
        threads: Threads of one inference.
        clock: As for `open_detector`.

    Raises:
        TaktError: As `open_detector` and `prove` say.
    """
    detector = open_detector(model, runtime, threads, clock)
    try:
        return detector, prove(model, detector, read)
    except BaseException:
        detector.close()
        raise
