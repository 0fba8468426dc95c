// A place for a text that changes all the time. It is as wide as one with other digits, so that a new text moves nothing
// else, and the browser lays out that text alone.

/** What is as wide as another of its kind. */
const ALIKE = [[/\d/g, "0"], [/[−-]/g, "+"], [/▼/g, "▲"]];
/** A text that is only a figure. */
const FIGURE = /^[0.,+▲ ()%]*$/;
/** A figure that is shorter by so few signs keeps its place as it is: it may be longer again at once. */
const SPARE = 2;

export class Place {
  #element;
  #text = document.createTextNode("");
  #room = "";

  constructor(element) {
    this.#element = element;
    element.replaceChildren(document.createElement("span"));
    element.firstChild.append(this.#text);
  }

  put(words) {
    if (words === this.#text.data) return;
    this.#text.data = words;
    const room = ALIKE.reduce((text, [signs, one]) => text.replace(signs, one), words);
    const spare = this.#room.length - room.length;
    if (room === this.#room || (spare >= 0 && spare <= SPARE && FIGURE.test(room) && FIGURE.test(this.#room))) return;
    this.#element.dataset.room = this.#room = room;
  }
}
