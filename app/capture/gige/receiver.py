"""The thread that takes the buffers of a GigE Vision stream, and what becomes of each."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.capture.gige.aravis import translated
from app.capture.gige.bootstrap import Bootstrap
from app.capture.gige.chunks import ChunkData, Chunks
from app.capture.gige.pixels import decode
from app.capture.gige.setup import Terms
from app.capture.gige.time_map import BlockCounter, HostTime
from app.capture.inbox import Inbox
from app.clock import NS_PER_MS, NS_PER_S, Clock
from app.config import CameraSettings
from app.errors import CameraError
from app.status import Trouble
from app.types import Frame

_POP_US = 100_000
_GOODBYE_S = 0.5
_QUIET_NS = 500 * NS_PER_MS
_MOST_UNANSWERED = 64
_MISSES = 2
_MOST_ASTRAY_NS = 10 * NS_PER_S
_MEND = "check its cable and power"


class Receiver:
    """Takes buffers from Aravis and hands them back, with a copy of the pixels only of those that somebody wants.

    The memory of the buffers is ours, allocated once, so that a picture can be read without a call for its bytes.

    Args:
        library: Aravis.
        stream: The stream, without buffers.
        terms: What was agreed with the camera.
        settings: Its settings.
        clock: Stamps the frames.
        inbox: Where frames go.
        bootstrap: Asks whether the camera is still there while it is quiet.
        chunks: Reads what the camera put beside the pixels.

    Attributes:
        refused: Buffers that were torn or of another size or format.
        last_refusal: Why the last of them was, in a sentence.
        missing: Blocks of which nothing arrived.
        hint: What a torn picture is likely due to, to end its sentence with.
        heard_ns: When the last buffer came, or it was opened.
    """

    def __init__(
        self,
        library: Any,
        stream: Any,
        terms: Terms,
        settings: CameraSettings,
        clock: Clock,
        inbox: Inbox,
        bootstrap: Bootstrap,
        chunks: Chunks | None,
    ) -> None:
        self.refused = 0
        self.hint = ""
        self.last_refusal = ""
        self.missing = 0
        self._library = library
        self._stream = stream
        self._terms = terms
        self._settings = settings
        self._clock = clock
        self._inbox = inbox
        self._bootstrap = bootstrap
        self._chunks = chunks
        self._who = f"camera {settings.name!r}"
        self._blocks = BlockCounter()
        self._time = HostTime()
        self._number = 0
        self._first_counter: int | None = None
        self._lock = threading.Lock()
        self._sent: deque[int] = deque(maxlen=_MOST_UNANSWERED)
        self._asked_ns: int | None = None
        self._is_streaming = False
        self._waiting_since_ns: int | None = None
        self.heard_ns = self._probed_ns = clock.now_ns()
        self._misses = 0
        self._is_stopped = threading.Event()
        self._memory: dict[Any, NDArray[np.uint8]] = {}
        for _ in range(settings.gige.buffers):
            memory = np.zeros(terms.payload_bytes, np.uint8)
            buffer = library.Buffer.new_full(memory.nbytes, memory.ctypes.data, None, None)
            self._memory[buffer] = memory
            stream.push_buffer(buffer)
        self._thread = threading.Thread(target=self._run, name=f"{self._who} frames", daemon=True)
        self._thread.start()

    def expect(self, sent_ns: int) -> None:
        """A command to expose is being sent."""
        with self._lock:
            self._sent.append(sent_ns)
            if self._waiting_since_ns is None:
                self._waiting_since_ns = sent_ns

    def ask(self, at_ns: int) -> None:
        """The first frame that begins after this is wanted, of a camera that runs freely."""
        with self._lock:
            self._asked_ns = at_ns

    def want_all(self) -> None:
        """Every frame is wanted."""
        self._is_streaming = True

    def silent_ns(self) -> int:
        """For how long nothing came although something should have."""
        with self._lock:
            since_ns = self.heard_ns if self._settings.trigger == "free" else self._waiting_since_ns
        return 0 if since_ns is None else self._clock.now_ns() - since_ns

    def underruns(self) -> int:
        """Blocks for which no buffer was free."""
        return int(self._stream.get_info_uint64_by_name("n_underruns"))

    def stop(self) -> None:
        """Ends the thread and lets go of the stream; the memory lives as long as this does. Idempotent."""
        self._is_stopped.set()
        if self._thread is not threading.current_thread():
            self._thread.join(_GOODBYE_S)
        self._stream = None

    def _run(self) -> None:
        try:
            with translated(f"{self._who} sends what cannot be read"):
                self._take_buffers(self._stream)
        except CameraError as error:
            self._inbox.fail(error)
        finally:
            if not self._is_stopped.is_set():
                self._inbox.fail(CameraError(f"{self._who} is read no more", "open it again", code=Trouble.GONE.value))

    def _take_buffers(self, stream: Any) -> None:
        while not self._is_stopped.is_set() and self._inbox.failure is None:
            buffer = stream.timeout_pop_buffer(_POP_US)
            if buffer is None:
                self._probe(self._clock.now_ns())
                continue
            try:
                self._receive(buffer)
            finally:
                stream.push_buffer(buffer)

    def _receive(self, buffer: Any) -> None:
        status = buffer.get_status()
        if status in (self._library.BufferStatus.ABORTED, self._library.BufferStatus.CLEARED):
            return
        heard_ns = self._clock.now_ns()
        is_whole = status == self._library.BufferStatus.SUCCESS
        said = self._chunks.read(buffer) if self._chunks and is_whole else ChunkData()
        number = self._count(buffer.get_frame_id())
        sent_ns = self._answered(number, heard_ns)
        if not is_whole:  # nor may it be asked for its size: the packet that says so may be lost
            block = "a block without a number" if number is None else f"frame {number}"
            self._refuse(f"{self._who}: {block} came torn ({status.value_nick}) and was refused{self.hint}")
            return
        if self._is_other(buffer):
            return
        stamp_ns, host_ns, uncertainty_ns = self._when(buffer, said, sent_ns, heard_ns)
        if not self._is_wanted(host_ns - uncertainty_ns):
            return
        size_px = (self._terms.width_px, self._terms.height_px)
        memory, padding = self._memory[buffer], int(buffer.get_image_padding()[0])
        image = decode(memory, size_px, padding, self._terms.pixels, self._settings.channels)
        self._inbox.put(
            Frame(
                image=image,
                camera=self._settings.name,
                host_ns=host_ns,
                uncertainty_ns=uncertainty_ns,
                device_ns=stamp_ns,
                counter=self._counter(number, said),
                in_memory_ns=heard_ns,
            )
        )

    def _count(self, block: int) -> int | None:
        number = self._blocks.number(block)
        if number is not None:
            self.missing += max(0, number - self._number - 1)
        return number

    def _counter(self, number: int | None, said: ChunkData) -> int | None:
        """What the frame is counted by: the camera's own counter where it sends one, else the number of the block."""
        if said.counter is None:
            return number
        if self._first_counter is None:
            self._first_counter = said.counter
        return said.counter - self._first_counter + 1

    def _answered(self, number: int | None, heard_ns: int) -> int | None:
        """When the trigger was sent that this frame answers, or one before it; `None` where none was sent."""
        with self._lock:
            self.heard_ns, self._waiting_since_ns, self._misses = heard_ns, None, 0
            steps = 1 if number is None else max(0, number - self._number)
            self._number = self._number + steps
            sent = [self._sent.popleft() for _ in range(min(steps, len(self._sent)))]
        return sent[-1] if sent and len(sent) == steps else None

    def _is_other(self, buffer: Any) -> bool:
        """Refuses a picture of another size or format than was agreed; whoever grabs next is told."""
        terms = self._terms
        width, height, code = buffer.get_image_width(), buffer.get_image_height(), buffer.get_image_pixel_format()
        if (width, height, code) == (terms.width_px, terms.height_px, terms.pixels.code):
            return False
        if (width, height) != (terms.width_px, terms.height_px):
            what = f"{width} x {height} px where width_px and height_px say {terms.width_px} x {terms.height_px}"
        else:
            what = f"pixels of format 0x{code:08X} where {terms.pixels.name} (0x{terms.pixels.code:08X}) was agreed"
        self._refuse(f"{self._who} sends {what}")
        self._inbox.put(
            CameraError(
                self.last_refusal, "nobody but the station may set it; open it again", code=Trouble.FORMAT.value
            )
        )
        return True

    def _refuse(self, why: str) -> None:
        self.refused += 1
        self.last_refusal = why

    def _when(self, buffer: Any, said: ChunkData, sent_ns: int | None, heard_ns: int) -> tuple[int | None, int, int]:
        """The camera's stamp, when the exposure began by the host's clock, and the uncertainty of that."""
        exposure_ns = self._terms.exposure_ns if said.exposure_ns is None else said.exposure_ns
        first_ns = self._first_packet_ns(buffer, heard_ns)
        latest_ns = first_ns - exposure_ns
        if sent_ns is not None and latest_ns < sent_ns:
            latest_ns = first_ns  # it answered within its exposure: it cannot have exposed for so long
        stamp_ns = int(buffer.get_timestamp()) if said.stamp_ns is None else said.stamp_ns
        if stamp_ns:
            return stamp_ns, *self._time.place(stamp_ns, sent_ns, latest_ns)
        least_ns = latest_ns - round(self._settings.transfer_ms * NS_PER_MS)
        least_ns = least_ns if sent_ns is None else min(sent_ns, latest_ns)
        return None, (least_ns + latest_ns) // 2, (latest_ns - least_ns + 1) // 2

    def _first_packet_ns(self, buffer: Any, heard_ns: int) -> int:
        """When the first packet came. Aravis notes it by the wall clock, which may have jumped since."""
        wall_ns = round(self._clock.wall().timestamp() * NS_PER_S)
        age_ns = wall_ns - int(buffer.get_system_timestamp())
        return heard_ns - age_ns if 0 <= age_ns <= _MOST_ASTRAY_NS else heard_ns

    def _is_wanted(self, earliest_ns: int) -> bool:
        if self._settings.trigger != "free" or self._is_streaming:
            return True
        with self._lock:
            if self._asked_ns is None or earliest_ns < self._asked_ns:
                return False
            self._asked_ns = None
            return True

    def _probe(self, now_ns: int) -> None:
        """Asks a quiet camera whether it is there and still ours; Aravis itself would take five seconds or more."""
        if now_ns - max(self.heard_ns, self._probed_ns) < _QUIET_NS:
            return
        self._probed_ns = now_ns
        seen = self._bootstrap.presence()
        self._misses = 0 if seen.is_there else self._misses + 1
        if self._misses >= _MISSES:
            self._inbox.fail(CameraError(f"{self._who} does not answer any more", _MEND, code=Trouble.GONE.value))
        elif seen.is_there and not seen.holder:
            self._inbox.fail(
                CameraError(
                    f"{self._who} has let go of the station, as after a restart", _MEND, code=Trouble.GONE.value
                )
            )
