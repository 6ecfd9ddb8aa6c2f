"""What a camera is, what it can, what it took of what it is asked for, and how fast it sends."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import Any

from rich.markup import escape
from rich.table import Table

from app.capture.camera import Camera, Found, Knob
from app.cli.camera.asked import Asked, compare
from app.cli.camera.choice import Choice, opened
from app.cli.camera.shots import commanded, fetch
from app.cli.console import out, printable
from app.clock import NS_PER_S, Clock
from app.config import CameraSettings
from app.errors import CameraError, FrameTimeoutError, redacted

RATE_NS = NS_PER_S
"""How long a camera that runs freely is listened to."""

ALWAYS_FREE = ("opencv", "csi")
"""Drivers that no trigger holds."""

_BEGIN_NS = 2 * NS_PER_S
_MANY_CHOICES = 12


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of it.

    Attributes:
        settings: How the camera was asked to be.
        about: Which camera it is.
        knobs: Its settings; none where it has none of its own.
        asked: What was asked of it.
        rate_hz: Frames per second where it runs freely; `None` for one that only answers triggers.
        trouble: Why no frame came; empty where one did.
    """

    settings: CameraSettings
    about: Found
    knobs: tuple[Knob, ...]
    asked: tuple[Asked, ...]
    rate_hz: float | None
    trouble: str

    @property
    def is_right(self) -> bool:
        """A frame came, and nothing that was asked for was refused."""
        return not self.trouble and all(each.is_taken is not False for each in self.asked)


def probe(choice: Choice, clock: Clock, timeout_s: float) -> Probed:
    """Opens a camera and looks at it.

    Where it does not open with what is asked of it, it is opened without `controls` and `gain_db`, and what it refuses
    is told one by one: its knobs are what a person needs to put that right.

    Raises:
        CameraError: It does not open at all.
        MissingDriverError: Its library is not installed.
    """
    choice = replace(choice, settings=commanded(choice.settings))
    wanted = choice.settings
    with ExitStack() as stack:
        camera, taken, refusals = _entered(stack, choice, clock)
        knobs, who = knobs_of(camera), about(camera, wanted)
        shape, trouble = None, ""
        try:
            frame = fetch(camera, clock, timeout_s)
            shape = frame.image.shape
            frame.release()
        except CameraError as error:
            trouble = redacted(str(error))
        asked = compare(wanted, knobs, shape, refusals)
        can_stream = not trouble and hasattr(camera, "stream")
        is_free = wanted.trigger == "free" or wanted.driver in ALWAYS_FREE
        rate_hz = rate_of(camera, clock) if can_stream and is_free else None
    if can_stream and not is_free:
        rate_hz = _free_rate(replace(choice, settings=taken), clock)
    return Probed(wanted, who, knobs, asked, rate_hz, trouble)


def knobs_of(camera: Camera) -> tuple[Knob, ...]:
    """The settings of a camera; none where it has none of its own."""
    knobs = getattr(camera, "knobs", None)
    return tuple(knobs()) if knobs else ()


def about(camera: Camera, settings: CameraSettings) -> Found:
    """Which camera this is, as far as it says."""
    tell = getattr(camera, "about", None)
    found: Found = tell() if tell else Found(settings.driver, settings.source)
    return replace(found, source=redacted(found.source))


def rate_of(camera: Any, clock: Clock) -> float:
    """Frames per second of a camera that runs freely, over about a second, by the stamps of its frames.

    Args:
        camera: A camera that can stream.
        clock: The time.

    Returns:
        The rate; 0 where nothing comes by itself.

    Raises:
        CameraError: It is gone.
    """
    camera.stream()
    stamps: list[int] = []
    until_ns = clock.now_ns() + _BEGIN_NS
    while not stamps or (stamps[-1] - stamps[0] < RATE_NS and clock.now_ns() < until_ns):
        try:
            frame = camera.grab(until_ns)
        except FrameTimeoutError:
            break
        stamps.append(frame.host_ns)
        frame.release()
    span_ns = stamps[-1] - stamps[0] if stamps else 0
    return (len(stamps) - 1) * NS_PER_S / span_ns if span_ns > 0 else 0.0


def matching(knobs: Sequence[Knob], text: str) -> tuple[Knob, ...]:
    """The knobs whose name contains a text, in any case; all for an empty one."""
    return tuple(each for each in knobs if text.casefold() in each.name.casefold())


def as_data(probed: Probed, knobs: Sequence[Knob]) -> dict[str, Any]:
    """What came of it, for `--json`."""
    return {
        "name": probed.settings.name,
        "about": asdict(probed.about),
        "rate_hz": None if probed.rate_hz is None else round(probed.rate_hz, 2),
        "trouble": probed.trouble,
        "asked": [{key: finite(value) for key, value in asdict(each).items()} for each in probed.asked],
        "knobs": [{key: finite(value) for key, value in asdict(each).items()} for each in knobs],
    }


