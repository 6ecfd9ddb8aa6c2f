"""What `takt line check` says of a line whose accelerator may go away."""

from app.cli.cautions import stops_in_words, warnings_in_words
from app.reject.stops import StopCause
from tests.unit.detect.test_standby import line_with


def stops_of(line):
    return {each.cause: each.text for each in stops_in_words(line)}


def standby_warnings(line):
    return [each for each in warnings_in_words(line) if "standby" in each or "permit.hold_ms" in each]


def test_line_that_stops_without_its_accelerator_says_when():
    told = stops_of(line_with(model={"accelerator": "auto"}))[StopCause.STANDBY_SLOW]
    assert told == (
        "the accelerator is away and its standby needs more than the 90.0 ms that full speed leaves it for a picture"
    )


def test_line_that_runs_on_says_what_becomes_of_its_parts():
    for degraded, words in (("slow", "the status asks for the speed"), ("run", "nothing asks for less")):
        line = line_with(model={"accelerator": "auto", "degraded": degraded})
        assert StopCause.STANDBY_SLOW not in stops_of(line)
        (told,) = standby_warnings(line)
        assert words in told
        assert "parts without a verdict in time are rejected" in told


def test_line_with_an_accelerator_has_a_standby():
    assert standby_warnings(line_with(model={"accelerator": "auto"})) == []


def test_line_without_either_is_told_so():
    (told,) = standby_warnings(line_with())
    assert told.startswith("there is no standby (model.standby)")
    assert StopCause.STANDBY_SLOW not in stops_of(line_with())


def test_budget_that_can_cost_the_permit_is_told_with_what_the_permit_allows():
    (told,) = standby_warnings(line_with(model={"accelerator": "auto", "verdict_ms": 60}))
    assert "permit.hold_ms leaves it 75 ms" in told
