"""Whoever prepares recipes beside a running line dies: the line goes on, and takes up the next recipe all the same."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

from app.bus.commands import Request, ask
from app.setup import twin_line
from app.status import State
from tests.live.box import PATIENCE_S, wait_until

RECIPE = (twin_line().parent / "recipe.toml").read_text(encoding="utf-8")
NEXT = RECIPE.replace('"demo board"', '"the next"')
ENDLESS = RECIPE.replace('name = "demo board"', 'name = "endless"\ngolden_sample = "endless.png"')
MORE_PARTS = 10


def adopt(box, text):
    said = {"by": "a test", "role": "lead", "reason": "another board", "recipe": text}
    return ask(box.place.commands(1), Request(command="adopt_recipe", **said), PATIENCE_S)


def children_of(pid):
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class EndlessPicture:
    """A golden sample that nobody comes to the end of."""

    def __init__(self, path):
        self._path = path
        self._opened = -1
        os.mkfifo(path)

    def is_read(self):
        with suppress(OSError):  # nobody reads it yet
            self._opened = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
        return self._opened >= 0

    def close(self):
        os.close(self._opened)


def test_a_line_takes_up_the_next_recipe_after_whoever_prepares_has_died_over_one(make_box):
    box = make_box()
    box.start()
    box.run_on()
    (keeper,) = children_of(box.pid("station"))
    (prepares,) = children_of(keeper)
    with closing(EndlessPicture(box.lines[0].parent / "endless.png")) as picture, ThreadPoolExecutor(1) as asking:
        asked = asking.submit(adopt, box, ENDLESS)
        wait_until(picture.is_read, f"the recipe is being prepared: {box.words}")
        os.kill(prepares, signal.SIGKILL)
        refused = asked.result()
    taken_up = adopt(box, NEXT)
    wait_until(lambda: box.status().recipe == "the next", "the station tells of it")
    before = box.status().tally.triggers
    wait_until(lambda: box.status().tally.triggers >= before + MORE_PARTS, "the line goes on")
    status = box.status()

    assert not refused.ok
    assert "has ended over this one (Killed)" in refused.model_dump_json()
    assert taken_up.ok, taken_up
    assert (status.recipe, status.epoch, status.state) == ("the next", 1, State.RUNNING)
    assert not status.latches