def finite(value: Any) -> Any:
    """The value, or `None` for a number that JSON has no word for: some bounds are infinite."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def show(probed: Probed, knobs: Sequence[Knob], text: str) -> None:
    """Tells what came of it.

    Args:
        probed: What came of it.
        knobs: The knobs to show.
        text: What they were chosen by; may be empty.
    """
    console = out()
    about = probed.about
    told = [about.model, about.serial and f"serial {about.serial}", about.firmware and f"firmware {about.firmware}"]
    words = ", ".join(printable(each) for each in (f"{about.driver} {about.source}".strip(), *told) if each)
    name = "" if probed.settings.name == about.driver else f"[bold]{escape(probed.settings.name)}[/]  "
    console.print(f"{name}{escape(words)}", soft_wrap=True)
    console.print(escape(probed.trouble or _rate_in_words(probed.rate_hz)), soft_wrap=True)
    console.print(_asked_table(probed.asked))
    if not probed.knobs:
        console.print("It has no settings of its own.")
    elif knobs:
        console.print(_knob_table(knobs))
    else:
        near = difflib.get_close_matches(text, [each.name for each in probed.knobs], n=3, cutoff=0.4)
        hint = f"; near it: {', '.join(near)}" if near else ""
        console.print(escape(f"None of its {len(probed.knobs)} knobs is named like {text!r}{hint}."), soft_wrap=True)


def value_of(knob: Knob) -> str:
    """A knob's value with its unit."""
    times = "x " if knob.unit[:1].isdigit() else ""
    return f"{_number(knob.value)} {times}{knob.unit}".strip()


def bounds_of(knob: Knob) -> str:
    """What a knob may be, in words."""
    if not knob.is_writable:
        return ""
    if knob.choices:
        shown = knob.choices[:_MANY_CHOICES]
        more = len(knob.choices) - len(shown)
        return ", ".join(shown) + (f" and {more} more" if more else "")
    if knob.low is None and knob.high is None:
        return "true, false" if isinstance(knob.value, bool) else ""
    step = f", by {_number(knob.step)}" if knob.step not in (None, 0, 1) else ""
    return f"{_number(knob.low)} to {_number(knob.high)}{step}"


def _number(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _free_rate(choice: Choice, clock: Clock) -> float:
    """Opened anew, as a camera that waits for triggers does not run freely."""
    with opened(replace(choice, settings=choice.settings.model_copy(update={"trigger": "free"})), clock) as camera:
        return rate_of(camera, clock)


def _entered(stack: ExitStack, choice: Choice, clock: Clock) -> tuple[Camera, CameraSettings, dict[str, str]]:
    """The camera, the settings that it opened with, and by key why it refuses the others."""
    settings = choice.settings
    try:
        return stack.enter_context(opened(choice, clock)), settings, {}
    except CameraError as error:
        bare = settings.model_copy(update={"controls": {}, "gain_db": None})
        if bare == settings:
            raise
        try:
            camera = stack.enter_context(opened(replace(choice, settings=bare), clock))
        except CameraError:
            raise error from None
        refusals = _refusals(camera, settings)
        key = "gain_db" if settings.gain_db is not None else "controls"
        return camera, bare, refusals or {key: str(error)}


def _refusals(camera: Any, settings: CameraSettings) -> dict[str, str]:
    refusals = {}
    for name, value in settings.controls.items():
        try:
            camera.adjust(name, value)
        except CameraError as error:
            refusals[f"controls.{name}"] = redacted(str(error))
    return refusals


def _rate_in_words(rate_hz: float | None) -> str:
    if rate_hz is None:
        return "It answers triggers, and sends nothing by itself."
    return f"It sends {rate_hz:.1f} frames/s where it runs freely." if rate_hz else "It sends nothing by itself."


def _asked_table(asked: Sequence[Asked]) -> Table:
    table = Table(title="What is asked of it, and whether it took it", title_justify="left")
    table.add_column("key", style="bold", overflow="fold")
    table.add_column("asked", justify="right")
    table.add_column("camera", justify="right")
    table.add_column("")
    for each in asked:
        word = {True: "[green]✓ taken[/]", False: "[bold red]◆ not taken[/]", None: "[dim]does not say[/]"}[
            each.is_taken
        ]
        why = f": {escape(printable(each.why))}" if each.why else ""
        table.add_row(escape(each.key), escape(_number(each.wanted)), escape(printable(_number(each.got))), word + why)
    return table


def _knob_table(knobs: Sequence[Knob]) -> Table:
    table = Table(title="Its knobs", title_justify="left")
    table.add_column("knob", style="bold", overflow="fold")
    table.add_column("value", justify="right", overflow="fold")
    table.add_column("may be", ratio=1)
    for each in knobs:
        fixed = "" if each.is_writable else "[dim]read only[/] "
        cells = (each.name, value_of(each))
        table.add_row(*(escape(printable(cell)) for cell in cells), fixed + escape(printable(bounds_of(each))))
    return table
