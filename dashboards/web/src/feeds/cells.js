// What the list of feeds and a feed's own page show alike: its state and its figures. And the order of a table's rows.
import * as format from "../data/format.js";
import { make, say } from "./make.js";
import * as words from "./words.js";

/** A state as a sign and a word. */
export function paintBadge(badge, state, { sign, tone } = words.look(state)) {
  if (badge.dataset.state === state && badge.dataset.tone === tone) return;
  badge.dataset.state = state;
  badge.dataset.tone = tone;
  badge.replaceChildren(make("span", { "aria-hidden": "true" }, sign), ` ${state}`);
}

/** A feed's figures, each into the element of its name. */
export function paintFigures({ topics, stale, accepted, refused, rate }, feed) {
  const listed = (text) => (feed.isListed ? text : "–");
  say(topics, listed(format.count(feed.topics)));
  say(stale, listed(format.count(feed.stale)));
  say(accepted, listed(format.count(feed.samples)));
  say(refused, listed(words.refused(feed)));
  say(rate, words.rate(feed.rate));
  stale.classList.toggle("warned", feed.stale > 0);
  refused.classList.toggle("warned", feed.refused > 0 && !feed.isAllRefused);
  refused.classList.toggle("alarming", feed.isAllRefused);
}

/**
 * Gives a table's body one row for each of `names`, in their order. `rows` are those that are there: name → `{element}`;
 * `fresh(name)` makes one that is missing.
 */
export function arrange(body, rows, names, fresh) {
  const wanted = new Set(names);
  for (const [name, { element }] of rows) {
    if (wanted.has(name)) continue;
    element.remove();
    rows.delete(name);
  }
  const held = document.activeElement;
  let place = body.firstElementChild;
  for (const name of names) {
    if (!rows.has(name)) rows.set(name, fresh(name));
    const { element } = rows.get(name);
    if (element === place) place = place.nextElementSibling;
    else body.insertBefore(element, place);
  }
  // A row that is moved loses the focus.
  if (held !== document.activeElement && body.contains(held)) held.focus({ preventScroll: true });
}
