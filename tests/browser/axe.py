"""What axe-core finds on a page: what would keep somebody from using it.

assert violations(sight) == []
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

AXE = Path(__file__).parent / "vendor" / "axe" / "axe.min.js"
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """async (tags) => {
  const found = await axe.run(document, { runOnly: { type: "tag", values: tags }, resultTypes: ["violations"] });
  return found.violations.flatMap((each) => each.nodes.map((node) => ({
    rule: each.id, impact: each.impact, where: node.target.join(" "), why: node.failureSummary,
  })));
}"""


@lru_cache(maxsize=1)
def source():
    return AXE.read_text(encoding="utf-8")


def violations(sight, *, without=()):
    """Everything that axe finds on a page as it is now, each as one line that says where and why.

    Args:
        sight: The page, or its `Sight`.
        without: Rules that do not count here; the test says why.
    """
    page = getattr(sight, "page", sight)
    if not page.evaluate("'axe' in window"):
        # Not through the page, whose policy forbids it.
        page.evaluate(source())
    found = page.evaluate(RUN, STANDARDS)
    return [
        f"{each['rule']} ({each['impact']}) at {each['where']}: {each['why']}"
        for each in found
        if each["rule"] not in without
    ]
