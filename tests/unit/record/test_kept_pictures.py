import hashlib

import cv2
import numpy as np
import pytest

from app.errors import RecordError
from app.record.darkroom import Darkroom, Exposed, clear_previews
from app.record.ledger import Ledger
from app.record.pictures import (
    PREVIEW_PX,
    PREVIEWS_KEPT,
    PictureKind,
    Shot,
    file_of,
    kind_of,
    remove_drafts,
    shot_of,
    store,
    write_preview,
)
from app.record.register import Register
from tests.unit.record.station_events import WALL, StationEvents

WALL_US = int(WALL.timestamp() * 1e6)
WAIT_S = 20.0


def picture(seed=1, shape=(48, 64, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def shot(part_id=7, camera="top"):
    return Shot(1, 2, part_id, camera, 0, WALL_US)


@pytest.mark.parametrize(
    ("destination", "part_id", "is_flagged", "kind"),
    [
        ("reject", 1, False, PictureKind.REJECT),
        ("reject", 1, True, PictureKind.REJECT),
        ("pass", 1, True, PictureKind.FLAGGED),
        ("pass", 50, False, PictureKind.PASS),
        ("pass", 51, False, None),
    ],
)
def test_rejects_and_flagged_parts_are_kept_and_passes_sampled(destination, part_id, is_flagged, kind):
    assert kind_of(destination, part_id, 50, is_flagged=is_flagged) is kind


def test_no_sampling_keeps_no_pass():
    assert kind_of("pass", 50, 0, is_flagged=False) is None


@pytest.mark.parametrize("shape", [(48, 64, 3), (48, 64)])
def test_a_picture_is_kept_without_loss(tmp_path, shape):
    image = picture(shape=shape)

    stored = store(tmp_path, shot(), PictureKind.REJECT, image)

    path = tmp_path / stored.file
    assert (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) == image).all()
    assert stored.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert stored.size == path.stat().st_size


def test_the_file_says_day_lane_epoch_part_camera_and_exposure():
    assert file_of(shot(camera="top/1")) == "2026-03-01/lane1-2-7-top%2F1-0.png"


@pytest.mark.parametrize("camera", ["top", "a-b", "cam 1", "50%", "x/y"])
def test_a_file_name_is_read_as_it_was_written(tmp_path, camera):
    stored = store(tmp_path, shot(camera=camera), PictureKind.PASS, picture())

    found = shot_of(tmp_path / stored.file)

    assert (found.lane, found.epoch, found.part_id, found.camera, found.exposure) == (1, 2, 7, camera, 0)


def test_a_file_of_another_name_is_no_picture_of_ours(tmp_path):
    assert shot_of(tmp_path / "holiday.png") is None


def test_a_preview_is_small_and_keeps_its_shape(tmp_path):
    path = write_preview(tmp_path, shot(), picture(shape=(400, 1000, 3)))

    assert path.name == "lane1-2-7-top.jpg"
    assert cv2.imread(str(path)).shape == (192, PREVIEW_PX, 3)


def test_a_folder_that_cannot_be_written_is_named_and_nothing_is_left(tmp_path):
    (tmp_path / "pictures").write_text("in the way")

    with pytest.raises(RecordError, match="pictures"):
        store(tmp_path / "pictures", shot(), PictureKind.REJECT, picture())


# The darkroom


@pytest.fixture
def folders(tmp_path):
    for name in ("pictures", "previews"):
        (tmp_path / name).mkdir()
    return tmp_path / "pictures", tmp_path / "previews"


def test_what_is_sent_is_developed(folders):
    darkroom = Darkroom(*folders)
    darkroom.submit(Exposed(shot(), picture(), PictureKind.REJECT, is_shown=True))

    assert darkroom.finish(WAIT_S)
    (done,) = darkroom.take_done()
    darkroom.close()

    assert (folders[0] / done.stored.file).exists()
    assert [path.name for path in folders[1].iterdir()] == ["lane1-2-7-top.jpg"]


def test_only_the_last_previews_stay(folders):
    darkroom = Darkroom(*folders, queue=PREVIEWS_KEPT + 9)
    for part_id in range(1, PREVIEWS_KEPT + 6):
        darkroom.submit(Exposed(shot(part_id), picture(), None, is_shown=True))

    assert darkroom.finish(WAIT_S)
    darkroom.close()

    parts = {int(path.name.split("-")[2]) for path in folders[1].iterdir()}
    assert parts == set(range(6, PREVIEWS_KEPT + 6))


def test_a_picture_that_cannot_be_written_is_reported_and_the_next_is_written(folders):
    darkroom = Darkroom(*folders)
    (folders[0] / "2026-03-01").write_text("in the way")
    darkroom.submit(Exposed(shot(1), picture(), PictureKind.REJECT, is_shown=False))
    assert darkroom.finish(WAIT_S)
    (folders[0] / "2026-03-01").unlink()
    darkroom.submit(Exposed(shot(2), picture(), PictureKind.REJECT, is_shown=False))
    assert darkroom.finish(WAIT_S)

    failed, done = darkroom.take_done()
    darkroom.close()

    assert (failed.stored, "cannot be written" in failed.problem) == (None, True)
    assert done.stored is not None


class Stuck:
    """Holds the darkroom's thread in a picture until it is let go."""

    def __init__(self, monkeypatch):
        import threading

        import app.record.darkroom as room

        self.is_in, self.may_go = threading.Event(), threading.Event()
        real = room.store

        def hold(*arguments):
            self.is_in.set()
            assert self.may_go.wait(WAIT_S)
            return real(*arguments)

        monkeypatch.setattr(room, "store", hold)


def test_previews_give_way_first_then_passes(folders, monkeypatch):
    stuck = Stuck(monkeypatch)
    darkroom = Darkroom(*folders, queue=2)
    darkroom.submit(Exposed(shot(1), picture(), PictureKind.REJECT, is_shown=False))
    assert stuck.is_in.wait(WAIT_S)

    for part_id, kind in enumerate((None, PictureKind.PASS, PictureKind.REJECT, PictureKind.REJECT, None), 2):
        darkroom.submit(Exposed(shot(part_id), picture(), kind, is_shown=kind is None))
    given_up = [each.kind for each in darkroom.take_done()]
    stuck.may_go.set()
    assert darkroom.finish(WAIT_S)
    kept = [each.stored.shot.part_id for each in darkroom.take_done()]
    darkroom.close()

    assert given_up == [None, PictureKind.PASS, None]
    assert kept == [1, 4, 5]


def test_previews_of_an_earlier_recorder_are_cleared(folders):
    write_preview(folders[1], shot(), picture())
    (folders[1] / "lane1-2-8-top.jpg.draft").write_text("")

    clear_previews(folders[1])

    assert list(folders[1].iterdir()) == []


# The register


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger.open(tmp_path / "ledger")
    station = StationEvents(epoch=2)
    opened.append(station.run(8), WALL)
    yield opened
    opened.close()


def test_a_picture_written_and_not_entered_is_adopted(ledger, folders):
    entered = store(folders[0], shot(5), PictureKind.REJECT, picture())
    store(folders[0], shot(6), PictureKind.PASS, picture())
    (folders[0] / "2026-03-01" / "half.png.draft").write_bytes(b"half")
    register = Register(ledger, folders[0])
    register.note([entered])

    adopted = register.adopt()

    assert adopted == 1
    assert [each.kind for each in register.oldest(tuple(PictureKind), 9)] == [PictureKind.REJECT, PictureKind.PASS]
    assert register.adopt() == 0
    assert sorted(path.name for path in (folders[0] / "2026-03-01").iterdir()) == [
        "lane1-2-5-top-0.png",
        "lane1-2-6-top-0.png",
    ]


def test_an_adopted_picture_knows_why_it_was_kept(ledger, folders):
    for part_id in (4, 5):
        store(folders[0], shot(part_id), PictureKind.REJECT, picture())
    register = Register(ledger, folders[0])
    register.adopt()

    kinds = {each.file.split("-")[4]: each.kind for each in register.oldest(tuple(PictureKind), 9)}

    assert kinds == {"4": PictureKind.PASS, "5": PictureKind.REJECT}


def test_nothing_kept_yet_is_nothing_to_adopt(ledger, tmp_path):
    assert Register(ledger, tmp_path / "none").adopt() == 0


def test_drafts_are_removed(tmp_path):
    (tmp_path / "a.png.draft").write_text("")

    remove_drafts(tmp_path)

    assert list(tmp_path.iterdir()) == []
