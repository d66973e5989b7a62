// What the tests ask of a page.
const all = (selector) => [...document.querySelectorAll(selector)];
const own = (element) => [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data).join("");
const channels = (color) => color.match(/[\d.]+/g).map(Number);

/** Relative luminance, as WCAG 2.2 defines it. */
function luminance([red, green, blue]) {
  const [r, g, b] = [red, green, blue]
    .map((value) => value / 255)
    .map((value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function background(element) {
  for (let up = element; up; up = up.parentElement) {
    const color = channels(getComputedStyle(up).backgroundColor);
    if ((color[3] ?? 1) > 0.5) return color;
  }
  return [255, 255, 255];
}

function changesOf(element, act) {
  const observer = new MutationObserver(() => {});
  observer.observe(element, { attributes: true, childList: true, subtree: true });
  act();
  const records = observer.takeRecords();
  const count = (type) => records.filter((record) => record.type === type).length;
  return { attributes: count("attributes"), childList: count("childList"), targets: new Set(records.map((record) => record.target)).size };
}

const ask = {
  /** Whether each pair of scissors stands on a line that is cut. */
  scissorsOnLines() {
    const isOver = (box, { x, y }) => x > box.left && x < box.right && y > box.top && y < box.bottom;
    return all("g.cut").every((cut) => {
      const box = cut.getBoundingClientRect();
      return all(".picture path.edge.cut").some((line) => {
        const length = line.getTotalLength();
        const to = line.getScreenCTM();
        return [...Array(60).keys()].some((step) => isOver(box, line.getPointAtLength((step * length) / 59).matrixTransform(to)));
      });
    });
  },

  /** How the lines of each kind look. */
  looksOfLines() {
    return Object.fromEntries(all(".picture path.edge").map((line) => {
      const { stroke, strokeDasharray } = getComputedStyle(line);
      return [line.classList[1], `${stroke} ${strokeDasharray}`];
    }));
  },

  isAllInFrame() {
    const frame = document.querySelector(".frame").getBoundingClientRect();
    return all(".picture .node").map((node) => node.getBoundingClientRect()).every(({ top, bottom }) => top >= frame.top - 1 && bottom <= frame.bottom + 1);
  },

  /** Boxes that stand on one another. */
  overlaps() {
    const boxes = all(".picture .node > .box").map((box) => box.getBoundingClientRect());
    return boxes.flatMap((one, index) => boxes.slice(index + 1).filter((other) => one.left < other.right - 1 && other.left < one.right - 1 && one.top < other.bottom - 1 && other.top < one.bottom - 1)).length;
  },

  /** What 50 steps of the wheel change in the map, and in how many elements. */
  changesOfMove() {
    const picture = document.querySelector(".picture");
    return changesOf(picture, () => {
      for (let step = 0; step < 50; step += 1) picture.dispatchEvent(new WheelEvent("wheel", { deltaY: 4, cancelable: true }));
    });
  },

  changesOfChoice: () => changesOf(document.querySelector(".picture"), () => all(".picture .node")[150].dispatchEvent(new MouseEvent("click", { bubbles: true }))),

  /** Whether the page does not scroll where the map can. */
  isTakenFromThePage() {
    const wheel = new WheelEvent("wheel", { deltaY: 100, cancelable: true });
    document.querySelector(".picture").dispatchEvent(wheel);
    return wheel.defaultPrevented;
  },

  zoomWithCtrl: () => document.querySelector(".picture").dispatchEvent(new WheelEvent("wheel", { deltaY: -200, ctrlKey: true, clientX: 800, clientY: 500, cancelable: true })),

  spreadTwoFingers() {
    const picture = document.querySelector(".picture");
    picture.setPointerCapture = () => {}; // the browser knows no such fingers
    const touch = (type, pointerId, clientX) => picture.dispatchEvent(new PointerEvent(type, { pointerId, clientX, clientY: 500, bubbles: true }));
    touch("pointerdown", 1, 780);
    touch("pointerdown", 2, 820);
    for (let step = 1; step <= 10; step += 1) {
      touch("pointermove", 1, 780 - 5 * step);
      touch("pointermove", 2, 820 + 5 * step);
    }
    for (const id of [1, 2]) touch("pointerup", id, 0);
  },

  heightsOfGroups: () => all(".picture .group > .box").map((box) => box.getAttribute("height")),

  /** The form of the mark of each kind in the profile. */
  shapesOfMarks: () => Object.fromEntries(all(".point").map((point) => [point.classList[1], point.getAttribute("d")])),

  /** Milliseconds from the start of the page to the drawing of its map. */
  timeOfOpening: () => performance.getEntriesByName("gradflow-ready")[0].startTime,

  /** Controls that a screen reader has no name for. */
  nameless: () => all("button, input, select, [role=button]").filter((element) => !(element.textContent.trim() || element.getAttribute("aria-label") || element.labels?.length)).length,

  /** Texts that have less contrast than WCAG asks for (AA, 4.5 to 1). */
  faint() {
    return all("main *, header *").filter((element) => element.checkVisibility() && own(element).trim()).flatMap((element) => {
      const isDrawn = element instanceof SVGElement;
      const box = isDrawn ? element.parentElement.querySelector("rect") : null;
      const fill = box ? channels(getComputedStyle(box).fill) : [0, 0, 0, 0];
      const isFilled = (fill[3] ?? 1) > 0.5;
      const back = isFilled ? fill : background(isDrawn ? element.closest("div") : element);
      const style = getComputedStyle(element);
      const [light, dark] = [luminance(channels(isDrawn ? style.fill : style.color)), luminance(back)].sort((one, other) => other - one);
      const ratio = (light + 0.05) / (dark + 0.05);
      return ratio < 4.5 ? [`${element.getAttribute("class")} ${own(element).slice(0, 30)} ${ratio.toFixed(2)}`] : [];
    });
  },

  /** Lines and marks that tell something and have less contrast than WCAG asks for (AA, 3 to 1). */
  faintShapes() {
    const page = luminance(background(document.querySelector(".frame") ?? document.body));
    const ratio = (color) => {
      const [light, dark] = [luminance(channels(color)), page].sort((one, other) => other - one);
      return (light + 0.05) / (dark + 0.05);
    };
    const outlines = all(".picture .edge, .picture .node:not(.passes) > .box, .picture .scissors, .picture .sign path").map((shape) => [shape, getComputedStyle(shape).stroke]);
    const filled = all(".point:not(.none):not(.zero):not(.nonfinite)").map((shape) => [shape, getComputedStyle(shape).fill]);
    const parts = all(".bar span").map((shape) => [shape, getComputedStyle(shape).backgroundColor]);
    return [...outlines, ...filled, ...parts].filter(([, color]) => ratio(color) < 3).map(([shape, color]) => `${shape.getAttribute("class")} ${color} ${ratio(color).toFixed(2)}`);
  },

  longestText: () => Math.max(...all("main *").map((element) => own(element).length)),
  hasHandler: () => all("*").some((element) => [...element.attributes].some(({ name }) => name.startsWith("on"))),
};
return ask[arguments[0]]();
