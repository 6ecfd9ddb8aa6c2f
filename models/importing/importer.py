"""From an ONNX file of another library to a package that is proven, in one step that leaves all or nothing."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from app import durable
from app.detect.detector import Fit, InputSpec
from app.detect.manifest import MANIFEST, Precision, Role
from app.detect.package import CARD, MAX_ONNX_BYTES, load_package
from app.errors import DataError, DetectorError, PackageError, UsageError
from models.drafts import draft_of
from models.importing.card import Facts, card_text
from models.importing.cost import count_gmac
from models.importing.labels import choose_classes, choose_good
from models.importing.layout import Layout, Pixels, Wishes, recognise
from models.importing.layouts import CANDIDATES
from models.importing.samples import DRAWN, Sample, draw_samples, read_samples
from models.importing.sheet import write_sheet
from models.importing.sizes import Size, open_source
from models.importing.tensors import Source
from models.importing.trying import Tried, choose_golden, prove_everywhere, record_golden, try_samples
from models.importing.wrapping import precision_of, wrapped
from models.packaging.manifest import ManifestEntries, ModelEntry, manifest_text

SHEET = "samples.png"
STEPS = 5

_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_NAME = 40
_VERSION = "1.0.0"
_NOT_DRAWN = "It found nothing on the drawn pictures: give your own with --samples, so that its golden frames prove it."

OnStep = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be imported, and where to.

    Attributes:
        path: The ONNX file.
        out: The package's folder, which must not exist; `None` for one of the package's name, here.
        name: The package's name; empty for the file's.
        version: Its version.
        role: What the model is for.
        wishes: What the user says of the file.
        size: Width and height, where the file leaves them open.
        samples: Folder with pictures to try it on; `None` to draw some.
        sheet: Where the sheet goes; `None` for `samples.png` in the package.
    """

    path: Path
    out: Path | None = None
    name: str = ""
    version: str = _VERSION
    role: Role = "accelerator"
    wishes: Wishes = field(default_factory=Wishes)
    size: Size | None = None
    samples: Path | None = None
    sheet: Path | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """A package that was made.

    Attributes:
        folder: Where it lies.
        entries: What its manifest says.
        layout: The layout's name.
        seen: What it was recognised by.
        pixels: What grey levels become.
        notes: What the user should know.
        pictures: How many sample pictures were judged.
        findings: How many findings there were at the threshold.
        proven: Runtimes on which its golden frames hold.
        refused: The others, each with the reason.
        sheet: The sheet.
    """

    folder: Path
    entries: ManifestEntries
    layout: str
    seen: str
    pixels: Pixels
    notes: tuple[str, ...]
    pictures: int
    findings: int
    proven: tuple[str, ...]
    refused: dict[str, str]
    sheet: Path


def import_onnx(plan: Plan, on_step: OnStep = lambda _text, _done, _all: None) -> Imported:
    """Reads, recognises, wraps, tries, records and proves a model, then moves the package into place.

    Args:
        plan: What and where to.
        on_step: Told what is being done, steps done and to do.

    Raises:
        DataError: The file is no ONNX model, or the pictures cannot be used.
        UsageError: Its layout, classes or size cannot be known or do not fit, or the folder exists.
        PackageError: It cannot be made a package that runs and holds.
        DetectorError: It gives numbers that mean nothing.
        MissingDriverError: onnx is not installed.
    """
    name, out = name_of(plan), place_of(plan)
    on_step("reading", 0, STEPS)
    source = open_source(plan.path, plan.size)
    layout = recognise(source, plan.wishes, CANDIDATES)
    maker = _Maker(plan, name, source, layout)
    with _draft(out) as draft:
        try:
            return maker.make(draft, out, on_step)
        except (PackageError, DetectorError) as error:
            raise type(error)(error.what.replace(str(draft), str(out)), error.mend) from error


