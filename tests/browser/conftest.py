"""One headless Chromium for all tests of the page.

Where the system has no browser and no driver, these tests are skipped with that reason, unless
``GRADFLOW_BROWSER=required`` says that they must run, as ``.ci/run`` does.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gradflow.findings import Report
from gradflow.report.formats import renderer
from gradflow.report.layout import PLAIN

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)
ASK = (Path(__file__).parent / "ask.js").read_text(encoding="utf-8")
WHEN_DRAWN = """
const [done] = arguments;
new PerformanceObserver((list) => list.getEntriesByName("gradflow-ready").length && done())
  .observe({ type: "mark", buffered: true });
"""
SEEN = """
const [selector, text] = arguments;
const options = { opacityProperty: true, visibilityProperty: true };
const isSeen = (element) => element.checkVisibility(options)
  && [...element.getClientRects()].some((box) => box.width && box.height);
const textOf = (element) => element.innerText ?? element.textContent;
return [...document.querySelectorAll(selector)]
  .filter((element) => isSeen(element.closest("option") ? element.closest("select") : element))
  .filter((element) => textOf(element).includes(text));
"""
NODE = """
return [...document.querySelectorAll(".picture [data-id]")]
  .find((shape) => shape.getAttribute("aria-label").split(",")[0] === arguments[0]);
"""
LONGEST = 30.0
"""Seconds for a page to be drawn, on a machine that is busy."""
DESKTOP, PHONE = (1280, 800), (390, 800)


@dataclass
class Page:
    """A browser with a page in it."""

    driver: Any
    folder: Path
    number: int = 0
    emulated: dict[str, object] = field(default_factory=dict)

    def open(
        self,
        source: Report | str,
        *,
        size: tuple[int, int] = DESKTOP,
        scheme: str = "light",
        fragment: str = "",
        has_scripts: bool = True,
    ) -> Page:
        """Show a report, or a text of HTML, from disk; come back when it is drawn."""
        text = source if isinstance(source, str) else renderer("html")(source, PLAIN)
        self.number += 1
        path = (
            self.folder / f"{self.number}.html"
        )  # a new address, or a fragment alone loads nothing
        path.write_text(text, encoding="utf-8")
        self.prefer(scheme)
        self.resize(*size)
        self.driver.get(path.as_uri() + fragment)
        if has_scripts and 'id="report"' in text:
            self.driver.execute_async_script(WHEN_DRAWN)
        return self

    def prefer(self, scheme: str, media: str = "") -> None:
        """Have the colors of a scheme, ``light`` or ``dark``, on a screen or in ``print``."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._emulate("setEmulatedMedia", media=media, features=features)

    def resize(self, wide: int, high: int) -> None:
        """Have a screen of that many pixels, below 500 that of a phone."""
        screen = {"width": wide, "height": high, "deviceScaleFactor": 1, "mobile": wide < 500}
        self._emulate("setDeviceMetricsOverride", **screen)

    def _emulate(self, what: str, **values: object) -> None:
        if self.emulated.get(what) != values:
            self.driver.execute_cdp_cmd(f"Emulation.{what}", values)
            self.emulated[what] = values

    def all(self, selector: str, text: str = "") -> list[Any]:
        """The elements that are seen and hold ``text``."""
        return list(self.script(SEEN, selector, text))

    def find(self, selector: str, text: str = "") -> Any:
        """The first of them."""
        return self.all(selector, text)[0]

    def click(self, selector: str, text: str = "") -> None:
        self.find(selector, text).click()

    def node(self, name: str) -> Any:
        """The shape of a layer in the map."""
        return self.script(NODE, name)

    def choose(self, name: str) -> None:
        """Click on a layer of the map, in sight or not."""
        self.script(
            "arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))", self.node(name)
        )

    def nodes(self, selector: str = ".picture [data-id]") -> list[str]:
        """The names of the layers in the map to which ``selector`` applies."""
        return self.script(
            "return [...document.querySelectorAll(arguments[0])]"
            ".map((shape) => shape.getAttribute('aria-label').split(',')[0])",
            selector,
        )

    def press(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def script(self, code: str, *arguments: object) -> Any:
        return self.driver.execute_script(code, *arguments)

    def ask(self, question: str) -> Any:
        """The answer to a question of ``ask.js``."""
        return self.script(ASK, question)

    def count(self, selector: str) -> int:
        return int(self.script("return document.querySelectorAll(arguments[0]).length", selector))

    def heard(self) -> list[str]:
        """What the browser complained about since it was last asked."""
        return [f"{entry['level']} {entry['message']}" for entry in self.driver.get_log("browser")]

    def picture(self) -> str:
        """A screenshot: PNG, in base64."""
        return str(self.driver.get_screenshot_as_base64())


def paths() -> tuple[str, str] | None:
    """Where a browser and its driver are."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    folder = os.environ.get("CHROMEWEBDRIVER")  # GitHub's machines keep the driver there
    driver = shutil.which("chromedriver") or (folder and shutil.which("chromedriver", path=folder))
    return (browser, driver) if browser and driver else None


@contextmanager
def started(programs: tuple[str, str], folder: Path) -> Iterator[Page]:
    """A headless browser, which keeps what it writes in ``folder``."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location, driver_path = programs
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # The driver is named: selenium downloads none.
    driver = webdriver.Chrome(options=options, service=Service(driver_path))
    driver.set_script_timeout(LONGEST)
    try:
        yield Page(driver, folder)
    finally:
        driver.quit()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    programs = paths()
    if programs is None:
        reason = "no Chromium with chromedriver: apt-get install chromium chromium-driver"
        if os.environ.get("GRADFLOW_BROWSER") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    with started(programs, tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def page(browser: Page) -> Iterator[Page]:
    """The browser; at the end it must have complained about nothing: no script has failed, and
    nothing asked for what the policy of the page forbids."""
    browser.heard()
    yield browser
    assert browser.heard() == []


@pytest.fixture
def likeness(browser: Page) -> Callable[[str, Path], float]:
    """How much a screenshot differs from a picture that is kept: the share of cells, of 40 by 25,
    whose mean color is another.

    Fonts and their smoothing differ between machines: a cell of 32 by 32 pixels holds a few
    letters, and its mean color says whether there is text, an edge, a box or nothing.
    """
    code = (Path(__file__).parent / "likeness.js").read_text(encoding="utf-8")

    def compare(shot: str, kept: Path) -> float:
        update = bool(os.environ.get("GRADFLOW_UPDATE_GOLDEN"))
        before = "" if update else base64.b64encode(kept.read_bytes()).decode()
        browser.driver.get("about:blank")
        answer = browser.driver.execute_async_script(code, shot, before, 40, 25, 24)
        if update:
            kept.write_bytes(base64.b64decode(answer["small"]))
        return float(answer["share"])

    return compare


def data_of(text: str, name: str) -> Any:
    """The data that a page holds under a name."""
    start = text.index(f'<script type="application/json" id="{name}">')
    return json.loads(text[text.index(">", start) + 1 : text.index("</script>", start)])
