"""A GigE Vision camera under our control: found, taken, set up and streaming, and let go again."""

from __future__ import annotations

import time
from ipaddress import AddressValueError, IPv4Address
from traceback import clear_frames
from typing import Any

from app.capture.camera import Found
from app.capture.gige.aravis import load_aravis, translated
from app.capture.gige.bootstrap import Bootstrap
from app.capture.gige.chunks import Chunks
from app.capture.gige.features import Features
from app.capture.gige.guard import guard_stream
from app.capture.gige.receiver import Receiver
from app.capture.gige.setup import check_identity, set_up
from app.capture.inbox import Inbox
from app.clock import Clock
from app.config import CameraSettings
from app.errors import CameraError
from app.status import Trouble

_PROTOCOL = "GigEVision"
_LEAST_RETENTION_US, _MOST_RETENTION_US = 10_000, 10_000_000
_ROOM_PICTURES = 2
_EMISSION_S = 1.0
_FIRMWARE = ("DeviceFirmwareVersion", "DeviceVersion")


def discover() -> tuple[Found, ...]:
    """The GigE Vision cameras that answer a broadcast on any interface, with who has those that are in use.

    Takes about a second. Nothing found, and no interface that is up: none.

    Raises:
        MissingDriverError: Aravis is not installed.
    """
    library = load_aravis()
    with translated("the search for GigE Vision cameras failed"):
        library.update_device_list()
        numbers = [n for n in range(library.get_n_devices()) if library.get_device_protocol(n) == _PROTOCOL]
        return tuple(_found(library, number) for number in numbers)


def _found(library: Any, number: int) -> Found:
    address = library.get_device_address(number) or ""
    ask = Bootstrap(address)
    seen = ask.presence()
    trouble = f"in use by {seen.holder}" if seen.holder else "" if seen.is_there else "it does not answer"
    return Found(
        driver="gige",
        source=address,
        model=f"{library.get_device_vendor(number)} {library.get_device_model(number)}",
        serial=library.get_device_serial_nbr(number) or "",
        firmware=ask.version(),
        trouble=trouble,
    )


def find_address(source: str, who: str) -> str:
    """The IPv4 address of the camera that `camera.source` names: by address, serial number or vendor-model-serial.

    Raises:
        CameraError: No such camera, or more than one.
    """
    try:
        return str(IPv4Address(source))
    except AddressValueError:
        found = discover()
    matching = [each for each in found if source in (each.serial, f"{each.model} {each.serial}".replace(" ", "-"))]
    if len(matching) == 1:
        return matching[0].source
    shown = "; ".join(f"{each.source} ({each.model}, serial {each.serial})" for each in matching or found)
    if matching:
        raise CameraError(
            f"{who}: {source!r} names more than one camera: {shown}",
            "name one by its address",
            code=Trouble.UNFIT.value,
        )
    raise CameraError(
        f"{who}: no GigE Vision camera {source!r} answers; found: {shown or 'none'}",
        "check its cable, power and address, or correct camera.source",
        code=Trouble.ABSENT.value,
    )


