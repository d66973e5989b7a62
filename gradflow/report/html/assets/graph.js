// Turn the map of a model into what is drawn: fold its groups, lay out what is left, find ways in it.

const WORST = ["cut", "zero", "flows", "unknown", "discrete", "none"];
const STARVED = new Set(["none", "zero", "nonfinite"]);
const OPENED = 60; // nodes that a map opens with, at most
const ROW = 42;
const HEAD = 26;
const PAD = 12;

/** The nodes of a map by id, with the nodes that each holds, and its edges. */
function graphOf(map) {
  const nodes = new Map(map.nodes.map((node) => [node.id, { ...node, children: [], incoming: [], outgoing: [] }]));
  const roots = [];
  for (const node of nodes.values()) {
    node.up = nodes.get(node.parent) ?? null;
    (node.up ? node.up.children : roots).push(node);
  }
  const edges = map.edges.filter((edge) => nodes.has(edge.from) && nodes.has(edge.to));
  for (const edge of edges) {
    nodes.get(edge.from).outgoing.push(edge);
    nodes.get(edge.to).incoming.push(edge);
  }
  return { nodes, roots, edges };
}

function* above(node) {
  for (let up = node.up; up; up = up.up) yield up;
}

function* below(node) {
  yield node;
  for (const child of node.children) yield* below(child);
}

/** Which groups to open at first: all of a small model. Of a large one the outermost, level by level, so that
 * blocks of one kind look alike; a block with a cut inside is opened before the others. */
function firstOpened(graph) {
  const opened = new Set();
  const cut = new Set();
  for (const edge of graph.edges)
    if (edge.cuts.length) for (const end of [edge.from, edge.to]) for (const group of above(graph.nodes.get(end))) cut.add(group);
  let number = graph.roots.length;
  let level = graph.roots.filter((node) => node.children.length);
  while (level.length) {
    const added = (groups) => groups.reduce((sum, group) => sum + group.children.length - 1, 0);
    if (number + added(level) > OPENED) level = level.filter((group) => cut.has(group));
    if (number + added(level) > OPENED) break;
    number += added(level);
    for (const group of level) opened.add(group.id);
    level = level.flatMap((group) => group.children).filter((node) => node.children.length);
  }
  return opened;
}

/** What is seen with these groups opened: each node stands for itself, or for the folded group around it. */
function seen(graph, opened, keep = null) {
  const face = new Map();
  const visible = new Set();
  (function walk(nodes) {
    for (const node of nodes) {
      if (node.children.length && opened.has(node.id)) walk(node.children);
      else {
        visible.add(node);
        for (const inner of below(node)) face.set(inner.id, node);
      }
    }
  })(graph.roots);
  const edges = new Map();
  const inside = new Map();
  for (const edge of graph.edges) {
    const from = face.get(edge.from) ?? graph.nodes.get(edge.from);
    const to = face.get(edge.to) ?? graph.nodes.get(edge.to);
    if (from === to && from.children.length) {
      if (edge.cuts.length) inside.set(from, (inside.get(from) ?? 0) + edge.cuts.length);
      continue;
    }
    const key = `${from.id} ${to.id}`;
    const known = edges.get(key);
    if (!known) edges.set(key, { from, to, gradient: edge.gradient, cuts: [...edge.cuts], all: [edge] });
    else {
      known.all.push(edge);
      known.cuts = [...new Set([...known.cuts, ...edge.cuts])];
      if (WORST.indexOf(edge.gradient) < WORST.indexOf(known.gradient)) known.gradient = edge.gradient;
    }
  }
  const whole = { nodes: visible, edges: [...edges.values()], inside };
  return keep ? kept(whole, keep) : whole;
}

/** The nodes for which `keep` holds, and the ends of cuts; a way through others is one edge. */
function kept(whole, keep) {
  const nodes = new Set([...whole.nodes].filter((node) => keep(node) || whole.inside.has(node)));
  for (const edge of whole.edges) if (edge.cuts.length) nodes.add(edge.from).add(edge.to);
  const after = new Map();
  for (const edge of whole.edges) {
    if (!after.has(edge.from)) after.set(edge.from, []);
    after.get(edge.from).push(edge);
  }
  const edges = whole.edges.filter((edge) => nodes.has(edge.from) && nodes.has(edge.to));
  const drawn = new Set(edges.map((edge) => `${edge.from.id} ${edge.to.id}`));
  for (const start of nodes) {
    const waiting = (after.get(start) ?? []).filter((edge) => !nodes.has(edge.to));
    const met = new Set(waiting.map((edge) => edge.to));
    while (waiting.length) {
      for (const edge of after.get(waiting.pop().to) ?? []) {
        const key = `${start.id} ${edge.to.id}`;
        if (!nodes.has(edge.to)) {
          if (!met.has(edge.to)) waiting.push(edge);
          met.add(edge.to);
        } else if (edge.to !== start && !drawn.has(key)) {
          drawn.add(key);
          edges.push({ from: start, to: edge.to, gradient: edge.gradient, cuts: [], all: [], hidden: true });
        }
      }
    }
  }
  return { nodes, edges, inside: whole.inside };
}

