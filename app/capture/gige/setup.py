"""What the settings ask of a GigE Vision camera, set on it and read back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.capture.camera import Found
from app.capture.gige.aravis import translated
from app.capture.gige.features import Features
from app.capture.gige.pixels import FORMATS, PixelFormat, suitable_format
from app.config import CameraSettings
from app.errors import CameraError
from app.status import Trouble

_NS_PER_US = 1000
_US_PER_MS = 1000
_LEAST_PACKET_BYTES = 220
_EDGES = {"rising": "RisingEdge", "falling": "FallingEdge"}


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed with the camera.

    Attributes:
        pixels: How the pixels lie in memory.
        width_px: Width of a picture.
        height_px: Its height.
        payload_bytes: Memory that a picture needs.
        exposure_ns: What it exposes.
    """

    pixels: PixelFormat
    width_px: int
    height_px: int
    payload_bytes: int
    exposure_ns: int


def check_identity(found: Found, settings: CameraSettings, who: str) -> None:
    """Sees that it is the camera that the settings expect.

    Raises:
        CameraError: Its model, serial number or firmware is another.
    """
    wanted = settings.gige
    for name, expected, actual in (
        ("model", wanted.model, found.model),
        ("serial", wanted.serial, found.serial),
        ("firmware", wanted.firmware, found.firmware),
    ):
        # The model may be written with its maker or without.
        if expected and expected != actual and not (name == "model" and actual.endswith(f" {expected}")):
            raise CameraError(
                f"{who} is the wrong one: its {name} is {actual or 'unknown'}, camera.gige.{name} says {expected}",
                f"connect the right camera, or correct camera.gige.{name}",
                code=Trouble.UNFIT.value,
            )


def set_up(camera: Any, features: Features, settings: CameraSettings, who: str) -> Terms:
    """Sets all that the settings name, in the order in which one may bound the other.

    Args:
        camera: The open camera, not acquiring.
        features: Its features.
        settings: What is wanted.
        who: What errors call it.

    Raises:
        CameraError: It does not have a setting, or not the value.
    """
    with translated(f"{who} cannot be stopped"):
        # One that lost its station may still be sending to it; and while it sends, its size is locked.
        camera.stop_acquisition()
    for name, value in settings.controls.items():
        features.set(name, value)
    with translated(f"{who} cannot be set up"):
        pixels = _set_pixels(camera, settings, who)
        _set_region(features, settings)
        exposure_ns = _set_exposure(camera, features, settings)
        _set_trigger(camera, features, settings)
        _set_packets(camera, features, settings)
        payload = int(camera.get_payload())
    return Terms(pixels, settings.width_px, settings.height_px, payload, exposure_ns)


def _set_pixels(camera: Any, settings: CameraSettings, who: str) -> PixelFormat:
    offered = tuple(camera.dup_available_pixel_formats())
    known = ", ".join(each.name for each in FORMATS.values() if each.code in offered) or "none that this driver knows"
    wanted = settings.gige.pixel_format
    pixels = FORMATS.get(wanted) if wanted else suitable_format(offered, settings.channels)
    if pixels is None or pixels.code not in offered:
        missing = f"pixel format {wanted}" if wanted else f"pixel format for channels = {settings.channels}"
        raise CameraError(
            f"{who} has no {missing}",
            f"it offers {known}: name one in camera.gige.pixel_format",
            code=Trouble.UNFIT.value,
        )
    camera.set_pixel_format(pixels.code)
    return pixels


def _set_region(features: Features, settings: CameraSettings) -> None:
    # A width is bounded by the offset that is set, and an offset by the width.
    for name in ("OffsetX", "OffsetY"):
        if features.has(name):
            features.set(name, 0)
    features.set("Width", settings.width_px)
    features.set("Height", settings.height_px)
    for name, offset in (("OffsetX", settings.gige.offset_x_px), ("OffsetY", settings.gige.offset_y_px)):
        if offset:
            features.set(name, offset)


def _set_exposure(camera: Any, features: Features, settings: CameraSettings) -> int:
    for name in ("ExposureAuto", "GainAuto"):
        if features.has(name) and name not in settings.controls:
            features.set(name, "Off")
    if settings.gain_db is not None:
        _set_gain(features, settings)
    if camera.is_exposure_time_available():
        low, high = camera.get_exposure_time_bounds()
        exposure_us = settings.exposure_ms * _US_PER_MS
        if not low <= exposure_us <= high:
            raise CameraError(
                f"camera {settings.name!r} cannot expose {settings.exposure_ms:g} ms",
                f"set exposure_ms to {low / _US_PER_MS:g} to {high / _US_PER_MS:g}",
                code=Trouble.UNFIT.value,
            )
        camera.set_exposure_time(exposure_us)
        return int(camera.get_exposure_time() * _NS_PER_US)
    return round(settings.exposure_ms * _US_PER_MS * _NS_PER_US)


def _set_gain(features: Features, settings: CameraSettings) -> None:
    if not features.has("Gain") and features.has("GainRaw"):
        raise CameraError(
            f"camera {settings.name!r} has its gain in steps of its own, not in dB",
            "set GainRaw in camera.controls in place of gain_db",
            code=Trouble.UNFIT.value,
        )
    features.set("Gain", settings.gain_db)


def _set_trigger(camera: Any, features: Features, settings: CameraSettings) -> None:
    camera.clear_triggers()
    features.set("AcquisitionMode", "Continuous")
    if settings.trigger == "free":
        if settings.gige.frame_rate_hz is not None:
            camera.set_frame_rate(settings.gige.frame_rate_hz)
        return
    features.set("TriggerSelector", "FrameStart")
    is_wire = settings.trigger == "wire"
    features.set("TriggerSource", settings.gige.trigger_line if is_wire else "Software")
    if is_wire:
        features.set("TriggerActivation", _EDGES[settings.gige.trigger_edge])
    features.set("TriggerMode", "On")


def _set_packets(camera: Any, features: Features, settings: CameraSettings) -> None:
    wanted = settings.gige
    if wanted.packet_size_bytes:
        camera.gv_set_packet_size(max(_LEAST_PACKET_BYTES, wanted.packet_size_bytes))
        took = int(camera.gv_get_packet_size())
        if took != wanted.packet_size_bytes:
            raise CameraError(
                f"camera {settings.name!r} takes packets of {took} bytes where camera.gige.packet_size_bytes says"
                f" {wanted.packet_size_bytes}",
                f"set packet_size_bytes to {took}, or to 0 and let it be found",
                code=Trouble.UNFIT.value,
            )
    else:
        camera.gv_auto_packet_size()
    if wanted.packet_delay_us or features.has("GevSCPD"):
        camera.gv_set_packet_delay(round(wanted.packet_delay_us * _NS_PER_US))
