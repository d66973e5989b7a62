"""What a reader of the page sees and does in a real browser; nothing of a model is obeyed there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread

import pytest

from gradflow.findings import (
    Acceptance,
    FlowMap,
    MapNode,
    NodeKind,
    NodeState,
    Report,
)
from gradflow.policy import ChangeKind, Direction, Trend, WeightChange
from gradflow.report.html import render
from gradflow.report.layout import Layout
from tests.browser.conftest import PHONE, Page
from tests.report.maps import deep, looped, map_of, towers, vanishing
from tests.report.reports import (
    CANONICAL,
    HOSTILE,
    TOOL,
    analyzed,
    dense,
    hostile,
    names,
    several,
)

pytestmark = pytest.mark.browser
GOLDEN = Path(__file__).parent / "golden"
OTHER_CELLS = 0.12
"""The share of a picture's cells that may differ: other fonts, and lines that break elsewhere."""
LIT = ".picture .node.is-behind, .picture .node.is-way"
ARROW_DOWN, ENTER, SPACE, ESCAPE, TAB = "\ue015", "\ue007", " ", "\ue00c", "\ue004"


# What is seen first


def test_the_first_screen_has_the_line_the_bar_the_findings_and_the_map(page: Page) -> None:
    page.open(towers())

    assert page.find("h1").text == "models/two_towers.keras"
    assert "5 of 9 trainable weights get no gradient" in page.find(".statement").text
    assert "from the input to left/dense_1 nothing learns" in page.find(".reach").text
    bar = page.find(".bar").get_attribute("aria-label")
    assert bar == "parameters: flows 5.3 %, none 8 %, frozen 85.8 %, state 0.9 %"
    finding, *others = page.all(".finding")
    assert "error GF201 between left/dense_1 and merge" in finding.text
    assert "fix: remove the stop_gradient at net.py:41" in finding.text
    assert len(others) == 2
    for element in (finding, page.find(".picture")):
        box = element.rect
        assert box["y"] + 100 < 800


def test_edges_are_drawn_by_what_they_carry_with_the_scissors_on_them(page: Page) -> None:
    page.open(towers())

    assert [cut.text for cut in page.all(".picture .cut text")] or page.count("g.cut") == 2
    assert page.script(
        "return [...document.querySelectorAll('g.cut text')].map((t) => t.textContent)"
    ) == [
        "non differentiable",
        "stop gradient",
    ]
    looks = page.ask("looksOfLines")
    assert set(looks) == {"flows", "cut", "none"}
    assert len({look.split(") ")[0] for look in looks.values()}) == 3
    # Not by their color alone.
    assert len({look.split(") ")[1] for look in looks.values()}) == 3
    assert page.ask("scissorsOnLines")


# Choosing


def test_a_finding_shows_its_cut_lights_the_weights_behind_it_and_the_way_out(page: Page) -> None:
    page.open(towers())
    page.click(".finding .head", "GF201")

    assert set(page.nodes(".picture .node.is-behind")) == {"router", "dense_0", "dense_1"}
    assert {"concat", "head"} <= set(page.nodes(".picture .node.is-way"))
    assert "right" not in page.nodes(LIT)
    assert [cut.text for cut in page.all("g.cut.is-cut")] == ["stop gradient"]
    assert "5 weights in 3 layers" in page.find(".finding.is-chosen .details").text
    assert "gradflow explain GF201" in page.find(".finding.is-chosen").text

    page.click(".finding .head", "GF201")
    assert page.nodes(LIT) == []


def test_the_scissors_open_their_finding(page: Page) -> None:
    page.open(towers())
    page.click("g.cut", "non differentiable")

    assert "GF202" in page.find(".finding.is-chosen").text

    page.choose("dense_1")
    page.click(".panel .ways button", "net/target/StopGradient")
    assert "GF201" in page.find(".finding.is-chosen").text


