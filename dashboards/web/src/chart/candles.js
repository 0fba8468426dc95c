// Candles and bars of volume, drawn into uPlot's canvas. A hollow body closed above its open, a full one below.

const BODY_SHARE = 0.7;
/** CSS pixels of the widest body: a few candles in a wide window stay candles. */
const BODY_MAX = 44;
const VOLUME_ALPHA = 0.35;

/** The chart's data are times (the middle of each candle), opens, highs, lows, closes and volumes. */
export function drawCandles(plot, { seconds, isPrice }, inks) {
  const { ctx, bbox, data } = plot;
  const [times, opens, highs, lows, closes, volumes] = data;
  const pixel = devicePixelRatio;
  const wide = (plot.valToPos(times[0] + seconds, "x", true) - plot.valToPos(times[0], "x", true)) * BODY_SHARE;
  const body = Math.max(1, Math.min(Math.floor(wide), BODY_MAX * pixel));
  const y = (number) => Math.round(plot.valToPos(number, "y", true));
  const floor = bbox.top + bbox.height;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.lineWidth = Math.max(1, Math.round(pixel));
  for (let i = 0; i < times.length; i += 1) {
    if (opens[i] === null || opens[i] === undefined) continue;
    const middle = Math.round(plot.valToPos(times[i], "x", true));
    if (middle < bbox.left - body || middle > bbox.left + bbox.width + body) continue;
    const left = middle - Math.floor(body / 2);
    const isUp = closes[i] >= opens[i];
    const colour = isPrice ? (isUp ? inks.up : inks.down) : inks.accent;
    ctx.strokeStyle = ctx.fillStyle = colour;
    if (Number.isFinite(volumes[i])) {
      const top = Math.round(plot.valToPos(volumes[i], "v", true));
      ctx.globalAlpha = VOLUME_ALPHA;
      ctx.fillRect(left, top, body, floor - top);
      ctx.globalAlpha = 1;
    }
    const [top, bottom] = [y(Math.max(opens[i], closes[i])), y(Math.min(opens[i], closes[i]))];
    const half = ctx.lineWidth % 2 ? 0.5 : 0;
    ctx.beginPath();
    ctx.moveTo(middle + half, y(highs[i]));
    ctx.lineTo(middle + half, top);
    ctx.moveTo(middle + half, bottom);
    ctx.lineTo(middle + half, y(lows[i]));
    ctx.stroke();
    const tall = Math.max(bottom - top, ctx.lineWidth);
    if (isUp && body > 3 * pixel && tall > 2 * pixel) ctx.strokeRect(left + half, top + half, body - ctx.lineWidth, tall - ctx.lineWidth);
    else ctx.fillRect(left, top, body, tall);
  }
  ctx.restore();
}
