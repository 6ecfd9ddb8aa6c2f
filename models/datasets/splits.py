"""Splits that keep together what belongs together, with every class in its share of each.

Whole groups are dealt out, the largest and rarest first, each to the split that it brings closest to its share of
every class (after K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the Stratification of Multi-Label Data", ECML PKDD 2011).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.errors import DataError, UsageError
from models.datasets.records import SPLITS, Sample
from models.datasets.similar import Pair, joined

OK = "ok"
_RANDOM_TRIALS = 20


@dataclass(frozen=True, slots=True)
class Grouping:
    """Which pictures must stay in one split.

    Attributes:
        groups: For each picture its group, numbered from 0.
        pairs: The near-duplicates that were found.
    """

    groups: tuple[int, ...]
    pairs: tuple[Pair, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Pictures in each group."""
        return tuple(np.bincount(self.groups).tolist()) if self.groups else ()

    def of(self, kept: Sequence[int]) -> Grouping:
        """What remains of it when only these pictures do, in their order."""
        places = {index: place for place, index in enumerate(kept)}
        numbers = {group: number for number, group in enumerate(dict.fromkeys(self.groups[index] for index in kept))}
        pairs = (pair for pair in self.pairs if pair.first in places and pair.second in places)
        return Grouping(
            tuple(numbers[self.groups[index]] for index in kept),
            tuple(Pair(places[pair.first], places[pair.second], pair.score) for pair in pairs),
        )


@dataclass(frozen=True, slots=True)
class Leak:
    """Pictures of a split that have a near-duplicate in `train`.

    Attributes:
        count: How many.
        of: Pictures in the split.
    """

    count: float
    of: float

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.count / self.of if self.of else 0.0


