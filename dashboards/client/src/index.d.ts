// The client's types. `index.js` is checked against them.

/** A value of a topic, as it came. */
export interface Tick {
  topic: string;
  /** The kind of value: `quote`, `trade`, `message` … */
  event: string;
  /** Counts the topic's values, also those that were not sent. */
  seq: number;
  /** When the server took the value, Unix ms. */
  ts: number;
  /** The source's own time, Unix ms, where the feed knows it. */
  src_ts?: number;
  /** Who published it, in rooms. */
  from?: string;
  /** To whom it was sent alone, in rooms. */
  to?: string;
  value: any;
  /** Its topic has had no news for too long: since then, Unix ms. 0 while it has news. */
  stale: number;
  /** How many values of this topic came between the one before and this one, and were not handed over. */
  skipped: number;
  /** The message as it came: digits and signature are in it. Empty where the message did not come as text. */
  text: string;
}

/** A bar, see "Bars" in the protocol. Figures have the source's digits. */
export interface Bar {
  start: number;
  open: number | string;
  high: number | string;
  low: number | string;
  close: number | string;
  count: number;
  merged: number;
  volume?: number | string;
}

export interface Bars {
  topic: string;
  period: string;
  field: string;
  epoch: string;
  /** Nothing is known of the time before, Unix ms. */
  since: number;
  unknown?: { from: number; to: number }[];
  truncated?: boolean;
  bars: Bar[];
}

export type Status =
  | { state: "connecting" }
  | { state: "live" }
  /** It connects again by itself at `until`, in ms of `performance.now()`. `unopened` tries in a row did not even open. */
  | { state: "waiting"; until: number; code: number; why: string; unopened: number }
  /** The system says that there is no network. It tries on as when it waits, and at once when there is. */
  | { state: "offline"; until: number; code: number; why: string; unopened: number }
  /** It does not connect again by itself. `todo` says what helps. `retry()` and `setIdentity()` try again. */
  | { state: "stopped"; code: number; why: string; todo: string };

/** Ticks of `topics` were missed. `recovered`: they were missed for a while, and have all come since. */
export interface Gap {
  topics: string[];
  recovered: boolean;
  why: "reset" | "reconnected" | "restarted" | "overflow";
}

/** Values were skipped: by the server since this client read too slowly (`server`), or here since a reader was too slow (`reader`). */
export interface Lag {
  by: "server" | "reader";
  skipped: number;
}

export interface Feed {
  feed: string;
  state: "up" | "degraded" | "stale" | "down" | "closed";
  since: number;
  reason: string;
}

export type TokenReason = "connect" | "expiring" | "expired" | "refused";
export type Token = string | null | ((about: { reason: TokenReason; signal: AbortSignal }) => string | null | Promise<string | null>);

export interface Options {
  /** A token, or a function that gets one. `null` from it connects without; `""` stops; an error waits and tries again. */
  token?: Token;
  /** The shortest time between two pushes of a topic, where a subscription does not say: `"1s"`. */
  rate?: string;
  /** The name in rooms, on a server without `[auth]`. */
  name?: string;
  /** When ticks are handed over: once per animation frame, or as they come. `frame` in pages, `now` elsewhere. */
  flush?: "frame" | "now";
  /** The rate while the page is hidden, `"5s"` unless told otherwise; `null` changes nothing. */
  hiddenRate?: string | null;
  /** Share one connection between all tabs of this site that ask for it. */
  tabs?: boolean;
  /** `auto`: WebSocket, and an event stream after upgrades in a row failed while the server answered over HTTP. */
  transport?: "auto" | "ws" | "sse";
  WebSocket?: any;
  EventSource?: any;
  fetch?: typeof fetch;
  /** Closes the client. */
  signal?: AbortSignal;
}

export interface SubscribeOptions {
  /** `latest`, the default, merges; `all` brings every tick once and in order. */
  mode?: "latest" | "all";
  /** A whole number with its unit, as `"250ms"` or `"1s"`. With another one `ready` rejects. */
  rate?: string;
  /** Ends the subscription. */
  signal?: AbortSignal;
}

export interface Message {
  out: boolean;
  event: string;
  data: any;
  text: string;
}