def test_the_scissors_open_a_finding_that_is_not_shown_yet(page: Page) -> None:
    """Of many findings twenty are shown at first; those that are accepted stand folded."""
    (model,) = towers().models
    by_code = {finding.code: finding for finding in model.findings}
    last = by_code["GF201"]
    others = [replace(last, message=f"other {number}", cause=None) for number in range(30)]
    accepted = replace(by_code["GF202"], accepted=Acceptance("gradflow.yaml:3", "known"))
    page.open(Report(TOOL, (replace(model, findings=(*others, last, accepted)),)))
    assert len(page.all(".finding")) == 20
    page.click("[title='fit the whole map']")

    for reason, code in (("stop gradient", "GF201"), ("non differentiable", "GF202")):
        page.click("g.cut", reason)
        assert code in page.find(".finding.is-chosen").text
    assert "accepted by gradflow.yaml:3: known" in page.find(".finding.is-chosen").text


def test_scissors_without_a_finding_say_why(page: Page) -> None:
    (model,) = towers().models
    page.open(Report(TOOL, (replace(model, findings=()),)))
    page.click("[title='fit the whole map']")
    page.click("g.cut", "stop gradient")

    assert page.find(".frame .note").text == "no finding: only frozen weights are behind this cut"


def test_an_op_that_cuts_at_two_places_is_lit_at_both(page: Page) -> None:
    (model,) = towers().models
    assert model.map is not None
    (stop,) = (edge for edge in model.map.edges if "net/target/StopGradient" in edge.cuts)
    (into,) = (edge.source for edge in model.map.edges if edge.target == stop.source)
    further = replace(stop, source=into, gradient=stop.gradient)
    edges = (*model.map.edges, further)
    page.open(Report(TOOL, (replace(model, map=replace(model.map, edges=edges)),)))
    page.click(".finding .head", "GF201")

    assert [cut.text for cut in page.all("g.cut.is-cut")] == ["stop gradient"] * 2


def test_a_layer_shows_its_weights_verdicts_norms_causes_and_why(page: Page) -> None:
    page.open(towers())
    page.choose("router")

    panel = page.find(".panel").text
    assert "Dense" in panel
    for words in (
        "router/kernel",
        "gets no gradient (confirmed)",
        "GF202 non_differentiable",
        "GF201 stop_gradient",
        "net.py:17",
        "1 cut on its path to the output",
        "gradflow why models/two_towers.keras router/kernel",
    ):
        assert words in panel
    assert not page.all(".finding")
    assert {"router", "concat", "head"} <= set(page.nodes(LIT))

    page.choose("right")
    assert "1.25" in page.find(".panel").text
    page.click(".panel button", "findings")
    assert len(page.all(".finding")) == 3


def test_the_way_of_a_weight_is_told_op_by_op(page: Page) -> None:
    page.open(towers())
    page.choose("dense_1")
    page.click(".panel summary", "its path")

    steps = [step.text for step in page.all(".panel ol.ways li")]
    assert steps[0] == "net/left/dense_1/MatMul"
    assert steps[3].strip() == "net/target/StopGradient GF201 stop_gradient"
    assert steps[-1] == "net/head/BiasAdd"


# Moving in the map


def test_groups_fold_and_unfold(page: Page) -> None:
    page.open(towers())
    assert {"left", "backbone", "dense_0", "router"} <= set(page.nodes())

    page.node("left").find_element("css selector", ".fold").click()
    assert "dense_0" not in page.nodes()
    # The cut inside of the folded group is still shown.
    assert page.count(".node.folded .inside") == 1
    assert "1 cut inside" in page.node("left").get_attribute("aria-label")
    # What leaves the group is still cut.
    assert [cut.text for cut in page.all("g.cut")] == ["stop gradient"]

    page.node("left").find_element("css selector", ".fold").click()
    assert "dense_0" in page.nodes()
    page.click(".buttons button", "fold")
    page.click(".buttons [title='fold all groups']")
    assert page.count(".node.folded") == 2
    page.click(".buttons [title='unfold all groups']")
    assert page.count(".node.folded") == 0


def test_a_finding_inside_of_a_folded_group_opens_it(page: Page) -> None:
    page.open(towers())
    page.click(".buttons [title='fold all groups']")
    page.click(".finding .head", "GF202")

    assert [cut.text for cut in page.all("g.cut.is-cut")] == ["non differentiable"]


