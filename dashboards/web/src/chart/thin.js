// Fewer points for the same picture: of each column of pixels the first, the lowest, the highest and the last.

const isGap = (number) => number === null || Number.isNaN(number);

/** A line `[times, numbers]` over `columns` columns of the window; null is a gap, and stays. */
export function thin([times, numbers], [from, to], columns) {
  if (times.length <= columns * 4) return [times, numbers];
  const found = [[], []];
  const put = (i) => {
    found[0].push(times[i]);
    found[1].push(numbers[i]);
  };
  const columnOf = (i) => Math.floor(((times[i] - from) / (to - from)) * columns);
  for (let i = 0; i < times.length; ) {
    if (isGap(numbers[i])) {
      put(i);
      i += 1;
      continue;
    }
    const column = columnOf(i);
    let [last, low, high] = [i, i, i];
    for (let next = i + 1; next < times.length && !isGap(numbers[next]) && columnOf(next) === column; next += 1) {
      last = next;
      if (numbers[next] < numbers[low]) low = next;
      if (numbers[next] > numbers[high]) high = next;
    }
    for (const index of [...new Set([i, low, high, last])].sort((a, b) => a - b)) put(index);
    i = last + 1;
  }
  return found;
}
