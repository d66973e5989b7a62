"""How long the HTML page takes to open, and to answer, in a headless Chromium.

``python -m tests.benchmarks.page [MODEL...]`` prints milliseconds for pages of models made by hand:
a transformer of 24 blocks that opens folded, 300 layers that are all seen, 8,000 weights, an audit
of 999 models; and for each MODEL, which is only read. For EfficientNetB7, save
``keras.applications.EfficientNetB7(weights=None)``.

``to map`` is the wall clock from the start of the page to its map; ``busy`` the time of a processor
for that, in the page's own thread, which does not depend on what else the machine does; ``move``
and ``choose`` are the wall clock for one step of the wheel and for one click on a layer.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gradflow.analysis.result import NO_TENSORFLOW, report_of
from gradflow.analysis.static import read
from gradflow.findings import Report
from gradflow.options import Options
from tests.browser.conftest import Page, paths, started
from tests.browser.test_page import chain
from tests.report.maps import deep
from tests.report.reports import TOOL, analyzed, dense, several

TIMES = 5
MOVE = """
const picture = document.querySelector(".picture");
const begin = performance.now();
for (let step = 0; step < 50; step += 1) {
  picture.dispatchEvent(new WheelEvent("wheel", { deltaY: 4, cancelable: true }));
  picture.getBoundingClientRect();
}
return (performance.now() - begin) / 50;
"""
CHOOSE = """
const nodes = document.querySelectorAll(".picture .node");
const begin = performance.now();
const click = new MouseEvent("click", { bubbles: true });
nodes[nodes.length >> 1].dispatchEvent(click);
document.body.getBoundingClientRect();
return performance.now() - begin;
"""


def reports(models: list[str]) -> Iterator[tuple[str, Report]]:
    yield "24 blocks, folded", deep(24)
    yield "300 layers, all seen", chain(300)
    weights = [variable for n in range(4000) for variable in dense(f"layer_{n}", 4, 4)]
    yield "8,000 weights", Report(TOOL, (analyzed("large.keras", weights),))
    yield "999 models", Report(TOOL, several().models * 333)
    for model in models:
        result = read(model, Options(map=True)).report
        yield Path(model).name, report_of([(NO_TENSORFLOW, result)])


def busy(page: Page) -> float:
    """Milliseconds of the processor that the page's thread has taken so far."""
    metrics = page.driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return 1000 * next(item["value"] for item in metrics if item["name"] == "TaskDuration")


def opened(page: Page, report: Report) -> tuple[float, float]:
    page.driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    page.open(report)
    # A page from disk has a process of its own, whose time begins with it.
    return page.ask("timeOfOpening"), busy(page)


def main() -> None:
    programs = paths()
    if programs is None:
        raise SystemExit("no Chromium with chromedriver: apt-get install chromium chromium-driver")
    print(f"{'page':24}{'seen':>6}{'to map':>8}{'busy':>8}{'move':>8}{'choose':>8}   milliseconds")
    with tempfile.TemporaryDirectory() as folder, started(programs, Path(folder)) as page:
        for name, report in reports(sys.argv[1:]):
            measured = [opened(page, report) for _ in range(TIMES)]
            to_map, taken = (min(column) for column in zip(*measured, strict=True))
            seen = page.count(".picture .node")
            answers = [page.script(script) if seen else 0.0 for script in (MOVE, CHOOSE)]
            numbers = "".join(f"{number:8.1f}" for number in (to_map, taken, *answers))
            print(f"{name:24}{seen:6}{numbers}", flush=True)


if __name__ == "__main__":
    main()