def scale(page: Page) -> float:
    transform = page.script(
        "return document.querySelector('.picture > g').getAttribute('transform')"
    )
    return float(transform.split("scale(")[1].rstrip(")"))


def test_zoom_pan_and_fit(page: Page) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    page.open(deep(2))
    before = scale(page)
    page.click("[title='zoom in']")
    assert scale(page) == pytest.approx(before * 1.25)
    page.click("[title='zoom out']")
    page.click("[title='zoom out']")
    assert scale(page) == pytest.approx(before / 1.25)

    at = page.find(".picture .node.input").rect
    picture = page.find(".picture")
    ActionChains(page.driver, duration=0).move_to_element_with_offset(
        picture, -300, -100
    ).click_and_hold().move_by_offset(0, -80).release().perform()
    moved = page.script(
        "return document.querySelector('.picture .node.input').getBoundingClientRect().y"
    )
    assert moved == pytest.approx(page.script("return scrollY") * -1 + at["y"] - 80, abs=3)
    # To let go after a move chooses nothing.
    assert not page.all(".panel")

    page.click("[title='fit the whole map']")
    assert page.ask("isAllInFrame")


def test_the_wheel_moves_the_map_and_zooms_with_ctrl(page: Page) -> None:
    page.open(deep())
    before, top = scale(page), page.node("ids").rect["y"]
    assert page.ask("isTakenFromThePage")
    assert page.node("ids").rect["y"] == pytest.approx(top - 100, abs=3)
    assert scale(page) == before

    page.ask("zoomWithCtrl")
    assert scale(page) > before


def test_two_fingers_zoom(page: Page) -> None:
    page.open(deep())
    before = scale(page)
    page.ask("spreadTwoFingers")

    assert scale(page) > 1.5 * before


def test_search_finds_layers_and_weights(page: Page) -> None:
    page.open(deep())
    field = page.find(".search input")
    field.send_keys("block_17/QUERY_1")
    assert [match.text for match in page.all(".matches li")] == ["block_17/query_1"]
    field.send_keys(ENTER)
    assert "query_1" in page.nodes(".is-chosen")
    assert "block_17/query_1" in page.find(".panel").text

    field.clear()
    field.send_keys("query_0/bias")
    assert len(page.all(".matches [role=option]")) == 24
    field.send_keys(ARROW_DOWN, ARROW_DOWN, ENTER)
    assert "block_2/query_0/bias" in page.find(".panel").text

    field.clear()
    field.send_keys("nowhere")
    assert page.find(".matches").text == "no layer or weight has such a name"
    field.send_keys(ESCAPE)
    assert not page.all(".matches")


def test_the_filter_leaves_what_gets_no_gradient(page: Page) -> None:
    page.open(towers())
    page.click(".filter input")

    left = set(page.nodes(".picture .node"))
    assert {"router", "dense_0", "dense_1", "concat"} <= left
    assert not {"right", "conv", "backbone"} & left
    page.click(".filter input")
    assert "right" in page.nodes()

    # That a part of a layer is frozen is nothing that gets no gradient.
    kernel, bias = dense("head", 4, 4)
    variables = [*dense("stem", 4, 4), kernel, replace(bias, trainable=False)]
    flow_map = map_of(variables, ["stem", "head"], [("stem", "head")])
    assert [node.state.value for node in flow_map.nodes] == ["flows", "mixed"]
    page.open(Report(TOOL, (replace(analyzed("tuned.keras", variables), map=flow_map),)))
    page.click(".filter input")
    assert page.nodes() == []

    page.open(looped())
    page.click(".filter input")
    assert page.find(".frame .note").text == "every weight gets a gradient: nothing to show"


def test_the_legend_explains_what_is_drawn(page: Page) -> None:
    page.open(towers())
    legend = page.find(".legend").text

    for words in (
        "gets no gradient",
        "gets a gradient",
        "gradient is cut here",
        "gradient comes back here",
    ):
        assert words in legend
    assert "NaN" not in legend


def test_a_large_map_has_an_overview_that_moves_it(page: Page) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    page.open(deep())
    overview = page.find(".overview")
    before = page.node("ids").rect["y"]
    ActionChains(page.driver, duration=0).move_to_element_with_offset(
        overview, 0, overview.rect["height"] // 2 - 4
    ).click().perform()
    assert page.node("ids").rect["y"] < before - 300

    page.click("[title='fit the whole map']")
    assert not page.all(".overview")


