"""The station in real time: two threads and no more.

`line` waits for edges, requests and the next time at which something is due on the belt, and never for a model;
`verdict` waits for frames and judges them. They share the tracker under the station's lock. Python threads beside them
would cost the line milliseconds, so there are none: what else the station has to tell, it writes to the bus.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

from app.capture.camera import Camera
from app.clock import NS_PER_MS, NS_PER_S, Clock
from app.desk import Desk
from app.station import Station

STATUS_NS = 50 * NS_PER_MS
"""How often the station says how it is; `app.reject.estate` reckons with it."""

QUIET_NS = NS_PER_MS
"""The status is written when nothing is due for so long, at the latest after twice its time."""

PREPARE_NS = 600_000
"""So long before something is due the line looks round: the encoder's edges of a long sleep are then done with."""

FRAME_WAIT_S = 0.005
"""Longest that the verdict thread sleeps: the permit's heartbeat counts its rounds."""


class Alarm:
    """Wakes a thread that waits on descriptors: from another thread, or from a signal."""

    def __init__(self) -> None:
        self._read, self.write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self) -> int:
        """Becomes readable when somebody rings."""
        return self._read

    def ring(self) -> None:
        """Wakes whoever waits. Never blocks."""
        with suppress(BlockingIOError):
            os.write(self.write_fd, b"!")

    def silence(self) -> None:
        """Takes the rings that have come."""
        with suppress(BlockingIOError):
            os.read(self._read, 4096)

    def close(self) -> None:
        """Lets the descriptors go."""
        os.close(self._read)
        os.close(self.write_fd)


class LineLoop:
    """The thread `line`.

    Args:
        station: The station.
        desk: Answers requests.
        alarm: Rung by the verdict thread, and by signals.
        clock: The time.
        publish: Writes the status to the bus.
    """

    def __init__(self, station: Station, desk: Desk, alarm: Alarm, clock: Clock, publish: Callable[[], None]) -> None:
        self._station = station
        self._desk = desk
        self._alarm = alarm
        self._clock = clock
        self._publish = publish
        self._fds = (station.fileno(), desk.fileno(), alarm.fileno())
        self._published_ns = 0

    def run(self, is_stopped: Callable[[], bool]) -> None:
        """Works until it is stopped; then the outputs are as they were, and `Station.close` makes them safe."""
        station, clock = self._station, self._clock
        desk_fd, alarm_fd = self._fds[1:]
        station.start()
        while not is_stopped():
            station.step_line()
            wake_ns = station.next_wake_ns()
            now_ns = clock.now_ns()
            age_ns = now_ns - self._published_ns
            if age_ns >= STATUS_NS and (wake_ns - now_ns >= QUIET_NS or age_ns >= 2 * STATUS_NS):
                self._published_ns = now_ns
                self._publish()
                now_ns = clock.now_ns()
            sleep_ns = wake_ns - now_ns
            if sleep_ns > 2 * PREPARE_NS:
                sleep_ns -= PREPARE_NS
            ready, _, _ = select.select(self._fds, (), (), max(0, sleep_ns) / NS_PER_S)
            if alarm_fd in ready:
                self._alarm.silence()
            if desk_fd in ready:
                self._desk.serve()
        self._publish()


class VerdictLoop:
    """The thread `verdict`.

    Args:
        station: The station.
        cameras: Its cameras by name.
        on_end: Called when the thread ends by itself, which it never should.
        rest: Called after each round, when no frame waits; takes no longer than a frame.
    """

    def __init__(
        self,
        station: Station,
        cameras: Mapping[str, Camera],
        on_end: Callable[[], None],
        rest: Callable[[], None] = lambda: None,
    ) -> None:
        self._station = station
        self._names = tuple(cameras)
        self._fds = tuple(each.fileno() for each in cameras.values() if hasattr(each, "fileno"))
        self._on_end = on_end
        self._rest = rest
        self._is_stopped = False
        self._thread: threading.Thread | None = None
        self.failure: BaseException | None = None

    def start(self, enter: Callable[[], object]) -> None:
        """Starts the thread.

        Args:
            enter: Called in it first: asks for its priority.
        """
        self._thread = threading.Thread(target=self._work, args=(enter,), name="verdict", daemon=True)
        self._thread.start()

    @property
    def has_ended(self) -> bool:
        """The thread is not there any more: nobody judges."""
        return self._thread is not None and not self._thread.is_alive()

    def stop(self, timeout_s: float = 0.5) -> None:
        """Ends the thread; one that hangs in a model is left behind, as the process ends anyway."""
        self._is_stopped = True
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _work(self, enter: Callable[[], object]) -> None:
        try:
            enter()
            while not self._is_stopped:
                select.select(self._fds, (), (), FRAME_WAIT_S)
                for name in self._names:
                    self._station.serve(name)
                self._rest()
        except BaseException as error:  # noqa: BLE001 - the thread's border: the process must end with it
            self.failure = error
        finally:
            self._on_end()
