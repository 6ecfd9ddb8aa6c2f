"""`takt camera set`: knobs before and after, a picture before and after, and the line.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.markup import escape

from app.capture.camera import Camera
from app.cli.camera import shots as camera_shots
from app.cli.camera.asked import compare
from app.cli.camera.change import LINE_KEYS, Change, adjust, change_table, with_line_keys
from app.cli.camera.choice import Choice, opened
from app.cli.camera.probe import finite, knobs_of
from app.cli.camera.save import save
from app.cli.camera.sheet import check_sheet, write_sheet
from app.cli.camera.shots import Shot
from app.cli.console import out
from app.clock import Clock
from app.types import Scalar

_UNITS = {"exposure_ms": "ms", "gain_db": "dB"}


class Session:
    """One change of a camera.

    Args:
        choice: The camera.
        wanted: Values by knob, as they were written.
        clock: The time.
        timeout_s: Longest wait for a frame.

    Attributes:
        changes: What was set.
        shots: The pictures before and after, where they were asked for.
    """

    def __init__(self, choice: Choice, wanted: Mapping[str, str], clock: Clock, timeout_s: float) -> None:
        self._before = replace(choice, settings=camera_shots.commanded(choice.settings))
        self._after = replace(choice, settings=with_line_keys(self._before.settings, wanted))
        self._knobs = {name: text for name, text in wanted.items() if name not in LINE_KEYS}
        self._keys = tuple(name for name in wanted if name in LINE_KEYS)
        self._clock = clock
        self._timeout_s = timeout_s
        self._paths: list[Path] = []
        self._sheet: Path | None = None
        self.changes: tuple[Change, ...] = ()
        self.shots: list[Shot] = []

    def plan(self, where: Path | None, sheet: Path | None, *, is_forced: bool) -> None:
        """Says where the pictures before and after go.

        Raises:
            UsageError: They cannot go there.
        """
        name, now = self._before.settings.name, self._clock.wall()
        self._paths = camera_shots.planned(where, name, ("before", "after"), now, is_forced=is_forced)
        check_sheet(sheet, self._paths, is_forced=is_forced)
        self._sheet = sheet

    def run(self) -> None:
        """Opens the camera, sets it and looks.

        Raises:
            CameraError: It does not open, has no such knob, refuses a value, or sends no frame.
            UsageError: A value is not of the knob's kind, or a picture cannot be written.
        """
        if self._keys:
            if self._paths:
                with opened(self._before, self._clock) as camera:
                    self._look(camera)
            with opened(self._after, self._clock) as camera:
                self._set(camera)
        else:
            with opened(self._before, self._clock) as camera:
                if self._paths:
                    self._look(camera)
                self._set(camera)
        if self._sheet:
            write_sheet(self._sheet, self.shots, f"Camera {self._before.settings.name}, before and after")

    def save(self) -> Path:
        """Writes what the camera took into the line.toml.

        Returns:
            The copy of the file as it was.

        Raises:
            ConfigError: The file cannot be changed.
            UsageError: It cannot be written.
        """
        assert self._before.path is not None
        keys: dict[str, Scalar] = {each.name: each.asked for each in self.changes if each.name in self._keys}
        others = (each for each in self.changes if each.name not in keys)
        taken = {each.name: each.asked if each.after is None else each.after for each in others}
        return save(self._before.path, self._before.settings.name, keys, taken)

    def as_data(self, kept: Path | None) -> dict[str, Any]:
        """What came of it, for `--json`."""
        return {
            "name": self._before.settings.name,
            "changes": [{key: finite(value) for key, value in asdict(each).items()} for each in self.changes],
            "saved": str(self._before.path) if kept else None,
            "kept": str(kept) if kept else None,
            "pictures": [camera_shots.as_data(each) for each in self.shots],
        }

    def show(self, kept: Path | None) -> None:
        """Tells what came of it."""
        console = out()
        console.print(change_table(self.changes))
        if self.shots:
            camera_shots.show(self.shots)
        if kept:
            console.print(
                f"Written into {escape(str(self._before.path))}; to undo it: mv {escape(str(kept))}"
                f" {escape(str(kept.with_suffix('')))}",
                soft_wrap=True,
            )
        elif self._before.path is not None:
            console.print("Not written into the line.toml: --save does that.")

    def _look(self, camera: Camera) -> None:
        settings = self._after.settings if self.shots else self._before.settings
        path = self._paths[len(self.shots)]
        self.shots.append(camera_shots.take(camera, settings, self._clock, self._timeout_s, path))

    def _set(self, camera: Camera) -> None:
        before, after = self._before.settings.model_dump(), self._after.settings.model_dump()
        told = {each.key: each for each in compare(self._after.settings, knobs_of(camera), None, {})}
        # It opened with these; what it made of them not every camera says.
        keys = [
            Change(each, _UNITS[each], before[each], after[each], told[each].got, told[each].is_taken)
            for each in self._keys
        ]
        self.changes = (*keys, *(adjust(camera, self._knobs) if self._knobs else ()))
        if self._paths:
            self._look(camera)
