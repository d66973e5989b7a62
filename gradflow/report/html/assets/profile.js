// Draw the size of each weight's gradient by depth, on a log axis.

const PLOT = { width: 1000, height: 300, left: 64, right: 14, top: 14, bottom: 62 };
const FINEST = 900; // points that are drawn one by one; of more, the extremes of each step
const MARKS = {
  flows: "M0-3.5A3.5 3.5 0 1 0 .01-3.5Z",
  small: "M-5-4 5-4 0 5Z",
  noise: "M-4-1.5H4V1.5H-4Z",
  large: "M-5 4 5 4 0-5Z",
  frozen: "M0-4.5 4.5 0 0 4.5-4.5 0Z",
  none: "M-4-4 4 4M4-4-4 4",
  zero: "M0-4A4 4 0 1 0 .01-4ZM-3 3 3-3",
  nonfinite: "M0-5V1M0 4V5",
};

const medianOf = (numbers) => {
  const sorted = [...numbers].sort((left, right) => left - right);
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};

function profileOf(model, onVariable) {
  const weights = model.variables.filter((variable) => variable.role === "weight" && variable.verdict !== "unknown");
  const measuredOnes = weights.filter((variable) => variable.norm > 0);
  if (measuredOnes.length < 2) return null;
  const flagged = new Map();
  for (const finding of model.findings)
    if (finding.code === "GF305" || finding.code === "GF306")
      for (const index of finding.variables) flagged.set(model.variables[index], finding.severity === "note" ? "noise" : finding.code === "GF305" ? "small" : "large");
  const canvas = html("div", { class: "plot" });
  const said = html("p", { class: "said", role: "status" });
  const choice = html("select", { "aria-label": "size of a gradient", onchange: () => draw() }, html("option", { value: "norm" }, "norm of the gradient"), html("option", { value: "max_abs" }, "largest entry of the gradient"));

  // The words for the marks that are drawn.
  const kinds = [
    ["flows", "\u25cf", "gets a gradient"],
    ["small", "\u25bc", "vanishing"],
    ["large", "\u25b2", "exploding"],
    ["noise", "\u25ac", "rounding noise only"],
    ["frozen", "\u25c6", "frozen"],
    ["none", "\u2715", "no gradient"],
    ["zero", "\u2298", "only zeros"],
    ["nonfinite", "!", "NaN or Inf"],
  ];
  const used = new Set();

  function draw() {
    const key = choice.value;
    const live = weights.filter((variable) => variable[key] > 0 && variable.verdict === "flows");
    const judged = live.filter((variable) => variable.trainable);
    const middle = medianOf((judged.length ? judged : live).map((variable) => variable[key]));
    // The largest entries are what is judged: for norms the bounds stand as far from the median.
    const bounds = model.bounds ? ["vanishing", "exploding"].map((word) => [word, key === "max_abs" ? model.bounds[word] : (middle * model.bounds[word]) / model.bounds.median]) : [];
    const sizes = live.map((variable) => Math.log10(variable[key]));
    let low = Math.floor(Math.min(...sizes)) - 1;
    let high = Math.ceil(Math.max(...sizes)) + 1;
    // A bound is drawn where it is near: far away it would press all points into one line.
    for (const [, bound] of bounds) {
      const level = Math.log10(bound);
      if (level < low && low - level < 6) low = Math.floor(level) - 1;
      if (level > high && level - high < 6) high = Math.ceil(level) + 1;
    }
    const bottom = PLOT.height - PLOT.bottom;
    const x = (index) => PLOT.left + ((PLOT.width - PLOT.left - PLOT.right) * (index + 0.5)) / weights.length;
    const y = (size) => PLOT.top + ((bottom - PLOT.top) * (high - Math.log10(size))) / (high - low);
    const every = Math.ceil((high - low) / 8);
    const ticks = [];
    for (let level = low; level <= high; level += 1) if (level % every === 0) ticks.push(level);
    const kindOf = (variable) => flagged.get(variable) ?? (variable.trainable || variable.untracked ? "flows" : "frozen");
    const point = (variable, index) => {
      const isLost = variable.verdict !== "flows" || !(variable[key] > 0);
      const kind = isLost ? variable.verdict : kindOf(variable);
      used.add(kind);
      const at = isLost ? PLOT.height - 26 : y(variable[key]);
      const words = `${brief(variable.name, 120)}: ${isLost ? STATES[variable.verdict].label : measured(variable[key])}${variable.trainable ? "" : ", frozen"}`;
      const mark = svg("path", { class: `point ${kind}`, d: MARKS[kind] ?? MARKS.flows, transform: `translate(${Math.round(x(index) * 10) / 10} ${Math.round(at * 10) / 10})`, "data-index": index });
      mark.append(svg("title", {}, words));
      return mark;
    };
    const picture = svg("svg", { viewBox: `0 0 ${PLOT.width} ${PLOT.height}`, role: "img", tabindex: 0, "aria-label": `size of the gradient of ${counted(weights.length, "weight")} in the order of the model, from ${measured(Math.min(...live.map((v) => v[key])))} to ${measured(Math.max(...live.map((v) => v[key])))}; the table of weights below has the numbers. Left and right go from weight to weight.` },
      ticks.map((level) => [svg("line", { class: "grid", x1: PLOT.left, x2: PLOT.width - PLOT.right, y1: y(10 ** level), y2: y(10 ** level) }), svg("text", { class: "tick", x: PLOT.left - 8, y: y(10 ** level) + 4, "text-anchor": "end" }, `1e${level}`)]),
      bounds.filter(([, bound]) => Math.log10(bound) >= low && Math.log10(bound) <= high).map(([word, bound]) => [svg("line", { class: `bound ${word}`, x1: PLOT.left, x2: PLOT.width - PLOT.right, y1: y(bound), y2: y(bound) }), svg("text", { class: "tick", x: PLOT.width - PLOT.right - 4, y: y(bound) - 5, "text-anchor": "end" }, `${word} ${word === "vanishing" ? "below" : "above"} ${measured(bound)}`)]),
      svg("line", { class: "bound median", x1: PLOT.left, x2: PLOT.width - PLOT.right, y1: y(middle), y2: y(middle) }),
      svg("text", { class: "tick", x: PLOT.left + 6, y: y(middle) - 5 }, `median ${measured(middle)}`),
      svg("text", { class: "tick", x: PLOT.left - 8, y: PLOT.height - 22, "text-anchor": "end" }, "none"),
      svg("line", { class: "grid", x1: PLOT.left, x2: PLOT.width - PLOT.right, y1: PLOT.height - 42, y2: PLOT.height - 42 }),
      svg("text", { class: "tick", x: PLOT.left, y: PLOT.height - 4 }, "input"),
      svg("text", { class: "tick", x: PLOT.width - PLOT.right, y: PLOT.height - 4, "text-anchor": "end" }, "output"),
      trend(live, weights, x, y, key),
      thinned(weights, key).map((index) => point(weights[index], index)));
    let at = -1;
    const tell = (index) => {
      at = index;
      const variable = weights[index];
      const lost = variable.verdict !== "flows";
      said.textContent = `${brief(variable.name, 120)}: ${lost ? STATES[variable.verdict].label : `norm ${measured(variable.norm)}, largest entry ${measured(variable.max_abs)}`}`;
      for (const mark of picture.querySelectorAll(".point")) mark.classList.toggle("is-chosen", Number(mark.dataset.index) === index);
    };
    picture.addEventListener("pointerover", (event) => event.target.dataset.index !== undefined && tell(Number(event.target.dataset.index)));
    picture.addEventListener("click", (event) => event.target.dataset.index !== undefined && onVariable(weights[Number(event.target.dataset.index)]));
    picture.addEventListener("keydown", (event) => {
      if (event.key === "ArrowRight") tell(Math.min(weights.length - 1, at + 1));
      else if (event.key === "ArrowLeft") tell(Math.max(0, at - 1));
      else if (event.key === "Enter" && at >= 0) onVariable(weights[at]);
      else return;
      event.preventDefault();
    });
    canvas.replaceChildren(picture);
  }
  draw();
  return html("section", { class: "profile", "aria-labelledby": "profile" },
    html("h2", { id: "profile" }, "Gradient by depth"),
    html("p", { class: "hint" }, choice, " Each mark is one weight, from the input to the output. ", kinds.filter(([kind]) => used.has(kind)).map(([, sign, words], index) => `${index ? ", " : ""}${sign} ${words}`), "."),
    canvas, said);
}