class _Maker:
    """One import, once the file is read and recognised."""

    def __init__(self, plan: Plan, name: str, source: Source, layout: Layout) -> None:
        wishes = plan.wishes
        self._plan, self._source, self._layout = plan, source, layout
        self._pixels: Pixels = wishes.pixels or layout.pixels
        self._classes = choose_classes(source, layout, wishes)
        self._good, self._notes = choose_good(layout, self._classes, wishes)
        self._threshold = layout.threshold if wishes.threshold is None else wishes.threshold
        fit: Fit = wishes.fit or layout.fit
        picture = source.picture
        self._spec = InputSpec(picture.width_px, picture.height_px, picture.channels, is_golden=False, fit=fit)
        self._name = name

    def make(self, draft: Path, out: Path, on_step: OnStep) -> Imported:
        """Fills the draft and moves it to `out`."""
        samples = self._samples()
        steps = STEPS + len(samples)
        on_step("wrapping", 1, steps)
        entries = self._write_model(draft)
        package = load_package(draft, is_draft=True)
        done = 2

        def count() -> None:
            nonlocal done
            done += 1
            on_step("trying", done, steps)

        tried = try_samples(package, samples, count)
        on_step("proving", steps - 2, steps)
        record_golden(draft, entries.models[0].expected_file, choose_golden(tried, self._threshold), self._threshold)
        proven, refused = prove_everywhere(load_package(draft))
        refused = {runtime: why.replace(str(draft), str(out)) for runtime, why in refused.items()}
        findings = sum(found.score >= self._threshold for each in tried for found in each.detections)
        facts = self._facts(tried, findings, proven, refused)
        (draft / CARD).write_text(card_text(self._source, self._layout, entries, facts), encoding="utf-8")
        write_sheet(draft / SHEET, tried, self._classes, self._threshold, self._headline(facts))
        on_step("moving into place", steps - 1, steps)
        sheet = _place(draft, out, self._plan.sheet)
        on_step("done", steps, steps)
        layout = self._layout
        return Imported(
            folder=out,
            entries=entries,
            layout=layout.name,
            seen=layout.seen,
            pixels=self._pixels,
            notes=facts.notes,
            pictures=len(tried),
            findings=findings,
            proven=proven,
            refused=refused,
            sheet=sheet,
        )

    def _samples(self) -> list[Sample]:
        if self._plan.samples is None:
            return draw_samples(self._spec, DRAWN)
        return read_samples(self._plan.samples, self._spec.channels)

    def _write_model(self, draft: Path) -> ManifestEntries:
        precision: Precision = precision_of(self._source)
        graph = wrapped(self._source, self._layout, self._pixels)
        content = graph.SerializeToString()
        if len(content) > MAX_ONNX_BYTES:
            raise PackageError(f"{self._source.path} is too large as a package", "export a smaller model")
        file = f"{self._plan.role}-{precision}.onnx"
        (draft / file).write_bytes(content)
        model = ModelEntry(
            role=self._plan.role,
            precision=precision,
            onnx=file,
            onnx_sha256=hashlib.sha256(content).hexdigest(),
            score_threshold=self._threshold,
            spec=self._spec,
            gmac=count_gmac(graph),
        )
        entries = ManifestEntries(
            name=self._name,
            version=self._plan.version,
            kind=self._layout.kind,
            classes=self._classes,
            models=(model,),
            good_classes=self._good,
            suppression=self._layout.suppression,
        )
        (draft / MANIFEST).write_text(manifest_text(entries), encoding="utf-8")
        return entries

    def _facts(self, tried: list[Tried], findings: int, proven: tuple[str, ...], refused: dict[str, str]) -> Facts:
        is_drawn = self._plan.samples is None
        empty = (_NOT_DRAWN,) if is_drawn and not findings else ()
        return Facts(
            pixels=self._pixels,
            notes=(*self._layout.notes, *self._notes, *empty),
            proven=proven,
            refused=refused,
            pictures=len(tried),
            findings=findings,
            is_drawn=is_drawn,
        )

    def _headline(self, facts: Facts) -> str:
        return (
            f"{self._name}: {facts.findings} findings on {facts.pictures} pictures at {self._threshold:g}"
            f" ({self._layout.name})"
        )


def place_of(plan: Plan) -> Path:
    """The folder that a plan's package shall have.

    Raises:
        UsageError: It exists, or the file's name gives it no name.
    """
    out = Path(name_of(plan)) if plan.out is None else plan.out
    if out.exists():
        raise UsageError(f"{out} exists", "give --out another folder, or remove it")
    return out


def name_of(plan: Plan) -> str:
    """The name given, or one that the file's name allows.

    Raises:
        UsageError: It allows none.
    """
    if plan.name:
        return plan.name
    name = _NAME.sub("-", plan.path.stem).strip("-._")[:_MAX_NAME].rstrip("-._")
    if not name:
        raise UsageError(f"{plan.path.name} gives the package no name", "give one with --name")
    return name


@contextmanager
def _draft(out: Path) -> Iterator[Path]:
    """A folder beside the target that is gone afterwards, unless it was moved."""
    with ExitStack() as stack:
        try:
            draft = stack.enter_context(draft_of(out))
        except OSError as error:
            raise DataError(
                f"no folder can be made in {out.parent}: {error.strerror}", "give --out another place"
            ) from error
        try:
            yield draft
        except OSError as error:
            raise DataError(
                f"{out} cannot be written: {error.strerror}", "check the disk and its permissions"
            ) from error


def _place(draft: Path, out: Path, sheet: Path | None) -> Path:
    """Moves the whole package, and the sheet if it goes elsewhere."""
    waiting = None
    if sheet is not None and sheet.resolve().is_relative_to(out.resolve()):
        inside = draft / sheet.resolve().relative_to(out.resolve())
        inside.parent.mkdir(parents=True, exist_ok=True)
        (draft / SHEET).replace(inside)
    elif sheet is not None:
        sheet.parent.mkdir(parents=True, exist_ok=True)
        waiting = sheet.with_name(f".{sheet.name}.new")
        shutil.move(draft / SHEET, waiting)
    try:
        for path in (*draft.rglob("*"), draft):
            durable.sync(path)
        durable.move(draft, out)
    except OSError:
        if waiting:
            waiting.unlink()
        raise
    if waiting and sheet:
        waiting.replace(sheet)
    return out / SHEET if sheet is None else sheet
