"""The operator's page carries the texts that its modules say, and not those of every other page."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

from app.web.texts import Texts

JS = Path(str(files("ui"))) / "static" / "js"
FIRST = ("operator.js", "access/presence.js")
IMPORTED = re.compile(r'(?:^import|^\} from|\bimport\()[^"\n]*"(\.[^"]+)"', re.MULTILINE)
NAMED = re.compile(r"""["`]([a-z_]+(?:\.[\w${}.]+)+)["`]""")


def modules():
    """Every module that the page may load."""
    found, waiting = set(), [(JS / each).resolve() for each in FIRST]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += [(module.parent / each).resolve() for each in IMPORTED.findall(module.read_text("utf-8"))]
    return found


def carried(bench):
    page = bench.client.get("/operator/").get_data(as_text=True)
    return json.loads(page.partition('id="page">')[2].partition("</script>")[0])["words"]


def test_every_text_that_a_module_of_the_page_names_is_carried(bench):
    words, known = carried(bench), Texts().words
    named = {each for module in modules() for each in NAMED.findall(module.read_text("utf-8"))}
    families = {each.partition("$")[0] for each in named if "$" in each}
    wanted = {key for key in known if key in named or any(key.startswith(each) for each in families)}

    assert len(modules()) > 30
    assert {"state.RUNNING", "trial.PASSED", "refused.csrf", "health.accelerator.parked"} <= wanted
    assert sorted(wanted - set(words)) == []


def test_texts_of_other_pages_are_left_out(bench):
    assert len(carried(bench)) < 0.6 * len(Texts().words)
