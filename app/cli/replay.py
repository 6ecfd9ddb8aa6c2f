"""`takt replay`: judges kept pictures again by what judged them, and compares."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from app.cli.console import complain, out, print_json, printable, progress
from app.cli.options import Json, StateDir, state_folder
from app.errors import DataError, RecordError
from app.record import PICTURES

if TYPE_CHECKING:
    from app.record.readers import Records
    from app.record.told import LotRecord, PartRecord, Story
    from app.replay import Replayed

MOST_PARTS = 500
_MOST_FOUND = 3

What = Annotated[
    str, typer.Argument(metavar="PART|LOT", help="A part, its serial number, or a lot, as takt ledger show takes them.")
]
LineFile = Annotated[
    Path | None,
    typer.Option(
        "--line",
        metavar="FILE",
        help="Whose folder holds the golden sample, and what stands in where the record's own documents are not kept;"
        " by default the twin's line.",
    ),
]
Model = Annotated[
    str | None,
    typer.Option(metavar="NAME|DIR", help="Where the package lies, if not in the zoo under the name it had then."),
]
RuntimeName = Annotated[
    str | None, typer.Option("--runtime", help="onnx, openvino or auto; by default the one that judged.")
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Write each picture with what is found on it now.")
]
Most = Annotated[int, typer.Option("--most", min=1, max=100_000, help="Of a lot, the newest so many parts.")]


IsLot = Annotated[bool, typer.Option("--lot", help="It is a lot, even where a part has that number.")]


def replay(  # noqa: PLR0913 - an argument per option
    what: What,
    *,
    is_lot: IsLot = False,
    line: LineFile = None,
    model: Model = None,
    runtime: RuntimeName = None,
    out_dir: Out = None,
    most: Most = MOST_PARTS,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Judge kept pictures again, and say what is the same.

    Takes package, recipe, threshold and runtime from the record of the start that judged each part; the package must
    have the very hash. On the runtime that judged, each score must be the same within 0.0001 and each box within 0.05
    px; on another one within what the package allows. Exit code 1 when anything differs, 4 when no picture was kept or
    one is not what was kept, 5 when the package is another one.
    """
    from app.cli.ledger import matches, open_records

    records = open_records(state)
    try:
        parts, lots = _lots(records, what) if is_lot else matches(records, what)
        wanted, left_out = _wanted(records, parts, lots, most)
        stories = [records.story(part) for part in wanted]
    finally:
        records.close()
    names = _planned(out_dir, state_folder(state) / PICTURES, stories)
    done, notes = _judged(stories, state_folder(state), line, model, runtime)
    if left_out:
        notes.append(f"{left_out:,} older parts of the lot were left out (--most {most})")
    _refuse_without_pictures(what, done)
    if out_dir:
        _draw(done, names)
    if as_json:
        print_json({"parts": [_as_data(each) for each in done], "notes": notes, **_counts(done)})
    else:
        _tell(done, notes)
    if any(each.is_same is False for each in done):
        raise typer.Exit(1)


def _lots(records: Records, what: str) -> tuple[list[PartRecord], list[LotRecord]]:
    found = [each for each in records.lots(most=10**9) if each.lot == what]
    if not found:
        raise RecordError(f"the ledger knows no lot {what!r}", "name one that the page shows")
    return [], found


def _wanted(records: Any, parts: list[PartRecord], lots: list[LotRecord], most: int) -> tuple[list[PartRecord], int]:
    """The parts that were named, those of a lot newest last, and how many of it were left out."""
    if not lots:
        return parts, 0
    found = [part for lot in lots for part in records.parts_of_lot(lot.lot, most, lot.lane)][:most]
    if not found:
        raise DataError(f"lot {lots[0].lot!r} has no parts", "name another lot, or a part")
    return found[::-1], max(0, sum(lot.tally.triggers for lot in lots) - len(found))


def _judged(
    stories: list[Story], state: Path, line: Path | None, model: str | None, runtime: str | None
) -> tuple[list[Replayed], list[str]]:
    """Judges them, each by what judged at its start of the station."""
    from app.cli.judges import Judges
    from app.replay import damaged, replay_part, unjudged

    done = []
    with ExitStack() as opened, progress("judging again", len(stories)) as step:
        judges = Judges(state, line, model, runtime, opened)
        for story in stories:
            told = unjudged(story)
            if told is None:
                seat = judges.of(story)
                try:
                    told = replay_part(story, state / PICTURES, seat.judge, seat.recipe, seat.tolerance)
                except DataError as error:
                    if len(stories) == 1:
                        raise
                    # One picture that was tampered with must not hide the others of the lot.
                    told = damaged(story, error.what)
            done.append(told)
            step(story.part.name)
        return done, judges.notes


