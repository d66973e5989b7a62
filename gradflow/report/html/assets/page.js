// Show a report: a table of its models where there are several, and the page of one model.

const SEVERAL = 20;
const LAYERS = 12;
const read = (id) => JSON.parse(document.getElementById(id).textContent);

/** Put names back where the data has numbers. */
function modelOf(index) {
  const data = read(`model-${index}`);
  const causes = data.causes;
  const variables = data.variables.map((variable) => ({ ...variable, causes: variable.causes.map((cause) => causes[cause]), path: variable.path.map((op) => data.texts[op]) }));
  const findings = data.findings.map((finding) => ({ ...finding, cause: finding.cause === null ? null : causes[finding.cause] }));
  return { ...data, variables, findings };
}

function modelPage(model) {
  const side = html("div", { class: "side" });
  const panel = html("section", { class: "panel", "aria-label": "layer", tabindex: -1, hidden: true });
  const cards = new Map();
  let map = null;
  let showMore = [];

  // ---- findings

  function choose(finding) {
    closePanel(true);
    for (const [other, card] of cards) {
      const isChosen = other === finding && card.getAttribute("aria-expanded") !== "true";
      card.setAttribute("aria-expanded", String(isChosen));
      card.closest("li").classList.toggle("is-chosen", isChosen);
      card.nextElementSibling.hidden = !isChosen;
      if (other === finding) map?.showFinding(isChosen ? finding : null);
    }
  }

  /** Open the card of a finding, be it one of those that are not shown yet. */
  function openCard(finding) {
    for (const more of showMore) while (!cards.has(finding) && !more.hidden) more.click();
    const button = cards.get(finding);
    closePanel(true);
    button.closest("details")?.setAttribute("open", "");
    if (button.getAttribute("aria-expanded") !== "true") button.click();
    button.scrollIntoView({ block: "nearest" });
  }

  function card(finding) {
    const button = html("button", { type: "button", class: "head", "aria-expanded": "false", onclick: () => choose(finding) },
      drawn(SEVERITIES[finding.severity], finding.severity),
      html("span", {}, html("b", {}, `${finding.severity} ${finding.code}`), " ", html("bdi", {}, brief(finding.message, 600))));
    cards.set(finding, button);
    const details = html("div", { class: "details", hidden: true });
    const fill = () => {
      if (details.childElementCount) return;
      const layers = html("ul", { class: "weights" });
      const more = growing(finding.variables, SEVERAL, (index) => html("li", {}, weightLink(model.variables[index])), layers);
      details.append(...[
        finding.cause?.source ? html("p", {}, "at ", html("code", {}, name(finding.cause.source))) : null,
        finding.snippet.length ? html("pre", {}, finding.snippet.join("\n")) : null,
        finding.variables.length ? html("div", {}, html("p", {}, finding.total), layers, more) : null,
        html("p", { class: "hint" }, "to read more: ", html("code", {}, `gradflow explain ${finding.code}`)),
      ].filter(Boolean));
    };
    button.addEventListener("click", fill);
    return html("li", { class: `finding ${finding.severity}` }, button, details,
      finding.fix ? html("p", { class: "fix" }, html("b", {}, "fix: "), html("bdi", {}, brief(finding.fix, 600))) : null,
      finding.accepted ? html("p", { class: "hint" }, "accepted by ", name(finding.accepted)) : null);
  }

  const weightLink = (variable) =>
    html("button", { type: "button", class: "link", onclick: () => chooseVariable(variable) }, drawn(STATES[standingOf(variable)].sign, standingOf(variable)), name(variable.name));

  function findingsOf() {
    const open = model.findings.filter((finding) => !finding.accepted);
    const accepted = model.findings.filter((finding) => finding.accepted);
    const list = html("ul", { class: "findings" });
    const more = growing(open, SEVERAL, card, list);
    const taken = html("ul", { class: "findings" });
    const acceptedMore = growing(accepted, SEVERAL, card, taken);
    showMore = [more, acceptedMore];
    return html("section", { class: "causes", "aria-labelledby": "findings" },
      html("h2", { id: "findings" }, `Findings`, html("span", { class: "number" }, whole(open.length))),
      open.length ? [list, more] : html("p", {}, drawn(TONES.good, "good"), " nothing is wrong"),
      accepted.length ? html("details", {}, html("summary", {}, `${counted(accepted.length, "finding")} accepted`), taken, acceptedMore) : null);
  }

  // ---- a layer

  function closePanel(isQuiet = false) {
    panel.hidden = true;
    side.classList.remove("has-panel");
    if (!isQuiet) map?.showNode(null);
  }

  function closeCards() {
    for (const button of cards.values()) {
      button.setAttribute("aria-expanded", "false");
      button.closest("li").classList.remove("is-chosen");
      button.nextElementSibling.hidden = true;
    }
  }

  function chooseNode(node, edge = null) {
    if (edge) {
      const finding = model.findings.find((item) => item.cause?.op && edge.cuts.includes(item.cause.op));
      if (finding) openCard(finding);
      else map.say("no finding: only frozen weights are behind this cut");
      return;
    }
    closeCards();
    if (!node) {
      closePanel();
      return;
    }
    map?.showNode(node, document.activeElement?.closest?.(".picture") !== null);
    showPanel(label(node), node, [...below(node)].flatMap((inner) => (inner.children.length ? [] : inner.variables)).map((index) => model.variables[index]));
  }

  function chooseVariable(variable) {
    closeCards();
    const index = model.variables.indexOf(variable);
    const node = map ? [...map.graph.nodes.values()].find((item) => !item.children.length && item.variables.includes(index)) : null;
    if (node) {
      map.showNode(node);
      showPanel(label(node), node, node.variables.map((place) => model.variables[place]), variable);
    } else showPanel(variable.layer ?? variable.name, null, model.variables.filter((other) => other === variable || (variable.layer !== null && other.layer === variable.layer)), variable);
  }

  function showPanel(title, node, variables, first = null) {
    const list = html("ul", { class: "weights" });
    // What there is most to say about is open.
    const open = first ?? variables.find((variable) => variable.causes.length) ?? variables[0];
    const ordered = first ? [first, ...variables.filter((variable) => variable !== first)] : variables;
    const more = growing(ordered, SEVERAL, (variable) => weightOf(variable, variable === open), list);
    const total = variables.reduce((sum, variable) => sum + variable.parameters, 0);
    panel.setAttribute("aria-label", `layer ${brief(title, 80)}`);
    panel.replaceChildren(
      html("div", { class: "tools" }, html("button", { type: "button", onclick: () => closePanel() }, "\u2190 findings")),
      html("h2", {}, name(title)),
      html("p", {}, node ? [node.class ? [html("bdi", {}, brief(node.class, 80)), " \u00b7 "] : null, node.weights || node.children.length ? badge(node.state) : node.kind, " \u00b7 "] : null,
        counted(variables.length, "variable"), `, ${counted(total, "parameter")}`,
        node && node.norm !== null && node.norm !== undefined ? `, gradient norm ${measured(node.norm)}` : ""),
      ...(node && node.name !== title ? [html("p", { class: "hint" }, name(node.name))] : []),
      variables.length ? html("div", {}, list, more) : html("p", {}, "it has no weights of its own"),
      ...cutsAround(node));
    panel.hidden = false;
    side.classList.add("has-panel");
    if (window.matchMedia("(max-width: 900px)").matches) panel.scrollIntoView({ block: "nearest" });
  }

  function cutsAround(node) {
    if (!node || node.children.length) return [];
    const cuts = [...node.incoming, ...node.outgoing].filter((edge) => edge.cuts.length);
    if (!cuts.length) return [];
    return [html("h3", {}, "cuts at this layer"), html("ul", { class: "ways" }, cuts.map((edge) => html("li", {}, html("button", { type: "button", class: "link", title: "show the finding of this cut", onclick: () => chooseNode(null, edge) }, drawn(SCISSORS, "cut"), edge.cuts.map((op, index) => [index ? ", " : null, name(op)])))))];
  }

  function weightOf(variable, isOpen) {
    const state = standingOf(variable);
    const facts = [
      ["type", `${variable.dtype}${variable.shape}, ${counted(variable.parameters, "parameter")}`],
      ["verdict", variable.role === "state" ? "state: not trained, by design" : `${STATES[variable.verdict].label} (${variable.confidence})`],
      ["frozen by", variable.frozen_by],
      ["norm", measured(variable.norm)],
      ["largest entry", measured(variable.max_abs)],
      ["zeros", variable.zero_fraction ? share(variable.zero_fraction, 1) : null],
      ["rows touched", variable.rows === null ? null : whole(variable.rows)],
    ].filter(([, value]) => value);
    return html("li", {}, html("details", { open: isOpen },
      html("summary", {}, badge(state), " ", name(variable.name), variable.norm === null ? "" : html("span", { class: "hint" }, ` norm ${measured(variable.norm)}`)),
      html("dl", {}, facts.map(([term, value]) => [html("dt", {}, term), html("dd", {}, html("bdi", {}, brief(value, 200)))])),
      whyOf(variable)));
  }

  /** What `gradflow why` begins with: the cuts on the way to the output, and the command that tries the repair. */
  function whyOf(variable) {
    if (variable.role === "state" || (variable.verdict === "flows" && !variable.causes.length)) return null;
    const marks = new Map(model.causes.filter((cause) => cause.op).map((cause) => [cause.op, cause]));
    const own = new Set(variable.causes);
    const way = variable.path.map((op) => {
      const cause = marks.get(op);
      const isCut = cause && (own.has(cause) || cause.cuts_all);
      return html("li", { class: isCut ? "is-cut" : "" }, isCut ? [drawn(SCISSORS, "cut"), " "] : null, name(op), isCut ? ` ${cause.code} ${cause.kind}` : "");
    });
    const cuts = variable.cuts;
    return html("div", { class: "why" },
      html("p", {}, html("b", {}, "why: "), cuts === null ? (variable.verdict === "unknown" ? "the file alone does not say" : "no path leads from it to an output") : cuts === 0 ? "no cut is on its path to the output" : `${counted(cuts, "cut")} on its path to the output`),
      html("ul", { class: "ways" }, variable.causes.map((cause) => html("li", {}, drawn(cause.op ? SCISSORS : SEVERITIES.note, "cut"), " ", html("b", {}, cause.code), ` ${cause.kind} `, cause.op ? name(`${cause.op_type ?? "op"} ${cause.op}`) : null, cause.source ? [", ", name(cause.source)] : null, cause.fix ? html("p", { class: "fix" }, html("b", {}, "fix: "), cause.fix) : null))),
      way.length ? html("details", {}, html("summary", {}, `its path to the output: ${counted(way.length, "op")}`), html("ol", { class: "ways" }, way)) : null,
      variable.command ? html("p", { class: "hint" }, "this command tries the smallest repair: ", html("code", { class: "command" }, brief(variable.command, 400))) : null);
  }

  // ---- the parts of the page

  function barOf() {
    const all = model.bar.reduce((sum, part) => sum + part.parameters, 0);
    const words = model.bar.map((part) => `${STATES[part.state].short} ${share(part.parameters, all)}`).join(", ");
    const bar = html("div", { class: "bar", role: "img", "aria-label": `parameters: ${words}` });
    for (const part of model.bar) {
      if (!part.parameters) continue;
      const piece = html("span", { class: part.state, title: `${STATES[part.state].short}: ${whole(part.parameters)}` });
      piece.style.flexGrow = String(part.parameters / all);
      bar.append(piece);
    }
    return html("div", { class: "parameters" }, bar,
      html("ul", {}, model.bar.map((part) => html("li", {}, badge(part.state), ` ${counted(part.parameters, "parameter")} (${share(part.parameters, all)}) in ${counted(part.variables, "variable")}`))));
  }

  function weightsOf() {
    const kinds = Object.keys(STATES).filter((state) => model.variables.some((variable) => standingOf(variable) === state)).map((state) => [state, STATES[state].short]);
    return html("section", { "aria-labelledby": "weights" }, html("h2", { id: "weights" }, "Weights"),
      tableOf("weights", [
        { title: "name", value: (variable) => model.variables.indexOf(variable), cell: (variable) => name(variable.name), help: "sort in the order of the model" },
        { title: "shape", value: (variable) => variable.shape, cell: (variable) => html("span", { class: "unbroken" }, `${variable.dtype}${variable.shape}`) },
        { title: "parameters", value: (variable) => variable.parameters, cell: (variable) => whole(variable.parameters), isNumber: true },
        { title: "gradient", value: (variable) => Object.keys(STATES).indexOf(standingOf(variable)), cell: (variable) => badge(standingOf(variable)) },
        { title: "norm", value: (variable) => variable.norm, cell: (variable) => measured(variable.norm), isNumber: true },
        { title: "largest entry", value: (variable) => variable.max_abs, cell: (variable) => measured(variable.max_abs), isNumber: true },
        { title: "causes", value: (variable) => variable.causes.map((cause) => cause.code).join(" ") || null, cell: (variable) => [...new Set(variable.causes.map((cause) => `${cause.code} ${cause.kind}`))].join(", ") },
      ], model.variables, { choose: (variable) => { chooseVariable(variable); side.scrollIntoView({ block: "nearest" }); }, chooses: "show it in the map", words: (variable) => `${variable.name} ${standingOf(variable)} ${variable.causes.map((cause) => cause.code).join(" ")}`, kinds, kindOf: standingOf }));
  }

  function expectationsOf() {
    if (!model.expectations.length) return null;
    const list = html("ul", { class: "expectations" });
    const more = growing(model.expectations, SEVERAL, (item) => html("li", { class: item.status }, item.status === "kept" ? drawn(TONES.good, "good") : drawn(TONES.error, "error"), " ", html("b", {}, item.status), ` ${item.kind}: `, name(item.pattern), item.variables.length ? ` (${counted(item.variables.length, "weight")})` : ""), list);
    return html("section", { "aria-labelledby": "expectations" }, html("h2", { id: "expectations" }, "Expectations"), list, more);
  }

  const factsOf = () =>
    html("section", { "aria-labelledby": "facts" }, html("h2", { id: "facts" }, "How it was checked"),
      html("dl", { class: "facts" }, model.facts.map(([term, value]) => [html("dt", {}, term), html("dd", {}, html("bdi", {}, brief(value, 400)))])));

  function failure() {
    const list = html("ul", { class: "findings" });
    const more = growing(model.dangers, SEVERAL, (danger) => html("li", {}, html("bdi", {}, brief(danger.description, 600)), danger.locations.length ? html("ul", {}, danger.locations.slice(0, LAYERS).map((place) => html("li", {}, name(place)))) : null), list);
    return html("section", { class: "failure" },
      html("p", {}, html("b", {}, model.error.code), " ", html("bdi", {}, brief(model.error.message, 2000))),
      model.dangers.length ? [list, more] : null,
      model.error.hint ? html("p", { class: "fix" }, html("b", {}, "fix: "), html("bdi", {}, brief(model.error.hint, 2000))) : null,
      expectationsOf());
  }

  const heading = html("div", { class: `headline ${model.tone}` },
    html("h1", { tabindex: -1 }, name(model.title)),
    html("p", { class: "statement" }, drawn(TONES[model.tone], model.tone), " ", html("span", {}, brief(model.statement, 2000))),
    model.reach.length ? html("ul", { class: "reach" }, model.reach.map((sentence) => html("li", {}, html("bdi", {}, brief(sentence, 600))))) : null,
    model.change ? html("p", { class: "change" }, changeOf(model.change), model.change.lines.length ? html("ul", {}, model.change.lines.map((line) => html("li", {}, html("bdi", {}, brief(line, 300)))), model.change.more ? html("li", {}, `and ${whole(model.change.more)} more`) : null) : null) : null);
  if (model.error) return { element: html("article", {}, heading, failure(), factsOf()), open: () => {} };
  if (model.map && model.map.nodes.length) map = mapOf(model, chooseNode);
  side.append(findingsOf());
  const workspace = html("div", { class: "workspace" }, side, panel, map ? map.element : html("section", { class: "map missing", "aria-label": "map" }, html("p", {}, "there is no map: the file does not say how its layers are connected")));
  const profile = profileOf(model, chooseVariable);
  const element = html("article", {}, heading, model.bar.length ? barOf() : null, workspace, profile, expectationsOf(), model.variables.length ? weightsOf() : null, factsOf());
  return { element, open: () => map?.open() };
}