def test_a_loop_is_laid_out(page: Page) -> None:
    page.open(looped())

    assert {"embed", "cell", "Tanh", "head"} <= set(page.nodes())
    assert page.count(".picture path.edge") == 6
    assert page.script(
        "return [...document.querySelectorAll('.picture path')]"
        ".every((path) => !path.getAttribute('d').includes('NaN'))"
    )


# Large models


def test_a_large_model_opens_folded_by_block(page: Page) -> None:
    """``tests/benchmarks/page.py`` measures how long that takes; here it is what takes the time."""
    page.open(deep(24))

    assert page.count(".node.folded") == 24
    assert page.count(".picture [data-id]") < 60
    # Blocks that are alike are laid out once.
    page.click("[title='unfold all groups']")
    assert page.count(".picture .node") == 24 * 12 + 4
    assert page.ask("heightsOfGroups") == [page.ask("heightsOfGroups")[0]] * 24


def chain(number: int) -> Report:
    """``number`` layers, every fourth with a way around the next three."""
    layers = [f"layer_{index}" for index in range(number)]
    variables = [variable for layer in layers for variable in dense(layer, 4, 4)]
    edges = [*pairwise(layers)]
    edges += [(layers[index], layers[index + 3]) for index in range(0, number - 3, 4)]
    model = analyzed("chain.keras", variables)
    return Report(TOOL, (replace(model, map=map_of(variables, layers, edges)),))


def test_300_visible_nodes_are_fluent(page: Page) -> None:
    """A step of the hand moves one group, and choosing a layer draws nothing anew: no other work
    grows with what is seen. ``tests/benchmarks/page.py`` measures the time."""
    page.open(chain(300))
    assert page.count(".picture .node") == 300

    assert page.ask("changesOfMove") == {"attributes": 50, "childList": 0, "targets": 1}
    changes = page.ask("changesOfChoice")
    assert changes["childList"] == 0
    assert changes["attributes"] < 1000


def test_8000_weights_are_shown_a_hundred_at_a_time(page: Page) -> None:
    variables = [variable for n in range(4000) for variable in dense(f"layer_{n}", 4, 4)]
    page.open(Report(TOOL, (analyzed("large.keras", variables),)))

    assert page.count("tbody tr") == 100
    page.click(".more", "show 100 more of 7,900")
    assert page.count("tbody tr") == 200
    assert page.count(".point") < 2000
    assert page.count("*") < 10_000


# The profile and the tables


def test_the_profile_shows_a_gradient_that_fades(page: Page) -> None:
    page.open(vanishing())
    heights = page.script(
        "return [...document.querySelectorAll('.point.flows, .point.small')].map((point) =>"
        "Number(/ ([\\d.]+)\\)/.exec(point.getAttribute('transform'))[1]))"
    )

    *faded, _, _ = heights
    assert faded == sorted(faded, reverse=True)
    assert page.count(".point.small") == 3
    assert page.count(".point.zero") == page.count(".point.nonfinite") == 1
    labels = page.find(".plot").text
    assert "1e-4" in labels
    assert "median" in labels

    page.click(".profile option", "largest entry")
    assert "vanishing below" in page.find(".plot").text
    page.script("document.querySelector('.plot svg').focus()")
    page.press("\ue014", "\ue014")
    assert "dense_1/kernel: norm" in page.find(".said").text
    page.press(ENTER)
    assert "dense_1/kernel" in page.find(".panel").text


def test_the_weights_are_sorted_and_filtered(page: Page) -> None:
    page.open(towers())
    section = "section[aria-labelledby=weights]"

    def first(column: int) -> str:
        return page.find(f"{section} tbody tr > :nth-child({column})").text

    page.click(f"{section} thead button", "parameters")
    assert first(3) == "256"
    assert page.count(f"{section} th[aria-sort=descending]") == 1
    page.click(f"{section} thead button", "parameters")
    assert first(3) == "2"
    page.find(f"{section} input").send_keys("gf202")
    assert first(1) == "router/kernel"
    assert page.find(f"{section} .number").text == "1 of 20"
    page.click(f"{section} tbody button")
    assert "router/kernel" in page.find(".panel").text


