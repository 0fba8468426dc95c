// The style rules of the kinds' columns. They are made as the page learns its kinds, so no style sheet can hold them.

const rules = new Map();
let sheet = null;
let isDue = false;

/** A rule's text under a name; it is in force from the next frame's drawing on. */
export function setRule(name, text) {
  if (rules.get(name) === text) return;
  rules.set(name, text);
  isDue = true;
}

export function dropRule(name) {
  isDue = rules.delete(name) || isDue;
}

/** Puts what is new into force, at once for all. */
export function applyRules() {
  if (!isDue) return;
  isDue = false;
  if (sheet === null) {
    sheet = new CSSStyleSheet();
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  }
  // On a phone a row has two lines, as `styles/table.css` says.
  sheet.replaceSync(`@media (min-width: 44.01rem) {\n${[...rules.values()].join("\n")}\n}`);
}
