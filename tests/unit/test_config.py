"""What a `line.toml` may say, and how it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config import Line, inputs_of, load_line, outputs_of, pins_of
from app.errors import ConfigError
from app.recipe import Recipe, load_recipe, parse_recipe
from app.setup import load_setup, twin_line
from app.toml import validated

GOOD = {
    "encoder": {"a": 5, "b": 6},
    "trigger": {"sensor": {"pin": 4}},
    "gate": [{"output": {"pin": 22}, "kind": "diverter"}],
}


def refused(**changes: object) -> str:
    """The one sentence that says why these settings cannot work."""
    values = {**GOOD, **changes}
    with pytest.raises(ConfigError) as error:
        validated(Line, {key: value for key, value in values.items() if value is not None}, "line.toml")
    text = str(error.value)
    assert text.startswith("line.toml has ")
    assert "\n" not in text
    return text


def gate(**changes: object) -> list[dict[str, object]]:
    return [{"output": {"pin": 22}, "kind": "diverter", **changes}]


def test_shortest_line_is_accepted() -> None:
    line = validated(Line, GOOD, "line.toml")
    assert line.default_gate.destination == "reject"
    assert set(inputs_of(line)) == {"part"}
    assert set(outputs_of(line)) == {"gate:reject"}


def test_twins_own_line_is_accepted_and_names_every_pin_once() -> None:
    line = load_line(twin_line())
    pins = [str(pin) for _, pin in pins_of(line)]
    assert len(pins) == len(set(pins)) == 9


def test_settings_are_frozen() -> None:
    line = validated(Line, GOOD, "line.toml")
    with pytest.raises(ValueError, match="frozen"):
        line.belt.v_max_mm_s = 1


def test_unknown_key_is_refused_with_the_nearest_known_one() -> None:
    assert "unknown key belt.v_max, did you mean v_max_mm_s?" in refused(belt={"v_max": 3})


def test_value_out_of_bounds_is_refused_with_its_bound() -> None:
    text = refused(belt={"v_max_mm_s": -1})
    assert "belt.v_max_mm_s = -1" in text
    assert "greater than 0" in text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "fast", None, [1]])
def test_value_of_another_kind_is_refused(value: object) -> None:
    assert "belt.v_max_mm_s" in refused(belt={"v_max_mm_s": value})


def test_all_problems_are_told_at_once() -> None:
    text = refused(belt={"v_max_mm_s": 0, "stop_mn": 3}, trigger=None)
    assert "3 problems" in text


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"encoder": {"a": 5, "b": 4}}, "pin 4 is claimed twice, by part and by encoder b"),
        ({"encoder": {"a": 5, "b": "GPIO5"}}, "pin GPIO5 is claimed twice"),
        ({"encoder": {"a": 5}}, "needs the pins encoder.a and encoder.b"),
        ({"encoder": {"driver": "virtual"}}, "needs encoder.speed_mm_s and the input belt.running"),
        ({"encoder": {"a": 5, "b": 6, "counts_per_mm": 0.1}}, "too coarse"),
        ({"trigger": {}}, "needs trigger.sensor"),
        ({"trigger": {"source": "software"}}, "needs trigger.every_mm"),
        ({"trigger": {"source": "software", "every_mm": 50}}, "below part.min_pitch_mm"),
        ({"gate": gate() + gate(output={"pin": 23})}, "'reject' is used twice"),
        ({"gate": gate(destination="pass")}, "the word for parts that stay"),
        ({"camera": [{"driver": "opencv"}]}, "needs camera.source"),
        (
            {"camera": [{"driver": "opencv", "source": "0"}], "model": {"runtime": "blank"}},
            "finds nothing and would pass every part",
        ),
        ({"model": {"accelerator": "openvino", "standby": "onnx"}}, "with an accelerator model.runtime is the standby"),
        ({"model": {"accelerator": "auto", "runtime": "blank"}}, "model.runtime = blank is no standby"),
        ({"belt": {"v_min_mm_s": 500, "v_max_mm_s": 400}}, "exchange them"),
        ({"part": {"length_mm": 90, "min_pitch_mm": 90}}, "must be above part.length_mm"),
        ({"trigger": {"sensor": {"pin": 4}, "blocked_mm": 60}}, "blocked_mm must be above"),
        ({"exit": {"sensor": {"pin": 9}, "position_mm": 500}}, "past the last gate's dwell"),
        ({"exit": {"sensor": {"pin": 9}, "tolerance_mm": 45}}, "below half of part.min_pitch_mm"),
        ({"gate": gate(chute={"sensor": {"pin": 9}, "from_mm": 5, "to_mm": 5})}, "from_mm must be below"),
        ({"gate": gate(kind="air", dwell_mm=121)}, "a dwell of 121 mm lasts 403 ms"),
        ({"gate": gate(kind="pusher", min_on_ms=500)}, "which the coil allows"),
        ({"gate": gate(refresh_ms=39)}, "refresh_ms must be at least 40"),
        ({"permit": {"output": {"pin": 9}, "toggle_ms": 20, "hold_ms": 59}}, "at least three times permit.toggle_ms"),
        ({"camera": [{"binding": "one_outstanding", "transfer_ms": 90}]}, "binding one_outstanding needs"),
        ({"gate": []}, "gate"),
        ({"gate": gate(offset_mm=31)}, "acts from 31 to 71 mm behind the leading edge and misses the middle of every"),
        ({"gate": gate(offset_mm=-20, dwell_mm=50)}, "at 30: change offset_mm or dwell_mm"),
        ({"gate": gate(kind="air", offset_mm=20, dwell_mm=5, min_on_ms=30)}, "acts from 20 to 29 mm"),
        ({"encoder": {"driver": "counter"}}, "needs encoder.counter, as counter0/count0"),
        ({"encoder": {"driver": "counter", "counter": "counter0"}}, "the twin has none: use gpio"),
        (
            {"encoder": {"driver": "virtual", "speed_mm_s": 500, "reverse": True}, "belt": {"running": {"pin": 9}}},
            "encoder.reverse means nothing",
        ),
        ({"handshake": {"ready": {"pin": 9}, "refresh_ms": 39}}, "handshake.refresh_ms must be at least 40"),
        ({"handshake": {"fault": {"pin": 4}}}, "pin 4 is claimed twice, by part and by fault"),
        ({"watchdog": {"device": "/dev/watchdog", "timeout_s": 1}}, "watchdog.timeout_s = 1"),
        ({"trigger": {"source": "vision"}}, "needs the table [trigger.vision]"),
        ({"trigger": {"source": "vision", "vision": {"camera": "side", "mm_per_px": 1}}}, "name one of top"),
        (
            {
                "trigger": {"source": "vision", "vision": {"mm_per_px": 1}},
                "camera": [{"driver": "folder", "source": "pictures"}],
            },
            "pictures of a folder, not a belt",
        ),
    ],
)
def test_line_that_cannot_work_is_refused(changes: dict[str, object], says: str) -> None:
    assert says in refused(**changes)


def test_gate_too_close_to_the_camera_is_refused_by_how_many_mm() -> None:
    # 1000 mm/s for 0.5 + 8 + 5 + 12 + 5 ms are 30.5 mm; the gate acts at 165 + 10.
    text = refused(gate=gate(position_mm=165))
    assert "a verdict takes 30.5 mm of belt at 1000 mm/s and there are 25.0" in text
    assert "move the gate 5.6 mm downstream" in text
    near = [*gate(position_mm=165 + 5.6)]
    assert validated(Line, {**GOOD, "gate": near}, "line.toml").gates[0].position_mm == 170.6


def test_encoder_that_is_too_fast_is_refused_with_what_mends_it() -> None:
    text = refused(encoder={"a": 5, "b": 6, "counts_per_mm": 12})
    assert "gives 12,000 counts per second at belt.v_max_mm_s, more than the 5,000 that its driver gpio" in text
    assert "use a coarser one, up to 5 counts per mm, or count by the kernel (encoder.driver = counter)" in text


@pytest.mark.parametrize("limit", [0, 12000])
def test_limit_of_the_encoder_can_be_set(limit: float) -> None:
    encoder = {"a": 5, "b": 6, "counts_per_mm": 12, "max_counts_per_s": limit}
    line = validated(Line, {**GOOD, "encoder": encoder}, "line.toml")
    assert line.encoder.limit_counts_s == limit


def test_counter_of_the_kernel_has_no_limit_of_ours() -> None:
    encoder = {"driver": "counter", "counter": "counter0/count0", "counts_per_mm": 1000}
    values = {**GOOD, "encoder": encoder, "camera": [{"driver": "opencv", "source": "0"}]}
    assert validated(Line, values, "line.toml").encoder.limit_counts_s == 0


def test_handshake_lines_are_inputs_and_outputs_of_the_line() -> None:
    handshake = {name: {"pin": pin} for pin, name in enumerate(["ready", "fault", "line_stop", "stopped"], 10)}
    line = validated(Line, {**GOOD, "handshake": handshake}, "line.toml")
    assert set(outputs_of(line)) == {"gate:reject", "ready", "fault", "line_stop"}
    assert set(inputs_of(line)) == {"part", "stopped"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[belt\n", "is not valid TOML"),
        (b"\xff\xfe", "is not UTF-8 text (byte 0)"),
        (b"a" * 1_000_001, "is larger than"),
        (b"", "problem"),
    ],
)
def test_file_that_is_no_settings_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "line.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"line\.toml") as error:
        load_line(path)
    assert says in str(error.value)


def test_absent_file_and_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            load_line(path)


def test_recipe_that_rejects_to_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "line.toml").write_text(twin_line().read_text())
    (tmp_path / "recipe.toml").write_text('[classes.open]\ndestination = "rework"\n')
    with pytest.raises(ConfigError, match=r"\[open\] rejects to 'rework'"):
        load_setup(tmp_path / "line.toml")


def test_rule_of_a_class_takes_its_gaps_from_the_default(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('[default]\nthreshold = 0.6\n[classes.open]\npolicy = "flag"\n')
    recipe = load_recipe(path)
    assert (recipe.rule("open").threshold, recipe.rule("open").policy) == (0.6, "flag")
    assert (recipe.rule("short").threshold, recipe.rule("short").policy) == (0.6, "reject")


def test_threshold_of_the_model_counts_only_where_the_recipe_names_none() -> None:
    assert Recipe().settled(0.41).default.threshold == 0.41
    named = Recipe.model_validate({"default": {"threshold": 0.2}})
    assert named.settled(0.41).default.threshold == 0.2


def test_refused_address_is_told_without_its_password() -> None:
    source = "rtsp://user:hunter2@camera/" + "x" * 400
    text = refused(camera=[{"driver": "opencv", "source": source}])

    assert "user:***@camera" in text
    assert "hunter2" not in text


def test_line_and_recipe_are_called_by_any_script_and_one_spelling_of_an_umlaut() -> None:
    decomposed = "Gro\u0308\u00dfe 2 / Su\u0308d"

    assert parse_recipe(f'name = "{decomposed}"', "r").name == "Gr\u00f6\u00dfe 2 / S\u00fcd"


@pytest.mark.parametrize("name", [" a", "a ", "a\\u0007b", "a\\u202eb"])
def test_name_with_control_characters_or_blanks_at_an_end_says_what_to_leave_out(name) -> None:
    with pytest.raises(ConfigError, match="leave out control characters, and blanks at either end"):
        parse_recipe(f'name = "{name}"', "r")


@pytest.mark.parametrize("name", ["../x", "Ausschu\u00df", "a/b", ".hidden"])
def test_name_of_a_bin_which_pins_and_files_take_says_which_characters_it_may_have(name) -> None:
    with pytest.raises(ConfigError, match="use A to Z, a to z, digits, blanks and"):
        parse_recipe(f'[default]\ndestination = "{name}"', "r")
