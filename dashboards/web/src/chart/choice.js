// Which topics a first visit shows as charts.

const CHARTS = 3;
/** How long to wait for the feeds one hopes for before taking what there is. */
const PATIENCE_MS = 2_500;

/**
 * The names to draw, or null while it is too early to say: two quotes and the processor's load make a page that
 * moves; what is missing is filled up with any other topic that has a figure.
 */
export function firstChoice(topics, waitedMs) {
  const drawable = [...topics]
    .filter((topic) => !Number.isNaN(topic.number))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const quotes = drawable.filter((topic) => topic.kind === "quote").slice(0, 2);
  const load = drawable
    .filter((topic) => /(^|[._-])cpu/.test(topic.name) || topic.kind === "cpu")
    .slice(0, 1);
  const best = [...quotes, ...load];
  if (best.length < CHARTS && waitedMs < PATIENCE_MS) return null;
  const others = drawable.filter((topic) => !best.includes(topic));
  const names = [...best, ...others].slice(0, CHARTS).map((topic) => topic.name);
  return names.length > 0 ? names : null;
}
