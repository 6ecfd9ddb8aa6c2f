"""The card of an imported model: what is known of it, and what is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.importing.layout import Layout, Pixels
from models.importing.tensors import Source
from models.packaging.manifest import ManifestEntries

_MOST_CHARS = 300
_MOST_NAMES = 40
_UNMEASURED = (
    "How often it misses a defect or refuses a good part is not known. Measure it on pictures of the line with"
    " `takt models evaluate` before it judges parts."
)
_FITS = {
    "stretch": "stretched to its input",
    "letterbox": "scaled evenly into the middle of its input",
    "corner": "scaled evenly into the upper left corner of its input",
    "crop": "scaled evenly to fill its input, what stands over cut off",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the card tells beyond source, layout and manifest.

    Attributes:
        pixels: What grey levels become.
        notes: What the user should know, each a sentence.
        proven: Runtimes on which the golden frames hold.
        refused: The others, each with the reason.
        pictures: How many sample pictures were judged.
        findings: How many findings there were at the threshold.
        is_drawn: The pictures were drawn, not the user's.
    """

    pixels: Pixels
    notes: tuple[str, ...]
    proven: tuple[str, ...]
    refused: Mapping[str, str]
    pictures: int
    findings: int
    is_drawn: bool


def card_text(source: Source, layout: Layout, entries: ManifestEntries, facts: Facts) -> str:
    """Writes `card.md`."""
    model = entries.models[0]
    shown = entries.classes[:_MOST_NAMES]
    more = f" and {len(entries.classes) - len(shown)} more" if len(entries.classes) > len(shown) else ""
    spec = model.spec
    rows = {
        "Made from": f"{quoted(source.path.name)}, SHA-256 `{source.sha256}`",
        "Written by": quoted(source.producer),
        "Layout": f"`{layout.name}`, told by {quoted(layout.seen)}",
        "Kind": entries.kind,
        "Input": f"`image`, uint8 (1, {spec.height_px}, {spec.width_px}, {spec.channels}); a picture is"
        f" {_FITS[spec.fit]}; grey levels become `{facts.pixels}` inside the graph",
        "Classes": ", ".join(map(quoted, shown)) + more,
        "Precision": model.precision,
        "Work": f"{model.gmac:g} GMAC per picture" if model.gmac else "not known",
        "Default threshold": f"{model.score_threshold:g}",
        "Suppression": _suppression(entries),
        "Golden frames hold on": ", ".join(facts.proven),
    }
    lines = [
        f"# {entries.name}",
        "",
        "An imported model: trained and exported elsewhere, wrapped by `takt models import`.",
        "",
    ]
    lines += ["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows.items()), ""]
    lines += ["## Licence", "", *_licence(source), ""]
    lines += ["## What to know", "", *(f"- {each}" for each in _to_know(facts)), ""]
    return "\n".join(lines)


def quoted(text: str) -> str:
    """Text of a stranger as one line of code: it can neither be markup nor run on."""
    line = " ".join(text.split())
    short = line if len(line) <= _MOST_CHARS else f"{line[:_MOST_CHARS]}..."
    return "`" + short.replace("`", "'").replace("|", "/") + "`"


def _suppression(entries: ManifestEntries) -> str:
    if entries.suppression is None:
        return "none: the graph's findings are final"
    each = entries.suppression
    way = "across classes" if each.is_across_classes else "class by class"
    return f"greedy, {way}, IoU above {each.iou:g}, {each.max_detections} findings at most"


def _licence(source: Source) -> list[str]:
    lines = [
        "The licence of the weights is a matter of whoever brings them. Takt adds nothing to it and takes nothing away."
    ]
    said = source.metadata.get("license") or source.metadata.get("licence")
    if said:
        lines += ["", f"The file says of itself: {quoted(said)}"]
    author = source.metadata.get("author")
    if author:
        lines += ["", f"Its author, as the file has it: {quoted(author)}"]
    return lines


def _to_know(facts: Facts) -> list[str]:
    whose = "drawn by Takt" if facts.is_drawn else "of the user, some of which are its golden frames"
    known = [
        _UNMEASURED,
        f"It was tried on {facts.pictures} pictures {whose}, with {facts.findings} findings at the threshold.",
    ]
    if facts.is_drawn and not facts.findings:
        known.append("It found nothing on the drawn pictures, so its golden frames prove little.")
    known += [f"On {name} its golden frames do not hold: {quoted(why)}." for name, why in facts.refused.items()]
    return [*known, *facts.notes]
