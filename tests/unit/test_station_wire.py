"""A camera that the part sensor triggers by a wire, before the whole loop."""

from test_station import PICTURE, Bench

from app.reject.lineio import Edge
from app.types import EventKind, Frame

WIRED = {"position_mm": 0, "trigger": "wire", "binding": "counter", "window_ms": 5}


def bench():
    return Bench(camera=[WIRED], trigger={"sensor": {"pin": 4, "debounce_ms": 5}})


def expose(line, counter):
    """The part sensor's wire exposes the camera; the frame is there at once."""
    eye, at_ns = line.eyes["top"], line.clock.now_ns()
    eye.frames.append(Frame(PICTURE, "top", at_ns, counter=counter, release=eye._release))
    return at_ns, line.belt.reading.count


def test_frame_that_comes_before_its_parts_edge_is_judged_when_the_edge_is_confirmed():
    line = bench()
    at_ns, count = expose(line, 1)
    line.move(1)
    assert (line.eyes["top"].released, line.station.status().stray_frames) == (0, 0)

    line.io.queue.append(Edge("part", True, at_ns, count))
    line.move(2)

    assert line.reasons == [""]
    assert line.eyes["top"].released == 1
    assert len(line.events(EventKind.JUDGED)) == 1


def test_frame_that_no_part_follows_is_given_back_as_a_stray():
    line = bench()
    expose(line, 1)
    line.move(30)

    assert (line.eyes["top"].released, line.station.status().stray_frames) == (1, 1)


def test_frame_that_waits_for_its_part_is_given_back_when_the_camera_is_lost_or_the_line_ends():
    for end in ("lose", "close"):
        line = bench()
        expose(line, 1)
        line.move(1)
        if end == "lose":
            line.station._sight._lose("top", "camera top is gone; check its cable")
        else:
            line.station.close()
        assert line.eyes["top"].released == 1
