"""What holds on any belt: the account balances, no output outlives its limit, no bad part passes in silence."""

from __future__ import annotations

from belt import Run
from hypothesis import example, given
from hypothesis import strategies as st

from app.config import Line
from app.setup import load_setup, twin_line
from app.twin.scenario import FaultKind, Scenario

DEMO = load_setup(twin_line()).line
SHARE = st.floats(0, 1, allow_nan=False, width=16)


def line_of(**changes: object) -> Line:
    """The demo line with another gate, camera or trigger."""
    values = DEMO.model_dump(by_alias=True)
    values["camera"][0].update(width_px=16, height_px=16)
    for path, value in changes.items():
        room, _, key = path.partition("__")
        place = values[room][0] if isinstance(values[room], list | tuple) else values[room]
        place[key] = value
    return Line.model_validate(values)


LINES = {
    "diverter": line_of(),
    "pusher": line_of(gate__kind="pusher"),
    "air, read back": line_of(gate__kind="air", gate__output={"pin": 22, "read_back": {"pin": 10}}),
    "one outstanding": line_of(camera__binding="one_outstanding"),
    "time window": line_of(camera__binding="timestamp_window", camera__window_ms=4),
}

PHASES = st.lists(st.tuples(SHARE, SHARE), max_size=3).map(tuple)
FAULTS = st.tuples(st.sampled_from(sorted(FaultKind, key=lambda kind: kind.value)), SHARE, SHARE, SHARE)


def run(
    name: str, is_bad: list[bool], numbers: tuple[float, float, float], phases=(), faults=(), seed=0, fails_every=0
) -> Run:
    line = LINES[name]
    speed, pitch, jitter = numbers
    scenario = Scenario.drawn(line, len(is_bad), speed=speed, pitch=pitch, jitter=jitter, phases=phases, faults=faults)
    return Run(line, scenario, tuple(is_bad), seed, fails_every)


def check_what_always_holds(belt: Run) -> None:
    assert belt.was_always_balanced
    assert belt.tally.is_balanced
    assert set(belt.verdicts_per_part().values()) <= {0, 1}
    assert all(len(outcomes) <= 1 for outcomes in belt.outcomes_per_part().values())
    assert (
        sum(len(outcomes) for outcomes in belt.outcomes_per_part().values())
        == belt.tally.triggers - belt.tally.in_flight
    )
    for gate in belt.line.gates:
        assert belt.longest_on_ns.get(gate.destination, 0) <= (gate.max_on_ms + 1) * 1e6
    assert belt.escapes_without_a_stop() == []


@given(
    st.sampled_from(sorted(LINES)),
    st.lists(st.booleans(), min_size=1, max_size=8),
    st.tuples(SHARE, SHARE, SHARE),
    PHASES,
    st.lists(FAULTS, max_size=1),
    st.integers(0, 1 << 16),
)
@example("air, read back", [True], (0, 0, 0), (), [(FaultKind.ENCODER_REVERSED, 0.0, 0.5, 0.0)], 0)
@example("diverter", [False, True], (0.87, 0.94, 0.23), (), [(FaultKind.ENCODER_REVERSED, 0.9, 0.5, 0.0)], 18)
def test_no_single_fault_lets_a_bad_part_through_in_silence(name, is_bad, numbers, phases, faults, seed) -> None:
    with run(name, is_bad, numbers, phases, faults, seed) as belt:
        check_what_always_holds(belt)


@given(
    st.sampled_from(sorted(LINES)),
    st.lists(st.booleans(), min_size=1, max_size=8),
    st.tuples(SHARE, SHARE, SHARE),
    st.integers(0, 1 << 16),
)
def test_healthy_line_judges_and_places_every_part_right(name, is_bad, numbers, seed) -> None:
    with run(name, is_bad, numbers, seed=seed) as belt:
        check_what_always_holds(belt)
        comparison = belt.rehearsal.compare()
        assert (comparison.escapes, comparison.unaccounted, belt.tally.in_flight) == (0, 0, 0)
        assert belt.tally.triggers == len(is_bad)
        if belt.stops in ([], ["NOT_CLEARED"]):
            assert comparison.overkill == 0
            assert belt.tally.lost == 0


@given(
    st.lists(st.booleans(), min_size=4, max_size=8),
    st.tuples(SHARE, SHARE, SHARE),
    st.lists(FAULTS, min_size=2, max_size=3),
    st.integers(1, 5),
)
def test_the_account_balances_whatever_breaks_together(is_bad, numbers, faults, fails_every) -> None:
    with run("pusher", is_bad, numbers, (), faults, fails_every=fails_every) as belt:
        assert belt.was_always_balanced
        assert belt.tally.is_balanced
        assert all(len(outcomes) <= 1 for outcomes in belt.outcomes_per_part().values())
