// `<tickerd-value topic="sim.AAPL" field="price">`: one figure.
import { Base } from "./base.js";
import { View, say } from "./view.js";

export class Value extends Base {
  #view;

  names() {
    return this.words("topic").slice(0, 1);
  }

  draw() {
    const [topic] = this.names();
    if (!this.#view) {
      this.#view = new View(this.box);
      this.#view.parts.state.setAttribute("role", "status");
    }
    this.#view.topic = topic;
    if (this.mistake) say(this.#view.parts.state, this.mistake);
    else this.#view.show(this, this.sub.latest(topic), this.get("label"), this.get("field"));
  }
}