def _planned(out_dir: Path | None, pictures: Path, stories: list[Story]) -> dict[str, Path]:
    """Where the annotated copy of each picture goes, by the picture's file."""
    from app.cli.files import check_outputs

    if out_dir is None:
        return {}
    files = [Path(picture.file) for story in stories for picture in story.pictures]
    names = {file.name: out_dir / file.name for file in files}
    check_outputs(names.values(), [pictures / file for file in files])
    return names


def _refuse_without_pictures(what: str, done: list[Replayed]) -> None:
    if any(each.is_same is not None for each in done):
        return
    if len(done) == 1:
        raise DataError(f"part {done[0].name} cannot be judged again: {done[0].why}", "name a part that has a picture")
    whys = sorted({each.why for each in done})
    raise DataError(
        f"none of the {len(done)} parts of {what!r} can be judged again: {' / '.join(whys[:3])}",
        "keep more pictures (storage.pass_every), or name another lot",
    )


def _draw(done: list[Replayed], names: dict[str, Path]) -> None:
    from app.capture.pictures import read_picture
    from app.cli.files import write_whole
    from app.cli.pictures import annotate
    from app.cli.report import encoded

    for part in done:
        for judged in part.pictures:
            assert part.verdict is not None
            # On each picture what was found on it, under the verdict on the whole part.
            own = tuple(each for each in part.verdict.findings if each.detection in (None, *judged.detections))
            verdict = replace(part.verdict, findings=own)
            mark = "same as then" if part.is_same else f"then: {part.then}"
            drawn = annotate(read_picture(judged.path), verdict, f"{part.name}, {mark}")
            write_whole(names[judged.path.name], encoded(drawn, ".png"))


def _tell(done: list[Replayed], notes: list[str]) -> None:
    table = Table(title="Judged again", title_justify="left")
    for heading in ("part", "then", "now", "", "why"):
        table.add_column(heading, no_wrap=heading == "part")
    for each in done:
        if each.is_same is None:
            continue
        mark = "[green]same[/]" if each.is_same else "[bold red]differs[/]"
        then, now = (
            _verdict(where, found) for where, found in ((each.then, each.found_then), (each.now, each.found_now))
        )
        table.add_row(each.name, escape(printable(then)), escape(printable(now)), mark, escape(printable(each.why)))
    console = out()
    console.print(table)
    counts = _counts(done)
    console.print(
        f"{counts['same']:,} same, {counts['differ']:,} differ, {counts['not_judged']:,} without a picture",
        soft_wrap=True,
    )
    for why in dict.fromkeys(each.why for each in done if each.is_same is None):
        number = sum(each.why == why for each in done if each.is_same is None)
        console.print(f"  {number:,} of them: {escape(printable(why))}", soft_wrap=True)
    for note in notes:
        console.print(f"[yellow]note:[/] {escape(printable(note))}", soft_wrap=True)
    differing = [each.name for each in done if each.is_same is False]
    if differing:
        complain(f"{len(differing)} of {counts['same'] + len(differing)} parts differ, such as {differing[0]}")


def _verdict(destination: str, found: Any) -> str:
    best = ", ".join(f"{each.label} {each.score:.4f}" for each in found[:_MOST_FOUND])
    more = f" and {len(found) - _MOST_FOUND} more" if len(found) > _MOST_FOUND else ""
    return f"{destination}: {best}{more}" if best else f"{destination}: nothing found"


def _counts(done: list[Replayed]) -> dict[str, int]:
    return {
        "same": sum(each.is_same is True for each in done),
        "differ": sum(each.is_same is False for each in done),
        "not_judged": sum(each.is_same is None for each in done),
    }


def _as_data(part: Replayed) -> dict[str, Any]:
    def rows(found: Any) -> list[dict[str, Any]]:
        return [
            {"label": each.label, "score": round(each.score, 6), "box_px": [round(v, 3) for v in each.box_px]}
            for each in found
        ]

    return {
        "part": part.name,
        "then": part.then,
        "now": part.now or None,
        "is_same": part.is_same,
        "why": part.why,
        "exposures": {"judged": part.exposures[0], "of": part.exposures[1]},
        "found_then": rows(part.found_then),
        "found_now": rows(part.found_now),
        "pictures": [str(each.path) for each in part.pictures],
    }