export interface ClientEvents {
  status: Status;
  /** Every tick of every subscription. */
  tick: Tick;
  gap: Gap;
  lag: Lag;
  /** The state of a feed. At each connection all are up until told otherwise. */
  feed: Feed;
  /** Topics that went stale, or have news again (`since` is 0). */
  stale: { topics: string[]; since: number };
  /** Topics that appeared and ended under a pattern. */
  topics: { added: string[]; removed: string[]; missed: boolean };
  presence: { topic: string; count: number; joined: any[]; left: any[]; more?: boolean };
  /** The token that this client was given ends in so many ms. With a function for tokens the next one is fetched without further ado. */
  expiring: { in_ms: number };
  /** What was asked for and not granted. */
  failed: { topic?: string; pattern?: string; code: number; message: string };
  /** A mistake that no call waits for. */
  error: Error & { code?: number };
  /** Another server, or another history of it: all positions are forgotten. */
  epoch: string;
  /** Every message in either direction, for consoles and tests. Tokens are not shown. */
  message: Message;
  /** The same without ticks. A handler of `message` has each tick copied, one of `control` does not. */
  control: Message;
}

export interface Subscription extends AsyncIterable<Tick> {
  readonly topics: readonly string[];
  /** What was granted and what was not, once the server has said. Rejects if nothing was granted. */
  readonly ready: Promise<{ topics: any[]; patterns: any[]; failed: any[] }>;
  on(event: "tick", handler: (tick: Tick) => void, options?: { signal?: AbortSignal }): () => void;
  on(event: "gap", handler: (gap: Gap) => void, options?: { signal?: AbortSignal }): () => void;
  /** The newest tick of a topic, also of one that a pattern brought. */
  latest(topic: string): Tick | undefined;
  close(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What the server did not do, with its code: `error.code` is 404, `error.message` says what to change. */
export class TickerdError extends Error {
  code: number;
  temporary: boolean;
  retryAfterMs?: number;
}

export interface Client {
  readonly status: Status;
  /** What the server said when it let this client in; undefined until then. */
  readonly server?: { v: number; server: string; conn: string; epoch: string; heartbeat_ms: number; limits: any };
  /** The user that the token names, if any. */
  readonly user?: string;
  on<E extends keyof ClientEvents>(event: E, handler: (data: ClientEvents[E]) => void, options?: { signal?: AbortSignal }): () => void;
  subscribe(topics: string | string[], options?: SubscribeOptions): Subscription;
  latest(topic: string): Tick | undefined;
  /** The topics that have had a value. */
  topics(match?: string): Promise<{ topic: string; kind: string; class: string; seq: number; ts: number; interval_ms: number; stale?: boolean }[]>;
  /** The newest ticks once, without a subscription. It rejects where none came and a name failed; `failed` tells each that did. */
  get(topics: string | string[]): Promise<Tick[]>;
  /** The newest ticks that the server keeps, oldest first. */
  history(topic: string, options?: { limit?: number; signal?: AbortSignal }): Promise<Tick[]>;
  bars(topic: string, options: { period: string; limit?: number; before?: number; signal?: AbortSignal }): Promise<Bars>;
  publish(topic: string, value: any, options?: { to?: string }): Promise<{ topic: string; seq: number; delivered?: number; kept?: boolean }>;
  presence(topic: string): Promise<{ topic: string; count: number; members: any[] }>;
  /** Any command of the protocol; the data of its answer. */
  command(event: string, data?: object, options?: { signal?: AbortSignal }): Promise<any>;
  /** A request to the same server with the same token: `http("v1/feeds")`. */
  http(path: string, init?: RequestInit): Promise<Response>;
  /** The server's clock, Unix ms. */
  now(): number;
  /** Connects at once if it waits or has stopped. */
  retry(): void;
  /** Another user, or nobody: forgets the token, positions and values. Handlers and subscriptions stay. */
  setIdentity(token: Token): void;
  close(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Connects, and stays connected. Without an address it is the server that this module came from. */
export function connect(url?: string | URL, options?: Options): Client;
export function connect(options?: Options): Client;
/** Whether a topic is one of a pattern's. */
export function matches(pattern: string, topic: string): boolean;
