// Make elements, and put numbers and names into words. A text becomes a text node, never markup.

const SVG = "http://www.w3.org/2000/svg";
const LONGEST = 240; // letters of a name that are shown; the JSON report has all of it

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

const html = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

/** The text, with its middle left out where it is very long. */
function brief(text, limit = LONGEST) {
  const letters = String(text);
  if (letters.length <= limit) return letters;
  const half = Math.floor(limit / 2);
  return `${letters.slice(0, half)} ... ${letters.slice(-half)} (${whole(letters.length)} characters)`;
}

/** A name of the model: its own direction of writing does not reach what stands around it. */
const name = (text) => html("bdi", { class: "name" }, brief(text));

const whole = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ",");
const counted = (number, noun) => `${whole(number)} ${noun}${number === 1 ? "" : "s"}`;

function measured(number) {
  if (number === null || number === undefined) return "";
  if (number === 0) return "0";
  const size = Math.abs(number);
  return size >= 1e-3 && size < 1e5 ? String(Number(number.toPrecision(3))) : number.toExponential(1).replace("e+", "e");
}

function share(part, all) {
  const percent = all ? (100 * part) / all : 0;
  if (part > 0 && percent < 0.1) return "< 0.1 %";
  return `${String(Number(percent.toFixed(1)))} %`;
}

// What is known of a weight, a layer or an edge. Each has a sign of its own beside its color.
const STATES = {
  flows: { label: "gets a gradient", short: "flows", sign: "M8 13V4M4 7.5 8 3.5l4 4" },
  none: { label: "gets no gradient", short: "none", sign: "M4 4l8 8M12 4l-8 8" },
  zero: { label: "gets only zeros", short: "zero", sign: "M8 3.5a4.5 4.5 0 1 0 .01 0zM4.8 11.2l6.4-6.4" },
  nonfinite: { label: "gets NaN or Inf", short: "NaN or Inf", sign: "M8 3v6.5M8 12v.8" },
  unknown: { label: "is not known", short: "unknown", sign: "M5.5 6a2.5 2.5 0 1 1 3.6 2.2Q8 8.8 8 10M8 12.2v.6" },
  untracked: { label: "belongs to no layer", short: "untracked", sign: "M3 8h2M7 8h2M11 8h2" },
  frozen: { label: "is frozen: training does not change it", short: "frozen", sign: "M8 2.5v11M3.2 5.2l9.6 5.6M12.8 5.2l-9.6 5.6" },
  state: { label: "is not trained, by design", short: "state", sign: "M4 5h8v6H4z" },
  mixed: { label: "its weights differ", short: "mixed", sign: "M8 3.5a4.5 4.5 0 1 0 .01 0zM8 3.5v9" },
  passes: { label: "has nothing to train", short: "no weights", sign: "M8 7.2a.8.8 0 1 0 .01 0z" },
};
const CARRIED = {
  flows: "gradient comes back here",
  cut: "gradient is cut here",
  zero: "only zeros come back here",
  discrete: "integers, booleans or text: no gradient",
  unknown: "not known",
  none: "no gradient arrives here",
};
const SEVERITIES = { error: "M4 4l8 8M12 4l-8 8", warning: "M8 3v6.5M8 12v.8", note: "M8 7v5.5M8 3.6v.8" };
const TONES = { good: "M3.5 8.5 6.5 11.5 12.5 4.5", warning: SEVERITIES.warning, error: SEVERITIES.error };
const SCISSORS = "M3 11.6a1.9 1.9 0 1 0 3.8 0 1.9 1.9 0 1 0-3.8 0M9.2 11.6a1.9 1.9 0 1 0 3.8 0 1.9 1.9 0 1 0-3.8 0M6 10 11 2.5M10 10 5 2.5";

const drawn = (path, kind) =>
  svg("svg", { class: `sign ${kind}`, viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, svg("path", { d: path }));

/** A state as its sign and its word. */
const badge = (state) => html("span", { class: `badge ${state}` }, drawn(STATES[state].sign, state), STATES[state].short);

/** What the page says of a weight: frozen and untracked ones say so before their verdict. */
function standingOf(variable) {
  if (variable.role === "state") return "state";
  if (variable.untracked) return "untracked";
  return variable.trainable ? variable.verdict : "frozen";
}

/** A list that shows more on demand: eighty rows or eight thousand. */
function growing(items, step, draw, into) {
  let shown = 0;
  const more = html("button", { type: "button", class: "more", onclick: () => grow() });
  function grow() {
    const next = items.slice(shown, shown + step);
    into.append(...next.map(draw));
    shown += next.length;
    const left = items.length - shown;
    more.hidden = left === 0;
    more.textContent = `show ${whole(Math.min(step, left))} more of ${whole(left)}`;
  }
  grow();
  return more;
}
