"""What the page gets to know of the station."""

from __future__ import annotations

from app.clock import NS_PER_S
from app.status import CameraStatus, State, Status
from app.types import Tally
from app.web.views import status_view


def test_camera_is_told_with_its_sentence_and_all_its_counts():
    camera = CameraStatus("top", "it is gone", 7, 2 * NS_PER_S, 1, refused=3, reopened=4, is_away=True)
    status = Status(State.NO_CAMERA, "it is gone", 0, 0, Tally(), "L1", cameras=(camera,))
    assert status_view(status, 5 * NS_PER_S)["cameras"] == [
        {"name": "top", "text": "it is gone", "frames": 7, "dropped": 1, "refused": 3, "reopened": 4, "for_ms": 3000.0}
    ]
