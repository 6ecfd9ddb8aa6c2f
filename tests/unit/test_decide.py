"""The verdict: what counts, which destination, and in which words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.decide import decide, reject
from app.recipe import Recipe
from app.types import PASS, Detection, Reason

EXACT = st.sampled_from([0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0])


def recipe(**keys):
    return Recipe.model_validate({"flag_margin": 0.0, **keys})


def found(label="open", score=0.9, x=10.0, y=20.0, width=8.0, height=4.0):
    return Detection(label, score, (x, y, width, height))


def verdict(*detections, **keys):
    return decide(7, detections, recipe(**keys), 1234)


def texts(result):
    return [each.text for each in result.findings]


def test_part_without_findings_passes():
    result = verdict()
    assert (result.part_id, result.destination, result.findings) == (7, PASS, ())
    assert (result.is_flagged, result.decided_ns) == (False, 1234)


def test_defect_rejects_and_says_why():
    defect = Detection("open", 0.914, (77.4, 314.6, 33.2, 58.0))
    result = verdict(defect)
    assert (result.part_id, result.destination, result.is_flagged, result.decided_ns) == (7, "reject", False, 1234)
    assert texts(result) == ["open 0.91 at x=77 y=315, 33 x 58 px, threshold 0.35"]
    assert (result.findings[0].reason, result.findings[0].detection) == (Reason.DEFECT, defect)


def test_score_at_the_threshold_rejects():
    assert verdict(found(score=0.35)).destination == "reject"


def test_score_below_the_threshold_passes():
    assert verdict(found(score=0.349999)).destination == PASS


def test_threshold_of_one_rejects_a_score_of_one():
    assert verdict(found(score=1.0), default={"threshold": 1.0}).destination == "reject"


def test_threshold_of_zero_rejects_everything_found():
    assert verdict(found(score=0.0), default={"threshold": 0.0}).destination == "reject"


@pytest.mark.parametrize(("size", "exact"), [("min_width_px", 8.0), ("min_height_px", 4.0), ("min_area_px", 32.0)])
def test_box_of_exactly_the_minimum_counts_and_a_smaller_one_does_not(size, exact):
    assert verdict(found(), default={size: exact}).destination == "reject"
    result = verdict(found(), default={size: exact + 0.001})
    assert (result.destination, result.findings, result.is_flagged) == (PASS, (), False)


def test_every_minimum_has_to_be_met():
    minima = {"min_width_px": 8.0, "min_height_px": 4.0, "min_area_px": 32.0}
    assert verdict(found(), default=minima).destination == "reject"
    for size in minima:
        assert verdict(found(), default={**minima, size: 1000.0}).destination == PASS


def test_area_is_width_times_height():
    assert verdict(found(width=3, height=5), default={"min_area_px": 15}).destination == "reject"
    assert verdict(found(width=3, height=5), default={"min_area_px": 15.5}).destination == PASS


def test_class_has_its_own_threshold():
    keys = {"classes": {"open": {"threshold": 0.95}}}
    assert verdict(found("open"), **keys).destination == PASS
    assert verdict(found("short"), **keys).destination == "reject"


def test_class_has_its_own_minimum_size():
    keys = {"classes": {"open": {"min_width_px": 9}}}
    assert verdict(found("open"), **keys).destination == PASS
    assert verdict(found("short"), **keys).destination == "reject"


def test_ignored_class_leaves_no_trace():
    result = verdict(found(), flag_margin=0.1, classes={"open": {"policy": "ignore"}})
    assert (result.destination, result.findings, result.is_flagged) == (PASS, (), False)


def test_ignored_class_is_not_flagged_near_its_threshold_either():
    result = verdict(found(score=0.34), flag_margin=0.1, default={"policy": "ignore"})
    assert (result.findings, result.is_flagged) == ((), False)


def test_flagged_class_passes_and_is_flagged():
    result = verdict(found(), classes={"open": {"policy": "flag"}})
    assert (result.destination, result.is_flagged) == (PASS, True)
    assert texts(result) == ["open 0.90 at x=10 y=20, 8 x 4 px, threshold 0.35, flagged only"]


def test_flagged_class_counts_from_its_threshold():
    keys = {"flag_margin": 0.1, "default": {"policy": "flag"}}
    assert verdict(found(score=0.35), **keys).is_flagged
    assert not verdict(found(score=0.34), **keys).is_flagged


def test_near_miss_flags_the_part_and_passes_it():
    result = verdict(found(score=0.3), flag_margin=0.1)
    assert (result.destination, result.is_flagged) == (PASS, True)
    assert texts(result) == ["open 0.30 at x=10 y=20, 8 x 4 px, just below the threshold 0.35"]
    assert result.findings[0].reason is Reason.FLAGGED


@pytest.mark.parametrize(("score", "is_flagged"), [(0.25, True), (0.375, True), (0.249, False)])
def test_near_miss_includes_the_end_of_the_margin(score, is_flagged):
    assert verdict(found(score=score), flag_margin=0.25, default={"threshold": 0.5}).is_flagged == is_flagged


def test_margin_that_is_no_binary_fraction_includes_its_end_too():
    assert verdict(found(score=0.25), flag_margin=0.1).is_flagged


def test_margin_of_zero_flags_nothing():
    assert not verdict(found(score=0.3499)).is_flagged


def test_defect_is_no_near_miss():
    result = verdict(found(score=0.35), flag_margin=0.1)
    assert (len(result.findings), result.is_flagged) == (1, False)


def test_near_miss_that_is_too_small_is_nothing():
    result = verdict(found(score=0.3), flag_margin=0.1, default={"min_width_px": 9})
    assert (result.findings, result.is_flagged) == ((), False)


def test_rejected_part_is_flagged_for_what_else_was_seen():
    result = verdict(found(), found("short", 0.3), flag_margin=0.1)
    assert (result.destination, result.is_flagged) == ("reject", True)


def test_rejects_come_first_then_flags_then_near_misses():
    keys = {"flag_margin": 0.1, "classes": {"spur": {"policy": "flag"}}}
    result = verdict(found("near", 0.3), found("spur", 0.99), found("open", 0.5), **keys)
    assert [each.detection.label for each in result.findings] == ["open", "spur", "near"]


TWO_BINS = {
    "classes": {
        "open": {"threshold": 0.5, "destination": "scrap"},
        "short": {"threshold": 0.25, "destination": "rework"},
    }
}


def test_destination_is_that_of_the_defect_furthest_over_its_threshold():
    assert verdict(found("open", 0.875), found("short", 0.5), **TWO_BINS).destination == "scrap"
    assert verdict(found("open", 0.625), found("short", 0.5), **TWO_BINS).destination == "rework"


def test_between_equals_the_higher_score_decides():
    assert verdict(found("short", 0.5), found("open", 0.75), **TWO_BINS).destination == "scrap"


def test_between_equal_scores_the_class_name_decides():
    classes = {"b": {"destination": "scrap"}, "a": {"destination": "rework"}}
    assert verdict(found("b"), found("a"), classes=classes).destination == "rework"


def test_worst_defect_is_named_first():
    result = verdict(found("short", 0.5), found("open", 0.875), **TWO_BINS)
    assert [each.detection.label for each in result.findings] == ["open", "short"]


def test_flagged_class_never_chooses_the_destination():
    keys = {"classes": {"open": {"policy": "flag", "destination": "scrap"}}}
    assert verdict(found("open", 1.0), found("short", 0.4), **keys).destination == "reject"


DETECTIONS = st.lists(
    st.builds(
        found,
        label=st.sampled_from(["open", "short", "spur"]),
        score=EXACT,
        x=st.integers(0, 9).map(float),
        width=st.integers(0, 20).map(float),
    ),
    max_size=6,
)
RECIPES = st.fixed_dictionaries(
    {
        "flag_margin": EXACT,
        "default": st.fixed_dictionaries({"threshold": EXACT, "min_width_px": st.integers(0, 20)}),
        "classes": st.fixed_dictionaries(
            {
                "short": st.fixed_dictionaries({"threshold": EXACT, "destination": st.just("rework")}),
                "spur": st.fixed_dictionaries({"policy": st.sampled_from(["flag", "ignore", "reject"])}),
            }
        ),
    }
)


@given(DETECTIONS, RECIPES)
def test_part_is_rejected_exactly_when_a_rejecting_class_counts(detections, keys):
    rules = recipe(**keys)
    counting = [
        each
        for each in detections
        if rules.rule(each.label).policy == "reject"
        and each.score >= rules.rule(each.label).threshold
        and each.box_px[2] >= rules.rule(each.label).min_width_px
    ]
    result = verdict(*detections, **keys)
    assert result.is_pass == (not counting)
    assert {each.detection for each in result.findings if each.reason is Reason.DEFECT} == set(counting)


@given(DETECTIONS.flatmap(lambda each: st.tuples(st.just(each), st.permutations(each))), RECIPES)
def test_order_of_the_detections_never_matters(orders, keys):
    first, second = orders
    assert verdict(*first, **keys) == verdict(*second, **keys)


@given(DETECTIONS, RECIPES)
def test_part_is_flagged_exactly_when_a_finding_says_so(detections, keys):
    result = verdict(*detections, **keys)
    assert result.is_flagged == any(each.reason is Reason.FLAGGED for each in result.findings)


def test_part_that_no_picture_spoke_for_is_rejected_with_its_reason():
    result = reject(9, Reason.NO_FRAME, "no frame within 40 ms", "scrap", 55)
    assert (result.part_id, result.destination, result.decided_ns, result.is_flagged) == (9, "scrap", 55, False)
    (finding,) = result.findings
    assert (finding.reason, finding.text, finding.detection) == (Reason.NO_FRAME, "no frame within 40 ms", None)
