"""From what a reader found to pictures that can be trained on: each is opened, checked and paired."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.errors import DataError
from models.datasets.labels import judge
from models.datasets.picture_files import PictureFacts, look_at
from models.datasets.records import PICTURE_SUFFIXES, Problem, Reading, Sample

Steps = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A picture that can be used: what is said of it, and what its file says."""

    sample: Sample
    facts: PictureFacts


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """A source after all checks.

    Attributes:
        reading: As its reader left it.
        entries: The pictures and boxes that can be right.
        problems: Everything found, errors first.
    """

    reading: Reading
    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What cannot be right."""
        return tuple(problem for problem in self.problems if problem.is_error)


def gather(reading: Reading, golden: Path | None = None, on_step: Steps = lambda _done, _all: None) -> Gathered:
    """Opens every picture once and checks it, its boxes and its golden sample.

    Args:
        reading: What a reader found.
        golden: Folder of golden samples, one per picture by its stem, or one picture for all; None for what the source
            itself says.
        on_step: Called with pictures done and all.

    Raises:
        DataError: `golden` does not exist.
    """
    problems = list(reading.problems)
    finder = None if golden is None else _Goldens(golden)
    entries: list[Entry] = []
    for number, sample in enumerate(reading.samples, 1):
        entry = _opened(sample, problems)
        if entry is not None and finder is not None:
            entry = Entry(replace(entry.sample, golden=finder.find(sample)), entry.facts)
        if entry is not None and _fits_golden(entry, finder is not None, problems):
            entries.append(entry)
        on_step(number, len(reading.samples))
    entries = _without_copies(entries, problems)
    problems += _of_the_whole(reading, entries)
    return Gathered(reading, tuple(entries), tuple(sorted(problems, key=lambda each: not each.is_error)))


def refuse_errors(gathered: Gathered, source: Path) -> None:
    """Stops at labels that cannot be right.

    Raises:
        DataError: There are some; names the first and how many. Or there is nothing at all.
    """
    errors = gathered.errors
    if not gathered.reading.samples and len(errors) == 1:
        raise DataError(f"{source} holds no picture", "give a folder of labelled pictures")
    if errors:
        more = f" (1 of {len(errors)})" if len(errors) > 1 else ""
        raise DataError(
            f"{source} has labels that cannot be right: {errors[0]}{more}",
            "correct them, see all by --list, or go on without them by --drop-bad",
        )


class _Goldens:
    """Finds golden samples by stem."""

    def __init__(self, place: Path) -> None:
        if not place.exists():
            raise DataError(f"golden samples {place} do not exist", "give a folder of them, or one picture for all")
        self._one = place if place.is_file() else None
        files = () if self._one else sorted(place.iterdir())
        self._by_stem = {path.stem: path for path in files if path.suffix.lower() in PICTURE_SUFFIXES}

    def find(self, sample: Sample) -> Path | None:
        """The golden sample of a picture, if there is one."""
        return self._one or self._by_stem.get(sample.image.stem)


def _opened(sample: Sample, problems: list[Problem]) -> Entry | None:
    try:
        facts = look_at(sample.image)
    except DataError as error:
        problems.append(Problem("unreadable", sample.name, error.what.removeprefix(f"{sample.image} ")))
        return None
    judged = judge(sample, facts)
    problems += judged.problems
    return None if judged.sample is None else Entry(judged.sample, facts)


def _fits_golden(entry: Entry, is_needed: bool, problems: list[Problem]) -> bool:
    sample = entry.sample
    if sample.golden is None:
        if is_needed:
            problems.append(Problem("no-golden", sample.name, "has no golden sample of its name"))
        return not is_needed
    try:
        facts = look_at(sample.golden)
    except DataError as error:
        problems.append(Problem("golden-unreadable", sample.name, f"its golden sample: {error.what}"))
        return False
    sizes = [(each.width_px, each.height_px) for each in (facts, entry.facts)]
    if sizes[0] != sizes[1]:
        text = "its golden sample has {} x {} px, the picture {} x {}".format(*sizes[0], *sizes[1])
        problems.append(Problem("golden-size", sample.name, text))
        return False
    return True


def _without_copies(entries: Sequence[Entry], problems: list[Problem]) -> list[Entry]:
    """Leaves out files of the same content, and all of them where their labels or splits differ."""
    by_hash: dict[str, list[Entry]] = {}
    for entry in entries:
        by_hash.setdefault(entry.facts.sha256, []).append(entry)
    kept = []
    for same in by_hash.values():
        first = same[0].sample
        kept.append(same[0])
        for other in (entry.sample for entry in same[1:]):
            if first.split != other.split and first.split and other.split:
                text = f"is the same file as {first.name}: one is in {first.split}, one in {other.split}"
                problems.append(Problem("two-splits", other.name, text))
            elif _said(first) != _said(other):
                problems.append(
                    Problem("same-picture", other.name, f"is the same file as {first.name}, labelled otherwise")
                )
                kept = [entry for entry in kept if entry.sample is not first]
            else:
                text = f"is the same file as {first.name} and is left out"
                problems.append(Problem("same-picture", other.name, text, is_error=False))
    return kept


def _said(sample: Sample) -> tuple[object, ...]:
    corners = {(box.label, *(round(value, 1) for value in (box.x1, box.y1, box.x2, box.y2))) for box in sample.boxes}
    return (corners, sample.defect)


def _of_the_whole(reading: Reading, entries: Sequence[Entry]) -> list[Problem]:
    """What can be seen only from all pictures together."""
    where = reading.root.name or str(reading.root)
    if not entries:
        return [Problem("empty", where, "holds no picture that can be used")]
    found = []
    labels = Counter(box.label for entry in entries for box in entry.sample.boxes)
    labels.update(entry.sample.defect for entry in entries if entry.sample.defect and not entry.sample.boxes)
    found += [("no-example", f"class {name} has no example") for name in reading.classes if not labels[name]]
    bare = [entry.sample for entry in entries if entry.sample.is_good is False and not entry.sample.boxes]
    if bare:
        text = f"{len(bare)} defective pictures have no box ({bare[0].name}): fit for a classifier, not for a detector"
        found.append(("defective-without-box", text))
    sizes = Counter((entry.facts.width_px, entry.facts.height_px) for entry in entries)
    if len(sizes) > 1:
        (usual, count), (rare, _) = sizes.most_common(1)[0], sizes.most_common()[-1]
        example = next(each.sample.name for each in entries if (each.facts.width_px, each.facts.height_px) == rare)
        text = (
            f"{len(sizes)} picture sizes: {count} of {usual[0]} x {usual[1]} px, but {example} of {rare[0]} x {rare[1]}"
        )
        found.append(("sizes-differ", text))
    colours = [entry.sample.name for entry in entries if entry.facts.is_colour]
    if 0 < len(colours) < len(entries):
        text = f"{len(colours)} pictures are in colour ({colours[0]}), {len(entries) - len(colours)} are grey"
        found.append(("depth-differs", text))
    if len({name.lower() for name in reading.classes}) < len(reading.classes):
        found.append(("class-names", f"two classes differ in case only: {', '.join(reading.classes)}"))
    return [Problem(code, where, text, is_error=False) for code, text in found]
