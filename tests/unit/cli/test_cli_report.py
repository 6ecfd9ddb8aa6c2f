from html.parser import HTMLParser

import numpy as np
import pytest

from app.cli.pictures import Exhibit
from app.cli.report import write_report
from app.decide import decide, reject
from app.errors import UsageError
from app.recipe import Recipe
from app.types import Detection, Reason

RULES = Recipe.model_validate({"schema": 1})
FIGURES = {"triggers": 12, "rejected": 2, "escapes": 0, "lost": 3, "seed": 7, "latency_ms": {"p50": 1.25, "p99": 3.0}}


class Page(HTMLParser):
    """Tags with attributes, and the text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.words = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def exhibit(name="a.png", part_id=17):
    image = np.full((48, 64), 90, np.uint8)
    return Exhibit(name, image, decide(part_id, [Detection("spur", 0.9, (10, 12, 8, 6))], RULES, 0))


@pytest.fixture
def page(tmp_path):
    def write(items, figures=FIGURES, **options):
        return Page(write_report(tmp_path / "report", items, figures, **options).read_text(encoding="utf-8"))

    return write


def test_a_part_is_shown_with_picture_verdict_number_and_reason(page, tmp_path):
    shown = page([exhibit()])

    (image,) = shown.all("img")
    assert (tmp_path / "report" / image["src"]).is_file()
    assert "spur 0.90" in image["alt"]
    for words in ("REJECT", "Part 17", "a.png", "spur 0.90 at x=10 y=12"):
        assert words in shown.words


def test_the_page_is_whole_and_loads_nothing_from_outside(page, tmp_path):
    shown = page([exhibit(), exhibit("b.png", 18)])

    assert shown.open == []
    assert not shown.all("script")
    links = [each["href"] for each in (*shown.all("link"), *shown.all("a"))] + [
        each["src"] for each in shown.all("img")
    ]
    local = [link for link in links if not link.startswith("#")]
    assert all((tmp_path / "report" / link).is_file() for link in local)
    assert "url(" not in (tmp_path / "report" / "takt.css").read_text()


def test_the_page_can_be_read_without_seeing_it(page):
    shown = page([exhibit()])

    assert shown.all("html")[0]["lang"] == "en"
    assert all(each["alt"] for each in shown.all("img"))
    assert len(shown.all("h1")) == 1
    assert {"viewport"} <= {each.get("name") for each in shown.all("meta")}
    assert any(each.get("href") == "#parts" for each in shown.all("a"))


def test_only_what_is_abnormal_is_marked(page):
    shown = page([])

    marked = [each for each in shown.all("div") if each.get("class") == "abnormal"]
    assert len(marked) == 1
    assert "◆ 3" in shown.words


def test_figures_in_tables_of_their_own_are_in_words(page):
    assert "p50 1.25, p99 3" in page([]).words


def test_no_rejects_is_said_in_words(page):
    assert "No part was rejected." in page([]).words


def test_a_name_cannot_smuggle_in_markup(page):
    shown = page([exhibit("<script>alert(1)</script>.png")], title="<b>&")

    assert not shown.all("script")
    assert not shown.all("b")
    assert "<script>alert(1)</script>.png" in shown.words


def test_a_name_that_is_no_text_is_shown_as_far_as_it_is(page):
    assert "bad" in page([exhibit("bad\udcff.png")]).words


def test_a_part_without_a_picture_says_so(page):
    verdict = reject(3, Reason.NO_FRAME, "camera top gave no frame in time", "reject", 0)

    shown = page([Exhibit("", None, verdict)])

    assert "no picture" in shown.words
    assert "camera top gave no frame in time" in shown.words


def test_more_rejects_than_shown_are_counted(page):
    assert "1 of 2 rejected parts shown" in page([exhibit()]).words


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match="cannot be written"):
        write_report(tmp_path / "file", [], FIGURES)
