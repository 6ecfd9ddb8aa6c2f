import pytest

from app.cli.cautions import start_in_words, stops_in_words, warnings_in_words
from app.cli.explain import recipe_in_words
from app.cli.journey import journey_of, pins_in_words, slack_of
from app.config import Line, needed_mm
from app.recipe import Recipe
from app.reject.stops import StopCause

GATE = {
    "kind": "pusher",
    "output": {"pin": 22},
    "position_mm": 450,
    "offset_mm": 10,
    "dwell_mm": 40,
    "lag_ms": 12,
    "margin_ms": 5,
}
FULL_GATE = {**GATE, "chute": {"sensor": {"pin": 23}}, "bin_full": {"pin": 25}, "bin_open": {"pin": 26}}


def line_of(*gates, **sections):
    """A line with a 60 mm part, 300 to 1000 mm/s, a camera at 150 mm and, unless given, one gate."""
    values = {
        "schema": 1,
        "encoder": {"a": 5, "b": 6},
        "trigger": {"sensor": {"pin": 4, "debounce_ms": 1}},
        "gate": gates or (GATE,),
        **sections,
    }
    return Line.model_validate({key: value for key, value in values.items() if value is not None})


def full_line(*gates, **sections):
    """Everything wired that can be."""
    return line_of(
        *(gates or (FULL_GATE,)),
        **{
            "belt": {"running": {"pin": 17}},
            "exit": {"sensor": {"pin": 24}, "position_mm": 650},
            "permit": {"output": {"pin": 27, "read_back": {"pin": 28}}},
            "stops": {"air_low": {"pin": 29}},
            "handshake": {"stopped": {"pin": 30}},
            "challenge": {"at_lot_start": True},
            "model": {"standby": "onnx"},
            **sections,
        },
    )


def moment(line, name):
    return next(each for each in journey_of(line) if each.name == name)


def test_the_fire_point_leads_the_gate_by_its_lag():
    fire = moment(line_of(), "reject: fire")

    assert fire.fast_mm == pytest.approx(460 - 1000 * 0.012)
    assert fire.slow_mm == pytest.approx(460 - 300 * 0.012)
    assert fire.fast_ms == pytest.approx(448)


def test_the_cut_off_leads_the_fire_point_by_its_margin():
    cut_off = moment(line_of(), "reject: cut-off")

    assert cut_off.fast_mm == pytest.approx(460 - 1000 * 0.017)


def test_the_frame_is_in_memory_after_exposure_and_transfer():
    frame = moment(line_of(), "top: frame in memory")

    assert frame.fast_mm == pytest.approx(150 + 1000 * 0.0085)
    assert frame.slow_ms == pytest.approx(500 + 8.5)


def test_the_slack_is_what_the_rule_of_the_settings_leaves():
    line = line_of()

    (slack,) = slack_of(line)

    assert slack.needed_mm == pytest.approx(needed_mm(line, line.cameras[0], line.gates[0]))
    assert slack.slack_mm == pytest.approx(460 - 150 - slack.needed_mm)
    assert slack.slack_ms == pytest.approx(slack.slack_mm)


def test_every_gate_and_camera_has_its_slack():
    second = {**GATE, "destination": "rework", "output": {"pin": 30}, "position_mm": 600}
    cameras = [{"name": "top"}, {"name": "side", "position_mm": 200}]

    found = slack_of(line_of(GATE, second, camera=cameras))

    assert {(each.gate, each.camera) for each in found} == {
        ("reject", "top"),
        ("reject", "side"),
        ("rework", "top"),
        ("rework", "side"),
    }


def test_a_software_trigger_and_no_exit_are_said_so():
    line = line_of(trigger={"source": "software", "every_mm": 120})

    names = [each.name for each in journey_of(line)]

    assert "every 120 mm" in moment(line, "trigger").text
    assert "exit" not in names


def test_every_pin_is_listed_with_its_claimant():
    found = {each.claimant: each for each in pins_in_words(full_line())}

    assert found["gate:reject"].pin == "22"
    assert found["permit read-back"].pin == "28"
    assert found["encoder b"].pin == "6"
    assert found["part"].text == "input, active high, debounced 1 ms"
    assert "not debounced" in found["exit"].text


def test_a_diverter_says_that_it_is_on_to_let_pass():
    (claim,) = [each for each in pins_in_words(line_of({**GATE, "kind": "diverter"})) if each.claimant == "gate:reject"]

    assert "on to let pass" in claim.text


