// What an offer's score is the sum of, as bars: each begins where the one before it ended.

import { el, svg } from "./dom.js";
import { percent, roundToSum, signed, sourceName } from "./words.js";

const INTERCEPT = "intercept";
const ROOM = 100; // the width of a bar's strip, in its own units

/**
 * Draw the parts of one offer's score.
 *
 * The starting point (the intercept) is where the bars begin; each source moves on from there, to
 * the right in favour of the offer and to the left against it, and the last row is where they end.
 */
export function drawContributions(offer, calibrated) {
  const { [INTERCEPT]: start = 0, ...rest } = offer.contributions;
  const names = Object.keys(rest).filter((name) => rest[name] !== 0);
  names.sort((a, b) => Math.abs(rest[b]) - Math.abs(rest[a]));
  const values = [start, ...names.map((name) => rest[name])];
  const { parts, total } = roundToSum(values);
  const ends = values.map(((sum) => (value) => (sum += value))(0));
  const low = Math.min(...ends);
  const span = Math.max(...ends) - low || 1;
  const place = (value) => 3 + ((value - low) / span) * (ROOM - 6);
  const base = place(start);

  const row = (name, value, text, mark, kind) =>
    el(
      "tr",
      { class: kind, "data-part": name, "data-value": value },
      el("th", { scope: "row", text: name === "total" ? (calibrated ? "Sum" : "Score") : sourceName(name) }),
      el("td", { class: "bar", "aria-hidden": "true" }, strip(base, mark)),
      el("td", { class: "value", text }),
    );
  const rows = [row(INTERCEPT, start, signed(parts[0]), dot(base), "start")];
  names.forEach((name, k) => {
    const [from, to] = [place(ends[k]), place(ends[k + 1])];
    const up = rest[name] > 0;
    const bar = svg("rect", { x: Math.min(from, to), y: 2, width: Math.max(0.6, Math.abs(to - from)), height: 8, rx: 0.8 });
    rows.push(row(name, rest[name], signed(parts[k + 1]), bar, up ? "for" : "against"));
  });
  const end = ends[ends.length - 1];
  rows.push(row("total", end, signed(total), dot(place(end)), "total"));
  const meaning = calibrated ? `log-odds, the same as a chance of ${percent(offer.score)}` : "the parts of a relative score";
  return el(
    "table",
    { class: "parts" },
    el("caption", { class: "hidden", text: `What the score adds up from: ${meaning}` }),
    el("tbody", {}, ...rows),
  );
}

function strip(base, mark) {
  return svg(
    "svg",
    { viewBox: `0 0 ${ROOM} 12`, preserveAspectRatio: "none", focusable: "false" },
    svg("line", { class: "base", x1: base, x2: base, y1: 0, y2: 12 }),
    mark,
  );
}

function dot(at) {
  return svg("rect", { class: "dot", x: at - 1, y: 1, width: 2, height: 10, rx: 0.5 });
}
