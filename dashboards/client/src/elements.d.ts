// The elements' types. Importing `elements.js` defines them.
import type { Token } from "./index.js";

/** What `tickerd-token` asks for: `event.detail.answer(token)`, with a token or a promise of one. */
export interface TokenRequest {
  reason: "connect" | "expiring" | "expired" | "refused";
  signal: AbortSignal;
  /** The element's attribute `server`, or "". */
  server: string;
  answer(token: string | null | Promise<string | null>): void;
}

/** Attributes of all: `server` (else it is the server that the script came from), `rate`, `label`. */
declare class TickerdElement extends HTMLElement {
  /** A token, or a function that gets one. Elements with the same server and token share one connection. */
  token: Token | undefined;
}

/** `<tickerd-value topic="sim.AAPL" field="price">` */
export class Value extends TickerdElement {}
/** `<tickerd-ticker topics="sim.* host.cpu" speed="50">`: pixels a second, 0 stands still. */
export class Ticker extends TickerdElement {}
/** `<tickerd-chart topic="sim.AAPL" period="10s" range="15m" type="line">`, or `type="candles"`. */
export class Chart extends TickerdElement {}

declare global {
  interface HTMLElementTagNameMap {
    "tickerd-value": Value;
    "tickerd-ticker": Ticker;
    "tickerd-chart": Chart;
  }
  interface HTMLElementEventMap {
    "tickerd-token": CustomEvent<TokenRequest>;
  }
}
