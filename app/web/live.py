"""The one thread of the web process that follows the lanes and tells every page."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from app.bus.place import Place
from app.clock import NS_PER_MS, Clock
from app.health.report import BLOCK
from app.web.hub import Hub
from app.web.lane import Lane
from app.web.views import accelerator_view, recorder_view
from app.web.watch import BoxWatch, Watch

LOOK_S = 0.025
"""Time between two looks: half of it is the mean delay that this adds to a verdict on its way to the page."""

HEARTBEAT_NS = 200 * NS_PER_MS
"""The page hears at least so often, whether or not anything has changed: silence means that something is broken."""

SOON_NS = 100 * NS_PER_MS
"""A change of the account or the state is told so soon."""

MOST_CLIENTS = 64
_DEAD_NS = 2_000 * NS_PER_MS


class Companion(Protocol):
    """What is started and stopped together with the thread that follows the lanes."""

    def start(self) -> None:
        """Begins."""

    def stop(self) -> None:
        """Ends. Idempotent."""


def message(event: str, said: Any) -> bytes:
    """One server-sent event."""
    return f"event: {event}\ndata: {json.dumps(said, separators=(',', ':'), allow_nan=False)}\n\n".encode()


class Live:
    """Follows the lanes.

    Args:
        place: Where the processes meet.
        lanes: The lanes, in the order in which they are offered.
        clock: The clock of the stations.
        most_clients: Pages that may be open.

    Attributes:
        hub: Where pages get their updates.
        failure: Why the thread has ended; `None` while it has not.
    """

    def __init__(self, place: Place, lanes: Sequence[Lane], clock: Clock, most_clients: int = MOST_CLIENTS) -> None:
        self.hub = Hub(most_clients, self.snapshot)
        self.failure: BaseException | None = None
        self._clock = clock
        self._watches = {lane.number: Watch(lane, place) for lane in lanes}
        self._recorder = BoxWatch(place.root / "recorder.status", recorder_view)
        self._accelerator = BoxWatch(place.root / BLOCK, accelerator_view)
        self._more: dict[str, Callable[[int], Any]] = {}
        self._companions: list[Companion] = []
        self._told: dict[int, tuple[int, object]] = {}
        self._looked_ns = clock.now_ns()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def accompany(self, name: str, tell: Callable[[int], Any], companion: Companion) -> None:
        """Has something more told with every report of a lane, and its teller started and stopped with this.

        Args:
            name: Its key in the report.
            tell: Says it of a lane; called by many threads, and must not wait.
            companion: Who finds it out.
        """
        self._more[name] = tell
        self._companions.append(companion)

    @property
    def lanes(self) -> list[Lane]:
        """The lanes."""
        return [watch.lane for watch in self._watches.values()]

    @property
    def missed(self) -> int:
        """Events that were overwritten before they were read here."""
        return sum(watch.missed for watch in self._watches.values())

    @property
    def is_alive(self) -> bool:
        """The thread has looked lately."""
        return self.failure is None and self._clock.now_ns() - self._looked_ns < _DEAD_NS

    def start(self) -> None:
        """Starts the thread."""
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)
        self._thread.start()
        for companion in self._companions:
            companion.start()

    def stop(self) -> None:
        """Ends the thread and every page's stream. Idempotent."""
        self._stop.set()
        self.hub.close()
        for companion in self._companions:
            companion.stop()
        if self._thread:
            self._thread.join()
        self._recorder.close()
        self._accelerator.close()
        for watch in self._watches.values():
            watch.close()

    def look(self) -> None:
        """Looks once at everything, and tells the pages what is new."""
        now_ns = self._clock.now_ns()
        self._recorder.look(now_ns)
        self._accelerator.look(now_ns)
        for number, watch in self._watches.items():
            changed = watch.look(now_ns)
            said = b"".join(message("part", part) for part in changed)
            said += self._due_status(number, watch, now_ns)
            if said:
                self.hub.publish(number, said)
        self._looked_ns = now_ns

    def status(self, lane: int) -> dict[str, Any]:
        """How a lane is now, and the others in short.

        Raises:
            KeyError: There is no such lane.
        """
        now_ns = self._clock.now_ns()
        return {
            **self._watches[lane].view(now_ns),
            "sent_ms": now_ns / NS_PER_MS,
            "recorder": self._recorder.view(now_ns),
            "accelerator": self._accelerator.view(now_ns),
            "lanes": [
                {"lane": each.lane.number, "state": each.state, "age_ms": each.age_ms(now_ns)}
                for each in self._watches.values()
            ],
            **{name: tell(lane) for name, tell in self._more.items()},
        }

    def classes(self, lane: int) -> tuple[str, ...]:
        """The classes that the model of a lane knows; empty where that is not known.

        Raises:
            KeyError: There is no such lane.
        """
        return self._watches[lane].classes

    def parts(self, lane: int) -> dict[str, Any]:
        """The last parts of a lane.

        Raises:
            KeyError: There is no such lane.
        """
        return self._watches[lane].parts()

    def snapshot(self, lane: int) -> bytes:
        """Everything that a page needs to begin with."""
        return message("parts", self.parts(lane)) + message("status", self.status(lane))

    def _due_status(self, number: int, watch: Watch, now_ns: int) -> bytes:
        """The status, where it is due: at the heartbeat, or soon after a change."""
        told_ns, told = self._told.get(number, (0, None))
        gist = watch.gist
        if now_ns - told_ns < (SOON_NS if gist != told else HEARTBEAT_NS):
            return b""
        self._told[number] = (now_ns, gist)
        return message("status", self.status(number))

    def _run(self) -> None:
        try:
            while not self._stop.wait(LOOK_S):
                self.look()
        except BaseException as error:  # noqa: BLE001 - the thread's border: whoever serves the pages ends for it
            self.failure = error
            self.hub.close()