def test_an_audit_is_a_table_whose_rows_open_the_reports(page: Page) -> None:
    page.open(several())
    assert page.find("h1").text == "3 models"
    rows = [row.text.splitlines()[0] for row in page.all("tbody tr")]
    assert rows[0].startswith("broken.keras")
    assert rows[-1].startswith("healthy.keras")

    page.click("thead button", "weights")
    assert page.find("tbody tr").text.startswith("models/two_towers.keras")
    page.find(".table input").send_keys("nothing like it")
    assert page.find(".number").text == "0 of 3"
    page.find(".table input").clear()
    page.find(".table input").send_keys("healthy")
    page.click("tbody button")
    assert page.find("h1").text == "healthy.keras"
    assert page.script("return document.activeElement.tagName") == "H1"

    page.click("nav button", "previous")
    assert page.find("h1").text == "broken.keras"
    assert "give its module with --import MODULE" in page.find(".failure").text
    page.driver.back()
    page.driver.back()
    assert page.find("h1").text == "3 models"
    page.open(several(), fragment="#model-3")
    assert page.find("h1").text == "models/two_towers.keras"


def test_an_audit_tells_what_got_better_and_what_got_worse(page: Page) -> None:
    (now,) = towers().models
    (fine,) = vanishing().models
    report = Report(TOOL, (now, fine))
    changed = (
        Trend(now.path, Direction.WORSE, "", (WeightChange(ChangeKind.LOST, "router/kernel", ""),)),
        Trend(fine.path, Direction.BETTER, ""),
    )
    page.open(render(report, Layout(trends=changed)))

    assert {change.text for change in page.all("td .trend")} == {"worse", "better"}
    page.find(".table input").send_keys("worse")
    page.click("tbody button")
    assert "router/kernel: lost gradient" in page.find(".change").text


def test_a_thousand_models_open_at_once(page: Page) -> None:
    page.open(Report(TOOL, several().models * 333))

    assert page.find("h1").text == "999 models"
    assert page.count("tbody tr") == 100
    assert page.count("*") < 5_000


def test_what_is_accepted_is_told_apart(page: Page) -> None:
    page.open(CANONICAL["accepted"](), fragment="#model-1")

    assert page.find(".number").text == "1"
    page.click("summary", "2 findings accepted")
    assert "accepted by gradflow.yaml:12: unused head" in page.find(".causes details").text


# For everybody


def test_the_keyboard_is_enough(page: Page) -> None:
    page.open(towers())
    page.script("document.querySelector('.picture').focus()")
    page.press(ARROW_DOWN)
    assert page.script("return document.activeElement.getAttribute('aria-label')").startswith("x,")
    seen = set()
    for _ in range(12):
        page.press(ARROW_DOWN)
        seen.add(page.script("return document.activeElement.getAttribute('aria-label')"))
    assert any(label.startswith("head, output") for label in seen)
    page.press(ENTER)
    assert page.find(".panel h2").text == "head"
    page.press(ESCAPE)
    assert not page.all(".panel")

    before = scale(page)
    page.press("+")
    assert scale(page) > before
    page.script("document.querySelector('.picture [aria-label^=left]').focus()")
    page.press(SPACE)
    assert "left" in page.nodes(".node.folded")

    # Every control has a name, and comes by in the order of the page.
    assert page.ask("nameless") == 0
    assert page.count("[tabindex]:not([tabindex='0']):not([tabindex='-1'])") == 0


SCHEMES = {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}
BACKGROUND = "return getComputedStyle(document.documentElement).backgroundColor"


def test_every_text_has_a_contrast_of_at_least_4_5_in_light_and_dark(page: Page) -> None:
    def are_seen() -> None:
        for scheme, background in SCHEMES.items():
            page.prefer(scheme)
            assert page.script(BACKGROUND) == background
            assert (scheme, page.ask("faint")) == (scheme, [])
            assert (scheme, page.ask("faintShapes")) == (scheme, [])

    for report in (vanishing(), several(), towers()):
        page.open(report)
        are_seen()
    page.choose("router")
    page.find(".search input").send_keys("dense")
    page.script("for (const part of document.querySelectorAll('details')) part.open = true")
    assert page.all(".matches li")
    are_seen()


