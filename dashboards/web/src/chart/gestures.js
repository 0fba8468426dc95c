// Zoom and pan of a chart by mouse, wheel, fingers and keys.

/** One notch of a wheel, one press of a key or button. */
export const ZOOM = 1.5;
export const PAN = 0.2;
/** Pixels of a wheel that make the window e times as long. */
const WHEEL_PX = 400;
/** A drag that is shorter is a click. */
const DRAG_PX = 4;
const KEYS = {
  ArrowLeft: ({ view }, isFar) => view.pan(isFar ? -1 : -PAN),
  ArrowRight: ({ view }, isFar) => view.pan(isFar ? 1 : PAN),
  "+": ({ view }) => view.zoom(1 / ZOOM),
  "=": ({ view }) => view.zoom(1 / ZOOM),
  "-": ({ view }) => view.zoom(ZOOM),
  _: ({ view }) => view.zoom(ZOOM),
  0: ({ view }) => view.reset(),
  Home: ({ view }) => view.reset(),
};

/** Whether a key pressed somewhere is meant for what has the focus there. */
const isTyped = ({ target }) => target.matches("input, select, textarea");

/**
 * A drag selects a part to zoom into; with Shift, or when the window is zoomed, it pans. The other way round when zoomed: Shift
 * and a drag select.
 */
export function gestures(stage, plot, view) {
  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.pointerType === "touch" || plot.secondsAt(event.clientX) === null) return;
    const isPan = event.shiftKey === view.isPlain;
    const start = event.clientX;
    let last = start;
    const move = ({ clientX }) => {
      if (isPan) view.pan((last - clientX) / plot.width);
      else plot.select(start, clientX);
      last = clientX;
    };
    const end = ({ type, clientX }) => {
      stage.removeEventListener("pointermove", move);
      stage.removeEventListener("pointerup", end);
      stage.removeEventListener("pointercancel", end);
      if (isPan) return;
      plot.select();
      if (type === "pointerup" && Math.abs(clientX - start) >= DRAG_PX) {
        const [from, to] = [start, clientX].map((x) => plot.secondsAt(x)).sort((a, b) => a - b);
        view.show(from, to);
      }
    };
    stage.setPointerCapture(event.pointerId);
    stage.addEventListener("pointermove", move);
    stage.addEventListener("pointerup", end);
    stage.addEventListener("pointercancel", end);
  });
  stage.addEventListener("dblclick", () => view.reset());
  // Two fingers on a trackpad that move apart come as a wheel with Ctrl.
  stage.addEventListener(
    "wheel",
    (event) => {
      const delta = event.deltaY || event.deltaX;
      if (!event.ctrlKey && !event.shiftKey) return;
      event.preventDefault();
      if (event.ctrlKey) view.zoom(Math.exp(delta / WHEEL_PX), plot.secondsAt(event.clientX));
      else view.pan(delta / plot.width / 2);
    },
    { passive: false },
  );
  fingers(stage, plot, view);
}

/** Two fingers zoom and pan. One finger scrolls the page. */
function fingers(stage, plot, view) {
  let before = null;
  const read = ({ touches: [a, b] }) => ({ middle: (a.clientX + b.clientX) / 2, apart: Math.max(20, Math.abs(a.clientX - b.clientX)) });
  const begin = (event) => {
    before = event.touches.length === 2 ? read(event) : null;
    if (before) event.preventDefault();
  };
  stage.addEventListener("touchstart", begin, { passive: false });
  stage.addEventListener("touchend", begin, { passive: false });
  stage.addEventListener("touchcancel", () => (before = null));
  stage.addEventListener(
    "touchmove",
    (event) => {
      if (!before || event.touches.length !== 2) return;
      event.preventDefault();
      const now = read(event);
      view.pan((before.middle - now.middle) / plot.width);
      view.zoom(before.apart / now.apart, plot.secondsAt(now.middle));
      before = now;
    },
    { passive: false },
  );
}

/** The keys of a chart, wherever in it the focus is. `more` has further keys. */
export function keys(element, view, more) {
  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyped(event)) return;
    const wanted = KEYS[event.key] ?? more[event.key];
    if (!wanted || wanted({ view }, event.shiftKey) === false) return;
    event.preventDefault();
    event.stopPropagation();
  });
}
