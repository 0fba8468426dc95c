// The order of the charts: their handles are dragged, or moved with the arrow keys.

const BACK = ["ArrowLeft", "ArrowUp"];
const ON = ["ArrowRight", "ArrowDown"];

/**
 * @param handle the button that is dragged
 * @param chart the element that moves, among its brothers and sisters
 * @param onMove told after each move
 */
export function orderable(handle, chart, onMove) {
  handle.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    handle.setPointerCapture(event.pointerId);
    chart.classList.add("moving");
  });
  handle.addEventListener("pointermove", ({ pointerId, clientX, clientY }) => {
    if (!handle.hasPointerCapture(pointerId)) return;
    const over = document.elementFromPoint(clientX, clientY)?.closest(".chart");
    if (!over || over === chart || over.parentElement !== chart.parentElement) return;
    const { left, top, width, height } = over.getBoundingClientRect();
    const isBefore = Boolean(over.compareDocumentPosition(chart) & Node.DOCUMENT_POSITION_FOLLOWING);
    // Past its middle, or the two would change places for ever.
    const isBeside = Math.abs(top - chart.getBoundingClientRect().top) < height / 2;
    const share = isBeside ? (clientX - left) / width : (clientY - top) / height;
    if (isBefore ? share > 0.5 : share < 0.5) return;
    move(chart, over, isBefore);
  });
  const end = () => {
    if (!chart.classList.contains("moving")) return;
    chart.classList.remove("moving");
    onMove();
  };
  handle.addEventListener("pointerup", end);
  handle.addEventListener("lostpointercapture", end);
  handle.addEventListener("keydown", (event) => {
    const isBefore = BACK.includes(event.key);
    if (!isBefore && !ON.includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    const other = isBefore ? chart.previousElementSibling : chart.nextElementSibling;
    if (!other) return;
    // The other one moves: an element that is put elsewhere loses the focus.
    if (isBefore) chart.after(other);
    else chart.before(other);
    chart.scrollIntoView({ block: "nearest", inline: "nearest" });
    onMove();
  });
}

/** Puts those between on the other side, so that the dragged one stays where it is in the document, with its pointer. */
function move(chart, over, isBefore) {
  const parent = chart.parentElement;
  const all = [...parent.children];
  const [from, to] = [all.indexOf(chart), all.indexOf(over)];
  if (isBefore) {
    const between = all.slice(to, from);
    chart.after(...between);
  } else chart.before(...all.slice(from + 1, to + 1));
}
