// Draw the map of a model, and let a reader move in it, fold it, search it and choose a layer.

const FURTHEST = 2.5;
const STEP = 1.25;
const READABLE = 0.85;
const SMALLEST = 0.6;
const TINIEST = 0.08;
const MATCHES = 30;
const OVERVIEW = { width: 150, height: 190 };

/** `model` is what the page knows of it; `onLayer` hears which node was chosen, and null when none is. */
function mapOf(model, onLayer) {
  const graph = graphOf(model.map);
  const opened = firstOpened(graph);
  const causes = new Map(model.causes.filter((cause) => cause.op).map((cause) => [cause.op, cause]));
  let view = { x: 0, y: 0, scale: 1 };
  let drawing = null;
  let shapes = new Map();
  let strokes = [];
  let lit = null;
  let chosen = null;
  let current = null;
  let isFiltered = false;

  const paper = svg("g", {});
  const picture = svg("svg", { class: "picture", role: "group", "aria-label": "map of gradient flow, from the inputs at the top to the outputs at the bottom", tabindex: 0 },
    svg("defs", {}, Object.keys(CARRIED).map((kind) =>
      svg("marker", { id: `arrow-${kind}`, class: `arrow ${kind}`, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto", markerUnits: "userSpaceOnUse" }, svg("path", { d: "M0 0 8 4 0 8z" })))),
    paper);
  const overview = html("canvas", { class: "overview", width: OVERVIEW.width, height: OVERVIEW.height, "aria-hidden": "true" });
  const note = html("p", { class: "note", role: "status" });
  const matches = html("ul", { class: "matches", role: "listbox", id: "matches", "aria-label": "layers and weights that match", hidden: true });
  const field = html("input", { type: "search", placeholder: "search a layer or a weight", "aria-label": "search a layer or a weight", role: "combobox", "aria-expanded": "false", "aria-controls": "matches", autocomplete: "off" });
  const filter = html("input", { type: "checkbox", onchange: () => { isFiltered = filter.checked; draw(); fit(); } });
  const button = (text, title, act) => html("button", { type: "button", title, "aria-label": title, onclick: act }, text);
  const frame = html("div", { class: "frame" }, picture, overview, note);
  const element = html("section", { class: "map", "aria-label": "map" },
    html("div", { class: "tools" },
      html("div", { class: "search" }, field, matches),
      html("label", { class: "filter" }, filter, " only what gets no gradient"),
      html("span", { class: "buttons" },
        button("+", "zoom in", () => zoom(STEP)),
        button("\u2212", "zoom out", () => zoom(1 / STEP)),
        button("fit", "fit the whole map", () => fit(true)),
        graph.nodes.size > graph.roots.length ? button("unfold", "unfold all groups", () => foldAll(false)) : null,
        graph.nodes.size > graph.roots.length ? button("fold", "fold all groups", () => foldAll(true)) : null)),
    frame, legend());

  const say = (text) => { note.textContent = text; };

  // ---- drawing

  const reasonOf = (edge) => {
    if (!edge.cuts.length) return "";
    const kinds = [...new Set(edge.cuts.map((op) => causes.get(op)?.kind ?? op.split("/").pop()))];
    return brief(kinds[0].replaceAll("_", " "), 34) + (kinds.length > 1 ? ` +${kinds.length - 1}` : "");
  };

  /** Whether a weight of the node gets no gradient: of a mixed one, it can be that others are only frozen. */
  const isStarved = (node) => [...below(node)].some((inner) => !inner.children.length && inner.variables.some((index) => STARVED.has(standingOf(model.variables[index]))));

  function draw() {
    const shownView = seen(graph, opened, isFiltered ? isStarved : null);
    note.textContent = isFiltered && !shownView.nodes.size ? "every weight gets a gradient: nothing to show" : "";
    drawing = laidOut(graph, shownView, opened, reasonOf);
    shapes = new Map();
    for (const [node, box] of [...drawing.groups].sort(([, left], [, right]) => right.width - left.width)) shapes.set(node, groupShape(node, box));
    const groups = [...shapes.values()];
    const inside = shownView.inside;
    for (const [node, box] of drawing.boxes) shapes.set(node, nodeShape(node, box, inside.get(node) ?? 0));
    strokes = drawing.lines.map((line) => ({ line, ...lineShape(line) }));
    // A line can go through the head of a group: its name stands above the line.
    const names = [...drawing.groups].map(([node, box]) => svg("text", { x: box.x + 30, y: box.y + 19, class: "caption", "aria-hidden": "true" }, heading(node)));
    paper.replaceChildren(...groups, ...strokes.map((stroke) => stroke.shape), ...names, ...[...drawing.boxes.keys()].map((node) => shapes.get(node)), ...strokes.filter((stroke) => stroke.cut).map((stroke) => stroke.cut));
    if (!shapes.has(current)) current = null;
    mark();
    move();
  }

  function described(node, hiddenCuts) {
    const words = [brief(label(node), 80), node.class ? brief(node.class, 60) : node.kind, node.weights || node.children.length ? STATES[node.state].label : ""];
    if (node.weights) words.push(counted(node.weights, "weight"), counted(node.parameters, "parameter"));
    if (hiddenCuts) words.push(`${counted(hiddenCuts, "cut")} inside`);
    if (node.children.length) words.push(`group of ${node.children.length}, ${opened.has(node.id) ? "unfolded" : "folded"}`);
    return words.filter(Boolean).join(", ");
  }

  function nodeShape(node, box, hiddenCuts) {
    const isGroup = node.children.length > 0;
    const shape = svg("g", { class: `node ${node.kind} ${node.state}${isGroup ? " folded" : ""}`, transform: `translate(${box.x} ${box.y})`, role: "button", tabindex: -1, "aria-label": described(node, hiddenCuts), "data-id": node.id },
      isGroup ? svg("rect", { class: "behind", x: 4, y: 4, width: box.width, height: box.height, rx: 6 }) : null,
      svg("rect", { class: "box", width: box.width, height: box.height, rx: node.kind === "input" || node.kind === "output" ? 20 : 6 }),
      svg("g", { class: `sign ${node.state}`, transform: "translate(8 13)" }, svg("path", { d: STATES[node.state].sign })),
      svg("text", { x: 30, y: 18, class: "title" }, heading(node)),
      svg("text", { x: 30, y: 33, class: "subtitle" }, subtitle(node)));
    if (isGroup) shape.append(folder(node, box.width - 24, 11, "+"));
    if (hiddenCuts) shape.append(svg("g", { class: "inside", transform: `translate(${box.width - 14} ${box.height - 10})` }, svg("circle", { r: 11 }), svg("path", { d: SCISSORS, transform: "translate(-8 -8)" })));
    return shape;
  }

  function groupShape(node, box) {
    return svg("g", { class: `group ${node.state}`, transform: `translate(${box.x} ${box.y})`, role: "button", tabindex: -1, "aria-label": described(node, 0), "data-id": node.id },
      svg("rect", { class: "box", width: box.width, height: box.height, rx: 8 }),
      svg("g", { class: `sign ${node.state}`, transform: "translate(8 6)" }, svg("path", { d: STATES[node.state].sign })),
      folder(node, box.width - 26, 6, "\u2212"));
  }

  const folder = (node, x, y, sign) =>
    svg("g", { class: "fold", transform: `translate(${x} ${y})`, "data-fold": node.id }, svg("title", {}, sign === "+" ? "unfold" : "fold"), svg("rect", { width: 18, height: 18, rx: 4 }), svg("text", { x: 9, y: 14, "text-anchor": "middle" }, sign));

  function lineShape(line) {
    const { edge, points, middle, reason } = line;
    const shape = svg("path", { class: `edge ${edge.gradient}${edge.hidden ? " hidden" : ""}`, d: curve(points), "marker-end": `url(#arrow-${edge.gradient})` }, svg("title", {}, `${brief(label(edge.from), 60)} to ${brief(label(edge.to), 60)}: ${edge.hidden ? "layers left out; " : ""}${CARRIED[edge.gradient]}`));
    if (!reason) return { shape, cut: null };
    const size = width(reason, 12) + 36;
    const cut = svg("g", { class: `cut ${edge.gradient}`, transform: `translate(${middle.x - size / 2} ${middle.y - 11})`, role: "button", tabindex: -1, "aria-label": `cut: ${reason}, between ${brief(label(edge.from), 60)} and ${brief(label(edge.to), 60)}`, "data-cuts": edge.cuts.map((op) => brief(op, 200)).join(" ") },
      svg("rect", { width: size, height: 22, rx: 11 }),
      svg("path", { class: "scissors", d: SCISSORS, transform: "translate(7 3.5)" }),
      svg("text", { x: 26, y: 15 }, reason));
    cut.addEventListener("click", () => onLayer(null, edge));
    return { shape, cut };
  }

  function legend() {
    const line = (kind) => html("li", {}, svg("svg", { width: 40, height: 14, viewBox: "0 0 40 14", "aria-hidden": "true" }, svg("path", { class: `edge ${kind}`, d: "M2 7H38" })), CARRIED[kind]);
    const used = [...new Set(model.map.edges.map((edge) => edge.gradient))];
    const states = [...new Set(model.map.nodes.map((node) => node.state))];
    return html("details", { class: "legend", open: true }, html("summary", {}, "legend"),
      html("ul", {}, Object.keys(STATES).filter((state) => states.includes(state)).map((state) => html("li", {}, badge(state), `: ${STATES[state].label}`))),
      html("ul", {}, Object.keys(CARRIED).filter((kind) => used.includes(kind)).map(line)));
  }

  // ---- moving

  const room = () => ({ width: frame.clientWidth || 600, height: frame.clientHeight || 400 });

  function move() {
    paper.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.scale})`);
    drawOverview();
  }

  function limited() {
    const { width: wide, height: high } = room();
    const keep = 60;
    view.x = Math.min(wide - keep, Math.max(keep - drawing.width * view.scale, view.x));
    view.y = Math.min(high - keep, Math.max(keep - drawing.height * view.scale, view.y));
    move();
  }

  function zoom(factor, at = null) {
    const { width: wide, height: high } = room();
    const point = at ?? { x: wide / 2, y: high / 2 };
    const scale = Math.min(FURTHEST, Math.max(0.03, view.scale * factor));
    view.x = point.x - ((point.x - view.x) * scale) / view.scale;
    view.y = point.y - ((point.y - view.y) * scale) / view.scale;
    view.scale = scale;
    limited();
  }

  function fit(whole = false) {
    const { width: wide, height: high } = room();
    const scale = Math.min(1, (wide - 12) / drawing.width, (high - 12) / drawing.height);
    view.scale = whole ? Math.max(TINIEST, scale) : scale > SMALLEST ? scale : READABLE;
    view.x = (wide - drawing.width * view.scale) / 2;
    view.y = Math.max(6, (high - drawing.height * view.scale) / 2);
    if (view.scale > scale && drawing.width * view.scale > wide) {
      const first = [...drawing.boxes].find(([node]) => node.kind === "input")?.[1];
      if (first) view.x = wide / 2 - (first.x + first.width / 2) * view.scale;
    }
    move();
  }

  function toBox(box, scale = null) {
    const { width: wide, height: high } = room();
    if (scale) view.scale = scale;
    view.x = wide / 2 - (box.x + box.width / 2) * view.scale;
    view.y = high / 2 - (box.y + box.height / 2) * view.scale;
    // What fits is not moved out of sight.
    if (drawing.width * view.scale <= wide) view.x = (wide - drawing.width * view.scale) / 2;
    if (drawing.height * view.scale <= high) view.y = Math.max(6, (high - drawing.height * view.scale) / 2);
    limited();
  }

  /** Show all of the boxes where that leaves them readable, else what is in the middle of interest. */
  function toRegion(boxes, center) {
    const { width: wide, height: high } = room();
    const left = Math.min(...boxes.map((box) => box.x));
    const top = Math.min(...boxes.map((box) => box.y));
    const all = { x: left, y: top, width: Math.max(...boxes.map((box) => box.x + box.width)) - left, height: Math.max(...boxes.map((box) => box.y + box.height)) - top };
    const scale = Math.min(1, (wide - 40) / all.width, (high - 40) / all.height);
    if (scale >= SMALLEST) toBox(all, Math.min(Math.max(view.scale, READABLE), scale));
    else toBox(center, Math.max(view.scale, READABLE));
  }

  const boxOf = (node) => drawing.boxes.get(node) ?? drawing.groups.get(node);

  function drawOverview() {
    const { width: wide, height: high } = room();
    const isLarge = drawing.width * view.scale > wide * 1.05 || drawing.height * view.scale > high * 1.05;
    overview.hidden = !isLarge;
    if (!isLarge) return;
    const share = Math.min(1, wide / 600);
    const ratio = Math.min((OVERVIEW.width * share) / drawing.width, (OVERVIEW.height * share) / drawing.height);
    const density = window.devicePixelRatio || 1;
    overview.width = Math.max(24, drawing.width * ratio) * density;
    overview.height = Math.max(24, drawing.height * ratio) * density;
    overview.style.width = `${overview.width / density}px`;
    overview.style.height = `${overview.height / density}px`;
    const pen = overview.getContext("2d");
    const colors = getComputedStyle(element);
    pen.scale(density, density);
    for (const [node, box] of drawing.boxes) {
      pen.fillStyle = colors.getPropertyValue(`--${node.state}`) || "gray";
      pen.globalAlpha = lit && !lit.nodes.has(node) ? 0.25 : 1;
      pen.fillRect(box.x * ratio, box.y * ratio, Math.max(2, box.width * ratio), Math.max(1, box.height * ratio));
    }
    pen.globalAlpha = 1;
    pen.strokeStyle = colors.getPropertyValue("--accent");
    pen.lineWidth = 1.5;
    pen.strokeRect((-view.x / view.scale) * ratio, (-view.y / view.scale) * ratio, (wide / view.scale) * ratio, (high / view.scale) * ratio);
    overview.dataset.ratio = ratio;
  }

  function fromOverview(event) {
    const bounds = overview.getBoundingClientRect();
    const ratio = Number(overview.dataset.ratio);
    const { width: wide, height: high } = room();
    view.x = wide / 2 - ((event.clientX - bounds.left) / ratio) * view.scale;
    view.y = high / 2 - ((event.clientY - bounds.top) / ratio) * view.scale;
    limited();
  }
  overview.addEventListener("pointerdown", (event) => {
    overview.setPointerCapture(event.pointerId);
    fromOverview(event);
  });
  overview.addEventListener("pointermove", (event) => event.buttons && fromOverview(event));

  const pointers = new Map();
  let hasMoved = false;
  picture.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    hasMoved = false;
  });
  picture.addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) return;
    const step = { x: event.clientX - last.x, y: event.clientY - last.y };
    if (!hasMoved && Math.hypot(step.x, step.y) < 4) return;
    if (!hasMoved) picture.setPointerCapture(event.pointerId);
    hasMoved = true;
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (other) {
      const bounds = picture.getBoundingClientRect();
      const before = Math.hypot(last.x - other.x, last.y - other.y);
      const after = Math.hypot(event.clientX - other.x, event.clientY - other.y);
      if (before > 0) zoom(after / before, { x: (event.clientX + other.x) / 2 - bounds.left, y: (event.clientY + other.y) / 2 - bounds.top });
      return;
    }
    view.x += step.x;
    view.y += step.y;
    limited();
  });
  for (const end of ["pointerup", "pointercancel"]) picture.addEventListener(end, (event) => pointers.delete(event.pointerId));
  picture.addEventListener("wheel", (event) => {
    const bounds = picture.getBoundingClientRect();
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      zoom(Math.exp(-event.deltaY / 300), { x: event.clientX - bounds.left, y: event.clientY - bounds.top });
      return;
    }
    const before = { ...view };
    const { width: wide, height: high } = room();
    const slide = (position, size, by, available) => (size <= available ? position : Math.min(8, Math.max(available - size - 8, position - by)));
    view.x = slide(view.x, drawing.width * view.scale, event.deltaX, wide);
    view.y = slide(view.y, drawing.height * view.scale, event.deltaY, high);
    // At the end of the map the page goes on to scroll.
    if (before.x !== view.x || before.y !== view.y) event.preventDefault();
    move();
  }, { passive: false });

  // ---- choosing

  picture.addEventListener("click", (event) => {
    if (hasMoved) return;
    const fold = event.target.closest("[data-fold]");
    if (fold) {
      toggle(graph.nodes.get(Number(fold.dataset.fold)));
      return;
    }
    const shape = event.target.closest("[data-id]");
    if (shape) onLayer(graph.nodes.get(Number(shape.dataset.id)));
    else if (!event.target.closest(".cut")) onLayer(null);
  });
  picture.addEventListener("dblclick", (event) => {
    const shape = event.target.closest("[data-id]");
    const node = shape && graph.nodes.get(Number(shape.dataset.id));
    if (node?.children.length) toggle(node);
  });

  function toggle(node) {
    const before = boxOf(node);
    const at = { x: before.x * view.scale + view.x, y: before.y * view.scale + view.y };
    if (opened.has(node.id)) opened.delete(node.id);
    else opened.add(node.id);
    current = node;
    draw();
    const after = boxOf(node);
    view.x = at.x - after.x * view.scale;
    view.y = at.y - after.y * view.scale;
    limited();
    note.textContent = `${brief(label(node), 60)} is ${opened.has(node.id) ? "unfolded" : "folded"}`;
  }

  function foldAll(isFolded) {
    opened.clear();
    if (!isFolded) for (const node of graph.nodes.values()) if (node.children.length) opened.add(node.id);
    draw();
    fit();
    note.textContent = isFolded ? "all groups are folded" : "all groups are unfolded";
  }

  /** Open the groups around the nodes, so that they are seen. */
  function reveal(nodes) {
    let changed = false;
    for (const node of nodes)
      for (const group of above(node))
        if (!opened.has(group.id)) {
          opened.add(group.id);
          changed = true;
        }
    if (changed) draw();
  }

  const faceOf = (node) => {
    let face = node;
    for (const group of above(node)) if (!opened.has(group.id)) face = group;
    return face;
  };

  function mark() {
    picture.classList.toggle("lit", lit !== null);
    const nodes = new Map();
    if (lit)
      for (const [node, role] of lit.nodes) {
        const face = faceOf(node);
        if (nodes.get(face) !== "behind") nodes.set(face, role);
      }
    for (const [node, shape] of shapes) {
      const role = nodes.get(node);
      shape.classList.toggle("is-behind", role === "behind");
      shape.classList.toggle("is-way", role === "way");
      shape.classList.toggle("is-chosen", node === chosen);
      if (node === chosen) shape.setAttribute("aria-current", "true");
      else shape.removeAttribute("aria-current");
    }
    for (const { line, shape, cut } of strokes) {
      const isWay = lit !== null && line.edge.all.some((edge) => lit.edges.has(edge));
      const isCut = lit !== null && line.edge.cuts.some((op) => lit.ops.has(op));
      for (const part of cut ? [shape, cut] : [shape]) {
        part.classList.toggle("is-way", isWay);
        part.classList.toggle("is-cut", isCut);
      }
    }
  }

  /** Light nodes (each `behind` a cut, or on the `way` to the output), edges and the cuts at these ops. */
  function light(nodes, edges, ops, focus) {
    lit = { nodes, edges, ops };
    reveal(focus);
    mark();
    const cut = strokes.find((stroke) => stroke.cut && stroke.line.edge.cuts.some((op) => ops.has(op)));
    const center = cut ? { x: cut.line.middle.x, y: cut.line.middle.y, width: 0, height: 0 } : focus.length ? boxOf(faceOf(focus[0])) : null;
    if (center) toRegion([...nodes.keys()].map((node) => boxOf(faceOf(node))).filter(Boolean), center);
    else drawOverview();
  }

  function showFinding(finding) {
    chosen = null;
    if (!finding) {
      lit = null;
      say("");
      mark();
      drawOverview();
      return;
    }
    const variables = new Set(finding.variables);
    const behind = [...graph.nodes.values()].filter((node) => !node.children.length && node.variables.some((index) => variables.has(index)));
    const op = finding.cause?.op ?? null;
    const ops = new Set(op ? [op] : []);
    // One op can cut at several places: it is called several times, or its result goes to several layers.
    const cuts = graph.edges.filter((edge) => op !== null && edge.cuts.includes(op));
    const ends = (edge) => [graph.nodes.get(edge.from), graph.nodes.get(edge.to)];
    const nodes = new Map();
    const edges = new Set();
    const add = (edge) => {
      edges.add(edge);
      for (const end of ends(edge)) nodes.set(end, "way");
    };
    if (cuts.length) {
      const after = reached(graph, behind, true);
      const before = reached(graph, cuts.map((cut) => ends(cut)[0]), false);
      graph.edges.filter((edge) => after.has(edge.from) && before.has(edge.to)).forEach(add);
      cuts.forEach(add);
    }
    for (const start of cuts.length ? new Set(cuts.map((cut) => ends(cut)[1])) : behind.slice(-1)) wayFrom(graph, [start]).forEach(add);
    for (const node of behind) nodes.set(node, "behind");
    light(nodes, edges, ops, cuts.length ? ends(cuts[0]) : behind.slice(0, 1));
    const layers = counted(behind.length, "layer");
    say(cuts.length ? `${layers} behind the cut, and the path to the output` : behind.length ? `${layers} of this finding` : "no layer of this finding is on the map");
  }

  function showNode(node, isQuiet = false) {
    chosen = node;
    current = node;
    if (!node) {
      showFinding(null);
      return;
    }
    const way = node.children.length ? [] : wayFrom(graph, [node]);
    const nodes = new Map(way.flatMap((edge) => [edge.from, edge.to].map((end) => [graph.nodes.get(end), "way"])));
    nodes.set(node, node.children.length ? "way" : "behind");
    if (node.children.length) for (const inner of below(node)) nodes.set(inner, "way");
    lit = { nodes, edges: new Set(way), ops: new Set(way.flatMap((edge) => edge.cuts)) };
    reveal([node]);
    mark();
    say(way.length ? `${brief(label(node), 60)} and its path to the output` : "");
    if (isQuiet) drawOverview();
    else toRegion([...nodes.keys()].map((lighted) => boxOf(faceOf(lighted))).filter(Boolean), boxOf(faceOf(node)));
  }

  // ---- searching

  let found = [];
  let marked = -1;
  function search() {
    const words = field.value.trim().toLowerCase();
    found = [];
    if (words) {
      for (const node of graph.nodes.values()) {
        if (node.name.toLowerCase().includes(words)) found.push({ node, text: node.name });
        if (found.length > MATCHES) break;
        if (!node.children.length)
          for (const index of node.variables)
            if (model.variables[index].name.toLowerCase().includes(words) && found.length <= MATCHES && !node.name.toLowerCase().includes(words)) found.push({ node, text: model.variables[index].name });
      }
    }
    marked = found.length ? 0 : -1;
    matches.replaceChildren(...found.slice(0, MATCHES).map((match, index) =>
      html("li", { role: "option", id: `match-${index}`, "aria-selected": index === marked ? "true" : "false", onpointerdown: (event) => { event.preventDefault(); choose(index); } }, drawn(STATES[match.node.state].sign, match.node.state), " ", name(match.text))));
    if (found.length > MATCHES) matches.append(html("li", { class: "rest" }, `only the first ${MATCHES} are shown`));
    if (words && !found.length) matches.append(html("li", { class: "rest" }, "no layer or weight has such a name"));
    matches.hidden = !words;
    field.setAttribute("aria-expanded", String(!matches.hidden));
    pick(marked);
  }
  function pick(index) {
    marked = index;
    [...matches.querySelectorAll("[role=option]")].forEach((option, place) => option.setAttribute("aria-selected", String(place === index)));
    if (index >= 0) field.setAttribute("aria-activedescendant", `match-${index}`);
    else field.removeAttribute("aria-activedescendant");
  }
  function choose(index) {
    if (!found[index]) return;
    matches.hidden = true;
    field.setAttribute("aria-expanded", "false");
    onLayer(found[index].node);
  }
  field.addEventListener("input", search);
  field.addEventListener("blur", () => { matches.hidden = true; });
  field.addEventListener("keydown", (event) => {
    const last = Math.min(found.length, MATCHES) - 1;
    if (event.key === "ArrowDown") pick(Math.min(last, marked + 1));
    else if (event.key === "ArrowUp") pick(Math.max(0, marked - 1));
    else if (event.key === "Enter") choose(marked);
    else if (event.key === "Escape") matches.hidden = true;
    else return;
    event.preventDefault();
  });

  // ---- the keyboard

  function nearest(direction) {
    const places = [...drawing.boxes];
    if (!current || !boxOf(current)) return places.sort(([, left], [, right]) => left.y - right.y || left.x - right.x)[0]?.[0];
    const from = boxOf(current);
    const middle = { x: from.x + from.width / 2, y: from.y + from.height / 2 };
    const isVertical = direction === "ArrowDown" || direction === "ArrowUp";
    const sign = direction === "ArrowDown" || direction === "ArrowRight" ? 1 : -1;
    let best = null;
    for (const [node, box] of places) {
      const step = { x: box.x + box.width / 2 - middle.x, y: box.y + box.height / 2 - middle.y };
      const along = sign * (isVertical ? step.y : step.x);
      const across = Math.abs(isVertical ? step.x : step.y);
      const isLinked = isVertical && drawing.lines.some(({ edge }) => (sign > 0 ? edge.from === current && edge.to === node : edge.to === current && edge.from === node));
      const far = along <= 1 ? Infinity : isLinked ? along / 1e3 : along + 3 * across;
      if (node !== current && far < (best?.far ?? Infinity)) best = { node, far };
    }
    return best?.node ?? current;
  }

  picture.addEventListener("keydown", (event) => {
    if (event.key.startsWith("Arrow")) {
      current = nearest(event.key);
      if (!current) return;
      shapes.get(current).focus({ preventScroll: true });
      const box = boxOf(current);
      const { width: wide, height: high } = room();
      const at = { x: box.x * view.scale + view.x, y: box.y * view.scale + view.y };
      if (at.x < 0 || at.y < 0 || at.x + box.width * view.scale > wide || at.y + box.height * view.scale > high) toBox(box);
    } else if (event.key === "Enter" && current) onLayer(current);
    else if (event.key === " " && current?.children.length) {
      toggle(current);
      shapes.get(current)?.focus({ preventScroll: true });
    } else if (event.key === "+" || event.key === "=") zoom(STEP);
    else if (event.key === "-") zoom(1 / STEP);
    else if (event.key === "0") fit(true);
    else if (event.key === "Escape") onLayer(null);
    else return;
    event.preventDefault();
  });
  picture.addEventListener("focusin", (event) => {
    const shape = event.target.closest("[data-id]");
    if (shape) current = graph.nodes.get(Number(shape.dataset.id));
  });

  /** Lay the map out, once it has a size. */
  function open() {
    draw();
    fit();
    const { width: wide, height: high } = room();
    if (drawing.width * view.scale <= wide && drawing.height * view.scale <= high) return;
    // What does not fit begins where something is wrong.
    const ops = model.findings.filter((finding) => !finding.accepted && finding.severity !== "note").map((finding) => finding.cause?.op);
    const cut = ops.map((op) => strokes.find((stroke) => stroke.cut && stroke.line.edge.cuts.includes(op))).find(Boolean);
    if (cut) toBox({ x: cut.line.middle.x, y: cut.line.middle.y, width: 0, height: 0 });
  }

  let before = null;
  window.addEventListener("beforeprint", () => {
    before = { ...view };
    if (drawing) picture.setAttribute("viewBox", `0 0 ${drawing.width} ${drawing.height}`);
    paper.setAttribute("transform", "");
  });
  window.addEventListener("afterprint", () => {
    picture.removeAttribute("viewBox");
    view = before ?? view;
    move();
  });
  new ResizeObserver(() => drawing && drawOverview()).observe(frame);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawing && drawOverview());

  return { element, graph, open, say, showFinding, showNode };
}
