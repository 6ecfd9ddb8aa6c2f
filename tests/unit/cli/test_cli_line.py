import json

import pytest

from app.setup import twin_line
from tests.unit.cli.conftest import only_sentence, write_picture
from tests.unit.detect.tiny_model import blank, write_package

SHIPPED = "pcb-nano-int8"
LINE = twin_line().read_text()
RECIPE = "schema = 1\n"


@pytest.fixture
def site(tmp_path, zoo):
    """Writes a line.toml beside a recipe; the model is the tiny one unless the text says otherwise."""

    def write(line=LINE, recipe=RECIPE):
        folder = tmp_path / "site"
        folder.mkdir(exist_ok=True)
        (folder / "line.toml").write_text(line.replace(f'"{SHIPPED}"', '"tiny"'))
        (folder / "recipe.toml").write_text(recipe)
        return folder / "line.toml"

    return write


def test_the_twins_own_line_is_explained_by_default(takt, zoo):
    write_package(zoo / SHIPPED)

    result = takt.run("line", "check")

    assert result.exit_code == 0
    assert "Demo line, lane 1" in result.stdout


def test_the_journey_runs_from_trigger_to_exit(takt, site):
    document, result = takt.json("line", "check", site())

    names = [each["name"] for each in document["journey"]]
    assert result.exit_code == 0
    assert names[0] == "trigger"
    assert names[-1] == "exit"
    assert names.index("top: verdict") < names.index("reject: cut-off") < names.index("reject: fire")


def test_the_words_say_what_the_tables_hold(takt, site):
    text = takt.run("line", "check", site()).stdout

    for words in ("gate:reject", "OUTPUT_FAULT", "the belt purges itself", "Mind", "mm/s"):
        assert words in text


def test_a_line_with_nothing_to_mind_says_so(takt, site):
    text = LINE + "\n[challenge]\ninterval_h = 4\n"

    assert "Nothing to mind" in takt.run("line", "check", site(text)).stdout


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("position_mm = 450", "position_mm = 165", "mm downstream"),
        ("pin = 22", "pin = 23", "claimed twice"),
        ("dwell_mm", "dwel_mm", "did you mean dwell_mm"),
        ("v_max_mm_s = 1000", "v_max_mm_s = -1", "v_max_mm_s"),
        ("verdict_ms = 5", "verdict_ms = nan", "verdict_ms"),
        ("threads = 2", "threads = 2000", "threads"),
        ('kind = "diverter"', 'kind = "pusher"\nmax_on_ms = 20', "which the coil allows"),
        ("schema = 1", "schema = 9", "schema"),
        ("[belt]", "[belt", "not valid TOML"),
        ('recipe = "recipe.toml"', 'recipe = "absent.toml"', "absent.toml"),
    ],
)
def test_a_line_that_cannot_work_is_refused_in_one_sentence(takt, site, old, new, hint):
    assert old in LINE

    result = takt.run("line", "check", site(LINE.replace(old, new)))

    assert result.exit_code == 3
    assert hint in only_sentence(result.stderr)
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("recipe", "hint"),
    [
        ('[default]\ndestination = "bin 2"\n', "no gate serves"),
        ("[classes.up]\nthreshold = 0.2\n", "'up'"),
        ("[roi]\nwidth_px = 900\nheight_px = 100\n", "640 x 640"),
        ("[default]\ntreshold = 0.2\n", "did you mean threshold"),
    ],
)
def test_a_recipe_that_does_not_fit_the_line_is_refused(takt, site, recipe, hint):
    result = takt.run("line", "check", site(recipe=RECIPE + recipe))

    assert result.exit_code == 3
    assert hint in only_sentence(result.stderr)


def test_a_model_package_that_is_not_there_is_refused(takt, site):
    result = takt.run("line", "check", site(LINE.replace(f'"{SHIPPED}"', '"absent"')))

    assert result.exit_code == 5
    assert "absent" in only_sentence(result.stderr)


def test_a_real_camera_needs_a_golden_sample_for_a_model_that_wants_one(takt, site, tmp_path):
    line = LINE.replace('driver = "twin"', 'driver = "folder"\nsource = "pictures"')

    assert "golden_sample" in only_sentence(takt.run("line", "check", site(line)).stderr)
    path = site(line, RECIPE + 'golden_sample = "master.png"\n')
    missing = takt.run("line", "check", path)
    write_picture(path.parent / "master.png", blank())

    assert (missing.exit_code, takt.run("line", "check", path).exit_code) == (4, 0)


def test_a_line_that_does_not_exist_is_refused(takt, tmp_path):
    result = takt.run("line", "check", tmp_path / "absent.toml")

    assert result.exit_code == 3
    assert "absent.toml" in only_sentence(result.stderr)


def test_a_file_that_is_no_text_is_refused(takt, tmp_path):
    (tmp_path / "line.toml").write_bytes(bytes(range(128, 256)))

    result = takt.run("line", "check", tmp_path / "line.toml")

    assert result.exit_code == 3
    assert "UTF-8" in only_sentence(result.stderr)


def test_the_json_document_has_every_section(takt, site):
    document = json.loads(takt.run("line", "check", site(), "--json").stdout)

    assert set(document) == {"file", "name", "journey", "slack", "pins", "start", "stops", "recipe", "warnings"}