/** A line through the median of each stretch, so that a slow decay is seen. */
function trend(live, weights, x, y, key) {
  const index = new Map(weights.map((variable, place) => [variable, place]));
  const size = Math.max(1, Math.ceil(live.length / 40));
  const points = [];
  for (let start = 0; start < live.length; start += size) {
    const part = live.slice(start, start + size);
    points.push(`${x(index.get(part[Math.floor(part.length / 2)])).toFixed(1)} ${y(medianOf(part.map((variable) => variable[key]))).toFixed(1)}`);
  }
  return points.length > 2 ? svg("path", { class: "trend", d: `M${points.join("L")}` }) : null;
}

/** Which weights to draw: all, or the smallest and the largest of each stretch. */
function thinned(weights, key) {
  const all = weights.map((_, index) => index);
  if (weights.length <= FINEST) return all;
  const size = Math.ceil((2 * weights.length) / FINEST);
  const chosen = new Set();
  for (let start = 0; start < weights.length; start += size) {
    const part = all.slice(start, start + size);
    const live = part.filter((index) => weights[index].verdict === "flows" && weights[index][key] > 0);
    live.sort((left, right) => weights[left][key] - weights[right][key]);
    for (const index of [live[0], live.at(-1), part.find((place) => weights[place].verdict !== "flows")]) if (index !== undefined) chosen.add(index);
  }
  return [...chosen].sort((left, right) => left - right);
}