class Link:
    """One camera, from its taking to its letting go. All of it may hang while the camera does not answer.

    Args:
        settings: The camera.
        clock: Stamps its frames.
        inbox: Where they go, and why nothing comes any more.

    Attributes:
        found: Which camera it is.
        features: Its features.
        receiver: The thread that takes its frames.
    """

    found: Found
    features: Features
    receiver: Receiver

    def __init__(self, settings: CameraSettings, clock: Clock, inbox: Inbox) -> None:
        self._settings = settings
        self._clock = clock
        self._inbox = inbox
        self._who = f"camera {settings.name!r}"
        self._camera: Any = None
        self._device: Any = None
        self._stream: Any = None
        self._handler = 0
        self._remains: tuple[Any, ...] | None = None
        try:
            self._connect(load_aravis())
        except CameraError as error:
            # Frames that the error keeps would keep the device, and with it the camera taken.
            for each in (error, error.__cause__):
                clear_frames(each.__traceback__ if each else None)
            self.shut()
            self.bury()
            raise

    def expose(self) -> None:
        """Commands one exposure and waits for the camera's word that it got it."""
        with translated(f"{self._who} took no trigger"):
            self._camera.software_trigger()

    def shut(self) -> None:
        """Lets the camera go, and with it all that Aravis holds. Idempotent."""
        receiver = self.__dict__.pop("receiver", None)
        self.__dict__.pop("features", None)
        if receiver is not None:
            receiver.stop()
        camera, device, self._camera, self._device = self._camera, self._device, None, None
        is_gone = self._inbox.failure is not None
        try:
            with translated(f"{self._who} was not let go"):
                if device is not None and self._handler:
                    device.disconnect(self._handler)
                if self._stream is not None and not is_gone:
                    camera.stop_acquisition()
                # The stream's own goodbye needs the control that is given up next.
                self._stream = None
                if device is not None and not is_gone:
                    device.leave_control()
        except CameraError:
            return  # gone meanwhile; it forgets us by itself
        finally:
            self._stream = None
            if is_gone:
                self._remains = (camera, device)

    def bury(self) -> None:
        """Lets go of what is left of a lost camera; waits until nobody holds it but us.

        The word that it is lost is given by Aravis' own thread, which holds the device meanwhile. Were ours gone by
        then, that thread would end the device, and with it wait for its own end.
        """
        if self._remains is not None:
            time.sleep(_EMISSION_S)
            self._remains = None

    def _connect(self, library: Any) -> None:
        address = find_address(self._settings.source, self._who)
        bootstrap = Bootstrap(address)
        seen = bootstrap.presence()
        if not seen.is_there:
            raise CameraError(
                f"{self._who}: no GigE Vision camera answers at {address}",
                "check its cable, power and address; `takt camera list` shows what is there",
                code=Trouble.ABSENT.value,
            )
        if seen.holder:
            raise self._taken(seen.holder)
        with translated(f"{self._who} at {address} cannot be opened"):
            self._camera = library.Camera.new(address)
            self._device = self._camera.get_device()
            if not self._device.is_controller():
                raise self._taken(bootstrap.presence().holder or "another program")
            self._handler = self._device.connect("control-lost", self._lose)
            self.features = Features(library, self._device, self._who)
            self.found = self._identity(address, bootstrap)
            check_identity(self.found, self._settings, self._who)
            self._start(library, address, bootstrap)

    def _start(self, library: Any, address: str, bootstrap: Bootstrap) -> None:
        camera, device, settings = self._camera, self._device, self._settings
        tick_hz = int(device.get_timestamp_tick_frequency())
        chunks = Chunks(camera, self.features, tick_hz, self._who) if settings.gige.chunks else None
        terms = set_up(camera, self.features, settings, self._who)
        # It needs rights that the station does not have, is not in every build, and keeps packets for up to 5 ms.
        device.set_stream_options(library.GvStreamOption.PACKET_SOCKET_DISABLED)
        self._stream = camera.create_stream(None, None)
        # What is later than this is later than NO_FRAME; and a torn picture holds up those after it for so long.
        retention_us = min(_MOST_RETENTION_US, max(_LEAST_RETENTION_US, settings.frame_timeout_ms * 1000))
        self._stream.set_property("frame-retention", round(retention_us))
        room_bytes = guard_stream(address, self._stream.get_port(), _ROOM_PICTURES * terms.payload_bytes)
        self.receiver = Receiver(library, self._stream, terms, settings, self._clock, self._inbox, bootstrap, chunks)
        if 0 < room_bytes < terms.payload_bytes:
            self.receiver.hint = f": the kernel has room for {room_bytes // 1024} KiB of it, raise net.core.rmem_max"
        camera.start_acquisition()

    def _identity(self, address: str, bootstrap: Bootstrap) -> Found:
        camera = self._camera
        firmware = next((str(self.features.read(name)) for name in _FIRMWARE if self.features.has(name)), "")
        return Found(
            driver="gige",
            source=address,
            model=f"{camera.get_vendor_name()} {camera.get_model_name()}",
            serial=camera.get_device_serial_number() or "",
            firmware=firmware or bootstrap.version(),
        )

    def _lose(self, _device: Any) -> None:
        self._inbox.fail(
            CameraError(
                f"{self._who} is lost: it answers no heartbeat", "check its cable and power", code=Trouble.GONE.value
            )
        )

    def _taken(self, holder: str) -> CameraError:
        return CameraError(
            f"{self._who}: {self._settings.source} is in use by {holder}",
            "close the program that has it, or wait 3 s where that program died",
            code=Trouble.BUSY.value,
        )
