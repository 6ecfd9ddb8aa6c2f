"""The review export: what people said of parts that a line had judged, one JSON object per line.

Each line is a part:

    {"schema": 1, "part": "L1-000317", "lot": "A7", "picture": "pictures/L1-000317.png", "golden": "golden/board.png",
     "verdict": "reject", "decision": "bad", "labels": [{"class": "short", "box": [410.0, 96.5, 431.0, 120.0]}],
     "reviewer": "anna", "second_reviewer": "ben", "second_decision": "bad"}

`part`, `picture`, `verdict` ("pass" or "reject": what the line said), `decision` ("good", "bad" or "unsure": what a
person said) and `reviewer` must be there. `labels` are x1, y1, x2, y2 in pixels of the picture. Files are named from
the folder of the export. Parts that a reviewer was unsure of, or that two do not agree on, are left out and named.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from app.errors import DataError
from models.datasets.picture_files import read_bytes
from models.datasets.records import Box, Problem, Reading, ReadOptions, Sample, name_in

SCHEMA = 1
_CORNERS = 4
_NEEDED = ("part", "picture", "verdict", "decision", "reviewer")
_ALLOWED = {*_NEEDED, "schema", "lot", "golden", "labels", "second_reviewer", "second_decision"}
_EXPORT = "review export"
_NOTES = ("verdict", "lot", "reviewer", "second_reviewer")
_DECISIONS = ("good", "bad", "unsure")


def find_review(source: Path) -> Path | None:
    """The review export of a source, which may be the file itself."""
    files = [source] if source.is_file() else sorted(source.glob("*.jsonl")) if source.is_dir() else []
    for file in files:
        if file.suffix.lower() == ".jsonl":
            first = read_bytes(file).split(b"\n", 1)[0]
            if b'"part"' in first and b'"decision"' in first:
                return file
    return None


def read_review(source: Path, options: ReadOptions) -> Reading:
    """Reads a review export.

    Args:
        source: The JSON-lines file, or the folder with it.
        options: Which classes are allowed, where given.

    Raises:
        DataError: No export.
    """
    file = find_review(source)
    if file is None:
        raise DataError(f"{source} holds no review export", "give its .jsonl file")
    root = file.parent
    samples: dict[str, Sample] = {}
    problems: list[Problem] = []
    for number, line in enumerate(read_bytes(file).split(b"\n"), 1):
        if not line.strip():
            continue
        where = f"line {number}"
        found = _sample(line, root, where, options)
        problems += found.problems
        part = found.sample
        if part is None:
            continue
        if part.name in samples:
            problems.append(Problem("listed-twice", file.name, f"{part.name} is on a line before", where))
        else:
            samples[part.name] = part
    classes = options.classes or tuple(sorted({box.label for each in samples.values() for box in each.boxes}))
    return Reading("review", root, classes, tuple(samples.values()), tuple(problems))


class _Line:
    """One line: what became of it."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.sample: Sample | None = None
        self.problems: list[Problem] = []

    def wrong(self, code: str, file: str, why: str, *, is_error: bool = True) -> _Line:
        """Notes a problem."""
        self.problems.append(Problem(code, file, why, self.where, is_error))
        return self


def _sample(line: bytes, root: Path, where: str, options: ReadOptions) -> _Line:
    found = _Line(where)
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return found.wrong("not-json", _EXPORT, f"is not valid JSON ({error})")
    refusal = _refusal(row)
    if refusal:
        return found.wrong("bad-line", _EXPORT, refusal)
    image = root / row["picture"]
    boxes = _boxes(row.get("labels") or [], found, where, options)
    left_out = _left_out(row, image, root)
    if left_out is not None:
        code, why, is_error = left_out
        return found.wrong(code, _EXPORT, why, is_error=is_error)
    found.sample = Sample(
        name=name_in(root, image),
        image=image,
        boxes=boxes,
        lost=len(row.get("labels") or []) - len(boxes),
        is_good=row["decision"] == "good",
        group=row["part"],
        golden=root / row["golden"] if row.get("golden") else None,
        label_file=_EXPORT,
        notes=tuple((key, str(row[key])) for key in _NOTES if row.get(key)),
    )
    return found


def _left_out(row: dict[str, Any], image: Path, root: Path) -> tuple[str, str, bool] | None:
    """Why a part cannot be used, with the kind and whether it is an error; None where it can."""
    part, second = f"part {row['part']}", row.get("second_decision")
    if not image.resolve().is_relative_to(root.resolve()):
        return "outside-source", f"names {row['picture']}, outside of the export's folder", True
    if not image.is_file():
        return "picture-missing", f"names {row['picture']}, which is not there", True
    if "unsure" in {row["decision"], second}:
        return "unsure", f"{part}: a reviewer was unsure; left out", False
    if second and second != row["decision"]:
        return "disagreement", f"{part}: two reviewers differ; left out", False
    if row["decision"] == "good" and row.get("labels"):
        return "good-with-labels", f"{part} is good and has labels", True
    return None


def _refusal(row: Any) -> str:
    """Why a line cannot be read; empty where it can."""
    if not isinstance(row, dict):
        return "is no JSON object"
    refusals = [f"has no {key}" for key in _NEEDED if not isinstance(row.get(key), str) or not row[key]]
    refusals += [f"has an unknown key {key}" for key in sorted(set(row) - _ALLOWED)]
    if row.get("schema", SCHEMA) != SCHEMA:
        refusals.insert(0, f"has schema {row['schema']!r}; this version reads {SCHEMA}")
    if row.get("verdict") not in {"pass", "reject"}:
        refusals.append(f"has verdict {row.get('verdict')!r}, which is neither pass nor reject")
    for key in ("decision", "second_decision"):
        if row.get(key) not in {*_DECISIONS, None}:
            refusals.append(f"has {key} {row[key]!r}, which is not one of {', '.join(_DECISIONS)}")
    if not isinstance(row.get("labels") or [], list):
        refusals.append("has labels that are no list")
    return refusals[0] if refusals else ""


def _boxes(rows: list[Any], found: _Line, where: str, options: ReadOptions) -> tuple[Box, ...]:
    boxes = []
    for index, row in enumerate(rows, 1):
        try:
            label, corners = str(row["class"]), [float(value) for value in row["box"]]
        except (KeyError, TypeError, ValueError):
            found.wrong("no-box", _EXPORT, f"label {index} has no class or no box of four numbers")
            continue
        if len(corners) != _CORNERS:
            found.wrong("no-box", _EXPORT, f"label {index} has {len(corners)} numbers, not four")
        elif options.classes and label not in options.classes:
            found.wrong("unknown-class", _EXPORT, f"class {label!r} is not among {', '.join(options.classes)}")
        else:
            boxes.append(Box(corners[0], corners[1], corners[2], corners[3], label, f"{where}, label {index}"))
    return tuple(boxes)
