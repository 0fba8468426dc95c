// Which columns have room, and how wide each is. Pure: widths in, widths out.

/** Between two cells, and before the first and after the last, in rem. */
export const GAP_REM = 0.75;
export const PAD_REM = 1;
/** No text makes a column wider than so many digits. */
export const CHARS_MAX = 24;
/** The column of what has no column of its own: it takes what room is left. */
const REST_PX = 24;
const HEAD_SHARE = 0.95;

/**
 * @param {{key: string, rank: number, chars: number, head: string, seen?: number, most?: number, px?: number, isRest?: boolean}[]} columns
 *   in their order on the page; `seen` is the longest text so far, `px` a width that is settled
 * @param {{room: number, ch: number, rem: number, off: Set<string>}} about the row's width, a digit's, a rem, and what
 *   the reader has hidden
 * @returns {{tracks: string, shown: Set<string>, cramped: string[]}} `cramped` are those that have no room
 */
export function fit(columns, { room, ch, rem, off }) {
  const wanted = columns.filter(({ key }) => !off.has(key));
  const width = (column) => {
    if (column.isRest) return Math.max(REST_PX, column.px ?? 0);
    if (column.px !== undefined) return Math.ceil(column.px);
    const chars = Math.max(column.chars, Math.min(column.most ?? CHARS_MAX, column.seen ?? 0) * (column.isText ? 0.95 : 1) + (column.isText ? 1.5 : 0.5), column.head.length * HEAD_SHARE + 1);
    return Math.ceil(chars * ch);
  };
  let left = room - 2 * PAD_REM * rem;
  const shown = new Set();
  for (const column of [...wanted].sort((a, b) => a.rank - b.rank)) {
    const needed = width(column) + (shown.size > 0 ? GAP_REM * rem : 0);
    // The first ones stay in any case: a row without its topic and its figure says nothing.
    if (needed > left && column.rank > 0) continue;
    left -= needed;
    shown.add(column.key);
  }
  const tracks = wanted
    .filter(({ key }) => shown.has(key))
    .map((column) => (column.isRest ? `minmax(${width(column)}px, 1fr)` : column.rank < 0 ? `minmax(6rem, ${width(column)}px)` : `${width(column)}px`))
    .join(" ");
  return { tracks, shown, cramped: wanted.filter(({ key }) => !shown.has(key)).map(({ key }) => key) };
}
