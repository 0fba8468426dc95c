// What changes one tile while a board is edited: its place, its size, its field, and whether it is there.
import { name as nameOf } from "../data/format.js";
import { SIZES } from "./layout.js";

const WORDS = { S: "small", M: "medium", L: "large" };
/** Fields offered of one topic. */
const FIELDS_MAX = 64;
const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -Infinity, End: Infinity };

/**
 * A tile's controls.
 * @param on `{move(step), size(size), field(path), remove()}`; a step of ±Infinity is to the start or the end
 */
export function tools(tile, topic, on) {
  const box = document.createElement("div");
  box.className = "tools";
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", `Change ${tile.key}`);
  const button = (text, name, act) => {
    const one = document.createElement("button");
    one.type = "button";
    one.textContent = text;
    one.title = name;
    one.setAttribute("aria-label", name);
    one.addEventListener("click", act);
    box.append(one);
    return one;
  };
  const grip = button("⠿", `Move ${tile.key} with the arrow keys, or drag it`, () => {});
  grip.className = "grip";
  grip.addEventListener("keydown", (event) => {
    if (!Object.hasOwn(STEPS, event.key) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    on.move(STEPS[event.key]);
  });
  button("←", `Move ${tile.key} back`, () => on.move(-1)).className = "back";
  button("→", `Move ${tile.key} on`, () => on.move(1)).className = "on";
  const sizes = SIZES.map((size) => {
    const one = button(size, `${size}: make ${tile.key} ${WORDS[size]}`, () => {
      on.size(size);
      press();
    });
    return [size, one];
  });
  const press = () => {
    for (const [size, one] of sizes) one.setAttribute("aria-pressed", String(size === tile.size));
  };
  press();
  const fields = topic?.figures.slice(0, FIELDS_MAX) ?? [];
  if (fields.length > 1) {
    const select = document.createElement("select");
    select.setAttribute("aria-label", `Field of ${tile.name}`);
    for (const path of fields) select.append(new Option(nameOf(path), path));
    select.value = tile.path ?? fields[0];
    select.addEventListener("change", () => on.field(select.value === fields[0] ? null : select.value));
    box.append(select);
  }
  button("✕", `Remove ${tile.key}`, () => on.remove()).className = "remove";
  return box;
}

/**
 * Lets tiles be dragged by mouse, pen or finger within `list` while `isOn()`. `drop` is told once, when a tile has another
 * place: the document has the new order then.
 */
export function draggable(list, isOn, drop) {
  let dragged = null;
  let over = null;
  const end = (event) => {
    if (!dragged) return;
    dragged.classList.remove("dragged");
    const tile = dragged;
    dragged = over = null;
    if (list.hasPointerCapture(event.pointerId)) list.releasePointerCapture(event.pointerId);
    drop(tile);
  };
  list.addEventListener("pointerdown", (event) => {
    if (!isOn() || event.button !== 0) return;
    const tile = event.target.closest(".tile");
    const control = event.target.closest("button, select, a");
    // A finger scrolls the page, except on the grip.
    const isGrip = control?.classList.contains("grip");
    if (!tile || (control && !isGrip) || (event.pointerType === "touch" && !isGrip)) return;
    if (!isGrip) event.preventDefault(); // no text is selected
    dragged = tile;
    tile.classList.add("dragged");
    list.setPointerCapture(event.pointerId);
  });
  list.addEventListener("pointermove", (event) => {
    if (!dragged) return;
    const target = document.elementFromPoint(event.clientX, event.clientY)?.closest(".tile") ?? null;
    if (target === over || target?.parentElement !== list) return;
    over = target;
    if (target === dragged) return;
    const isBefore = target.compareDocumentPosition(dragged) & Node.DOCUMENT_POSITION_FOLLOWING;
    list.insertBefore(dragged, isBefore ? target : target.nextElementSibling);
    over = null; // another tile is under the pointer now, which need not move too
    const now = document.elementFromPoint(event.clientX, event.clientY)?.closest(".tile") ?? null;
    over = now;
  });
  list.addEventListener("pointerup", end);
  list.addEventListener("pointercancel", end);
}
