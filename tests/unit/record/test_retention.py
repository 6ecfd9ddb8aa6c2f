from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import StorageSettings
from app.record.ledger import Ledger
from app.record.pictures import PictureKind, Shot, store
from app.record.readers import Records
from app.record.register import Kept, Register
from app.record.retention import GB, STEP, Retention, Room, may_keep, plan
from app.record.walltime import US_PER_DAY, micros
from tests.unit.record.station_events import WALL

NOW_US = micros(WALL)
MB = 1_000_000


def kept(number, kind=PictureKind.PASS, age_days=1.0, size=MB):
    return Kept(number, kind, f"{number}.png", size, NOW_US - round(age_days * US_PER_DAY))


def planned(passes=(), others=(), *, used_gb=1.0, free_gb=100.0, **storage):
    room = Room(round(used_gb * GB), round(free_gb * GB))
    drops = plan(passes, others, room, NOW_US, StorageSettings(**storage))
    return [each.picture.number for each in drops]


def test_with_room_for_all_nothing_goes():
    assert planned([kept(1)], [kept(2, PictureKind.REJECT)]) == []


def test_what_is_too_old_goes():
    passes, others = [kept(1, age_days=31), kept(2)], [kept(3, PictureKind.REJECT, age_days=40)]

    assert planned(passes, others) == [1, 3]


def test_a_clock_set_back_deletes_nothing():
    assert planned([kept(1, age_days=-400)]) == []


def test_too_many_gigabytes_take_the_oldest_passes_first():
    passes = [kept(n, age_days=10 - n) for n in range(1, 6)]
    others = [kept(9, PictureKind.REJECT, age_days=20)]

    assert planned(passes, others, used_gb=20.0025, pictures_gb=20) == [1, 2, 3]


def test_rejects_go_when_no_pass_is_left():
    others = [kept(n, PictureKind.REJECT, age_days=10 - n) for n in range(1, 4)]

    assert planned([kept(9)], others, used_gb=20.0015, pictures_gb=20) == [9, 1]


def test_rejects_stay_while_more_passes_may_be_there():
    passes = [kept(n, size=1) for n in range(STEP)]

    assert planned(passes, [kept(999, PictureKind.REJECT)], used_gb=30, pictures_gb=20) == list(range(STEP))


def test_a_nearly_full_disk_takes_passes_until_there_is_room():
    passes = [kept(n, size=100 * MB) for n in range(1, 6)]

    assert planned(passes, [kept(9, PictureKind.REJECT)], free_gb=0.75, min_free_gb=1) == [1, 2, 3]


def test_a_fuller_disk_takes_rejects_too():
    others = [kept(n, PictureKind.REJECT, size=100 * MB) for n in range(1, 6)]

    assert planned([kept(9, size=MB)], others, free_gb=0.35, min_free_gb=1) == [9, 1, 2]


@pytest.mark.parametrize(
    ("free_gb", "keeps"), [(1.1, {"pass", "flagged", "reject"}), (0.9, {"flagged", "reject"}), (0.4, set())]
)
def test_the_fuller_the_disk_the_fewer_pictures_are_kept(free_gb, keeps):
    storage = StorageSettings(min_free_gb=1)

    assert {kind.value for kind in PictureKind if may_keep(kind, round(free_gb * GB), storage)} == keeps


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 60), st.integers(1, 2000)), max_size=40),
    st.floats(0, 40),
    st.floats(0, 3),
)
def test_no_reject_goes_for_room_while_a_pass_stays(pictures, used_gb, free_gb):
    pictures = [
        kept(n, PictureKind.PASS if is_pass else PictureKind.REJECT, age, size * MB)
        for n, (is_pass, age, size) in enumerate(pictures)
    ]
    passes = [each for each in pictures if each.kind is PictureKind.PASS]
    others = [each for each in pictures if each.kind is not PictureKind.PASS]
    room = Room(round(used_gb * GB), round(free_gb * GB))
    drops = plan(passes, others, room, NOW_US, StorageSettings())

    gone = {each.picture.number for each in drops}
    for_room = [each for each in drops if "older" not in each.why and each.picture.kind is PictureKind.REJECT]
    assert len(drops) <= STEP
    assert not for_room or {each.number for each in passes} <= gone


# The doing


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger.open(tmp_path / "ledger")
    yield opened
    opened.close()


def filled(ledger, folder, kinds):
    register = Register(ledger, folder)
    image = np.zeros((8, 8), np.uint8)
    for number, kind in enumerate(kinds, 1):
        shot = Shot(1, 1, number, "top", 0, NOW_US + number)
        register.note([store(folder, shot, kind, image)])
    return register


def test_deleted_pictures_are_gone_counted_and_told(ledger, tmp_path):
    folder = tmp_path / "pictures"
    register = filled(ledger, folder, [PictureKind.PASS, PictureKind.PASS, PictureKind.REJECT])
    retention = Retention(register, folder, StorageSettings(), free=lambda _folder: GB * 9 // 10)

    deleted = retention.step(NOW_US)

    assert (deleted, retention.deleted) == (2, {PictureKind.PASS: 2})
    assert "nearly full" in retention.told
    assert "pictures of passes are not kept" in retention.policy()
    assert [path.name for path in (folder / "2026-03-01").iterdir()] == ["lane1-1-3-top-0.png"]
    assert retention.step(NOW_US) == 0


def test_the_story_of_a_part_says_that_its_picture_was_deleted(ledger, tmp_path):
    folder = tmp_path / "pictures"
    register = filled(ledger, folder, [PictureKind.REJECT])
    retention = Retention(register, folder, StorageSettings(), free=lambda _folder: 0)

    retention.step(NOW_US)

    with ledger.transaction() as connection:
        row = connection.exec_driver_sql("SELECT gone_us, gone_why FROM pictures").one()
    assert tuple(row) == (NOW_US, "the disk is nearly full")
    assert list(folder.iterdir()) == []


def test_a_file_that_is_gone_already_is_no_obstacle(ledger, tmp_path):
    folder = tmp_path / "pictures"
    register = filled(ledger, folder, [PictureKind.REJECT])
    next((folder / "2026-03-01").iterdir()).unlink()

    assert Retention(register, folder, StorageSettings(), free=lambda _folder: 0).step(NOW_US) == 1


def test_pictures_go_in_steps(ledger, tmp_path):
    folder = tmp_path / "pictures"
    register = filled(ledger, folder, [PictureKind.PASS] * (STEP + 3))
    retention = Retention(register, folder, StorageSettings(pictures_days=1))
    later = micros(WALL + timedelta(days=3))

    assert [retention.step(later) for _ in range(3)] == [STEP, 3, 0]
    assert retention.used_bytes == 0


def test_the_ledger_never_goes(ledger, tmp_path):
    retention = Retention(Register(ledger, tmp_path), tmp_path, StorageSettings(), free=lambda _folder: 0)

    retention.step(NOW_US)

    assert ledger.path.exists()
    records = Records(ledger.folder)
    assert records.lanes() == []
    records.close()
