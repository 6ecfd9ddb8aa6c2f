"""The page of the live cameras, and its API: the newest picture, its figures, and the picture as a file.

Who asks for a camera's state is taken to look at it: only then are pictures taken for people (`app.bus.peek`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta, timezone
from types import MappingProxyType

import cv2
import numpy as np
from flask import Blueprint, Response, abort, render_template, request

from app.clock import NS_PER_MS, NS_PER_S, Clock
from app.types import Image
from app.web.context import Context
from app.web.machine.camera_answers import (
    BoxQuery,
    CameraAnswer,
    CameraFigures,
    CameraPicture,
    CameraRemark,
    LookQuery,
    Reason,
    State,
)
from app.web.machine.camera_watch import DEAD_NS, HUNG_NS, Box, CameraWatch, CameraWatches, Said, Sight
from app.web.openapi import asked, documented, told

MOST_PX = 960
"""Longest side of a picture as it is sent: what a tablet shows."""

OLD_NS = 2 * NS_PER_S
"""An older picture is not live."""

STANDING_MM_S = 0.5
_ALWAYS: Mapping[str, Reason] = MappingProxyType({"wired": "wired", "recorded": "recorded"})
_QUALITY = 82
_NS_PER_US = 1000


def add_camera(machine: Blueprint, context: Context) -> CameraWatches:
    """Adds the live cameras.

    Args:
        machine: The blueprint.
        context: What they work with.

    Returns:
        The cameras.
    """
    watches = CameraWatches(context.place, context.live.lanes, context.setups, context.clock)
    _add_page(machine, watches)
    _add_look(machine, context, watches)
    _add_files(machine, context, watches)
    return watches


def _add_page(machine: Blueprint, watches: CameraWatches) -> None:
    @machine.get("/machine/camera")
    def camera() -> str:
        if not watches.spots:
            return render_template("machine/camera.html", spots=(), here=None, region=None)
        first = watches.spots[0]
        lane = request.args.get("lane", type=int) if "lane" in request.args else first.lane
        of_lane = next((each.name for each in watches.spots if each.lane == lane), "")
        here = _found(watches, lane, request.args.get("camera", of_lane))
        return render_template("machine/camera.html", spots=watches.spots, here=here, region=here.region)


def _add_look(machine: Blueprint, context: Context, watches: CameraWatches) -> None:
    @machine.get("/api/v1/machine/cameras/<int:lane>/<string:camera>")
    @documented(answer=CameraAnswer, query=LookQuery, errors=(404,))
    def camera_look(lane: int, camera: str) -> Response:
        """The newest picture of a camera in figures, and how the camera is.

        Whoever asks looks: for two seconds the camera of a line that stands is asked for pictures.
        """
        wanted = asked(LookQuery)
        watch = _found(watches, lane, camera)
        sight = watches.look(watch)
        now_ns = context.clock.now_ns()
        state, reason, said = _state(context, watch, sight, now_ns)
        picture = None if sight is None else _picture(sight, wanted.box, wanted.known, now_ns)
        return told(
            CameraAnswer(
                lane=lane,
                camera=camera,
                state=state,
                reason=reason,
                text=said.text if said else "",
                code=said.code if said else "",
                picture=picture,
            ),
        )


def _add_files(machine: Blueprint, context: Context, watches: CameraWatches) -> None:
    @machine.get("/api/v1/machine/cameras/<int:lane>/<string:camera>/<int:key>.jpg")
    @documented(query=BoxQuery, errors=(404,), media="image/jpeg")
    def camera_picture(lane: int, camera: str, key: int) -> Response:
        """One of the last pictures of a camera, small enough for a screen; or a box of it in its own pixels."""
        box = asked(BoxQuery).box
        sight = _kept(watches, lane, camera, key)
        quality = (cv2.IMWRITE_JPEG_QUALITY, _QUALITY)
        content = cv2.imencode(".jpg", _shown(sight, box), quality)[1].tobytes()
        return Response(content, mimetype="image/jpeg", headers={"Cache-Control": "private, max-age=60"})

    @machine.get("/api/v1/machine/cameras/<int:lane>/<string:camera>/<int:key>.png")
    @documented(errors=(404,), media="image/png")
    def camera_grab(lane: int, camera: str, key: int) -> Response:
        """One of the last pictures of a camera without loss, to be kept; its stamps are in the file's name."""
        sight = _kept(watches, lane, camera, key)
        content = cv2.imencode(".png", sight.frame.image, (cv2.IMWRITE_PNG_COMPRESSION, 1))[1].tobytes()
        name = _name(sight, lane, camera, context.clock)
        return Response(
            content, mimetype="image/png", headers={"Content-Disposition": f'attachment; filename="{name}"'}
        )


