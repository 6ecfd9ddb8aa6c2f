import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bus.events import decode_event, encode_event
from app.errors import BusError
from app.types import EventKind, LedgerEvent

NUMBERS = st.integers(-(2**63), 2**63)
TEXTS = st.text(st.characters(), max_size=20)  # half surrogate pairs, too: undecodable bytes of a file name
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, st.floats(allow_nan=False), TEXTS)
EVENTS = st.builds(
    LedgerEvent,
    lane=st.integers(1, 8),
    epoch=NUMBERS,
    sequence=NUMBERS,
    at_ns=NUMBERS,
    kind=st.sampled_from(EventKind),
    part_id=st.none() | NUMBERS,
    count=NUMBERS,
    data=st.dictionaries(TEXTS, SCALARS, max_size=6),
)
EVENT = LedgerEvent(1, 2, 3, 4, EventKind.TRIGGER, 5, 6, {"lot": "A", "at": 0.5})


@given(EVENTS)
def test_event_comes_back_as_it_was(event):
    back = decode_event(encode_event(event))

    assert back == event
    assert [type(value) for value in back.data.values()] == [type(value) for value in event.data.values()]


def test_numbers_that_are_none_come_back():
    event = LedgerEvent(1, 2, 3, 4, EventKind.JUDGED, 5, 6, {"nothing": math.nan, "all": math.inf})

    back = decode_event(encode_event(event)).data

    assert math.isnan(back["nothing"])
    assert back["all"] == math.inf


def test_file_name_that_is_no_utf8_comes_back():
    event = LedgerEvent(
        1, 2, 3, 4, EventKind.JUDGED, 5, 6, {"picture": b"\xff\xfe.png".decode("utf-8", "surrogateescape")}
    )

    assert decode_event(encode_event(event)) == event


def test_data_of_an_event_that_came_back_cannot_be_changed():
    with pytest.raises(TypeError):
        decode_event(encode_event(EVENT)).data["lot"] = "B"


def test_what_is_no_scalar_cannot_travel():
    event = LedgerEvent(1, 2, 3, 4, EventKind.JUDGED, 5, 6, {"box": object()})

    with pytest.raises(BusError, match="event 3 JUDGED cannot travel"):
        encode_event(event)


def changed(index, value):
    fields = json.loads(encode_event(EVENT))
    fields[index] = value
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "EOF|Expecting"),
        (b"\x00\xff", "not an event"),
        (b"[" * 5000, "not an event"),
        (b"{}", "it is not of format 1"),
        (b"[]", "it is not of format 1"),
        (changed(0, 2), "it is not of format 1"),
        (changed(1, "1"), "a number is missing"),
        (changed(3, None), "a number is missing"),
        (changed(2, True), "a number is missing"),
        (changed(6, "five"), "a number is missing"),
        (changed(5, "EXPLODED"), "'EXPLODED' is no kind of event"),
        (changed(5, ["TRIGGER"]), "is no kind of event"),
        (changed(8, []), "its data are not flat"),
        (changed(8, {"box": [1, 2]}), "its data are not flat"),
    ],
)
def test_what_is_no_event_is_refused(payload, why):
    with pytest.raises(BusError, match=why):
        decode_event(payload)


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_in_words(payload):
    with pytest.raises(BusError):
        decode_event(payload)