const pen = document.createElement("canvas").getContext("2d");
const widths = new Map();

/** How many pixels a text takes in the drawing. */
function width(text, size, weight = 400) {
  const key = `${weight} ${size} ${text}`;
  if (!widths.has(key)) {
    pen.font = `${weight} ${size}px ${getComputedStyle(document.documentElement).fontFamily}`;
    widths.set(key, Math.ceil(pen.measureText(text).width));
  }
  return widths.get(key);
}

const label = (node) => node.name.split("/").pop() || node.name || "(no name)";

const heading = (node) => brief(label(node), 28);

function subtitle(node) {
  const layers = node.children.length ? [...below(node)].filter((inner) => !inner.children.length).length : 0;
  const what = layers ? counted(layers, "layer") : brief(node.class ?? node.kind, 28);
  return node.norm === null || node.norm === undefined ? what : `${what} \u00b7 norm ${measured(node.norm)}`;
}

function sizeOf(node) {
  const letters = Math.max(width(heading(node), 13, 600), width(subtitle(node), 11)) + (node.children.length ? 26 : 0);
  // In steps, so that blocks whose names differ by a letter are drawn alike.
  return { width: Math.max(96, Math.ceil((letters + 44) / 16) * 16), height: ROW };
}

/** Boxes and lines in pixels. Each opened group is laid out on its own, and stands in the next one as a box:
 * that is faster than one large drawing, and a group keeps its shape. */
function laidOut(graph, view, opened, reasonOf) {
  const boxes = new Map();
  const inner = new Map();
  const levels = new Map();
  const levelOf = (node) => {
    if (!levels.has(node)) levels.set(node, { children: new Set(), edges: [], ports: new Map() });
    return levels.get(node);
  };
  levelOf(null);
  const chains = new Map();
  const chainOf = (node) => {
    if (!chains.has(node)) chains.set(node, [node, ...above(node)]);
    return chains.get(node);
  };
  for (const node of view.nodes) {
    const chain = chainOf(node);
    chain.forEach((step, index) => levelOf(chain[index + 1] ?? null).children.add(step));
  }
  const lines = view.edges.map((edge) => {
    const from = chainOf(edge.from);
    const to = chainOf(edge.to);
    const around = new Set(from.slice(1));
    const common = to.slice(1).find((step) => around.has(step)) ?? null;
    const out = from.slice(0, common ? from.indexOf(common) : from.length);
    const into = to.slice(0, common ? to.indexOf(common) : to.length).reverse();
    const line = { edge, parts: [], reason: reasonOf(edge) };
    const add = (level, tail, head, labelled) => {
      const part = { tail, head, labelled };
      levelOf(level).edges.push(part);
      line.parts.push(part);
      return part;
    };
    // From the inside out: a group's port is where the line crosses its border.
    out.slice(1).forEach((group, index) => add(group, out[index], port(levelOf(group), "out", edge.from.id), false));
    add(common, out[out.length - 1], into[0], true);
    into.slice(0, -1).forEach((group, index) => add(group, port(levelOf(group), "in", edge.from.id), into[index + 1], false));
    return line;
  });

  function port(level, side, source) {
    const key = `${side} ${source}`;
    if (!level.ports.has(key)) level.ports.set(key, { key, side });
    return level.ports.get(key);
  }

  const lineOf = new Map(lines.flatMap((line) => line.parts.map((part) => [part, line])));
  const isOpen = (node) => levels.has(node) && !view.nodes.has(node);

  function layout(group) {
    const level = levelOf(group);
    const sizes = new Map([...level.children].map((child) => [child, isOpen(child) ? layout(child) : sizeOf(child)]));
    const boxSize = (box) => sizes.get(box) ?? { width: 1, height: 1 };
    const ports = [...level.ports.values()];
    for (const part of level.edges) {
      const { reason } = lineOf.get(part);
      part.label = part.labelled && reason ? { width: width(reason, 12) + 42, height: 24 } : null;
      part.weight = part.tail.key || part.head.key ? 1 : 2;
    }
    const ties = [];
    for (const side of ["in", "out"]) {
      // Several ports of one side stand in a row.
      const those = ports.filter((one) => one.side === side);
      if (those.length > 1) for (const one of those) ties.push(side === "in" ? { tail: side, head: one, weight: 6 } : { tail: one, head: side, weight: 6 });
    }
    const rails = [...new Set(ties.flatMap((tie) => [tie.tail, tie.head]))].filter((end) => typeof end === "string");
    const { placed, paths } = stacked([...rails, ...level.children, ...ports], [...level.edges, ...ties], boxSize);
    // Ports need no room of their own: the drawing ends where its boxes do.
    const content = bounds({ placed: new Map([...level.children].map((child) => [child, placed.get(child)])), paths: new Map() }, boxSize);
    const sides = bounds({ placed, paths }, boxSize);
    const head = group ? HEAD : 0;
    const wide = sides.width + 2 * PAD;
    level.width = Math.max(wide, group ? width(heading(group), 13, 600) + 70 : 0);
    level.height = content.height + 2 * PAD + head;
    level.shift = (point) => ({ x: point.x - sides.x + PAD + (level.width - wide) / 2, y: Math.min(level.height, Math.max(0, point.y - content.y + PAD + head)) });
    level.placed = placed;
    level.paths = paths;
    level.sizes = sizes;
    return { width: level.width, height: level.height };
  }

  const total = levelOf(null).children.size ? layout(null) : { width: 0, height: 0 };
  if (levelOf(null).children.size) place(null, 0, 0);

  function place(group, left, top) {
    const level = levelOf(group);
    const shift = (point) => {
      const inside = level.shift(point);
      return { x: left + inside.x, y: top + inside.y };
    };
    for (const child of level.children) {
      const middle = shift(level.placed.get(child));
      const size = level.sizes.get(child);
      const box = { x: middle.x - size.width / 2, y: middle.y - size.height / 2, ...size };
      if (isOpen(child)) {
        inner.set(child, box);
        place(child, box.x, box.y);
      } else boxes.set(child, box);
    }
    for (const part of level.edges) {
      const path = level.paths.get(part);
      part.points = path.points.map(shift);
      part.middle = path.middle && shift(path.middle);
    }
  }

  for (const line of lines) {
    // Where a line crosses the border of a group it goes through the port, not to the box as a whole.
    line.points = line.parts.flatMap((part, index) => {
      const start = index > 0 && !part.tail.key ? 1 : 0;
      const end = index < line.parts.length - 1 && !part.head.key ? -1 : undefined;
      return part.points.slice(start, end);
    });
    landed(line, boxes);
    const labelled = line.parts.find((part) => part.labelled);
    line.middle = labelled.middle ?? line.points[Math.floor(line.points.length / 2)];
  }
  return { boxes, groups: inner, lines, width: total.width, height: total.height };
}

