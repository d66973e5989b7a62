// Make tables that sort by a click on a heading and are filtered by words.

const ROWS = 100;

/** `columns`: {title, value(item) to sort by, cell(item), isNumber, help}. `choose` hears the row that is clicked. */
function tableOf(caption, columns, items, { choose, chooses = "show", words, kinds = [], kindOf = () => "" }) {
  let order = null;
  let isDown = false;
  const body = html("tbody", {});
  const footer = html("div", { class: "footer" });
  const number = html("span", { class: "number", role: "status" });
  const field = html("input", { type: "search", placeholder: "filter", "aria-label": `filter ${caption}`, oninput: () => draw() });
  const kind = html("select", { "aria-label": `which ${caption} to show`, onchange: () => draw() }, html("option", { value: "" }, "all"), kinds.map(([value, title]) => html("option", { value }, title)));
  const headings = columns.map((column) =>
    html("th", { scope: "col", class: column.isNumber ? "numeric" : "" },
      html("button", { type: "button", title: column.help ?? `sort by ${column.title}`, onclick: () => sort(column) }, column.title)));

  function sort(column) {
    isDown = order === column ? !isDown : Boolean(column.isNumber);
    order = column;
    headings.forEach((heading, index) => {
      if (columns[index] === column) heading.setAttribute("aria-sort", isDown ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    });
    draw();
  }

  function draw() {
    const asked = field.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    let rows = items.filter((item) => (!kind.value || kindOf(item) === kind.value) && asked.every((word) => words(item).toLowerCase().includes(word)));
    if (order) {
      const compare = (left, right) => {
        const [a, b] = [order.value(left), order.value(right)];
        if (a === b) return 0;
        if (a === null || a === undefined) return 1;
        if (b === null || b === undefined) return -1;
        return (a < b ? -1 : 1) * (isDown ? -1 : 1);
      };
      rows = [...rows].sort(compare);
    }
    body.replaceChildren();
    const more = growing(rows, ROWS, (item) => row(item), body);
    footer.replaceChildren(more);
    number.textContent = rows.length === items.length ? whole(items.length) : `${whole(rows.length)} of ${whole(items.length)}`;
  }

  function row(item) {
    const cells = columns.map((column, index) => {
      const content = column.cell(item);
      if (index) return html("td", { class: column.isNumber ? "numeric" : "" }, content);
      return html("th", { scope: "row" }, choose ? html("button", { type: "button", class: "link", title: chooses, onclick: () => choose(item) }, content) : content);
    });
    return html("tr", {}, cells);
  }

  draw();
  return html("div", { class: "table" },
    html("div", { class: "tools" }, field, kinds.length > 1 ? kind : null, number),
    html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
      html("table", {}, html("caption", { class: "unseen" }, caption), html("thead", {}, html("tr", {}, headings)), body)),
    footer);
}
