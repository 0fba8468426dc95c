// Makes elements of the document. Data goes in as text alone, so that none of it is read as markup.

/**
 * An element with these properties and children: `make("p", { className: "why" }, "words", another)`. A property whose
 * name has a hyphen, and `role`, are attributes; `data` are its data attributes.
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "data") Object.assign(element.dataset, value);
    else if (name.includes("-") || name === "role" || name === "for") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** Writes a text if it is another one: what is the same costs no layout. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** The pieces of a sentence in which code stands between backticks. */
export const sentence = (text) => text.split("`").map((piece, i) => (i % 2 === 1 ? make("code", {}, piece) : piece));

/** A table whose roles stay those of a table however it is laid out. `heads` are the titles of its columns. */
export function table(className, caption, heads) {
  const body = make("tbody", { role: "rowgroup" });
  const row = make("tr", { role: "row" });
  for (const head of heads) row.append(make("th", { scope: "col", role: "columnheader" }, head));
  const element = make("table", { className, role: "table" });
  element.append(make("caption", { className: "unseen" }, caption), make("thead", { role: "rowgroup" }, row), body);
  return { element, body };
}

/** A row of such a table. The first cell is its head; `data-label` is what stands before a cell on a phone. */
export function row(cells, heads) {
  const element = make("tr", { role: "row" });
  cells.forEach((cell, i) => {
    const properties = i === 0 ? { scope: "row", role: "rowheader" } : { role: "cell" };
    if (heads) properties["data-label"] = heads[i];
    element.append(make(i === 0 ? "th" : "td", properties, cell));
  });
  return element;
}
