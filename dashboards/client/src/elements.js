// `<tickerd-ticker>`, `<tickerd-chart>` and `<tickerd-value>`, for a page with
// `<script type="module" src="https://host/elements.js">`.
import { Chart } from "./elements/chart.js";
import { Ticker } from "./elements/ticker.js";
import { Value } from "./elements/value.js";

const all = { "tickerd-ticker": Ticker, "tickerd-chart": Chart, "tickerd-value": Value };
for (const [name, element] of Object.entries(all))
  if (globalThis.customElements && !customElements.get(name)) customElements.define(name, element);

export { Chart, Ticker, Value };
