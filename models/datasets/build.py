"""The whole way: from a source to a data set of our own, or to what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.errors import DataError
from models.datasets.gather import Entry, Gathered, gather, refuse_errors
from models.datasets.manifest import Difference, Manifest, differences, read_manifest
from models.datasets.recognise import AUTO, read_source
from models.datasets.records import SPLITS, Problem, ReadOptions
from models.datasets.similar import LEAST_SCORE, Pair, find_similar
from models.datasets.splits import Grouping, Leak, deal, group, leaking, leaks, random_leak, strata_of
from models.datasets.write import Origin, check_free, write_set

OUR_FOLDERS = ("images", "annotations", "masks")

Steps = Callable[[str, int, int], None]
"""Called with what is being done, how much is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a source is split and written.

    Attributes:
        shares: Share of each split; None keeps the source's own splits.
        seed: Of the split.
        group_by: Regular expression on file names, see `splits.group`.
        is_similar_sought: Look for near-duplicates.
        least_score: The correlation from which two pictures are near-duplicates.
        is_linked: Link the pictures and do not copy them.
        is_bad_dropped: Go on without labels that cannot be right.
        is_leak_dropped: Leave out what has a near-duplicate in a later split, see `splits.leaking`.
        terms: Under which terms the pictures may be used.
    """

    shares: Mapping[str, float] | None
    seed: int = 0
    group_by: str = ""
    is_similar_sought: bool = True
    least_score: float = LEAST_SCORE
    is_linked: bool = False
    is_bad_dropped: bool = False
    is_leak_dropped: bool = False
    terms: str = ""


@dataclass(frozen=True, slots=True)
class Built:
    """A data set that was written.

    Attributes:
        manifest: Its manifest.
        format: The source's format.
        pictures: Pictures by split.
        boxes: Boxes by split.
        groups: Groups of pictures, and the largest.
        leaks: What a split at random would have leaked into its test set, and what this one does; None where
            near-duplicates were not looked for.
        problems: What was found; errors among them were dropped.
    """

    manifest: Manifest
    format: str
    pictures: dict[str, int]
    boxes: dict[str, int]
    groups: tuple[int, int]
    leaks: tuple[Leak, Leak] | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of a source or data set found.

    Attributes:
        format: Its format.
        pictures: Pictures that can be used.
        boxes: Boxes that can be right.
        problems: What is wrong with labels and pictures.
        differences: Files that are not as the manifest has them.
        has_manifest: Whether there is one.
        set_sha256: The whole set's hash by the manifest; empty without.
    """

    format: str
    pictures: int
    boxes: int
    problems: tuple[Problem, ...]
    differences: tuple[Difference, ...]
    has_manifest: bool
    set_sha256: str


@dataclass(frozen=True, slots=True)
class Groups:
    """Which pictures of a data set belong together.

    Attributes:
        names: The pictures.
        splits: The split of each; empty where it has none.
        grouping: The groups.
        leaks: Pictures of val and of test beside a near-duplicate in train, as the set is split now.
        at_random: The same for a test set at random of 20 %.
        dealt: The same for one of 20 % that keeps the groups together; None where the groups allow none.
    """

    names: tuple[str, ...]
    splits: tuple[str, ...]
    grouping: Grouping
    leaks: dict[str, Leak]
    at_random: Leak
    dealt: Leak | None


def read(source: Path, options: ReadOptions, format_name: str, on_step: Steps, golden: Path | None = None) -> Gathered:
    """Reads and checks a source.

    Raises:
        DataError: It cannot be read at all.
    """
    reading = read_source(source, options, format_name)
    return gather(reading, golden, lambda done, count: on_step("opening pictures", done, count))


def build(
    source: Path,
    out: Path,
    plan: Plan,
    options: ReadOptions,
    on_step: Steps,
    format_name: str = AUTO,
    golden: Path | None = None,
    on_problems: Callable[[Sequence[Problem]], None] = lambda _: None,
) -> Built:
    """Imports a source as a data set.

    Args:
        source: Its folder or file.
        out: The data set's folder, not there yet.
        plan: How it is split and written.
        options: What only a person knows of the source.
        on_step: Called while it goes on.
        format_name: The source's format, or "auto".
        golden: Golden samples, see `gather`.
        on_problems: Called with what was found, before errors among it stop the import, and with what the split lacks.

    Raises:
        DataError: The source cannot be used, has labels that cannot be right, or `out` cannot be written.
    """
    check_free(out)
    gathered = read(source, options, format_name, on_step, golden)
    on_problems(gathered.problems)
    if not plan.is_bad_dropped:
        refuse_errors(gathered, source)
    entries = gathered.entries
    if not entries:
        raise DataError(f"{source} holds no picture that can be used", "see takt models dataset check --list")
    grouping = grouped(entries, plan, on_step)
    splits = _splits(gathered, grouping, plan, source)
    dropped = leaking(splits, grouping.pairs) if plan.is_leak_dropped else frozenset()
    left_out = [_left_out(entries[index], splits[index]) for index in sorted(dropped)]
    on_problems(left_out)
    kept = [index for index in range(len(entries)) if index not in dropped]
    entries, splits = tuple(entries[index] for index in kept), tuple(splits[index] for index in kept)
    grouping = grouping.of(kept)
    reading = gathered.reading
    shares = "keep" if plan.shares is None else ",".join(f"{100 * each:g}" for each in plan.shares.values())
    origin = Origin(reading.format, source.resolve().name, plan.terms, shares, plan.seed)
    classes = _classes(gathered)
    manifest = write_set(out, entries, splits, grouping.groups, classes, origin, is_linked=plan.is_linked)
    counts = Counter(splits)
    boxes = Counter(dict.fromkeys(counts, 0))
    for entry, split in zip(entries, splits, strict=True):
        boxes[split] += len(entry.sample.boxes)
    of_splits = _of_splits(entries, splits, classes, grouping, source)
    on_problems(of_splits)
    at_random = random_leak(len(entries), grouping.pairs, max(counts["test"], counts["val"]) / len(entries), plan.seed)
    here = leaks(splits, grouping.pairs)["test" if counts["test"] else "val"]
    return Built(
        manifest=manifest,
        format=reading.format,
        pictures={split: counts[split] for split in SPLITS if counts[split]},
        boxes={split: boxes[split] for split in SPLITS if counts[split]},
        groups=(len(grouping.sizes), max(grouping.sizes)),
        leaks=(at_random, here) if plan.is_similar_sought else None,
        problems=(*gathered.problems, *left_out, *of_splits),
    )