def test_nothing_is_told_by_color_alone(page: Page) -> None:
    """Each state, tone and mark has a sign of its own, each line its dashes."""
    page.open(vanishing())
    assets = Path(render.__code__.co_filename).parent / "assets"
    for name, table in (("dom.js", "STATES"), ("profile.js", "MARKS")):
        text = (assets / name).read_text(encoding="utf-8").split(f"const {table} = {{")[1]
        rows = text.split("\n};")[0].strip().splitlines()
        signs = [row.split('"')[-2] for row in rows]
        assert len(signs) > 7
        assert len({*signs}) == len(signs)
    marks = page.ask("shapesOfMarks")
    assert {"flows", "small", "zero", "nonfinite"} <= marks.keys()
    assert len({*marks.values()}) == len(marks)
    for words in ("vanishing", "only zeros", "NaN or Inf"):
        assert words in page.find(".profile .hint").text


def test_a_page_is_opened_in_the_colors_of_the_system(page: Page) -> None:
    page.open(towers(), scheme="dark")

    assert page.script(BACKGROUND) == SCHEMES["dark"]


def test_a_phone_needs_no_sideways_scrolling(page: Page) -> None:
    page.open(towers(), size=PHONE)

    assert page.script("return document.documentElement.scrollWidth") <= 390
    page.choose("x")
    assert page.all(".panel")
    assert page.all(".finding")
    page.open(several(), size=PHONE)
    assert page.script("return document.documentElement.scrollWidth") <= 390


def test_print_leaves_out_what_paper_cannot_do(page: Page) -> None:
    page.open(towers(), scheme="dark")
    page.prefer("dark", media="print")

    assert page.script(BACKGROUND) == SCHEMES["light"]
    assert page.all(".finding")
    assert page.all(".picture")
    assert not page.all(".buttons")
    assert not page.all("nav")
    pdf = page.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"]
    assert len(pdf) > 10_000


# What a model file holds


def worst(number: int) -> list[str]:
    """Names that a browser would obey, could it see them as anything but text."""
    act = "window.obeyed = true"
    forms = [
        f"<script>{act}</script>",
        f"</script><script>{act}</script>",
        f"<img src=x onerror='{act}'>",
        f"<svg onload='{act}'>",
        f"javascript:{act}",
        f'" onmouseover="{act}" x="',
        f"' onfocus='{act}' autofocus='",
        f"</title><body onload='{act}'>",
        f"<iframe srcdoc='<script>parent.{act}</script>'>",
        "<!--",
        "-->",
        "]]>",
        f"${{{act}}}",
        "</style><style>*{display:none}</style>",
        "<base href=//evil.example>",
        "<meta http-equiv=refresh content=0;url=//evil.example>",
        "\u202e\u2066abc\u2069",
        "\u2028\u2029",
        "__proto__",
        "constructor",
        *HOSTILE,
    ]
    return [f"{forms[index % len(forms)]}{index}" for index in range(number)]


def with_names(texts: list[str]) -> Report:
    """A model whose layers, ops, findings and edges have these names."""
    (model,) = (hostile([text]).models[0] for text in texts[:1])
    variables, findings, nodes = [], [], []
    for index, text in enumerate(texts):
        (variable,) = hostile([text]).models[0].variables
        variable = replace(variable, name=f"{text}/{index}/kernel", layer=f"{text}/{index}")
        variables.append(variable)
        findings.append(
            replace(
                hostile([text]).models[0].findings[0],
                variables=names([variable]),
                between=(text, text),
            )
        )
        nodes.append(
            MapNode(
                id=index,
                name=text,
                parent=None,
                kind=NodeKind.LAYER,
                class_name=text,
                state=NodeState.NONE,
                weights=1,
                parameters=2,
                norm=None,
                variables=names([variable]),
            )
        )
    drawn = map_of(variables, [], [])
    edges = tuple(
        replace(edge, cuts=(f"{texts[edge.source]}/stop",))
        for edge in map_of(
            [],
            [f"l{n}" for n in range(len(texts))],
            [(f"l{n}", f"l{n + 1}") for n in range(len(texts) - 1)],
        ).edges
    )
    assert drawn.nodes == ()
    return Report(
        TOOL,
        (
            replace(
                model,
                variables=tuple(variables),
                findings=tuple(findings),
                map=FlowMap(tuple(nodes), edges),
            ),
        ),
    )


