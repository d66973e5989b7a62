// Place boxes in layers, from the data's source to its sink. dagre does it for what hangs together closely; a model is a
// row of such pieces, joined by boxes that all ways pass through. Piece by piece takes time in proportion to the model.

const GAP = 26; // pixels between boxes of a layer
const RANK = 30; // pixels between layers
const SHELF = 1400; // pixels after which parts that are not connected begin a new row

/** `edges`: {tail, head, label} between `boxes`, label the size of what stands on the edge or null; `sizeOf(box)` its size.
 * Returns the middle of each box, and the points of each edge with the place of its label. */
function stacked(boxes, edges, sizeOf) {
  const placed = new Map();
  const paths = new Map();
  let [left, top, high] = [0, 0, 0];
  for (const part of connected(boxes, edges)) {
    const drawing = column(part.boxes, part.edges, sizeOf);
    const { x, y, width: wide, height: tall } = bounds(drawing, sizeOf);
    if (left > 0 && left + wide > SHELF) [left, top, high] = [0, top + high + RANK, 0];
    const shift = (point) => ({ x: point.x - x + left, y: point.y - y + top });
    for (const [box, middle] of drawing.placed) placed.set(box, shift(middle));
    for (const [edge, path] of drawing.paths) paths.set(edge, { points: path.points.map(shift), middle: path.middle && shift(path.middle) });
    left += wide + GAP;
    high = Math.max(high, tall);
  }
  return { placed, paths };
}

function bounds({ placed, paths }, sizeOf) {
  const corners = [];
  for (const [box, middle] of placed) {
    const size = sizeOf(box);
    corners.push([middle.x - size.width / 2, middle.y - size.height / 2], [middle.x + size.width / 2, middle.y + size.height / 2]);
  }
  for (const [edge, path] of paths) {
    for (const point of path.points) corners.push([point.x, point.y]);
    if (path.middle && edge.label) corners.push([path.middle.x - edge.label.width / 2, path.middle.y], [path.middle.x + edge.label.width / 2, path.middle.y]);
  }
  const [x, y] = [0, 1].map((axis) => corners.reduce((least, corner) => Math.min(least, corner[axis]), Infinity));
  const [right, bottom] = [0, 1].map((axis) => corners.reduce((most, corner) => Math.max(most, corner[axis]), -Infinity));
  return { x, y, width: right - x, height: bottom - y };
}

/** The parts of a graph that are connected, in the order of their boxes. */
function connected(boxes, edges) {
  const root = new Map(boxes.map((box) => [box, box]));
  const find = (box) => {
    let top = box;
    while (root.get(top) !== top) top = root.get(top);
    for (let step = box; step !== top; ) [step] = [root.get(step), root.set(step, top)];
    return top;
  };
  for (const edge of edges) root.set(find(edge.tail), find(edge.head));
  const parts = new Map();
  for (const box of boxes) {
    if (!parts.has(find(box))) parts.set(find(box), { boxes: [], edges: [] });
    parts.get(find(box)).boxes.push(box);
  }
  for (const edge of edges) parts.get(find(edge.tail)).edges.push(edge);
  return [...parts.values()];
}

/** The boxes so that each comes behind what leads to it, and close to it; loops are cut open. */
function ordered(boxes, edges) {
  const before = new Map(boxes.map((box) => [box, []]));
  const hasNext = new Set();
  for (const edge of edges) {
    before.get(edge.head).push(edge.tail);
    if (edge.tail !== edge.head) hasNext.add(edge.tail);
  }
  const order = [];
  const met = new Set();
  for (const end of [...boxes.filter((box) => !hasNext.has(box)), ...boxes]) {
    if (met.has(end)) continue;
    met.add(end);
    const stack = [[end, 0]];
    while (stack.length) {
      const step = stack[stack.length - 1];
      const next = before.get(step[0])[step[1]];
      step[1] += 1;
      if (next === undefined) order.push(stack.pop()[0]);
      else if (!met.has(next)) {
        met.add(next);
        stack.push([next, 0]);
      }
    }
  }
  return order;
}

