"""The figures of the pages, measured in a real Chromium on a quiet machine: `python -m tests.browser.figures`.

Prints a table, with --json a document. Asserts nothing: whoever reads it judges, and the targets stand beside.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from playwright.sync_api import sync_playwright

from app.record import LEDGER
from app.types import EventKind
from app.web.access.roles import Role
from tests.browser import people
from tests.browser.conftest import FLAGS, Sight, Stand
from tests.browser.figures_record import Cost, Production, counts_bytes, forget_files
from tests.groups import find_browser
from tests.live.box import NEVER_TIRED, Box, line_file, wait_until
from tests.live.readers import Readers

WATCH = Path(__file__).with_name("figures_watch.js")
SECTIONS = ("operator", "crowd", "queue", "charts")
ALONE_S = 120.0
"""The line with one page, to hold fifty pages against."""

CHARTS = {
    "charts, everything": "span=all",
    "charts, a month": "span=month",
    "charts, a week": "span=week",
    "charts, a day": "span=day",
    "charts, one model": "span=all&package=model-1",
    "charts, one lot": "span=all&lot=L000001",
}
OTHERS = {"what can be chosen": "/choices", "shift and hour": "/shifts", "models side by side": "/models"}


@dataclass(frozen=True)
class Figure:
    """One row of the table.

    Attributes:
        name: What was measured.
        unit: In what.
        values: How often, the median, the 95th percentile and the worst.
        most: The target for `of`; `None` where there is none.
        of: Which of the values the target is for.
    """

    name: str
    unit: str
    n: int
    p50: float
    p95: float
    worst: float
    most: float | None = None
    of: str = "p95"

    @property
    def is_met(self) -> bool | None:
        return None if self.most is None else bool(getattr(self, self.of) <= self.most)


def figure(name: str, unit: str, values: Sequence[float], most: float | None = None, of: str = "p95") -> Figure:
    if not len(values):  # nothing of it happened: left out of the table
        return Figure(name, unit, 0, 0.0, 0.0, 0.0)
    some = np.asarray(values, np.float64)
    p50, p95 = (float(each) for each in np.percentile(some, (50, 95)))
    return Figure(name, unit, len(values), round(p50, 3), round(p95, 3), round(float(some.max()), 3), most, of)


class Asker:
    """One connection of somebody who is signed in, without a browser in between."""

    def __init__(self, base: str, sight: Sight) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=120)
        cookies = sight.page.context.cookies(base)
        self.headers = {"Cookie": "; ".join(f"{each['name']}={each['value']}" for each in cookies)}

    def ask(self, path: str) -> tuple[float, bytes]:
        """The milliseconds until the whole answer was there, and the answer."""
        started_ns = time.perf_counter_ns()
        self.connection.request("GET", path, headers=self.headers)
        answer = self.connection.getresponse()
        said = answer.read()
        took_ms = (time.perf_counter_ns() - started_ns) / 1e6
        if answer.status != 200:
            sys.exit(f"{path} answers {answer.status}: {said[:200]!r}")
        return took_ms, said


def note(words: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {words}\n")
    sys.stderr.flush()


@contextmanager
def opened(browser: Any, size: str = "1280x800") -> Iterator[Sight]:
    """A page in a context of its own, so without anything in its cache."""
    width, height = map(int, size.split("x"))
    context = browser.new_context(viewport={"width": width, "height": height})
    context.add_init_script(path=WATCH)
    try:
        yield Sight(context.new_page(), size)
    finally:
        context.close()


# The operator's page


def operator(browser: Any, box: Box, said: argparse.Namespace) -> list[Figure]:
    note(f"operator's page: {said.paints} times cold, {said.paints} times warm")
    cold, warm = [], []
    for _ in range(said.paints):
        with opened(browser) as sight:
            cold.append(first_paint(sight, box.url))
            warm.append(first_paint(sight, box.url))
    note(f"operator's page: {said.parts} parts")
    with opened(browser) as sight:
        sight.go(box.url)
        ahead_ns = browser_ahead_ns(sight)
        sight.page.evaluate("() => takt.watchParts()")
        wait_until(lambda: len(noted(sight)) >= said.parts, "parts on the page", 60 + said.parts)
        drift_ms = abs(browser_ahead_ns(sight) - ahead_ns) / 1e6
        seen = noted(sight)
    verdicts = {each.event.part_id: each.event.at_ns for each in box.entries(EventKind.VERDICT)}
    known = [(each, verdicts[number] + ahead_ns) for number, each in seen.items() if number in verdicts]
    return [
        figure("operator's page, first paint, cold", "ms", cold, 1000),
        figure("operator's page, first paint, warm", "ms", warm, 1000),
        figure("verdict to page changed", "ms", [each["changed"] - at_ns / 1e6 for each, at_ns in known], 100),
        figure("verdict to next frame of the page", "ms", [each["framed"] - at_ns / 1e6 for each, at_ns in known], 100),
        figure("clocks of box and browser drifted apart", "ms", [drift_ms]),
    ]


def first_paint(sight: Sight, url: str) -> float:
    sight.page.goto(url)
    sight.wait("takt.painted() !== null")
    return float(sight.page.evaluate("takt.painted()"))


def noted(sight: Sight) -> dict[int, dict[str, float]]:
    """The parts whose verdict came while the page was watched."""
    parts = sight.page.evaluate("() => takt.parts")
    return {int(number): each for number, each in parts.items() if each["changed"] and each["framed"]}


def browser_ahead_ns(sight: Sight) -> float:
    """How far the browser's clock is ahead of the station's: of many tries, the one with the shortest way."""
    tries = []
    for _ in range(50):
        before_ns = time.monotonic_ns()
        there_ms = sight.page.evaluate("() => takt.now()")
        after_ns = time.monotonic_ns()
        tries.append((after_ns - before_ns, there_ms * 1e6 - (before_ns + after_ns) / 2))
    return float(min(tries)[1])


# Many pages


def crowd(box: Box, said: argparse.Namespace) -> list[Figure]:
    lasts_s = said.minutes * 60
    note(f"{said.pages} pages for {said.minutes:g} minutes")
    readers = Readers()
    try:
        first_row = box.entries()[-1].row
        readers.add(box.url, 1)
        readers.read_for(min(ALONE_S, lasts_s))
        half_row = box.entries()[-1].row
        readers.add(box.url, said.pages - 1)
        readers.read_for(lasts_s / 2)
        half = resident_mib(box.pid("web"))
        readers.read_for(lasts_s / 2)
        full = resident_mib(box.pid("web"))
        last = max(each.event.part_id for each in box.entries(EventKind.VERDICT))
        readers.read_for(2.0)
        behind = [max(0, last - max(each.parts, default=0)) for each in readers.all]
        gaps = sum(b != a + 1 for each in readers.all for a, b in zip(each.parts, each.parts[1:], strict=False))
    finally:
        readers.close()
    judged = box.entries(EventKind.JUDGED, after_row=first_row)
    alone = [each.event.data["total_us"] / 1e3 for each in judged if each.row <= half_row]
    many = [each.event.data["total_us"] / 1e3 for each in judged if each.row > half_row]
    ratio = float(np.percentile(many, 99) / np.percentile(alone, 99))
    return [
        figure("frame to verdict, one page", "ms", alone),
        figure(f"frame to verdict, {said.pages} pages", "ms", many),
        figure("p99 of the two, ratio", "", [ratio], 1.15),
        figure("parts that a page is behind after 2 s", "parts", behind, 0, "worst"),
        figure("parts that a page was not told of", "parts", [gaps], 0, "worst"),
        figure("pages hung up on", "pages", [sum(not each.is_open for each in readers.all)], 0, "worst"),
        figure("the server grew in the second half", "MiB", [full - half], 8),
    ]


def resident_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


# The queue


def queue(browser: Any, folder: Path, said: argparse.Namespace) -> list[Figure]:
    note(f"queue: writing {said.rows} rejects")
    Production(folder / "state", said.rows, days=1, reject_share=1).write()
    stand = Stand(folder / "bus", period=1.0)
    try:
        people.add(stand.state, "Quinn", Role.QUALITY)
        with opened(browser, "1440x900") as sight:
            people.sign_in(sight, stand.base, "Quinn")
            asker = Asker(stand.base, sight)
            htmls = [asker.ask("/review/")[0] for _ in range(20)]
            pages = list(walk(asker))
            note("queue: painting and scrolling")
            come, shown = zip(*(open_queue(sight, stand.base) for _ in range(said.paints)), strict=True)
            scrolled = sight.page.evaluate(f"() => takt.scroll({said.rows})")
    finally:
        stand.end()
    return [
        figure("queue, its page from the server", "ms", htmls, 200),
        figure("queue, 200 rows from the server, all pages", "ms", pages, 200),
        figure("queue, navigation to first row", "ms", come),
        figure("queue, navigation to first row painted", "ms", shown),
        figure("queue, frames of scrolling through all", "ms", scrolled["frames_ms"]),
        figure("queue, waits for rows while scrolling", "ms", scrolled["waits_ms"]),
        figure("queue, frames with rows missing", "frames", [scrolled["blank_frames"]], 0, "worst"),
        figure(f"queue, rows of {said.rows} never seen", "rows", [scrolled["gaps"]], 0, "worst"),
    ]


def walk(asker: Asker) -> Iterator[float]:
    """Every page of the queue from the newest to the oldest part."""
    after = ""
    while True:
        took_ms, said = asker.ask(f"/api/v1/queue?limit=200{after}")
        yield took_ms
        following = json.loads(said)["next"]
        if not following:
            return
        after = f"&after={following}"


def open_queue(sight: Sight, base: str) -> tuple[float, float]:
    sight.page.goto("about:blank")
    sight.page.goto(f"{base}/review/", wait_until="commit")
    sight.page.evaluate("() => { takt.first = takt.awaitFirst('.row'); }")
    sight.wait("takt.first.shown > 0")
    seen = sight.page.evaluate("() => takt.first")
    return seen["come"], seen["shown"]


# The charts


def charts(browser: Any, folder: Path, said: argparse.Namespace) -> list[Figure]:
    production = Production(folder / "state", said.charted)
    note(f"charts: writing {said.charted} parts")
    production.write(lambda done: note(f"charts: {done} parts") if done % 100_000 == 0 else None)
    size = counts_bytes(production.folder)
    found = ask_charts(browser, folder, said)
    note("charts: what keeping the counts costs")
    cost = Cost()
    cost.measure(production, said.costed)
    share = [100 * part / whole for part, whole in zip(cost.counts_us, cost.whole_us, strict=True)]
    found += [
        figure("recorder, a part in a commit of its own", "us", cost.whole_us),
        figure("recorder, of that the counts for charts", "us", cost.counts_us),
        figure("recorder, share of the counts", "%", share),
        figure("size of the counts, a part", "B", [] if size is None else [size / said.charted]),
    ]
    return found


def ask_charts(browser: Any, folder: Path, said: argparse.Namespace) -> list[Figure]:
    stand = Stand(folder / "bus", period=1.0)
    found = []
    try:
        people.add(stand.state, "Quinn", Role.QUALITY)
        with opened(browser, "1440x900") as sight:
            people.sign_in(sight, stand.base, "Quinn")
            paths = {name: f"?{query}" for name, query in CHARTS.items()} | OTHERS
            for name, query in paths.items():
                note(name)
                cold = []
                for _ in range(said.colds):
                    stand.web.end()
                    forget_files(stand.state / LEDGER)
                    stand.start_web()
                    Asker(stand.base, sight).ask("/operator/")
                    cold.append(Asker(stand.base, sight).ask(f"/api/v1/figures{query}")[0])
                asker = Asker(stand.base, sight)
                warm = [asker.ask(f"/api/v1/figures{query}")[0] for _ in range(20)]
                found += [figure(f"{name}, cold", "ms", cold, 500), figure(f"{name}, warm", "ms", warm, 500)]
    finally:
        stand.end()
    return found


def table(found: Sequence[Figure]) -> str:
    widest = max(len(each.name) for each in found)
    lines = [f"{'':{widest}} {'n':>6} {'p50':>10} {'p95':>10} {'worst':>10}  unit    target"]
    for each in found:
        numbers = f"{each.n:6} {each.p50:10.3f} {each.p95:10.3f} {each.worst:10.3f}  {each.unit:6}"
        target = "" if each.most is None else f"  {each.of} <= {each.most:g}: {'met' if each.is_met else 'MISSED'}"
        lines.append(f"{each.name:{widest}} {numbers}{target}")
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.browser.figures", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="only this; may be given more than once")
    parser.add_argument("--paints", type=int, default=10, help="how often a page is opened")
    parser.add_argument("--parts", type=int, default=200, help="parts of the real line until the delay is known")
    parser.add_argument("--pages", type=int, default=50, help="pages that are open at once")
    parser.add_argument("--minutes", type=float, default=10, help="for so long")
    parser.add_argument("--rows", type=int, default=10_000, help="rows of the queue")
    parser.add_argument("--charted", type=int, default=1_000_000, help="parts that the charts are drawn from")
    parser.add_argument("--colds", type=int, default=3, help="how often each chart is asked for from a cold start")
    parser.add_argument("--costed", type=int, default=1_000, help="parts for the cost of keeping the counts")
    parser.add_argument("--folder", type=Path, help="where the records are written; by default a temporary folder")
    return parser.parse_args()


def measured(said: argparse.Namespace, folder: Path) -> list[Figure]:
    wanted = said.only or SECTIONS
    found: list[Figure] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(FLAGS))
        if {"operator", "crowd"} & set(wanted):
            box = Box([line_file(folder / "line", NEVER_TIRED)], folder / "box")
            try:
                box.start()
                box.run_on()
                found += operator(browser, box, said) if "operator" in wanted else []
                found += crowd(box, said) if "crowd" in wanted else []
            finally:
                box.close()
        found += queue(browser, folder / "queue", said) if "queue" in wanted else []
        found += charts(browser, folder / "charts", said) if "charts" in wanted else []
        browser.close()
    return [each for each in found if each.n]


def main() -> None:
    said = arguments()
    with tempfile.TemporaryDirectory(prefix="takt-figures-", dir=said.folder) as folder:
        loads = [os.getloadavg()[0]]
        found = measured(said, Path(folder))
        loads.append(os.getloadavg()[0])
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {loads[0]:.1f} before and {loads[1]:.1f} after"
    if said.json:
        rows = [{**asdict(each), "is_met": each.is_met} for each in found]
        sys.stdout.write(json.dumps({"machine": machine, "figures": rows}, indent=1) + "\n")
    else:
        sys.stdout.write(f"{machine}\n\n{table(found)}\n")


if __name__ == "__main__":
    main()
