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

  /** Milliseconds for a step of the wheel, on average. */
  timeOfMove() {
    const picture = document.querySelector(".picture");
    const begin = performance.now();
    for (let step = 0; step < 50; step += 1) {
      picture.dispatchEvent(new WheelEvent("wheel", { deltaY: 40, cancelable: true }));
      picture.getBoundingClientRect();
    }
    return (performance.now() - begin) / 50;
  },

  timeOfChoice() {
    const begin = performance.now();
    all(".picture .node")[150].dispatchEvent(new MouseEvent("click", { bubbles: true }));
    document.body.getBoundingClientRect();
    return performance.now() - begin;
  },

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

  longestText: () => Math.max(...all("main *").map((element) => own(element).length)),
  hasHandler: () => all("*").some((element) => [...element.attributes].some(({ name }) => name.startsWith("on"))),
};
return ask[arguments[0]]();