/** Lay a connected graph out from top to bottom, piece by piece. */
function column(boxes, edges, sizeOf) {
  const order = ordered(boxes, edges);
  const number = new Map(order.map((box, index) => [box, index]));
  const spans = edges.map((edge) => [number.get(edge.tail), number.get(edge.head)].sort((one, other) => one - other));
  // A box is a waist where no edge goes around it.
  const change = new Array(order.length + 1).fill(0);
  for (const [low, high] of spans)
    if (high - low > 1) {
      change[low + 1] += 1;
      change[high] -= 1;
    }
  const waists = [];
  let around = 0;
  order.forEach((_, index) => {
    around += change[index];
    if (around === 0) waists.push(index);
  });
  const cutAt = [...new Set([0, ...waists, order.length - 1])].sort((one, other) => one - other);
  const outOf = new Set(edges.filter((edge) => edge.tail !== edge.head).map((edge) => edge.tail));
  const into = new Set(edges.filter((edge) => edge.tail !== edge.head).map((edge) => edge.head));
  const pieces = [];
  cutAt.slice(1).forEach((end, index) => {
    const start = cutAt[index];
    const members = order.slice(start, end + 1);
    const last = pieces.at(-1);
    const hasSource = members.slice(1).some((box) => !into.has(box));
    const isLoose = last && last.members.slice(0, -1).some((box) => !outOf.has(box));
    // Ends beside a waist, above and below it, would stand in one another's way.
    if (last && hasSource && isLoose) {
      last.members.push(...members.slice(1));
      last.end = end;
    } else pieces.push({ start, end, members, edges: [] });
  });
  if (!pieces.length) pieces.push({ start: 0, end: 0, members: order, edges: [] });
  let at = 0;
  const byStart = edges.map((edge, index) => [edge, spans[index]]).sort((one, other) => one[1][0] - other[1][0]);
  for (const [edge, [low, high]] of byStart) {
    while (at < pieces.length - 1 && pieces[at].end <= low && high > pieces[at].end) at += 1;
    const piece = low === high && at > 0 && pieces[at].start > low ? pieces[at - 1] : pieces[at];
    piece.edges.push(edge);
  }
  const placed = new Map();
  const paths = new Map();
  for (const piece of pieces) {
    const drawing = piece.members.length === 2 && piece.edges.length === 1 && !piece.edges[0].label ? pair(piece, sizeOf) : layered(piece, sizeOf);
    const waist = piece.members[0];
    const known = placed.get(waist);
    const shift = known ? { x: known.x - drawing.placed.get(waist).x, y: known.y - drawing.placed.get(waist).y } : { x: 0, y: 0 };
    const move = (point) => ({ x: point.x + shift.x, y: point.y + shift.y });
    for (const [box, middle] of drawing.placed) placed.set(box, move(middle));
    for (const [edge, path] of drawing.paths) paths.set(edge, { points: path.points.map(move), middle: path.middle && move(path.middle) });
  }
  return { placed, paths };
}

/** Two boxes with one edge need no library. */
function pair({ members, edges: [edge] }, sizeOf) {
  const [first, second] = [edge.tail, edge.head].map((box) => [box, sizeOf(box)]);
  const start = first[1].height / 2;
  const end = start + RANK;
  const isTurned = members[0] !== edge.tail;
  const middle = { x: 0, y: end + second[1].height / 2 };
  const points = [{ x: 0, y: start }, { x: 0, y: (start + end) / 2 }, { x: 0, y: end }];
  const placed = new Map([[edge.tail, { x: 0, y: 0 }], [edge.head, middle]]);
  if (isTurned) for (const [box, point] of placed) placed.set(box, { x: 0, y: -point.y });
  return { placed, paths: new Map([[edge, { points: isTurned ? points.map((point) => ({ x: 0, y: -point.y })) : points, middle: null }]]) };
}

const drawnBefore = new Map();

/** A piece as dagre draws it. The blocks of a model are alike: what was drawn before is not drawn again. */
function layered({ members, edges }, sizeOf) {
  const numbers = new Map(members.map((box, index) => [box, index]));
  const sizes = members.map(sizeOf);
  const labels = edges.map((edge) => ({ v: String(numbers.get(edge.tail)), w: String(numbers.get(edge.head)), label: edge.label ?? {}, weight: edge.weight ?? 1 }));
  const key = JSON.stringify([sizes, labels]);
  if (!drawnBefore.has(key)) drawnBefore.set(key, byDagre(sizes, labels));
  const drawing = drawnBefore.get(key);
  return {
    placed: new Map(members.map((box, index) => [box, drawing.middles[index]])),
    paths: new Map(edges.map((edge, index) => [edge, { points: drawing.lines[index].points, middle: edge.label ? drawing.lines[index].middle : null }])),
  };
}

function byDagre(sizes, edges) {
  const drawing = new dagre.graphlib.Graph({ multigraph: true });
  drawing.setGraph({ rankdir: "TB", nodesep: GAP, ranksep: RANK, edgesep: 14, ranker: sizes.length > 150 ? "longest-path" : "network-simplex" });
  sizes.forEach((size, index) => drawing.setNode(String(index), { ...size }));
  edges.forEach(({ v, w, label, weight }, index) => drawing.setEdge(v, w, { ...label, labelpos: "c", weight }, String(index)));
  dagre.layout(drawing);
  return {
    middles: sizes.map((_, index) => ({ x: drawing.node(String(index)).x, y: drawing.node(String(index)).y })),
    lines: edges.map(({ v, w }, index) => {
      const { points, x, y } = drawing.edge(v, w, String(index));
      return { points, middle: x === undefined ? null : { x, y } };
    }),
  };
}