def check(source: Path, options: ReadOptions, on_step: Steps, format_name: str = AUTO) -> Checked:
    """Checks a data set against its manifest, and the labels of any source.

    Raises:
        DataError: It cannot be read at all.
    """
    manifest = read_manifest(source) if source.is_dir() else None
    found = differences(source, manifest, OUR_FOLDERS) if manifest else ()
    gathered = read(source, options, format_name, on_step)
    return Checked(
        format=gathered.reading.format,
        pictures=len(gathered.entries),
        boxes=sum(len(entry.sample.boxes) for entry in gathered.entries),
        problems=gathered.problems,
        differences=found,
        has_manifest=manifest is not None,
        set_sha256=manifest.set_sha256 if manifest else "",
    )


def find_groups(gathered: Gathered, plan: Plan, on_step: Steps) -> Groups:
    """Finds which pictures belong together, and what that means for splits."""
    entries = gathered.entries
    samples = tuple(entry.sample for entry in entries)
    grouping = grouped(entries, plan, on_step)
    splits = tuple(sample.split for sample in samples)
    try:
        dealt = deal(grouping, samples, plan.shares or {"train": 0.8, "val": 0.0, "test": 0.2}, plan.seed)
    except DataError:
        dealt = None
    return Groups(
        names=tuple(sample.name for sample in samples),
        splits=splits,
        grouping=grouping,
        leaks={split: leak for split, leak in leaks(splits, grouping.pairs).items() if leak.of},
        at_random=random_leak(len(samples), grouping.pairs, 0.2, plan.seed),
        dealt=None if dealt is None else leaks(dealt, grouping.pairs)["test"],
    )


def grouped(entries: Sequence[Entry], plan: Plan, on_step: Steps) -> Grouping:
    """The groups of a plan."""
    pairs: tuple[Pair, ...] = ()
    if plan.is_similar_sought:
        pairs = find_similar(
            [entry.facts.copy for entry in entries],
            [(entry.facts.width_px, entry.facts.height_px) for entry in entries],
            plan.least_score,
            lambda done, count: on_step("comparing pictures", done, count),
        )
    return group([entry.sample for entry in entries], pairs, plan.group_by)


def _splits(gathered: Gathered, grouping: Grouping, plan: Plan, source: Path) -> tuple[str, ...]:
    samples = [entry.sample for entry in gathered.entries]
    if plan.shares is not None:
        return deal(grouping, samples, plan.shares, plan.seed)
    without = [sample.name for sample in samples if not sample.split]
    if without:
        raise DataError(f"{source} has no split for {without[0]}", "give shares by --split 70,15,15")
    return tuple(sample.split for sample in samples)


def _left_out(entry: Entry, split: str) -> Problem:
    text = f"was left out of {split}: it has a near-duplicate in a later split"
    return Problem("leak-left-out", entry.sample.name, text, is_error=False)


def _classes(gathered: Gathered) -> tuple[str, ...]:
    """The source's classes, and those that only its pictures name."""
    found = list(gathered.reading.classes)
    for entry in gathered.entries:
        found += [box.label for box in entry.sample.boxes if box.label not in found]
    return tuple(found)


def _of_splits(
    entries: Sequence[Entry], splits: Sequence[str], classes: Sequence[str], grouping: Grouping, source: Path
) -> list[Problem]:
    """What the split leaves to be wished."""
    found = []
    for split in sorted(set(splits), key=SPLITS.index):
        here = {
            name for entry, own in zip(entries, splits, strict=True) if own == split for name in strata_of(entry.sample)
        }
        found += [
            ("class-not-in-split", f"class {name} has no picture in {split}") for name in classes if name not in here
        ]
    for split, leak in leaks(splits, grouping.pairs).items():
        if leak.count:
            text = f"{leak.count:.0f} of {leak.of:.0f} pictures of {split} have a near-duplicate in train"
            found.append(("leak", text))
    largest = max(grouping.sizes)
    if len(entries) > 20 and largest > len(entries) / 2:  # noqa: PLR2004
        text = f"{largest} of {len(entries)} pictures look alike and form one group: see --group-by and --no-similar"
        found.append(("one-group", text))
    return [Problem(code, source.name, text, is_error=False) for code, text in found]
