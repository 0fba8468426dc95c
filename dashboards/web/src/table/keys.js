// The keys in the table: up and down between rows, left and right between a row's buttons or a kind's heads.

const PAGE_ROWS = 10;
const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE_ROWS, PageUp: -PAGE_ROWS, Home: -Infinity, End: Infinity };
const ASIDE = { ArrowRight: 1, ArrowLeft: -1 };
export const SHOWN = "tbody:not([hidden], .folded) tr[data-topic]:not([hidden], .idle)";

/** Listens to keys; `buttonOf` gives the button of a row that is to be focused. */
export function listen(table, buttonOf) {
  table.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.localName !== "button") return;
    const row = event.target.closest("tr[data-topic]");
    const line = row ?? event.target.closest("tr.heads");
    if (!line || event.target.closest("td.tree")) return;
    if (ASIDE[event.key]) {
      const buttons = [...line.querySelectorAll("th button, td:not(.tree) > button")].filter((button) => button.checkVisibility());
      const next = buttons[buttons.indexOf(event.target) + ASIDE[event.key]];
      if (!next) return;
      event.preventDefault();
      next.focus();
      return;
    }
    const step = STEPS[event.key];
    if (!row || step === undefined) return;
    event.preventDefault();
    const shown = [...table.querySelectorAll(SHOWN)];
    const to = shown[Math.max(0, Math.min(shown.length - 1, shown.indexOf(row) + step))];
    buttonOf(to)?.focus();
  });
}