@pytest.mark.parametrize("kind", ["pusher", "air"])
def test_a_pulse_gate_waits_for_a_person_at_start(kind):
    (text,) = start_in_words(line_of({**GATE, "kind": kind}))

    assert "until a person confirms that 600 mm" in text


def test_a_diverter_purges_by_itself():
    text = start_in_words(line_of({**GATE, "kind": "diverter"}))[0]

    assert "purges itself" in text
    assert "600 mm" in text


def test_every_cause_of_a_stop_is_explained_on_a_line_that_has_everything():
    found = {each.cause for each in stops_in_words(full_line())} | {StopCause.NOT_CLEARED}

    assert found == set(StopCause) - {StopCause.UNWATCHED, StopCause.STANDBY_SLOW}


def test_line_with_an_accelerator_says_when_its_standby_stops_it():
    asked = {stop.cause for stop in stops_in_words(line_of(model={"accelerator": "onnx"}))}
    waved = {stop.cause for stop in stops_in_words(line_of(model={"accelerator": "onnx", "degraded": "run"}))}

    assert StopCause.STANDBY_SLOW in asked
    assert StopCause.STANDBY_SLOW not in waved


def test_line_whose_camera_sees_parts_come_says_so_and_stops_while_it_does_not():
    vision = {"source": "vision", "vision": {"mm_per_px": 0.5}}
    camera = {"driver": "twin", "trigger": "free", "position_mm": 150}
    line = line_of(trigger=vision, camera=[camera])
    found = {each.cause for each in stops_in_words(line)}

    assert "when camera top sees it come" in journey_of(line)[0].text
    assert StopCause.UNWATCHED in found
    assert StopCause.SENSOR_BLOCKED not in found


def test_what_is_not_wired_stops_nothing():
    found = {each.cause for each in stops_in_words(line_of())}

    assert not found & {
        StopCause.AIR_LOW,
        StopCause.BIN_FULL,
        StopCause.BIN_OPEN,
        StopCause.MISSED_REJECT,
        StopCause.BAD_AT_EXIT,
        StopCause.CHALLENGE_FAILED,
    }


def test_rules_that_are_switched_off_are_left_out_and_warned_of():
    line = full_line(stops={"consecutive_rejects": 0, "reject_rate": 0, "repeated_alarms": 0, "air_low": {"pin": 29}})

    found = {each.cause for each in stops_in_words(line)}

    assert not found & {StopCause.CONSECUTIVE_REJECTS, StopCause.REJECT_RATE, StopCause.REPEATED_ALARMS}
    assert sum("switches that stop off" in text for text in warnings_in_words(line)) == 3


def test_a_line_that_has_everything_has_nothing_to_mind():
    assert warnings_in_words(full_line()) == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"permit": None}, "no permit relay"),
        ({"exit": None}, "no exit sensor"),
        ({"model": {"standby": "none"}}, "no standby"),
        ({"challenge": None}, "no challenge test"),
        ({"belt": {}}, "belt.running is not wired"),
        ({"encoder": {"driver": "virtual", "speed_mm_s": 500}}, "encoder is virtual"),
        ({"trigger": {"source": "software", "every_mm": 120}}, "triggered by software"),
        ({"trigger": {"sensor": {"pin": 4}}}, "bouncing sensor"),
    ],
)
def test_what_is_weak_is_said(changes, words):
    assert any(words in text for text in warnings_in_words(full_line(**changes)))


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        (GATE, "no chute sensor"),
        ({**FULL_GATE, "bin_full": None}, "full bin is not noticed"),
        ({**FULL_GATE, "offset_mm": 28, "dwell_mm": 1}, "may not be taken"),
        ({**FULL_GATE, "dwell_mm": 115}, "good neighbour"),
        ({**FULL_GATE, "min_on_ms": 150}, "good neighbour"),
        ({**FULL_GATE, "position_mm": 172}, "to spare"),
    ],
)
def test_what_is_weak_of_a_gate_is_said(gate, words):
    assert any(words in text for text in warnings_in_words(full_line(gate)))


def test_classes_with_the_same_rule_share_a_sentence():
    recipe = Recipe.model_validate(
        {"schema": 1, "classes": {"spur": {"policy": "ignore"}, "open": {"min_width_px": 4, "policy": "flag"}}}
    )

    assert recipe_in_words(recipe, ["open", "short", "spur", "copper"]) == (
        "open: scores of 0.35 and more, 4 px and wider only flag the part",
        "short, copper: scores of 0.35 and more reject to 'reject'",
        "spur: ignored",
        "a finding up to 0.1 below its threshold flags the part for a person to look at",
    )
