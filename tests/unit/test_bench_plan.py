"""What a bench makes of an order: rate, lengths, blocks, and a line file that says the same."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bench.course import PAIRS, Plan
from app.bench.geometry import CHUTE_MS, LEAST_PITCH_MM, fitted
from app.bench.order import Order, line_for
from app.bench.stand import raised, toml_text
from app.config import load_line
from app.detect.blank import RUNTIME
from app.errors import ConfigError, UsageError
from app.recipe import Recipe
from app.setup import load_setup, twin_line
from app.twin.live import live_scenario

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LINE = load_line(twin_line())
SETUP = load_setup(twin_line())
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)


@given(rate=st.floats(5, 6000))
def test_every_rate_gives_a_line_that_works_at_that_rate(rate):
    line, geometry = fitted(LINE, rate)
    scenario = live_scenario(line, rate)
    assert 60 * scenario.speed_mm_s / scenario.pitch_mm == pytest.approx(rate, rel=1e-3)
    assert line.belt.v_min_mm_s <= scenario.speed_mm_s <= line.belt.v_max_mm_s
    assert geometry.pitch_mm >= LEAST_PITCH_MM
    assert scenario.pitch_mm - 2 * scenario.pitch_jitter_mm > line.part.length_mm


@given(rate=st.floats(5, 6000))
def test_a_gate_is_open_for_its_own_part_and_for_no_other(rate):
    line, geometry = fitted(LINE, rate)
    gate, jitter_mm = line.gates[0], live_scenario(line, rate).pitch_jitter_mm
    centre_mm = line.part.length_mm / 2
    assert gate.offset_mm < centre_mm < gate.offset_mm + gate.dwell_mm
    assert gate.offset_mm + gate.dwell_mm < centre_mm + geometry.pitch_mm - 2 * jitter_mm


def test_a_rate_that_the_line_can_run_at_changes_nothing_of_it():
    line, geometry = fitted(LINE, 300)
    assert line is LINE
    assert geometry.is_own
    assert (geometry.pitch_mm, geometry.speed_mm_s) == (110.0, 550.0)


def test_parts_too_quick_for_the_chute_sensor_have_none():
    slow, quick = (fitted(LINE, 60_000 / pitch_ms)[1] for pitch_ms in (CHUTE_MS + 1, CHUTE_MS - 1))
    assert slow.has_chutes
    assert not quick.has_chutes


@pytest.mark.parametrize("rate", [4.9, 6001, 0, -300, float("nan"), float("inf")])
def test_a_rate_out_of_bounds_is_refused(rate):
    with pytest.raises(UsageError, match="parts per minute"):
        fitted(LINE, rate)


def test_blocks_without_and_with_load_take_turns():
    plan = Plan.of(10, 3, is_loaded=True)
    assert [block.is_loaded for block in plan.blocks] == [False, True] * PAIRS
    assert [block.parts for block in plan.blocks] == [3, 3, 3, 3, 2, 2, 2, 2]
    assert plan.total == 23
    assert plan.numbers(is_loaded=True) == [1, 3, 5, 7]


def test_without_load_there_is_one_block():
    assert [block.parts for block in Plan.of(10, 3, is_loaded=False).blocks] == [10]


@pytest.mark.parametrize(("parts", "is_loaded"), [(7, True), (40_000, False), (20_000, True)])
def test_a_number_of_parts_that_cannot_be_measured_is_refused(parts, is_loaded):
    with pytest.raises(UsageError, match="ask for at"):
        Plan.of(parts, 20, is_loaded=is_loaded)


@pytest.mark.parametrize(
    "wrong",
    [{"loads": ("noise",)}, {"loads": ("cpu", "cpu")}, {"runtime": "abacus"}, {"runtime": RUNTIME}]
    + [{"is_blank": True, **more} for more in ({"runtime": "onnx"}, {"threads": 1})],
)
def test_an_order_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(UsageError):
        Order(300, 300, **wrong)


def test_the_line_is_the_twins_with_what_was_asked_for(tmp_path):
    order = Order(300, 300, ("record",), package="pcb-nano", runtime="onnx", threads=1)
    line, recipe, _ = line_for(order, SETUP, tmp_path)
    assert {camera.driver for camera in line.cameras} == {"twin"}
    assert (line.model.package, line.model.runtime, line.model.threads) == ("pcb-nano", "onnx", 1)
    assert line.storage.pass_every == 1
    assert recipe.golden_sample == ""
    assert line.permit.hold_ms == 1000 > LINE.permit.hold_ms


def test_a_line_without_a_part_sensor_is_refused(tmp_path):
    trigger = LINE.trigger.model_copy(update={"source": "software", "every_mm": 200.0})
    setup = SETUP.with_line(LINE.model_copy(update={"trigger": trigger}))
    with pytest.raises(UsageError, match="travel"):
        line_for(Order(300, 300), setup, tmp_path)


@given(values=st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), VALUES, max_size=5))
def test_settings_are_written_as_toml_that_reads_the_same(values):
    assert tomllib.loads(toml_text(values)) == values


def test_the_stand_holds_the_line_as_it_is_and_is_taken_away():
    recipe = Recipe.model_validate({"schema": 1, "name": "x", "classes": {"a b": {"policy": "flag"}}})
    line, _ = fitted(LINE, 6000)
    with raised(line, recipe) as stand:
        assert stand.setup.line.model_dump(exclude={"recipe"}) == line.model_dump(exclude={"recipe"})
        assert stand.setup.recipe == recipe
        assert "threshold" not in stand.setup.recipe.default.model_fields_set
        folders = stand.place.root, stand.setup.folder
        assert all(folder.is_dir() for folder in folders)
    assert not any(folder.exists() for folder in folders)


def test_the_stand_is_taken_away_when_the_run_fails():
    seen = []

    def fail():
        with raised(LINE, SETUP.recipe) as stand:
            seen.append(stand.place.root)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert not seen[0].exists()


def test_a_line_that_does_not_go_with_the_lengths_says_what():
    gate = LINE.gates[0].model_copy(update={"position_mm": 170.0})
    line = LINE.model_copy(update={"gates": (gate,)})
    with pytest.raises(ConfigError, match="6000 parts per minute"):
        fitted(line, 6000)
