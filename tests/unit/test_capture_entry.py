"""What a capture process tells whoever started it."""

from app.clock import NS_PER_MS
from app.entries.capture import NEWS_NS, _Teller
from app.status import CameraStatus

GONE = CameraStatus("top", "camera 'top' is gone; check its cable", is_away=True)
FINE = CameraStatus("top")


def told_by(states, capsys, step_ns=NEWS_NS // 4):
    teller = _Teller()
    for number, state in enumerate(states):
        teller.tell(state, NS_PER_MS + number * step_ns)
    return capsys.readouterr().err.splitlines()


def test_trouble_that_is_over_soon_is_not_told(capsys):
    assert told_by([FINE, GONE, GONE, FINE, GONE, FINE], capsys) == []


def test_trouble_that_lasts_is_told_once_and_so_is_its_end(capsys):
    assert told_by([*[GONE] * 20, FINE, FINE], capsys) == [GONE.text, "camera 'top' works again"]


def test_trouble_that_comes_again_is_told_again(capsys):
    spell = [*[GONE] * 6, FINE]
    assert told_by([*spell, *spell], capsys) == [GONE.text, "camera 'top' works again"] * 2
