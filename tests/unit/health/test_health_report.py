"""The report of the accelerator's process, there and back."""

import pytest

from app.clock import VirtualClock
from app.errors import DataError
from app.health.fake import FakeHealth
from app.health.report import Report, Served, decode_report, encode_report

SERVED = Served(1, "pcb-golden", "accelerator-fp16", "tensorrt", 0.61)


def report():
    return Report(7, 5, is_serving=True, serves=(SERVED,), health=FakeHealth(VirtualClock()).read())


def test_report_comes_back_as_it_was_sent():
    assert decode_report(encode_report(report())) == report()


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"at_ns":1}', encode_report(report()).replace(b'"lane"', b'"x"')]
)
def test_what_is_no_report_is_refused(data):
    with pytest.raises(DataError, match="cannot be read"):
        decode_report(data)


def test_keys_of_a_later_version_are_passed_over():
    data = encode_report(report()).replace(b'"lane":1', b'"lane":1,"mood":"good"')
    assert decode_report(data) == report()
