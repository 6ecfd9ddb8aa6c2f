import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.decide import decide
from app.recipe import ClassRule, DefaultRule, Recipe
from app.record.figures import JudgedPart, Terms
from app.types import Detection
from app.web.figures.desk import with_thresholds
from app.web.figures.truth import by_model, is_bad
from app.web.figures.what_if import (
    Labelled,
    Support,
    Told,
    changed,
    collect,
    curve_of,
    flagged_of,
    judge,
    outcome_of,
    support_of,
)
from app.web.review.label import LabelKind, PartLabel

LARGE, SMALL = (0.0, 0.0, 20.0, 10.0), (0.0, 0.0, 3.0, 2.0)
RECIPE = Recipe(
    flag_margin=0.1,
    default=DefaultRule(threshold=0.5),
    classes={"open": ClassRule(min_width_px=4), "short": ClassRule()},
)


def part(*found, is_bad=False):
    """A labelled part with findings, as class, score and perhaps box."""
    return Labelled(is_bad, tuple(Detection(label, score, *(box or [LARGE])) for label, score, *box in found))


PARTS = [
    part(("short", 0.9), is_bad=True),
    part(("short", 0.3), ("open", 0.2), is_bad=True),
    part(("open", 0.6)),
    part(),
]


def label(part_id, kind):
    return PartLabel(1, 1, part_id, kind, "", None, "quinn", 0, 1)


def evidence(*parts, recipe=RECIPE):
    return collect(parts or PARTS, recipe)


def outcome(known, **thresholds):
    return outcome_of(known, judge(known, thresholds))


def test_escapes_and_overkill_are_counted_by_hand():
    said = outcome(evidence())

    assert (said.escapes.hits, said.escapes.of) == (1, 2)
    assert (said.overkill.hits, said.overkill.of) == (1, 2)
    assert (said.passed.hits, said.passed.of) == (2, 4)


def test_a_lower_threshold_catches_and_a_higher_one_lets_go():
    known = evidence()

    assert outcome(known, short=0.3).escapes.hits == 0
    assert outcome(known, open=0.61).overkill.hits == 0
    assert changed(known.now, judge(known, {"short": 0.3, "open": 0.61})) == 2


def test_a_score_reaches_a_threshold_that_is_the_same():
    assert outcome(evidence(part(("short", 0.35))), short=0.35).overkill.hits == 1


def test_a_finding_below_the_minimum_sizes_rejects_nothing_and_flags_nothing():
    known = evidence(part(("open", 0.9, SMALL)), part(("open", 0.9, LARGE)))

    assert [each.destination for each in judge(known, {"open": 0.4})] == ["pass", "reject"]
    assert flagged_of(judge(known, {"open": 0.95})).hits == 1
    assert support_of(known)["open"] == Support(bad=0, good=1, small=1)


def test_a_finding_just_below_its_threshold_flags_the_part():
    known = evidence(part(("short", 0.45)), part(("short", 0.35)))

    assert flagged_of(known.now).hits == 1
    assert [each.is_flagged for each in judge(known, {"short": 0.44})] == [False, True]


def test_a_class_that_only_flags_rejects_nothing():
    classes = {"open": ClassRule(policy="flag"), "spur": ClassRule(policy="ignore")}
    known = evidence(part(("open", 0.9), ("spur", 0.9)), recipe=Recipe(classes=classes))

    assert [(each.destination, each.is_flagged) for each in known.now] == [("pass", True)]
    assert set(known.thresholds) == {"open"}


def test_a_part_that_goes_to_another_gate_is_moved():
    classes = {"open": ClassRule(destination="rework"), "short": ClassRule(destination="scrap")}
    known = evidence(part(("open", 0.8), ("short", 0.7)), recipe=Recipe(classes=classes))

    after = judge(known, {"short": 0.1})

    assert [each.destination for each in (*known.now, *after)] == ["rework", "scrap"]
    assert changed(known.now, after) == 1


def test_support_counts_parts_by_truth():
    assert support_of(evidence()) == {"open": Support(1, 1, 0), "short": Support(2, 0, 0)}


def test_curve_moves_one_class_and_holds_the_others():
    curve = curve_of(evidence(), {}, "short")
    at = {round(each, 2): row for row, each in enumerate(curve.thresholds)}

    assert [curve.escapes[at[each]] for each in (0.3, 0.32, 0.9, 0.92)] == [0, 1, 1, 2]
    assert set(curve.overkill) == {1}


def test_nothing_labelled_gives_no_share_and_no_floor():
    known = collect([], RECIPE)

    assert (outcome(known).escapes.value, known.least_score, known.parts) == (None, None, ())


