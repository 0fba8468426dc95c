// An outage that is seen from across the room: a banner, the values dimmed, and another title and icon of the page.
import { closeWords } from "./closes.js";
import * as format from "../data/format.js";

/** A connection that is back sooner is told by the header alone: a banner that comes and goes makes the page jump. */
const PATIENCE_MS = 1_000;

export class Outage {
  #parts;
  #icon = document.querySelector('link[rel="icon"]');
  #well = this.#icon.getAttribute("href");
  #title = document.title;
  #status = { state: "connecting" };
  /** When the connection was lost, Unix ms; 0 while it lives. Before the first one, when the first try failed. */
  #since = 0;
  #wasLive = false;
  #hint = "";
  #shown = false;

  /** @param parts the elements: banner, what (in words, once), next (what comes next, counted down) */
  constructor(parts) {
    this.#parts = parts;
  }

  /** The page's title while all is well. */
  set title(text) {
    this.#title = text;
    if (!this.#shown) document.title = text;
  }

  /** How the connection is now. */
  link(status) {
    this.#status = status;
    if (status.state === "live") {
      this.#since = 0;
      this.#wasLive = true;
      this.#hint = "";
    } else if (this.#since === 0 && status.state !== "connecting") {
      this.#since = Date.now();
    }
    this.paint(performance.now());
  }

  /** What may be the cause, once that was looked at. */
  set hint(text) {
    this.#hint = text;
  }

  /** Called a few times a second. */
  paint(now) {
    const stopped = this.#status.state === "stopped";
    const shown = stopped || (this.#since > 0 && Date.now() - this.#since >= PATIENCE_MS);
    if (shown !== this.#shown) this.#show(shown);
    if (!shown) return;
    const { what, next } = this.#parts;
    set(what, stopped ? refusal(this.#status) : this.#loss());
    set(next, stopped ? "It does not try again by itself." : `${this.#hint} ${this.#why()} ${this.#next(now)}`.replaceAll("  ", " ").trim());
    document.title = `⚠ ${stopped ? "Refused" : "No connection"} · ${this.#title}`;
  }

  #show(shown) {
    this.#shown = shown;
    this.#parts.banner.hidden = !shown;
    document.documentElement.toggleAttribute("data-outage", shown);
    this.#icon.href = shown ? this.#well.replace("favicon", "favicon-lost") : this.#well;
    if (!shown) {
      document.title = this.#title;
      set(this.#parts.what, "");
      set(this.#parts.next, "");
    }
  }

  #loss() {
    if (!this.#wasLive) return "There is no connection to the server.";
    return `The connection was lost at ${format.moment(this.#since)}. The values below are from then.`;
  }

  #why() {
    const words = this.#status.state === "waiting" ? closeWords(this.#status.code) : "";
    return words && `${words}.`;
  }

  #next(now) {
    const { state, until } = this.#status;
    if (state === "offline") return "This device has no network. It connects when there is one.";
    if (state !== "waiting" || !Number.isFinite(until)) return "Trying now.";
    return `Trying again in ${Math.max(0, Math.ceil((until - now) / 1000))} s.`;
  }
}

function refusal({ code, why }) {
  const words = closeWords(code);
  if (words && !why) return `${words} (${code}).`;
  return why
    ? `${words || "The server refused this page"}: ${why} (${code}).`
    : `The server refused this page with ${code} and gave no reason.`;
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