const ARROWS = { better: "M8 13V4M4 7.5 8 3.5l4 4", worse: "M8 3v9M4 8.5 8 12.5l4-4", changed: "M3 8h10", new: "M8 3v10M3 8h10", gone: "M3 8h10" };
const changeOf = (change) => html("span", { class: `trend ${change.direction}` }, drawn(ARROWS[change.direction], change.direction), " ", change.direction, change.detail ? `: ${brief(change.detail, 200)}` : "");

function auditPage(report, choose) {
  const rows = report.models.map((model, index) => ({ ...model, index }));
  const standings = [...new Set(report.standings)].filter((standing) => rows.some((row) => row.standing === standing));
  const rank = (row) => report.standings.indexOf(row.standing);
  const counts = (key, title) => ({ title, value: (row) => row[key], cell: (row) => (row[key] ? whole(row[key]) : ""), isNumber: true });
  const columns = [
    { title: "model", value: (row) => row.title.toLowerCase(), cell: (row) => name(row.title) },
    { title: "status", value: rank, cell: (row) => html("span", { class: `standing ${row.tone}` }, drawn(TONES[row.tone], row.tone), " ", row.standing) },
    { title: "result", value: (row) => row.statement, cell: (row) => html("bdi", { class: "case" }, brief(row.statement, 140)) },
    counts("weights", "weights"), counts("none", "no gradient"), counts("zero", "zeros"), counts("nonfinite", "NaN"), counts("unknown", "unknown"), counts("frozen", "frozen"), counts("errors", "errors"), counts("warnings", "warnings"), counts("accepted", "accepted"),
    { title: "change", value: (row) => (row.change ? Object.keys(ARROWS).indexOf(row.change.direction) : null), cell: (row) => (row.change ? changeOf(row.change) : "") },
  ].filter((column) => ["model", "status", "result", "weights"].includes(column.title) || rows.some((row) => column.value(row) !== null && column.value(row) !== 0));
  const parts = standings.map((standing) => html("li", {}, html("b", {}, whole(rows.filter((row) => row.standing === standing).length)), ` ${standing}`));
  return html("article", { class: "audit" },
    html("div", { class: "headline" }, html("h1", { tabindex: -1 }, counted(rows.length, "model")), html("ul", { class: "counts" }, parts)),
    rows.length ? tableOf("models", columns, [...rows].sort((left, right) => rank(left) - rank(right)), { choose: (row) => choose(row.index), chooses: "open its report", words: (row) => `${row.title} ${row.statement} ${row.standing} ${row.change?.direction ?? ""}`, kinds: standings.map((standing) => [standing, standing]), kindOf: (row) => row.standing }) : html("p", {}, "no models"));
}

