"""Verdicts against what people say: escapes and overkill, by the model that judged. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.record.figures import JudgedPart, Terms
from app.record.keys import PartKey
from app.types import PASS
from app.web.figures.proportions import Share, share
from app.web.review.label import LabelKind, PartLabel

BAD = frozenset({LabelKind.TRUE_DEFECT, LabelKind.OTHER_CLASS, LabelKind.ESCAPE})
GOOD = frozenset({LabelKind.FALSE_REJECT, LabelKind.GOOD})


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What labelled parts say of verdicts.

    Attributes:
        escapes: Bad parts that were passed, of all bad ones.
        overkill: Good parts that were rejected, of all good ones.
        passed: Parts that were passed, of all labelled ones.
    """

    escapes: Share
    overkill: Share
    passed: Share

    @property
    def labels(self) -> int:
        """Labelled parts that it rests on."""
        return self.passed.of


@dataclass(frozen=True, slots=True)
class ModelAccuracy:
    """The same for one version of a model.

    Attributes:
        package: Its package.
        sha256: Hash of the model; empty where it is unknown.
        since_us: When it first judged.
        accuracy: What the labels say.
    """

    package: str
    sha256: str
    since_us: int
    accuracy: Accuracy


def is_bad(kind: LabelKind) -> bool | None:
    """Whether a part has a defect, by its label; `None` where the person is not sure."""
    if kind in BAD:
        return True
    return False if kind in GOOD else None


def accuracy_of(verdicts: Iterable[tuple[bool, bool]]) -> Accuracy:
    """Counts verdicts against the truth.

    Args:
        verdicts: Of each labelled part, whether it is bad, and whether it is rejected.
    """
    counts = Counter(verdicts)
    bad, good = counts[True, True] + counts[True, False], counts[False, True] + counts[False, False]
    return Accuracy(
        escapes=share(counts[True, False], bad),
        overkill=share(counts[False, True], good),
        passed=share(counts[True, False] + counts[False, False], bad + good),
    )


def by_model(
    labels: Iterable[PartLabel],
    judged: Mapping[PartKey, JudgedPart],
    terms: Mapping[tuple[int, int], Terms],
) -> list[ModelAccuracy]:
    """Escapes and overkill by version of the model, the newest first.

    Args:
        labels: What people say.
        judged: How the parts were judged; a part that is not here is passed over.
        terms: Every terms, by lane and row.
    """
    verdicts: dict[tuple[str, str], list[tuple[bool, bool]]] = {}
    since: dict[tuple[str, str], int] = {}
    for label in labels:
        part, bad = judged.get(label.key), is_bad(label.kind)
        if part is None or bad is None:
            continue
        under = terms.get((label.lane, part.terms)) or Terms(label.lane, part.terms)
        model = (under.package, under.package_sha256)
        since[model] = min(since.get(model, under.since_us), under.since_us)
        verdicts.setdefault(model, []).append((bad, part.verdict != PASS))
    found = [ModelAccuracy(*model, since[model], accuracy_of(each)) for model, each in verdicts.items()]
    return sorted(found, key=lambda each: (-each.since_us, each.package))
