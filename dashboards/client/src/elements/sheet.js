// The elements' style. A sheet that is made here needs no inline style, so a strict policy allows it.

const CSS = `
:host {
  display: block; font: var(--tickerd-font, inherit); font-variant-numeric: tabular-nums;
  color: var(--tickerd-ink, light-dark(#1a1d21, #e7e9ec));
  --m: var(--tickerd-muted, light-dark(#5b626c, #9ba3ae));
  --u: var(--tickerd-up, light-dark(#0a7245, #58d19a));
  --d: var(--tickerd-down, light-dark(#b4281f, #ff8f86));
  --w: var(--tickerd-warn, light-dark(#8a5300, #f0b656));
  --l: var(--tickerd-line, light-dark(#1d4fd7, #86aeff));
  --g: var(--tickerd-grid, light-dark(#e5e6e8, #282c32));
}
:host([hidden]), span:empty { display: none; }
:host(tickerd-value) { display: inline-block; }
[part=row] > span { white-space: nowrap; }
[part=label], [part=unit], [part=readout] { color: var(--m); }
[part=figure] { font-weight: 600; }
.lost [part=figure] { opacity: 0.7; }
.up { color: var(--u); } .down { color: var(--d); }
[part=state], [part=badge] { color: var(--w); }
:not([part=strip]) > [part=row] > [part=state] { white-space: normal; }
[part=badge] { font-size: 0.85em; }
:host(tickerd-ticker) [part=box] { overflow-x: auto; }
:host(tickerd-ticker) [part=box]:has(.moves) { overflow: hidden; }
[part=track] { display: flex; width: max-content; }
[part=strip] { white-space: nowrap; }
[part=strip] [part=row] { display: inline-block; padding: 0.25em 1em; border-right: 1px solid var(--g); }
[part=strip] + [part=strip] { display: none; }
.moves [part=strip] { display: block; }
.moves { animation: lap var(--lap) linear infinite; }
[part=box]:hover .moves, [part=box]:focus .moves, .lost .moves { animation-play-state: paused; }
@keyframes lap { to { transform: translateX(-50%); } }
@media (prefers-reduced-motion: reduce) {
  .moves { animation: none; }
  [part=box]:has(.moves) { overflow-x: auto !important; }
  .moves [part=strip] + [part=strip] { display: none; }
}
canvas {
  display: block; box-sizing: border-box; width: 100%; height: var(--tickerd-height, 12rem); margin-top: 0.4em;
  font-size: 11px; color: var(--l); touch-action: pan-y;
  border: 0 solid; border-color: var(--u) var(--d) var(--g) var(--m);
}
[part=readout] { min-height: 1.4em; }
:focus-visible { outline: 2px solid var(--l); outline-offset: 2px; }
`;

const sheets = new WeakMap();

/** Styles a shadow root. A sheet serves one document alone. */
export function style(root) {
  const { ownerDocument: document } = root;
  let sheet = sheets.get(document);
  if (!sheet) {
    sheet = new document.defaultView.CSSStyleSheet();
    sheet.replaceSync(CSS);
    sheets.set(document, sheet);
  }
  root.adoptedStyleSheets = [sheet];
}