def parse_shares(text: str) -> dict[str, float]:
    """The shares of train, val and test out of "70,15,15".

    Raises:
        UsageError: Not three numbers from 0 that add up to 100, or nothing to train on.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    good = len(numbers) == len(SPLITS) and min(numbers) >= 0 and numbers[0] > 0 and abs(sum(numbers) - 100) < 0.01  # noqa: PLR2004
    if not good:
        raise UsageError(f"--split {text} is not three shares that add up to 100", "give such as 70,15,15, or keep")
    return {split: number / 100 for split, number in zip(SPLITS, numbers, strict=True)}


def group(samples: Sequence[Sample], pairs: Sequence[Pair], group_by: str = "") -> Grouping:
    """Puts together near-duplicates, what the source says belongs together, and what a file name says.

    Args:
        samples: The pictures.
        pairs: The near-duplicates among them.
        group_by: Regular expression on the file's name: pictures for which its first group (or all that it matches) is
            the same belong together; empty for none.

    Raises:
        UsageError: It is no regular expression, or matches no picture.
    """
    links = [(pair.first, pair.second) for pair in pairs]
    first: dict[tuple[str, str], int] = {}
    for kind, keys in (("source", [each.group for each in samples]), ("name", _keys(samples, group_by))):
        for index, key in enumerate(keys):
            if key:
                links.append((first.setdefault((kind, key), index), index))
    return Grouping(joined(len(samples), links), tuple(pairs))


def strata_of(sample: Sample) -> frozenset[str]:
    """What a picture counts for: the classes of its boxes, the class of the part, or "ok"."""
    found = {box.label for box in sample.boxes} | ({sample.defect} if sample.defect else set())
    return frozenset(found or {OK})


def deal(grouping: Grouping, samples: Sequence[Sample], shares: Mapping[str, float], seed: int) -> tuple[str, ...]:
    """Chooses a split for each picture.

    Args:
        grouping: What must stay together.
        samples: The pictures, as many as `grouping` has.
        shares: Share of each split, adding up to 1.
        seed: Same seed, same pictures: same splits.

    Returns:
        "train", "val" or "test" for each picture.

    Raises:
        DataError: A split with a share would stay empty.
    """
    names = sorted({name for sample in samples for name in strata_of(sample)})
    counts = np.zeros((len(grouping.sizes), len(names) + 1))
    for number, sample in zip(grouping.groups, samples, strict=True):
        counts[number, -1] += 1
        for name in strata_of(sample):
            counts[number, names.index(name)] += 1
    chosen = _dealt(counts, shares, seed)
    splits = tuple(chosen[number] for number in grouping.groups)
    for split, share in shares.items():
        if share > 0 and split not in splits:
            sizes = grouping.sizes
            raise DataError(
                f"no picture is left for {split}: {len(samples)} pictures in {len(sizes)} groups, up to {max(sizes)}",
                "give more pictures, another --split, or --no-similar and --group-by where all parts look alike",
            )
    return splits


def leaks(splits: Sequence[str], pairs: Sequence[Pair]) -> dict[str, Leak]:
    """Pictures of `val` and `test` beside a near-duplicate in `train`."""
    beside: set[int] = set()
    for pair in pairs:
        for one, other in ((pair.first, pair.second), (pair.second, pair.first)):
            if splits[other] == "train":
                beside.add(one)
    return {
        split: Leak(sum(splits[index] == split for index in beside), splits.count(split) if splits else 0)
        for split in SPLITS[1:]
    }


def leaking(splits: Sequence[str], pairs: Sequence[Pair]) -> frozenset[int]:
    """Pictures to leave out so that none has a near-duplicate in a later split.

    Those of `train` go for those of `val`, and those of both for those of `test`, which stays as it is.
    """
    rank = [SPLITS.index(split) for split in splits]
    crossing = [(pair.first, pair.second) for pair in pairs if rank[pair.first] != rank[pair.second]]
    return frozenset(min(pair, key=lambda index: rank[index]) for pair in crossing)


def random_leak(count: int, pairs: Sequence[Pair], test_share: float, seed: int) -> Leak:
    """What a split at random would leak: the mean of twenty."""
    random = np.random.default_rng(seed)
    tests = max(1, round(count * test_share))
    found = []
    for _ in range(_RANDOM_TRIALS):
        splits = np.full(count, "train", dtype="<U5")
        splits[random.permutation(count)[:tests]] = "test"
        found.append(leaks(splits.tolist(), pairs)["test"].count)
    return Leak(float(np.mean(found)), tests)


def _keys(samples: Sequence[Sample], pattern: str) -> list[str]:
    if not pattern:
        return []
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UsageError(
            f"--group-by {pattern!r} is no regular expression ({error})", "give such as 'board(\\d+)_'"
        ) from error
    matches = [expression.search(sample.name) for sample in samples]
    if not any(matches):
        raise UsageError(f"--group-by {pattern!r} matches no picture, such as {samples[0].name}", "correct the pattern")
    return ["" if found is None else (found[1] if expression.groups and found[1] else found[0]) for found in matches]


def _dealt(counts: NDArray[np.float64], shares: Mapping[str, float], seed: int) -> list[str]:
    """The split of each group."""
    splits = [split for split, share in shares.items() if share > 0]
    share = np.array([shares[split] for split in splits])
    total = counts.sum(0)
    want = share[:, None] * total
    # One picture of a rare class matters as much as many of a common one; an empty split is worst of all.
    scale = 1 / (total * share[:, None]) ** 2
    have = np.zeros_like(want)
    rank = np.random.default_rng(seed).permutation(len(counts))
    rarity = (counts / total).max(1)
    order = sorted(range(len(counts)), key=lambda number: (-counts[number, -1], -rarity[number], rank[number]))
    chosen = [""] * len(counts)
    for number in order:
        row = counts[number]
        # What the sum of squared distances from the wanted counts grows by.
        cost = ((2 * (have - want) * row + row**2) * scale * share[:, None]).sum(1)
        best = int(cost.argmin())
        have[best] += row
        chosen[number] = splits[best]
    return chosen