SCORES = st.integers(0, 100_000).map(lambda each: each / 100_000) | st.integers(0, 20).map(lambda each: each / 20)
SIZES = st.integers(0, 12).map(float)
BOXES = st.tuples(st.just(1.0), st.just(2.0), SIZES, SIZES)
LABELS = st.sampled_from(["a", "b", "c", "d"])
PARTS_FOUND = st.lists(st.builds(Detection, LABELS, SCORES, BOXES), max_size=6)
THRESHOLDS = st.integers(0, 20).map(lambda each: each / 20)
OWN = {
    "threshold": THRESHOLDS,
    "min_width_px": SIZES,
    "min_height_px": SIZES,
    "min_area_px": st.integers(0, 60).map(float),
    "policy": st.sampled_from(["reject", "flag", "ignore"]),
    "destination": st.sampled_from(["reject", "rework", "scrap"]),
}
RULES = st.builds(ClassRule, **{name: st.none() | each for name, each in OWN.items()})
RECIPES = st.builds(
    Recipe, flag_margin=THRESHOLDS, default=st.builds(DefaultRule, **OWN), classes=st.dictionaries(LABELS, RULES)
)


def moved(recipe, thresholds):
    """The recipe as it would be with other thresholds."""
    rules = {
        name: recipe.classes.get(name, ClassRule()).model_copy(update={"threshold": each})
        for name, each in thresholds.items()
    }
    return recipe.model_copy(update={"classes": {**recipe.classes, **rules}})


@given(st.lists(PARTS_FOUND, max_size=4), RECIPES, st.dictionaries(LABELS, THRESHOLDS))
def test_every_part_gets_the_verdict_that_the_station_would_give_it(parts, recipe, thresholds):
    known = collect([Labelled(is_bad=False, found=tuple(each)) for each in parts], recipe)
    after = moved(recipe, {label: each for label, each in thresholds.items() if label in known.rules})

    by_station = [decide(1, each, after, 0) for each in parts]

    assert judge(known, thresholds) == tuple(Told(each.destination, each.is_flagged) for each in by_station)
    assert known.now == tuple(
        Told(each.destination, each.is_flagged) for each in (decide(1, one, recipe, 0) for one in parts)
    )


@given(st.lists(PARTS_FOUND, min_size=1, max_size=4), RECIPES, st.dictionaries(LABELS, THRESHOLDS), LABELS)
def test_the_curve_is_what_the_station_would_do_at_each_threshold(parts, recipe, thresholds, label):
    known = collect([Labelled(is_bad=False, found=tuple(each)) for each in parts], recipe)
    held = {each: recipe.rule(each).threshold for each in known.rules} | thresholds
    assume(label in known.rules and recipe.rule(label).policy == "reject")

    curve = curve_of(known, held, label)

    for step, rejected in list(zip(curve.thresholds, curve.overkill, strict=True))[::10]:
        after = moved(recipe, {each: one for each, one in (held | {label: step}).items() if each in known.rules})
        assert rejected == sum(not decide(1, each, after, 0).is_pass for each in parts)


def test_models_are_told_apart_by_the_terms_of_each_part():
    judged = {
        (1, 1, 1): JudgedPart("pass", "", 1, "L", 0),
        (1, 1, 2): JudgedPart("reject", "DEFECT", 1, "L", 0),
        (1, 1, 3): JudgedPart("reject", "DEFECT", 9, "L", 0),
    }
    terms = {(1, 1): Terms(1, 1, "old", "aa", since_us=5), (1, 9): Terms(1, 9, "new", "bb", since_us=7)}
    labels = [label(1, LabelKind.ESCAPE), label(2, LabelKind.FALSE_REJECT), label(3, LabelKind.TRUE_DEFECT)]
    labels += [label(4, LabelKind.GOOD), label(2, LabelKind.UNSURE)]

    new, old = by_model(labels, judged, terms)

    assert (new.package, new.accuracy.escapes.of, new.accuracy.overkill.of) == ("new", 1, 0)
    assert (old.sha256, old.accuracy.escapes.hits, old.accuracy.overkill.hits) == ("aa", 1, 1)


@pytest.mark.parametrize(
    ("kind", "bad"),
    [(LabelKind.OTHER_CLASS, True), (LabelKind.GOOD, False), (LabelKind.UNSURE, None)],
)
def test_truth_is_what_the_label_says(kind, bad):
    assert is_bad(kind) is bad


def test_thresholds_are_written_into_the_recipe_and_the_rest_stays():
    text = 'name = "A"  # ours\n\n[classes.short]\nthreshold = 0.4 # as agreed\npolicy = "reject"\n'

    changed_text = with_thresholds(text, {"short": 0.45, "mouse bite": 0.6})

    assert "# ours" in changed_text
    assert 'policy = "reject"' in changed_text
    assert "threshold = 0.45 # as agreed" in changed_text
    assert '[classes."mouse bite"]\nthreshold = 0.6' in changed_text


def test_a_recipe_without_classes_gets_them():
    assert with_thresholds('name = "A"\n', {"short": 0.4}) == 'name = "A"\n\n[classes.short]\nthreshold = 0.4\n'
