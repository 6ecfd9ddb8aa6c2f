"""A change of recipe: prepared between two pictures, effective between two parts, refused in words."""

from __future__ import annotations

import threading

import pytest

from app.bus.commands import RECIPE_BYTES, CommandServer, Request, ask
from app.changeover import PATIENCE_NS, AtOnce, Proposal
from app.desk import Desk
from app.detect.detector import Result
from app.errors import CommandRefusedError, ConfigError
from app.recipe import parse_recipe
from app.record.documents import hash_of
from app.types import EventKind
from app.verdicts import AtWork
from tests.unit.test_station import DEFECT, Bench, Mind

STRICT = 'name = "strict"\n[default]\nthreshold = 0.3\n'
LAX = 'name = "lax"\n[default]\nthreshold = 0.95\n'


class Line(Bench):
    """A station that can change its recipe, with a mind per recipe."""

    def __init__(self, **changes) -> None:
        super().__init__(**changes)
        self.minds = {}
        self.prepared = []
        self.answers = []
        self.station._changeover._preparing = AtOnce(self.prepare)

    def prepare(self, text, seen):
        self.prepared.append(seen)
        recipe = parse_recipe(text, "the recipe")
        if recipe.name == "impossible":
            raise ConfigError("it has rules for 'dent', which the model does not know", "use its classes: open")
        return AtWork(recipe, self.minds.setdefault(recipe.name, Mind()), hash_of(text))

    def wish(self, text, role="quality", by="Ada", reason="new board"):
        self.station.propose(Proposal(text, by, role, reason), self.answers.append)


def test_parts_triggered_before_keep_their_recipe_and_later_ones_have_the_new() -> None:
    line = Line()
    line.part()
    line.wish(LAX)
    line.station.rest()
    assert line.answers == []  # a picture is awaited

    line.mind.says = [Result((DEFECT,))]
    line.look()
    line.station.rest()
    line.minds["lax"].says = [Result((DEFECT,))]
    line.part()
    line.look()

    assert line.reasons == ["DEFECT", "FLAGGED"]
    judged = [event.data.get("recipe_sha256") for event in line.events(EventKind.JUDGED)]
    assert judged == [None, hash_of(LAX)]


def test_part_that_waits_for_its_second_picture_is_judged_by_the_recipe_of_its_trigger() -> None:
    line = Line(camera=[{"name": "top", "position_mm": 150}, {"name": "side", "position_mm": 170}])
    line.part()
    line.look("top")
    line.wish(LAX)
    line.station.rest()
    assert line.station.at_work.recipe.name == "lax"
    line.mind.says = [Result((DEFECT,))]
    line.move(20)
    line.look("side")

    assert line.reasons == ["DEFECT"]


def test_change_is_in_the_ledger_with_who_why_and_from_which_part_on() -> None:
    line = Line()
    line.part()
    line.look()
    line.wish(STRICT)
    line.station.step()
    line.station.step()
    event = line.events(EventKind.RECIPE)[0]

    assert event.data == {
        "recipe": "strict",
        "recipe_sha256": hash_of(STRICT),
        "by": "Ada",
        "role": "quality",
        "why": "new board",
        "from_part": 2,
    }
    assert line.answers == [event.sequence]
    assert line.prepared == [(4, 4)]


def test_change_does_not_wait_forever_for_a_quiet_moment() -> None:
    line = Line()
    line.part()
    line.wish(STRICT)
    line.station.rest()
    line.clock.advance_to(line.clock.now_ns() + PATIENCE_NS)
    line.station.rest()

    assert line.station.at_work.recipe.name == "strict"


def test_recipe_that_cannot_work_changes_nothing() -> None:
    line = Line()
    before = line.station.at_work
    line.wish('name = "impossible"')
    line.station.rest()
    line.wish("no toml")
    line.station.rest()

    assert [type(each) for each in line.answers] == [ConfigError, ConfigError]
    assert "use its classes: open" in str(line.answers[0])
    assert line.station.at_work is before
    assert line.events(EventKind.RECIPE) == []


def test_recipe_cannot_change_while_a_challenge_test_runs() -> None:
    line = Line(exit={"sensor": {"pin": 17}, "position_mm": 650})
    line.station.ask(lambda tracker: tracker.start_challenge("Ada"))
    line.wish(STRICT)
    line.station.rest()

    assert "challenge" in str(line.answers[0])


@pytest.mark.parametrize(
    ("said", "why"),
    [({"role": "operator"}, "may not"), ({"by": " "}, "a name"), ({"reason": ""}, "a name and a reason")],
)
def test_who_may_not_or_says_not_why_is_refused_at_once(said, why) -> None:
    line = Line()
    with pytest.raises(CommandRefusedError, match=why):
        line.wish(STRICT, **said)


def test_second_change_waits_its_turn_and_a_fixed_station_has_none() -> None:
    line = Line()
    line.wish(STRICT)
    with pytest.raises(CommandRefusedError, match="under way"):
        line.wish(LAX)
    with pytest.raises(CommandRefusedError, match="while it runs"):
        Bench().station.propose(Proposal(LAX, "Ada", "lead", "x"), lambda _: None)


def test_many_changes_keep_no_more_judges_than_there_are_parts_to_judge() -> None:
    line = Line()
    for number in range(5):
        line.wish(f'name = "r{number}"')
        line.station.rest()

    assert len(line.station._verdicts._at_work) == 1


def test_account_stays_balanced_over_changes_while_parts_run() -> None:
    line = Line()
    for number in range(4):
        line.part()
        line.look()
        line.wish(f'name = "r{number}"')
    line.move(900)
    tally = line.station.status().tally

    assert tally.is_balanced
    assert (tally.triggers, tally.in_flight) == (4, 0)


def test_request_is_answered_once_the_change_is_made(tmp_path) -> None:
    line = Line()
    path = tmp_path / "lane1.command"
    desk = Desk(line.station, CommandServer(path))
    said = []
    request = Request(command="adopt_recipe", recipe=STRICT, by="Ada", role="lead", reason="new board")
    asker = threading.Thread(target=lambda: said.append(ask(path, request, 10.0)))
    asker.start()
    while asker.is_alive():
        desk.serve()
        line.station.step()
    line.station.step()

    assert (said[0].ok, said[0].sequence) == (True, line.events(EventKind.RECIPE)[0].sequence)


def test_refused_request_is_answered_in_words(tmp_path) -> None:
    line = Line()
    path = tmp_path / "lane1.command"
    desk = Desk(line.station, CommandServer(path))
    said = []
    request = Request(command="adopt_recipe", recipe=STRICT, by="Ada", role="operator", reason="new board")
    asker = threading.Thread(target=lambda: said.append(ask(path, request, 10.0)))
    asker.start()
    while asker.is_alive():
        desk.serve()

    assert not said[0].ok
    assert "may not change the recipe" in said[0].what


def test_recipe_fits_a_datagram_or_is_no_request() -> None:
    whole = "#" + '"' * (RECIPE_BYTES - 1)
    said = {"command": "adopt_recipe", "by": "Ä" * 64, "role": "lead", "reason": "ß" * 200}
    assert len(Request(recipe=whole, **said).model_dump_json().encode()) < 32_000
    for wrong in ("", "#" * (RECIPE_BYTES + 1), "ä" * (RECIPE_BYTES - 1), "a\x00b"):
        with pytest.raises(ValueError, match="recipe"):
            Request(recipe=wrong, **said)