def untouched(page: Page) -> None:
    """Nothing of a name became markup or ran."""
    assert page.script("return window.obeyed === undefined && ({}).obeyed === undefined")
    assert page.count("img, iframe, a, base, object, embed, form, main script, main style") == 0
    assert page.count("script") == 4
    assert not page.ask("hasHandler")
    assert page.find(".statement")


def test_200_hostile_names_leave_the_page_whole_and_run_nothing(page: Page) -> None:
    texts = [*worst(199), "<b>" + "n" * 100_000]
    page.open(with_names(texts))
    untouched(page)
    assert page.count(".picture .node") == 200

    for _ in range(9):
        page.script("for (const more of document.querySelectorAll('.more')) more.click()")
    page.script(
        "[...document.querySelectorAll('.finding .head')]"
        ".forEach((head, index) => index % 8 || head.click())"
    )
    page.script(
        "[...document.querySelectorAll('.picture .node')].forEach((node, index) =>"
        "index % 8 || node.dispatchEvent(new MouseEvent('click', {bubbles: true})))"
    )
    page.find(".search input").send_keys("script")
    untouched(page)
    assert page.count(".matches li") > 20
    assert page.script("return document.documentElement.scrollWidth") <= 1280
    # A name of 100,000 letters is shown by its two ends.
    assert page.ask("longestText") < 3000


def test_the_policy_stops_what_is_not_of_the_page(browser: Page) -> None:
    """The other tests rely on it that the browser tells of what it stops."""
    browser.heard()
    text = render(towers()).replace("</main>", "</main><script>window.obeyed = true</script>")
    browser.open(text.replace("<h2>", '<h2 onclick="1" style="color: red">'))

    complaints = "\n".join(browser.heard())
    assert browser.script("return window.obeyed === undefined")
    assert "violates the following Content Security Policy directive" in complaints
    assert "script-src" in complaints
    assert "style-src" in complaints


def test_without_scripts_the_plain_text_stands(page: Page) -> None:
    page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.open(towers(), has_scripts=False)
        text = page.find("main").text
    finally:
        page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})

    assert "5 of 9 trainable weights get no gradient" in text
    assert "fix: remove the stop_gradient at net.py:41" in text


JENKINS = "sandbox allow-same-origin; default-src 'none'; img-src 'self'; style-src 'self';"
"""What a server of CI artifacts may say: no script and no style of a page counts."""


@pytest.fixture
def strict_server(tmp_path: Path) -> Iterator[str]:
    """The address of a page on this machine, sent with the policy of a CI system."""
    text = render(towers()).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", JENKINS)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_behind_the_policy_of_a_ci_system_the_plain_text_stands(
    browser: Page, strict_server: str
) -> None:
    browser.driver.get(strict_server)
    text = browser.find("main").text
    browser.heard()  # that it has stopped the scripts and the style

    assert "5 of 9 trainable weights get no gradient" in text
    assert "fix: remove the stop_gradient at net.py:41" in text
    assert browser.count(".picture") == 0


# Pictures that were looked at


SHOWN = {
    "towers": towers,
    "deep": deep,
    "vanishing": vanishing,
    "several": several,
    "expectations": CANONICAL["expectations"],
    "many": CANONICAL["many"],
}


@pytest.mark.parametrize("name", SHOWN)
def test_it_looks_as_it_did_when_somebody_looked(
    name: str, page: Page, likeness: Callable[[str, Path], float]
) -> None:
    page.open(SHOWN[name](), scheme="dark" if name == "vanishing" else "light")
    share = likeness(page.picture(), GOLDEN / f"{name}.png")

    assert share < OTHER_CELLS, os.environ.get("GRADFLOW_BROWSER", "")