function start() {
  const report = read("report");
  const main = document.querySelector("main");
  const many = report.models.length !== 1;
  const back = html("button", { type: "button", class: "back", hidden: true, onclick: () => go(null) }, "\u2190 all models");
  const earlier = html("button", { type: "button", hidden: true, onclick: () => go(current - 1) }, "previous");
  const later = html("button", { type: "button", hidden: true, onclick: () => go(current + 1) }, "next");
  let current = null;
  document.querySelector("header").append(html("nav", { "aria-label": "models" }, back, earlier, later));

  function show(index, isFirst = false) {
    current = index;
    back.hidden = !many || index === null;
    earlier.hidden = back.hidden || index === 0;
    later.hidden = back.hidden || index === report.models.length - 1;
    const page = index === null ? { element: auditPage(report, go), open: () => {} } : modelPage(modelOf(index));
    main.replaceChildren(page.element);
    page.open();
    if (!isFirst) main.querySelector("h1").focus();
    window.scrollTo(0, 0);
  }

  function go(index) {
    show(index);
    // A page without an origin, as in a notebook, has no history.
    try {
      history.pushState({ index }, "", index === null ? "#" : `#model-${index + 1}`);
    } catch {
      return;
    }
  }

  const asked = () => {
    const number = Number(/^#model-(\d+)$/.exec(location.hash)?.[1]) - 1;
    return report.models[number] ? number : many ? null : 0;
  };
  window.addEventListener("popstate", () => show(asked()));
  show(asked(), true);
  performance.mark("gradflow-ready");
}

start();
