// The command as text for elsewhere, in the form that one chooses, with a button that copies it.
import { make, say } from "../feeds/make.js";
import { FORMS } from "./copy.js";

/** The button says what it did for so long. */
const SAID_MS = 2_000;
const HINTS = {
  curl: "For a shell.",
  javascript: "For a page, or for Node with the client's file.",
  python: "For Python 3.10 or newer, with the package tickerd.",
  tail: "For a shell of a machine with tickerd.",
  websocat: "For a shell, with the program websocat.",
};

export class Copies {
  #form = "curl";
  #text = make("code");
  #token = make("input", { type: "checkbox" });
  #hint = make("p", { className: "small" });
  #button = make("button", { type: "button" }, "Copy");
  #said = make("span", { className: "small", role: "status" });
  #base;
  #timer = 0;
  #message = null;

  /** @param base the server's address, which ends in a slash */
  constructor(element, base) {
    this.#base = base;
    const choice = make(
      "select",
      { id: "console-copy" },
      ...Object.entries(FORMS).map(([value, { title }]) => make("option", { value }, title)),
    );
    choice.addEventListener("change", () => {
      this.#form = choice.value;
      this.#paint();
    });
    this.#token.addEventListener("change", () => this.#paint());
    this.#button.addEventListener("click", () => this.#copy());
    element.append(
      make(
        "div",
        { className: "copy-bar" },
        make("label", { htmlFor: "console-copy" }, "Copy as"),
        choice,
        this.#button,
        this.#said,
      ),
      make("pre", { className: "copy-text", tabIndex: 0, "aria-label": "The command to copy" }, this.#text),
      make("label", { className: "small" }, this.#token, " with a token, from the variable TOKEN"),
      this.#hint,
    );
  }

  /** Shows this message; null where there is none to show. */
  show(message, isKnown) {
    this.#message = message;
    if (isKnown) this.#token.checked = true;
    this.#paint();
  }

  #paint() {
    const place = { base: this.#base, token: this.#token.checked };
    let text = "";
    let why = "Fill in the fields above first.";
    try {
      if (this.#message) text = FORMS[this.#form].write(this.#message, place);
    } catch {
      // It may come from an address: nested too deeply, or with objects where texts belong.
      why = "This message has a value that cannot be written here. Change it above.";
    }
    say(this.#text, text || why);
    this.#button.disabled = text === "";
    say(this.#hint, HINTS[this.#form]);
  }

  async #copy() {
    let done = false;
    try {
      await navigator.clipboard.writeText(this.#text.textContent);
      done = true;
    } catch {
      // A page that came without TLS may not write there; what is selected may still be copied.
      getSelection().selectAllChildren(this.#text);
      done = document.execCommand("copy");
    }
    say(this.#said, done ? "Copied." : "The text is selected: press Ctrl+C.");
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => say(this.#said, ""), SAID_MS);
  }
}
