// The labels of a chart's axes: round numbers, and times of the day.

const STEPS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800,
];
const DAY = 86_400_000;
/** Decimals end here. */
const STEP_MIN = 1e-18;

const steps = (from, to, step) =>
  Array.from(
    { length: Math.max(0, Math.floor(to / step + 1e-9) - Math.ceil(from / step - 1e-9) + 1) },
    (_, i) => (Math.ceil(from / step - 1e-9) + i) * step,
  );

/** Round numbers between two, about `count` of them, and the decimals that they need. */
export function numbers(low, high, count) {
  const rough = (high - low) / Math.max(1, count);
  // Steps that are no longer told apart have no labels, as have figures that are none.
  if (!(rough > STEP_MIN && rough < Infinity)) return { at: [low], places: 0 };
  const power = Math.floor(Math.log10(rough));
  const factor = [1, 2, 2.5, 5, 10].find((n) => n * 10 ** power >= rough * 0.999);
  return {
    at: steps(low, high, factor * 10 ** power),
    places: Math.max(0, (factor === 2.5 ? 1 : factor === 10 ? -1 : 0) - power),
  };
}

const clock = (options) => new Intl.DateTimeFormat(undefined, { hourCycle: "h23", ...options });
const minute = { hour: "2-digit", minute: "2-digit" };
const formats = [clock({ ...minute, second: "2-digit" }), clock(minute), clock({ day: "numeric", month: "short" })];

/** The time of the day, or with `isLong` a day and its time. */
export const time = (ms, isLong) => `${isLong ? `${formats[2].format(ms)} ` : ""}${formats[isLong ? 1 : 0].format(ms)}`;

const zoneAt = (ms) => new Date(ms).getTimezoneOffset() * 60_000;

/** Round times between two, at most `count` of them, and how they read. */
export function times(from, to, count) {
  const long = Math.ceil((to - from) / Math.max(1, count) / (STEPS.at(-1) * 1_000)) * STEPS.at(-1);
  const step = (STEPS.find((seconds) => (to - from) / (seconds * 1_000) <= count) ?? long) * 1_000;
  const zone = zoneAt(from);
  const format = formats[step >= DAY ? 2 : step >= 60_000 ? 1 : 0];
  const all = steps(from - zone, to - zoneAt(to), step).map((ms) => ms + zoneAt(ms + zone)); // clocks may have been changed since
  return all.filter((at) => at <= to).map((at) => ({ at, text: format.format(at) }));
}