def _found(watches: CameraWatches, lane: int | None, camera: str) -> CameraWatch:
    watch = None if lane is None else watches.find(lane, camera)
    if watch is None:
        abort(404)
    return watch


def _kept(watches: CameraWatches, lane: int, camera: str, key: int) -> Sight:
    sight = _found(watches, lane, camera).sight(key)
    if sight is None:
        abort(404)
    return sight


def _state(context: Context, watch: CameraWatch, sight: Sight | None, now_ns: int) -> tuple[State, Reason, Said | None]:
    said = watch.said(now_ns)
    if said is None or said.age_ns > (HUNG_NS if said.is_away else DEAD_NS):
        return "absent", "", None
    if said.is_away:
        return "away", "", said
    if sight is not None and now_ns - sight.frame.in_memory_ns <= OLD_NS:
        return "live", "", said
    reason = _reason(context, watch.lane, said.shows)
    return ("parts" if reason else "asked"), reason, said


def _reason(context: Context, lane: int, shows: str) -> Reason:
    """Why nobody may ask the camera for a picture now; its capture process sees to that by itself."""
    if shows in _ALWAYS:
        return _ALWAYS[shows]
    said = context.live.status(lane)
    is_heard = said["age_ms"] is not None and said["age_ms"] * NS_PER_MS < DEAD_NS
    is_asked = shows == "asked" and is_heard
    return "running" if is_asked and abs(said["status"]["speed_mm_s"]) >= STANDING_MM_S else ""


def _picture(sight: Sight, box: Box | None, known: int, now_ns: int) -> CameraPicture:
    frame, figures = sight.frame, sight.figures
    return CameraPicture(
        key=sight.key,
        age_ms=max(0, now_ns - frame.in_memory_ns) / NS_PER_MS,
        width=figures.width_px,
        height=figures.height_px,
        channels=figures.channels,
        is_asked=sight.is_asked,
        counter=frame.counter,
        figures=None if sight.key == known else _figures(sight, sight.within(box)),
    )


def _figures(sight: Sight, box: Box) -> CameraFigures:
    figures = sight.figures
    pixels = figures.width_px * figures.height_px
    return CameraFigures(
        focus=sight.focus(box),
        box=list(box),
        mean=figures.mean,
        deviation=figures.deviation,
        low=figures.low,
        high=figures.high,
        saturated=figures.saturated,
        histogram=[int(each) for each in np.rint(figures.histogram * pixels)],
        remarks=[CameraRemark(kind=each.kind, text=each.text) for each in sight.remarks],
    )


def _shown(sight: Sight, box: Box | None) -> Image:
    """The picture as it is sent: a box in its own pixels, or the whole of it made smaller."""
    image = sight.frame.image
    if box is not None:
        left, top, width, height = sight.within(box)
        return image[top : top + min(height, MOST_PX), left : left + min(width, MOST_PX)]
    scale = min(1.0, MOST_PX / max(image.shape[:2]))
    if scale == 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _name(sight: Sight, lane: int, camera: str, clock: Clock) -> str:
    """A file name that says when the picture was taken, by the wall's clock in UTC, and which one it is."""
    frame = sight.frame
    age = timedelta(microseconds=(clock.now_ns() - frame.host_ns) / _NS_PER_US)
    taken = (clock.wall() - age).astimezone(timezone.utc)
    parts = [f"lane{lane}", camera.replace(" ", "-"), f"{taken:%Y%m%dT%H%M%S}.{taken.microsecond // 1000:03d}Z"]
    parts += [f"n{frame.counter}"] if frame.counter is not None else []
    parts += [f"dev{frame.device_ns}"] if frame.device_ns is not None else []
    return f"{'_'.join(parts)}.png"
