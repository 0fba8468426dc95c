// A feed in words: its state with a sign, what was refused, and what an operator does next.
import * as format from "../data/format.js";

/** By state: the sign, the tone, and the place in a list that begins with what needs a hand. */
const LOOKS = {
  down: { sign: "✕", tone: "bad", rank: 0 },
  degraded: { sign: "!", tone: "warn", rank: 2 },
  stale: { sign: "◷", tone: "warn", rank: 3 },
  unknown: { sign: "?", tone: "quiet", rank: 4 },
  up: { sign: "✓", tone: "good", rank: 5 },
  closed: { sign: "–", tone: "quiet", rank: 6 },
};
const REFUSED_RANK = 1;

export const look = (state) => LOOKS[state] ?? LOOKS.unknown;
/** A feed that is up and says nothing usable does not look well. */
export const lookOf = (feed) =>
  feed.isAllRefused && feed.state === "up" ? { ...LOOKS.degraded, tone: "bad" } : look(feed.state);
export const rank = (feed) =>
  feed.isAllRefused ? Math.min(REFUSED_RANK, look(feed.state).rank) : look(feed.state).rank;
/** Whether somebody should look at it. */
export const isTroubled = (feed) => feed.isAllRefused || ["down", "degraded", "stale"].includes(feed.state);

/** `since 12:03:11 (3 min)`, or "" where that is not told. */
export const since = (ms, now) => (ms > 0 ? `since ${format.moment(ms, now)} (${format.age(now - ms)})` : "");

/** `3 of 123 (2.4 %)`. Not all and not none never read as all or none. */
export function refused({ samples, refused: n, isAllRefused }) {
  if (n === 0) return "none";
  if (isAllRefused) return n === 1 ? "the only sample was refused" : `all ${format.count(n)} samples refused`;
  const percent = (n / (n + samples)) * 100;
  const share = percent < 0.1 ? "under 0.1" : percent > 99.9 ? "over 99.9" : percent.toFixed(1);
  return `${format.count(n)} of ${format.count(n + samples)} (${share} %)`;
}

/** Samples per second: `8.0/s`. A slow feed is told by the minute. */
export function rate(perSecond) {
  if (Number.isNaN(perSecond)) return "–";
  if (perSecond === 0) return "0/s";
  if (perSecond < 0.1) return `${(perSecond * 60).toFixed(1)}/min`;
  return `${perSecond < 100 ? perSecond.toFixed(1) : format.count(perSecond)}/s`;
}

/** All feeds in one sentence: `5 feeds: 1 down, 4 up.` */
export function summary(feeds) {
  if (feeds.length === 0) return "No feed is configured.";
  const counts = new Map();
  for (const { state } of [...feeds].sort((a, b) => look(a.state).rank - look(b.state).rank)) {
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  const states = [...counts].map(([state, n]) => `${format.count(n)} ${state}`).join(", ");
  const mute = feeds.filter((feed) => feed.isAllRefused).length;
  const refusals =
    mute > 0 ? ` Of ${mute === 1 ? "one of them" : `${format.count(mute)} of them`} every sample was refused.` : "";
  return `${format.count(feeds.length)} ${feeds.length === 1 ? "feed" : "feeds"}: ${states}.${refusals}`;
}

const LOG = "the daemon's log (`journalctl -u tickerd`)";

/** What an operator does next. Code stands between backticks. */
export function next(feed) {
  const { name, state, reason } = feed;
  if (state === "unknown")
    return "This page has no news of the feed. It will have as soon as the server says how the feed is.";
  if (feed.isAllRefused) {
    return `The feed runs, but nothing that it says can be used. ${sentenceCase(LOG)} shows the refused lines and what is wrong with them. In the feed's project, \`tickerd plugin check\` finds the same.`;
  }
  if (state === "down" && reason === "starting")
    return `It is starting. If it stays so, look at \`tickerd feed list\` and at ${LOG}.`;
  if (state === "down" && /configuration/.test(reason)) {
    return "Run `tickerd check` on the server: it names the mistake and its line. Then `systemctl reload tickerd` starts the feed at once.";
  }
  if (state === "down") {
    return `Look at \`tickerd feed list\` on the server and at ${LOG}. The daemon starts the feed again by itself; \`systemctl reload tickerd\` does so at once.`;
  }
  if (state === "degraded") {
    return `The feed runs, and not all of its values can be used. Look at the reason above, at \`tickerd feed list\`, and at ${LOG}.`;
  }
  if (state === "stale") {
    return `The feed runs, and has had nothing new for too long. Look whether its source has news, then at \`tickerd feed list\` and ${LOG}. A source that is slow by nature needs a longer \`max_age\` in \`[[feed]]\`.`;
  }
  if (state === "closed") return "Its source is closed, as a market at night. There is nothing to do.";
  if (feed.isListed && feed.topics === 0)
    return `It is up and has not said anything yet. If it should have, look at \`tickerd feed list\` and at ${LOG}.`;
  if (feed.refused > 0)
    return `There is nothing to do now. Some samples were refused: ${LOG} says which. Metrics count them as \`tickerd_feed_rejects_total{feed="${name}"}\`.`;
  return "There is nothing to do.";
}

const sentenceCase = (text) => text[0].toUpperCase() + text.slice(1);

/** What the codes of refusal mean. */
const CODES = {
  bad_line: "the line is not one of the feed protocol",
  bad_json: "the value is not usable JSON",
  too_large: "the value is too large; split it over several topics",
  bad_topic: "the topic breaks the rules for names",
  bad_event: "the event breaks the rules: a lower-case letter, then a-z 0-9 _",
  reserved_event: "the event is a word that the protocol keeps for itself",
  kind_changed: "the topic has had another event before; a topic keeps its event",
  too_many_topics: "the feed has as many topics as it may have",
};

export const codeWords = (code) => (Object.hasOwn(CODES, code) ? CODES[code] : "");
