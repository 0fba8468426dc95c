// `<tickerd-chart topic="sim.AAPL" period="10s" range="15m" type="candles">`. Its panel is loaded with the first chart.
import { Base } from "./base.js";

const PERIOD = "10s";

export class Chart extends Base {
  #panel;

  // Not called as the attributes are: frameworks would set them.
  get about() {
    return this.words("topic")[0] ?? "";
  }

  get each() {
    return this.get("period") ?? PERIOD;
  }

  /** The topic, its open bar and its closed bars. */
  names() {
    const { about: topic, each: period } = this;
    return topic ? [topic, `tickerd.bar.${period}.${topic}`, `tickerd.bars.${period}.${topic}`] : [];
  }

  async start() {
    const { Panel } = await import("./panel.js");
    this.#panel ??= new Panel(this);
    if (this.isConnected) this.#panel.start();
  }

  stop() {
    this.#panel?.stop();
  }

  onLive() {
    this.#panel?.load(true);
  }

  onTick(tick) {
    this.#panel?.take(tick);
  }

  draw() {
    this.#panel?.draw();
  }
}
