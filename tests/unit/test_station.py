"""The loop: what it does in one step, and what it does when something it uses fails."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

from app.clock import NS_PER_MS, VirtualClock
from app.config import Line
from app.detect.detector import Result, Timed
from app.errors import ActuationError, CameraError, DetectorError, FrameTimeoutError
from app.recipe import Recipe
from app.reject.lineio import BeltReading, Edge
from app.reject.tracking import Tracker
from app.station import Station
from app.status import CameraStatus
from app.types import Detection, EventKind, Frame, Opening

PICTURE = np.zeros((4, 4), np.uint8)
DEFECT = Detection("open", 0.9, (0.0, 0.0, 2.0, 2.0))


class Io:
    """Pins that do what they are told, or fail when asked to."""

    def __init__(self) -> None:
        self.queue: list[Edge] = []
        self.gates: list[bool] = []
        self.toggles = 0
        self.drops = 0
        self.lines: dict[str, bool] = {}
        self.faults: list[str] = []
        self.refuses = False

    def edges(self):
        edges, self.queue = self.queue, []
        return edges

    def is_active(self, name):
        return False

    def set_gate(self, destination, is_rejecting, now_ns):
        if self.refuses:
            raise ActuationError("gate reject did not move", "check its wires")
        self.gates.append(is_rejecting)

    def set_line(self, name, is_on, now_ns):
        if self.refuses:
            raise ActuationError(f"{name} did not move", "check its wires")
        self.lines[name] = is_on

    def toggle_permit(self, now_ns):
        if self.refuses:
            raise ActuationError("the permit did not move", "check its wires")
        self.toggles += 1

    def drop_permit(self):
        self.drops += 1

    def tick(self, now_ns):
        faults, self.faults = self.faults, []
        return faults

    def next_due_ns(self):
        return None

    def close(self):
        self.drops += 1


class Belt:
    def __init__(self) -> None:
        self.reading = BeltReading(0, 0)
        self.is_closed = False

    def read(self, now_ns):
        return self.reading

    def close(self):
        self.is_closed = True


class Eye:
    """A camera whose frames are given by hand."""

    def __init__(self, name="top") -> None:
        self.name = name
        self.triggers: list[int] = []
        self.frames: deque[Frame] = deque()
        self.released = 0
        self.fails = ""
        self.said = None

    def open(self):
        pass

    def trigger(self, at_ns):
        if self.fails == "trigger":
            raise CameraError("camera top is gone", "check its cable")
        self.triggers.append(at_ns)

    def grab(self, deadline_ns):
        if self.fails == "grab":
            raise CameraError("camera top is gone", "check its cable")
        if not self.frames:
            raise FrameTimeoutError("no frame", "wait")
        return self.frames.popleft()

    def close(self):
        self.fails = "grab"

    def take(self, at_ns):
        self.frames.append(Frame(PICTURE, self.name, at_ns, release=self._release))

    def _release(self):
        self.released += 1


class Mind(Timed):
    def __init__(self) -> None:
        self.says: list[Result | Exception] = []

    def inspect(self, image, name):
        answer = self.says.pop(0) if self.says else Result(())
        if isinstance(answer, Exception):
            raise answer
        return answer


class Book:
    def __init__(self) -> None:
        self.ledger = []
        self.pictures = []
        self.takes = 1000
        self.is_full = False

    def take(self, events):
        taken = list(events)[: self.takes]
        self.ledger += taken
        return len(taken)

    def keep(self, frame, verdict, detections):
        self.pictures.append((verdict, tuple(detections)))
        return True


class Bench:
    """A station at 500 mm/s, two counts to the millimetre, already purged."""

    def __init__(self, **changes) -> None:
        values = {
            "encoder": {"a": 5, "b": 6},
            "trigger": {"sensor": {"pin": 4}},
            "gate": [{"output": {"pin": 22}, "kind": "diverter"}],
            "permit": {"output": {"pin": 27}},
            **changes,
        }
        self.line = Line.model_validate(values)
        self.clock = VirtualClock()
        self.io, self.belt, self.mind, self.book = Io(), Belt(), Mind(), Book()
        self.eyes = {camera.name: Eye(camera.name) for camera in self.line.cameras}
        self.station = Station(
            line=self.line,
            recipe=Recipe(),
            clock=self.clock,
            stopwatch=self.clock,
            io=self.io,
            encoder=self.belt,
            cameras=self.eyes,
            judge=self.mind,
            recorder=self.book,
            tracker=Tracker(self.line, Opening(lot="L")),
        )
        self.station.start()
        self.move(700)
        self.book.ledger.clear()
        self.io.gates.clear()

    def move(self, mm: float) -> None:
        for _ in range(round(mm * 2)):
            self.clock.advance_to(self.clock.now_ns() + NS_PER_MS)
            self.belt.reading = BeltReading(self.belt.reading.count + 1, self.clock.now_ns())
            self.station.step()

    def part(self) -> None:
        self.io.queue.append(Edge("part", True, self.clock.now_ns(), self.belt.reading.count))
        self.move(60)
        self.io.queue.append(Edge("part", False, self.clock.now_ns(), self.belt.reading.count))
        self.move(91)

    def look(self, name="top") -> None:
        self.eyes[name].take(self.eyes[name].triggers[-1])
        self.station.step()

    def events(self, kind: EventKind) -> list:
        return [event for event in self.book.ledger if event.kind is kind]

    @property
    def reasons(self) -> list[str]:
        return [event.data["reasons"] for event in self.events(EventKind.VERDICT)]


def test_frame_of_a_part_becomes_its_verdict_and_is_released() -> None:
    bench = Bench()
    bench.part()
    bench.mind.says = [Result((DEFECT,), pre_ns=1, infer_ns=2, decode_ns=3)]
    bench.look()
    assert bench.reasons == ["DEFECT"]
    assert bench.eyes["top"].released == 1
    assert [each[1] for each in bench.book.pictures] == [(DEFECT,)]
    assert bench.station.latency.of("infer").count == 1
    assert bench.station.latency.of("frame_to_verdict").count == 1


def test_bad_part_moves_the_gate() -> None:
    bench = Bench()
    bench.part()
    bench.mind.says = [Result((DEFECT,))]
    bench.look()
    bench.move(400)
    assert True in bench.io.gates
    assert bench.io.gates[-1] is False


@pytest.mark.parametrize("error", [DetectorError("NaN", "restart"), DetectorError("x", "y")])
def test_frame_that_cannot_be_judged_rejects_its_part(error: Exception) -> None:
    bench = Bench()
    bench.part()
    bench.mind.says = [error]
    bench.look()
    assert bench.reasons == ["DETECTOR_FAILED"]
    assert bench.eyes["top"].released == 1


def test_camera_that_cannot_be_triggered_rejects_the_part_and_shows() -> None:
    bench = Bench()
    bench.eyes["top"].fails = "trigger"
    bench.part()
    assert bench.reasons == ["NO_FRAME"]
    assert bench.station.status().state.value == "NO_CAMERA"
    assert "check its cable" in bench.station.status().why


def test_camera_that_fails_while_it_is_read_leaves_the_part_without_frame() -> None:
    bench = Bench()
    bench.part()
    bench.eyes["top"].fails = "grab"
    bench.move(30)
    assert bench.reasons == ["NO_FRAME"]
    assert bench.station.status().state.value == "NO_CAMERA"


def test_frame_of_nobody_is_counted_and_not_judged() -> None:
    bench = Bench()
    bench.eyes["top"].take(bench.clock.now_ns())
    bench.station.step()
    assert bench.station.status().stray_frames == 1
    assert bench.eyes["top"].released == 1
    assert bench.reasons == []


def test_part_of_two_cameras_is_judged_when_both_have_answered() -> None:
    bench = Bench(camera=[{"name": "top", "position_mm": 150}, {"name": "side", "position_mm": 170}])
    bench.part()
    bench.mind.says = [Result((DEFECT,)), Result(())]
    bench.look("top")
    assert bench.reasons == []
    bench.move(20)
    bench.look("side")
    assert bench.reasons == ["DEFECT"]


def test_gate_that_does_not_move_stops_the_line() -> None:
    bench = Bench()
    bench.part()
    bench.mind.says = [Result((DEFECT,))]
    bench.look()
    bench.io.refuses = True
    bench.move(400)
    assert bench.station.status().state.value == "STOPPED"
    assert "did not move" in bench.station.status().why


def test_fault_of_an_output_stops_the_line_and_drops_the_permit() -> None:
    bench = Bench()
    bench.io.faults = ["gate reads back otherwise"]
    bench.station.step()
    assert bench.station.status().why == "gate reads back otherwise"
    assert bench.io.drops == 1


def test_permit_is_toggled_while_the_line_runs_and_not_while_it_is_stopped() -> None:
    bench = Bench()
    bench.move(50)
    running = bench.io.toggles
    assert running > 0
    bench.station.stop("Ada")
    bench.move(50)
    assert bench.io.toggles == running
    bench.station.reset("Ada", "lead", "looked")
    bench.move(50)
    assert bench.io.toggles > running


def test_verdict_over_the_budget_is_counted() -> None:
    bench = Bench()
    bench.part()

    class Slow(Mind):
        def inspect(self, image, name):
            bench.clock.advance_to(bench.clock.now_ns() + 6 * NS_PER_MS)
            return Result(())

    bench.mind.inspect = Slow().inspect
    bench.look()
    assert bench.station.status().misses == 1


def test_software_trigger_makes_a_part_per_stretch_of_belt() -> None:
    bench = Bench(trigger={"source": "software", "every_mm": 100})
    before = bench.station.status().tally.triggers
    bench.move(300)
    assert bench.station.status().tally.triggers - before == 3


def test_waking_never_lies_in_the_past_nor_later_than_the_idle_time() -> None:
    bench = Bench()
    bench.part()
    wake_ns = bench.station.next_wake_ns()
    assert bench.clock.now_ns() <= wake_ns <= bench.clock.now_ns() + 20 * NS_PER_MS


def test_close_makes_everything_safe() -> None:
    bench = Bench()
    drops = bench.io.drops
    bench.station.close()
    assert bench.io.drops == drops + 1
    assert bench.belt.is_closed


def test_events_without_room_are_offered_again() -> None:
    bench = Bench()
    bench.book.takes = 1
    bench.part()
    bench.book.takes = 1000
    bench.move(1)
    kinds = [event.kind for event in bench.book.ledger]
    assert kinds[:2] == [EventKind.TRIGGER, EventKind.EXPOSED]
    sequences = [event.sequence for event in bench.book.ledger]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))


def test_line_stops_while_the_recorder_has_no_room() -> None:
    bench = Bench()
    bench.book.is_full = True
    bench.move(1)
    assert [latch.cause for latch in bench.station.status().latches] == ["LEDGER_FULL"]
    assert bench.io.drops == 1


def test_every_judged_frame_leaves_its_times_and_findings_in_the_ledger() -> None:
    bench = Bench()
    bench.part()
    bench.mind.says = [Result((DEFECT,), pre_ns=1000, infer_ns=2000, decode_ns=3000)]
    bench.look()
    bench.move(1)
    data = bench.events(EventKind.JUDGED)[0].data
    assert data["detections"] == '[["open",0.9,0.0,0.0,2.0,2.0]]'
    assert (data["pre_us"], data["infer_us"], data["decode_us"]) == (1, 2, 3)
    assert (data["destination"], data["width"], data["height"], data["channels"]) == ("reject", 4, 4, 1)


def test_picture_that_nobody_takes_is_counted() -> None:
    bench = Bench()
    bench.book.keep = lambda frame, verdict, detections: False
    bench.part()
    bench.look()
    assert bench.station.status().pictures_dropped == 1
    bench.move(1)
    assert bench.events(EventKind.JUDGED)[0].data["slot"] == -1


def test_lost_camera_rejects_the_part_that_waits_for_it_and_is_named() -> None:
    bench = Bench()
    bench.part()
    bench.eyes["top"].fails = "grab"
    bench.move(1)
    assert bench.reasons == ["NO_FRAME"]
    assert bench.station.status().state.value == "NO_CAMERA"
    assert "camera top is gone" in bench.station.status().cameras[0].text


def told(bench) -> list[str]:
    return [event.data["text"] for event in bench.events(EventKind.CAMERA)]


def test_lost_camera_is_one_entry_of_the_ledger_and_its_return_another() -> None:
    bench = Bench()
    bench.eyes["top"].fails = "grab"
    bench.move(5)
    bench.eyes["top"].fails = ""
    bench.move(5)
    assert told(bench) == ["camera top is gone; check its cable", ""]
    assert bench.station.status().state.value == "RUNNING"


def test_part_that_comes_to_a_lost_camera_is_rejected_with_its_sentence_and_triggers_nothing() -> None:
    bench = Bench()
    bench.eyes["top"].fails = "grab"
    bench.part()
    bench.move(1)
    verdict = bench.events(EventKind.VERDICT)[0]
    assert (verdict.data["reasons"], verdict.data["text"]) == ("NO_FRAME", "camera top is gone; check its cable")
    assert bench.eyes["top"].triggers == []


def test_camera_is_lost_when_no_part_is_expected_too() -> None:
    bench = Bench()
    bench.eyes["top"].fails = "grab"
    bench.station.step()
    assert bench.station.status().state.value == "NO_CAMERA"
    assert bench.station.status().cameras[0].is_away


def test_refused_frame_is_shown_and_recorded_and_other_parts_go_on() -> None:
    bench = Bench()
    bench.eyes["top"].said = CameraStatus("top", "a frame was refused as dark", refused=1, dropped=4)
    bench.part()
    assert bench.eyes["top"].triggers
    status = bench.station.status()
    assert (status.state.value, status.why) == ("NO_CAMERA", "a frame was refused as dark")
    assert (status.cameras[0].refused, status.cameras[0].dropped, status.cameras[0].is_away) == (1, 4, False)
    bench.look()
    assert bench.events(EventKind.FRAME), "the part that waits has not been given up"
    bench.eyes["top"].said = CameraStatus("top", refused=1)
    bench.move(1)
    assert told(bench) == ["a frame was refused as dark", ""]


def test_camera_that_goes_from_a_refused_frame_to_none_at_all_is_lost() -> None:
    bench = Bench()
    bench.part()
    bench.eyes["top"].said = CameraStatus("top", "a frame was refused as torn")
    bench.move(1)
    bench.eyes["top"].fails = "grab"
    bench.move(1)
    assert told(bench) == ["a frame was refused as torn", "camera top is gone; check its cable"]
    assert bench.reasons == ["NO_FRAME"]


def test_lost_camera_that_comes_back_with_a_refused_frame_is_lost_no_longer() -> None:
    bench = Bench()
    bench.eyes["top"].fails = "grab"
    bench.move(1)
    bench.eyes["top"].fails = ""
    bench.eyes["top"].said = CameraStatus("top", "a frame was refused as dark")
    bench.move(1)
    assert told(bench) == ["camera top is gone; check its cable", "a frame was refused as dark"]
    assert not bench.station.status().cameras[0].is_away
    bench.part()
    assert bench.eyes["top"].triggers


def test_camera_that_takes_no_triggers_is_named_until_its_next_frame() -> None:
    bench = Bench()
    bench.eyes["top"].fails = "trigger"
    bench.part()
    bench.move(30)
    assert bench.station.status().state.value == "NO_CAMERA"
    bench.eyes["top"].fails = ""
    bench.part()
    bench.look()
    bench.move(1)
    assert told(bench) == ["camera top is gone; check its cable", ""]


def test_what_a_camera_does_before_the_belt_is_followed_is_nobodys() -> None:
    bench = Bench()
    bench.station._is_followed = False
    bench.eyes["top"].fails = "grab"
    assert bench.station.serve("top") is False
    assert told(bench) == []
