// How wide texts are in the table: measured once per font, not per text where that can be helped.

export class Measure {
  /** A digit's width, and a rem, in pixels. */
  ch = 8;
  rem = 16;
  /** The table's own width. */
  room = 0;

  #element;
  #context = document.createElement("canvas").getContext("2d");

  constructor(element) {
    this.#element = element;
    this.read();
  }

  /** Reads the widths again; true if one has changed. */
  read() {
    const before = `${this.ch} ${this.rem} ${this.room}`;
    const { fontSize, fontFamily } = getComputedStyle(this.#element);
    this.#context.font = `600 ${fontSize} ${fontFamily}`;
    this.ch = this.#context.measureText("0000000000").width / 10 || 8;
    this.rem = parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
    this.room = this.#element.clientWidth;
    return before !== `${this.ch} ${this.rem} ${this.room}`;
  }

  width(text) {
    return this.#context.measureText(text).width;
  }
}
