"""`takt models dataset import | check | stats | split`: labelled pictures from elsewhere, as a data set of our own."""

# ruff: noqa: FBT002, PLC0415, PLR0913, PLR0917  (OpenCV and rich load only when needed; each option is an argument)
from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from app.errors import DataError, UsageError

if TYPE_CHECKING:
    from models.datasets.records import Problem, ReadOptions

dataset_app = typer.Typer(help="Data sets: import, check, measure and split labelled pictures.", no_args_is_help=True)

_AUTO = "auto"
_ALIKE = 0.5  # as models.datasets.similar has it

Source = Annotated[Path, typer.Argument(help="Folder or file of labelled pictures; a data set of our own is one too.")]
Format = Annotated[str, typer.Option("--format", help="auto, coco, yolo, voc, folders, masks or review.")]
Classes = Annotated[str, typer.Option("--classes", help="Class names in order, where the source has numbers only: a,b")]
Good = Annotated[str, typer.Option("--good", help="Folders of good parts beside good, ok, pass: a,b")]
Unlabelled = Annotated[str, typer.Option("--unlabelled", help="Pictures without labels: stop, good or leave-out.")]
Smallest = Annotated[int, typer.Option("--smallest-px", min=1, help="Mask regions of fewer pixels make no box.")]
GroupBy = Annotated[str, typer.Option("--group-by", help="Regular expression: names that agree in it stay together.")]
NoSimilar = Annotated[bool, typer.Option("--no-similar", help="Do not look for near-duplicates.")]
Alike = Annotated[float, typer.Option("--alike", min=0.3, max=0.99, help="Correlation of near-duplicates.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of the split.")]
ListAll = Annotated[bool, typer.Option("--list", help="Name everything that is wrong.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataset_app.command("import")
def import_(
    source: Source,
    out: Annotated[Path, typer.Option("--out", help="The data set's folder.")],
    format_name: Format = _AUTO,
    golden: Annotated[
        Optional[Path],  # noqa: UP045  (typer reads it on 3.10)
        typer.Option("--golden", help="Folder of golden samples, each named as its picture; or one picture for all."),
    ] = None,
    split: Annotated[
        str, typer.Option("--split", help="Shares of train, val, test; keep: the source's own.")
    ] = "70,15,15",
    seed: Seed = 0,
    group_by: GroupBy = "",
    no_similar: NoSimilar = False,
    alike: Alike = _ALIKE,
    classes: Classes = "",
    good: Good = "",
    unlabelled: Unlabelled = "stop",
    smallest_px: Smallest = 4,
    terms: Annotated[
        Optional[Path],  # noqa: UP045  (typer reads it on 3.10)
        typer.Option("--terms", help="Text file: under which terms the pictures may be used."),
    ] = None,
    drop_bad: Annotated[bool, typer.Option("--drop-bad", help="Go on without labels that cannot be right.")] = False,
    drop_leaks: Annotated[
        bool,
        typer.Option("--drop-leaks", help="Leave out what has a near-duplicate in a later split."),
    ] = False,
    link: Annotated[bool, typer.Option("--link", help="Link the pictures (hard links) and do not copy them.")] = False,
    list_all: ListAll = False,
    as_json: Json = False,
) -> None:
    """Bring COCO, YOLO, VOC, folders of good and bad parts, masks or a review export into a data set of our own.

    Pictures that show the same piece of a part stay in one split. Labels that cannot be right stop the import.
    """
    from models.datasets.build import Plan, build
    from models.datasets.screen import show_built, show_problems
    from models.datasets.splits import parse_shares
    from models.steps import Steps

    plan = Plan(
        shares=None if split == "keep" else parse_shares(split),
        seed=seed,
        group_by=group_by,
        is_similar_sought=not no_similar,
        least_score=alike,
        is_linked=link,
        is_bad_dropped=drop_bad,
        is_leak_dropped=drop_leaks,
        terms=_terms(terms),
    )
    options = _options(classes, good, unlabelled, smallest_px)

    def tell(problems: Sequence[Problem]) -> None:
        if not as_json:
            show_problems(problems, list_all=list_all)

    with Steps(is_shown=not as_json, keeps_done=True) as steps:
        built = build(source, out, plan, options, steps.update, format_name, golden, tell)
    if as_json:
        manifest = built.manifest
        rest = {"classes": manifest.classes, "set_sha256": manifest.set_sha256, "out": str(out)}
        values = {key: value for key, value in asdict(built).items() if key not in {"manifest", "groups", "leaks"}}
        grouped = {"groups": built.groups[0], "largest_group": built.groups[1]}
        random, here = (None, None) if built.leaks is None else map(asdict, built.leaks)
        leaked = {"leak_at_random": random, "leak": here}
        typer.echo(json.dumps(rest | values | grouped | leaked))
    else:
        show_built(built, out)


@dataset_app.command()
def check(
    source: Source,
    format_name: Format = _AUTO,
    classes: Classes = "",
    good: Good = "",
    unlabelled: Unlabelled = "stop",
    list_all: ListAll = False,
    as_json: Json = False,
) -> None:
    """Name labels that cannot be right and, in a data set of our own, files that are not as they were imported."""
    from models.datasets.build import check as check_source
    from models.datasets.screen import show_checked
    from models.steps import Steps

    with Steps(is_shown=not as_json, keeps_done=True) as steps:
        found = check_source(source, _options(classes, good, unlabelled), steps.update, format_name)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
    else:
        show_checked(found, source, list_all=list_all)
    if found.differences:
        first, more = found.differences[0], len(found.differences) - 1
        text = f"{source} is not as it was imported: {first.path} is {first.kind}" + (f", {more} more" if more else "")
        raise DataError(text, "bring the files back, or import it again")
    errors = [problem for problem in found.problems if problem.is_error]
    if errors:
        more = len(errors) - 1
        text = f"{source} has labels that cannot be right: {errors[0]}" + (f", and {more} more" if more else "")
        raise DataError(text, "correct them, or see all by --list")


@dataset_app.command()
def stats(
    source: Source,
    sheet: Annotated[
        Optional[Path],  # noqa: UP045  (typer reads it on 3.10)
        typer.Option("--sheet", help="Write a contact sheet as PNG: examples of each class, with their boxes."),
    ] = None,
    format_name: Format = _AUTO,
    classes: Classes = "",
    good: Good = "",
    unlabelled: Unlabelled = "leave-out",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Chooses the examples on the sheet.")] = 0,
    list_all: ListAll = False,
    as_json: Json = False,
) -> None:
    """Count and measure pictures, classes and boxes."""
    from models.datasets.build import read
    from models.datasets.figures import measure
    from models.datasets.screen import show_figures, show_problems
    from models.datasets.sheet import write_sheet
    from models.steps import Steps

    with Steps(is_shown=not as_json, keeps_done=True) as steps:
        gathered = read(source, _options(classes, good, unlabelled), format_name, steps.update)
    found = measure(gathered.entries, gathered.reading.classes)
    if sheet is not None:
        name = source.resolve().name
        title = f"{name}: {len(gathered.entries)} pictures, {sum(found.boxes.values())} boxes"
        write_sheet(sheet, gathered.entries, gathered.reading.classes, title, seed)
    if as_json:
        rest = {"sheet": None if sheet is None else str(sheet), "errors": len(gathered.errors)}
        typer.echo(json.dumps(asdict(found) | rest))
        return
    show_figures(found, source)
    show_problems(gathered.problems, list_all=list_all)
    if sheet is not None:
        typer.echo(f"contact sheet: {sheet}")


@dataset_app.command()
def split(
    source: Source,
    format_name: Format = _AUTO,
    group_by: GroupBy = "",
    no_similar: NoSimilar = False,
    alike: Alike = _ALIKE,
    classes: Classes = "",
    good: Good = "",
    unlabelled: Unlabelled = "leave-out",
    seed: Seed = 0,
    drop_bad: Annotated[bool, typer.Option("--drop-bad", help="Go on without labels that cannot be right.")] = False,
    as_json: Json = False,
) -> None:
    """Show which pictures belong together, and what the split, one at random and a grouped one leak.

    To split anew, import the data set into another folder: takt models dataset import DIR --out NEW --split 80,10,10.
    """
    from models.datasets.build import Plan, find_groups, read
    from models.datasets.gather import refuse_errors
    from models.datasets.screen import members_of, show_groups
    from models.steps import Steps

    plan = Plan(None, seed, group_by, not no_similar, alike)
    with Steps(is_shown=not as_json, keeps_done=True) as steps:
        gathered = read(source, _options(classes, good, unlabelled), format_name, steps.update)
        if not drop_bad:
            refuse_errors(gathered, source)
        if not gathered.entries:
            raise DataError(f"{source} holds no picture that can be used", "give a folder of labelled pictures")
        found = find_groups(gathered, plan, steps.update)
    members = members_of(found)
    if as_json:
        values = {
            "pictures": len(found.names),
            "pairs": [[found.names[pair.first], found.names[pair.second], pair.score] for pair in found.grouping.pairs],
            "groups": len(found.grouping.sizes),
            "together": members,
            "leaks": {name: asdict(leak) for name, leak in found.leaks.items()},
            "leak_at_random": asdict(found.at_random),
            "leak_grouped": None if found.dealt is None else asdict(found.dealt),
        }
        typer.echo(json.dumps(values))
    else:
        show_groups(found, members)


def _options(classes: str, good: str, unlabelled: str, smallest_px: int = 4) -> ReadOptions:
    from models.datasets.records import ReadOptions

    if unlabelled not in {"stop", "good", "leave-out"}:
        raise UsageError(f"--unlabelled {unlabelled} is not known", "give stop, good or leave-out")
    return ReadOptions(_names(classes), _names(good), unlabelled, smallest_px)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if len(set(names)) < len(names):
        raise UsageError(f"{text} names something twice", "give each name once")
    return names


def _terms(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"terms {path} cannot be read ({error})", "give a text file by --terms") from error
