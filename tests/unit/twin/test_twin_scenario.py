import itertools

from hypothesis import given
from hypothesis import strategies as st
from workshop import LENGTH_MM, Workshop, line

from app.twin.scenario import FaultKind, Scenario

share = st.floats(0, 1)
faults = st.lists(st.tuples(st.sampled_from(FaultKind), share, share, share), max_size=3)
profiles = st.lists(st.tuples(share, share), max_size=3)
LINE = line()


@given(share, share, share, profiles, faults)
def test_every_drawn_scenario_is_valid_and_runs(speed, pitch, jitter, phases, broken):
    scenario = Scenario.drawn(LINE, 3, speed=speed, pitch=pitch, jitter=jitter, phases=phases, faults=broken)
    assert scenario.pitch_mm - 2 * scenario.pitch_jitter_mm >= LINE.part.min_pitch_mm
    assert all(300 - 1e-6 <= phase.speed_mm_s <= 1000 + 1e-6 for phase in scenario.phases)
    shop = Workshop(3, **{name: getattr(scenario, name) for name in Scenario.__dataclass_fields__})
    shop.run_to_end()
    assert all(not body.is_on_belt for body in shop.machine.bodies)
    assert all(not part.is_dropped or part.trigger_count is None for part in shop.machine.truth().parts)


def test_parts_keep_their_distance_whatever_the_seed():
    scenario = Scenario.drawn(LINE, 30, pitch=0.0, jitter=1.0)
    for seed in range(10):
        shop = Workshop(30, seed=seed, pitch_mm=scenario.pitch_mm, pitch_jitter_mm=scenario.pitch_jitter_mm)
        starts = [body.start_mm for body in shop.machine.bodies]
        assert min(b - a for a, b in itertools.pairwise(starts)) >= LINE.part.min_pitch_mm > LENGTH_MM
