"""Another default threshold for the models of a package, once figures have shown which."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path

from app.detect.manifest import MANIFEST
from app.detect.package import load_package
from app.detect.proof import check_proves_something
from app.durable import replace_bytes
from app.errors import DataError, UsageError
from models.drafts import draft_of
from models.packaging.export import read_golden_frames, write_golden_frames
from models.packaging.manifest import ModelEntry, manifest_entries, manifest_text


def set_threshold(package_dir: Path, score: float, variants: Sequence[str] = ()) -> dict[str, float]:
    """Gives models of a package another default threshold, and records their golden frames at it.

    All is tried on a copy first. The manifest is moved over last: a process that is killed in between leaves the old
    threshold, or golden frames that refuse it.

    Args:
        package_dir: The package's folder.
        score: The threshold.
        variants: The models, such as `standby-int8`; by default all.

    Returns:
        What each of them had before, by variant.

    Raises:
        UsageError: The package has no such model.
        DataError: The threshold is not between 0 and 1, or the folder cannot be written.
        PackageError: The package is broken, or its golden frames prove nothing at that threshold.
    """
    if not 0 < score < 1:
        raise DataError(f"a score threshold of {score} is not between 0 and 1", "give one such as 0.35")
    entries = manifest_entries(package_dir)
    known = [each.variant for each in entries.models]
    for each in variants:
        if each not in known:
            raise UsageError(f"{package_dir} has no model {each}", f"use one of {', '.join(known)}")
    chosen = {each.variant: each for each in entries.models if not variants or each.variant in variants}
    models = tuple(
        dataclasses.replace(each, score_threshold=score) if each.variant in chosen else each for each in entries.models
    )
    text = manifest_text(dataclasses.replace(entries, models=models))
    try:
        with draft_of(package_dir) as draft:
            shutil.copytree(package_dir, draft, dirs_exist_ok=True)
            replace_bytes(draft / MANIFEST, text.encode())
            recorded = _recorded(draft, list(chosen.values()))
        for file, content in recorded.items():
            replace_bytes(package_dir / file, content)
        replace_bytes(package_dir / MANIFEST, text.encode())
    except OSError as error:
        raise DataError(
            f"{package_dir} cannot be written ({error.strerror})", "copy the package to a folder that can, and use that"
        ) from error
    return {variant: each.score_threshold for variant, each in chosen.items()}


def _recorded(draft: Path, chosen: Sequence[ModelEntry]) -> dict[str, bytes]:
    """What each model finds in the golden frames, by the file that says so; nothing where the package has no frames."""
    frames = read_golden_frames(draft)
    if not frames:
        return {}
    for each in chosen:
        write_golden_frames(draft, frames, variant=each.variant)
        check_proves_something(load_package(draft, variant=each.variant))
    return {each.expected_file: (draft / each.expected_file).read_bytes() for each in chosen}
