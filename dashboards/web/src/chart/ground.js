// What is behind a chart's line: hatched parts of which nothing is known or that are old, with a word, and a mark on the whole.

const STRIPE = 7;
const ALPHA = 0.5;
/** How strongly the mark shows: behind the line, and still legible. */
const MARK_ALPHA = 0.55;

/** The stripes, before all else. */
export function drawGround(plot, { parts }, inks) {
  clipped(plot, (ctx) => {
    for (const part of parts) {
      const [left, right] = edges(plot, part);
      if (right > left) hatch(ctx, left, right, plot.bbox, part.isOld ? -1 : 1, inks.muted);
    }
  });
}

/** The words, on the grid and behind the line. */
export function drawWords(plot, { parts, mark }, inks, fontPx) {
  const { bbox } = plot;
  const pixel = devicePixelRatio;
  clipped(plot, (ctx) => {
    ctx.font = `${fontPx * pixel}px system-ui, sans-serif`;
    ctx.textAlign = "left";
    ctx.textBaseline = "top";
    for (const part of parts) {
      const [left, right] = edges(plot, part);
      const width = ctx.measureText(part.word).width;
      if (right - left < width + 8 * pixel) continue;
      const [x, y] = [(left + right - width) / 2, bbox.top + 6 * pixel];
      ctx.fillStyle = inks.sheet;
      ctx.fillRect(x - 4 * pixel, y - 2 * pixel, width + 8 * pixel, (fontPx + 4) * pixel);
      ctx.fillStyle = inks.muted;
      ctx.fillText(part.word, x, y);
    }
    if (!mark) return;
    ctx.globalAlpha = MARK_ALPHA;
    ctx.fillStyle = inks.muted;
    ctx.textBaseline = "bottom";
    ctx.fillText(mark, bbox.left + 6 * pixel, bbox.top + bbox.height - 4 * pixel);
  });
}

function clipped({ ctx, bbox }, draw) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  draw(ctx);
  ctx.restore();
}

/** Left and right of a part in canvas pixels. */
const edges = (plot, { from, to }) => [
  Math.max(plot.bbox.left, Math.round(plot.valToPos(from, "x", true))),
  Math.min(plot.bbox.left + plot.bbox.width, Math.round(plot.valToPos(to, "x", true))),
];

/** Stripes that rise, or fall: old and unknown differ without colour. */
function hatch(ctx, left, right, { top, height }, way, colour) {
  const pixel = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, right - left, height);
  ctx.clip();
  ctx.globalAlpha = ALPHA;
  ctx.strokeStyle = colour;
  ctx.lineWidth = Math.max(1, pixel / 2);
  ctx.beginPath();
  for (let x = left - height; x < right + height; x += STRIPE * pixel) {
    ctx.moveTo(x, way > 0 ? top + height : top);
    ctx.lineTo(x + height, way > 0 ? top : top + height);
  }
  ctx.stroke();
  ctx.restore();
}
