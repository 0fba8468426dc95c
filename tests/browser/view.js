// What a test reads off the page, in the words of the page.

/** The text of a column's cells in a feed's rows, by topic. */
export const column = (page, feed, name) =>
  page.$$eval(
    `tbody[data-feed="${feed}"] tr[data-topic]`,
    (rows, name) =>
      Object.fromEntries(rows.map((row) => [row.dataset.topic, row.querySelector(`.${name}`).textContent])),
    name,
  );

export const rowOf = (page, topic) => page.locator(`tr[data-topic="${topic}"]`);

/** The names of the drawn topics. */
export const drawn = (page) => page.$$eval(".chart", (charts) => charts.map((chart) => chart.dataset.topic));

/** Waits until the link says so. */
export const linkSays = (page, text) =>
  page.waitForFunction((text) => document.getElementById("link").textContent.startsWith(text), text);

/**
 * Has the page, which waits for its next try, put that try off for ever: what connects it is then what the test does, and
 * no back-off that is over.
 */
export async function holdBackOff(page) {
  await page.evaluate(() => {
    const { setTimeout } = globalThis;
    globalThis.setTimeout = (wake, ms) => {
      if (!String(wake).includes("this.connect()")) return setTimeout(wake, ms);
      globalThis.isHeld = true;
      return 0;
    };
  });
  // The try that was planned before comes, and fails.
  await page.waitForFunction(() => globalThis.isHeld);
}

/** From now on the page's client tries again at once: how long it waits between two tries is held by the client's own tests. */
export const hurry = (page) =>
  page.evaluate(() => {
    const { setTimeout } = globalThis;
    globalThis.setTimeout = (wake, ms) => setTimeout(wake, String(wake).includes("this.connect()") ? 20 : ms);
  });

/** Waits until a feed has rows whose sequence numbers have all been read, and gives the greatest. */
export async function greatestSeq(page, feed) {
  await page.waitForSelector(`tbody[data-feed="${feed}"] tr[data-topic]`);
  const seqs = Object.values(await column(page, feed, "seq")).map((text) => Number(text.replaceAll(",", "")));
  return Math.max(...seqs);
}

/** Waits until a feed's sequence numbers have gone past `seq`. */
export const seqPasses = (page, feed, seq) =>
  page.waitForFunction(
    ([feed, seq]) =>
      [...document.querySelectorAll(`tbody[data-feed="${feed}"] td.seq`)].some(
        (cell) => Number(cell.textContent.replaceAll(",", "")) > seq,
      ),
    [feed, seq],
  );

/**
 * Waits until a topic's chart has ink of the line's own colour on its canvas. It is scrolled into view: a chart that the
 * reader does not see is not drawn.
 */
export const hasLine = (page, topic) =>
  page.waitForFunction(
    (topic) => {
      const canvas = document.querySelector(`.chart[data-topic="${topic}"] canvas`);
      document.querySelector(`.chart[data-topic="${topic}"]`)?.scrollIntoView({ block: "nearest", behavior: "instant" });
      if (!canvas || canvas.width === 0) return false;
      const probe = document.createElement("span");
      probe.style.color = "var(--accent)";
      document.body.append(probe);
      const [r, g, b] = getComputedStyle(probe).color.match(/\d+/g).map(Number);
      probe.remove();
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let inked = 0;
      for (let i = 0; i < data.length; i += 4) {
        if (
          data[i + 3] > 200 &&
          Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 24
        )
          inked += 1;
      }
      return inked > 40;
    },
    topic,
  );
