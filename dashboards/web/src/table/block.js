// Rows that stand together under one element. Far from the window the browser skips a whole block: ten thousand rows cost as few hundred do.

/** As many rows as about two windows show. */
export const BLOCK_ROWS = 64;

export class Block {
  rows = [];
  element = document.createElement("div");
  /** In the window, or nearly: its rows are then observed one by one. */
  isNear = false;

  #shown = -1;
  #isKept = false;

  constructor() {
    this.element.className = "block";
    this.element.setAttribute("role", "presentation");
  }

  /** How many of its rows are shown gives its height while it is skipped; with an open row the height is the browser's to find. */
  count() {
    let shown = 0;
    let isKept = false;
    for (const row of this.rows) {
      if (!row.hidden && !row.isIdle) shown += 1;
      isKept ||= row.isOpen;
    }
    if (isKept !== this.#isKept) this.element.classList.toggle("kept", (this.#isKept = isKept));
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.element.hidden = shown === 0;
    this.element.style.setProperty("--rows", String(shown));
  }
}