/** Let a line that goes down leave from the bottom of its first box and arrive at the top of its last. */
function landed(line, boxes) {
  const from = boxes.get(line.edge.from);
  const to = boxes.get(line.edge.to);
  if (!from || !to || from.y + from.height > to.y || line.points.length < 2) return;
  const within = (box, x) => Math.min(box.x + box.width - 14, Math.max(box.x + 14, x));
  line.points[0] = { x: within(from, line.points[1].x), y: from.y + from.height };
  line.points[line.points.length - 1] = { x: within(to, line.points.at(-2).x), y: to.y };
}

/** A smooth line along points: it touches the middle between each two of them. */
function curve(points) {
  const round = (number) => Math.round(number * 10) / 10;
  const write = ({ x, y }) => `${round(x)} ${round(y)}`;
  let path = `M${write(points[0])}`;
  for (let index = 1; index < points.length - 1; index += 1) {
    const [here, next] = [points[index], points[index + 1]];
    const isLast = index === points.length - 2;
    path += `Q${write(here)} ${write(isLast ? next : { x: (here.x + next.x) / 2, y: (here.y + next.y) / 2 })}`;
  }
  return points.length > 2 ? path : `${path}L${write(points[points.length - 1])}`;
}

const holdsBack = (edge) => edge.gradient !== "flows" && edge.gradient !== "none" && edge.gradient !== "unknown";

/** The edges of a way from one of the nodes to an output over the fewest cuts. */
function wayFrom(graph, starts) {
  const isEnd = (node) => node.kind === "output" || (!node.outgoing.length && !node.children.length);
  const cost = new Map(starts.map((node) => [node.id, 0]));
  const before = new Map();
  let now = starts.map((node) => node.id);
  let next = [];
  const done = new Set();
  for (let level = 0; now.length || next.length; level += 1) {
    for (let index = 0; index < now.length; index += 1) {
      const node = graph.nodes.get(now[index]);
      if (done.has(node.id) || cost.get(node.id) !== level) continue;
      done.add(node.id);
      if (isEnd(node) && before.has(node.id)) {
        const way = [];
        for (let step = before.get(node.id); step; step = before.get(step.from)) way.unshift(step);
        return way;
      }
      for (const edge of node.outgoing) {
        const price = level + (holdsBack(edge) ? 1 : 0);
        if (price >= (cost.get(edge.to) ?? Infinity)) continue;
        cost.set(edge.to, price);
        before.set(edge.to, edge);
        (price === level ? now : next).push(edge.to);
      }
    }
    now = next;
    next = [];
  }
  return [];
}

/** The nodes to which a walk leads from these, along the edges or against them. */
function reached(graph, starts, forward) {
  const met = new Set(starts.map((node) => node.id));
  const waiting = [...met];
  while (waiting.length) {
    const node = graph.nodes.get(waiting.pop());
    for (const edge of forward ? node.outgoing : node.incoming) {
      const next = forward ? edge.to : edge.from;
      if (!met.has(next)) {
        met.add(next);
        waiting.push(next);
      }
    }
  }
  return met;
}
