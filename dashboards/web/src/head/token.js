// Who the reader is: a token that is typed here. It lives in this page's memory alone, and goes to the server as a message.
// It is never put into an address, a cookie or the browser's storage.

export class TokenBox {
  #parts;
  #token = "";

  /** Set by the owner: a token was typed. */
  onToken = () => {};

  /** @param parts the elements: box, form, input, why (in words, what the server wants), open (shows the box) */
  constructor(parts) {
    this.#parts = parts;
    parts.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const token = parts.input.value.trim();
      parts.input.value = "";
      if (token === "") return;
      this.#token = token;
      this.#say("Asking the server.");
      this.onToken();
    });
    parts.open.addEventListener("click", () => {
      this.ask("");
      parts.input.focus();
    });
  }

  /** The token, or "". */
  get token() {
    return this.#token;
  }

  /** Shows the box, and says why. */
  ask(why) {
    this.#say(why);
    this.#parts.box.hidden = false;
  }

  /** The server does not take the token. */
  refused(why) {
    this.#token = "";
    this.ask(why);
  }

  /** The server knows the reader now. */
  done() {
    this.#parts.box.hidden = true;
    this.#parts.input.value = "";
    this.#say("");
  }

  #say(why) {
    this.#parts.why.textContent = why;
  }
}
