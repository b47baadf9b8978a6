// Scales and axes of the map.

import { svg } from "./dom.js";
import { count } from "./words.js";

/** Round numbers that divide a range, about `wanted` of them. */
export function ticks(low, high, wanted) {
  const rough = (high - low) / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high + step * 1e-9; k += 1) found.push(k * step);
  return found;
}

const FAR = 0.35; // of the range of most values: how far beyond them the map still goes

/** The range to draw: everything, unless a few odd values would squeeze all the others. */
function extent(values, always) {
  const sorted = [...values].sort((a, b) => a - b);
  const quantile = (share) => sorted[Math.round(share * (sorted.length - 1))];
  const [most, least] = [quantile(0.98), quantile(0.02)];
  const far = FAR * (most - least);
  return [
    Math.min(Math.max(sorted[0], least - far), ...always),
    Math.max(Math.min(sorted[sorted.length - 1], most + far), ...always),
  ];
}

/**
 * A straight line from values to pixels, with a little room at both ends.
 *
 * Values of `always` are inside for sure; of the others, `holds` tells.
 */
export function scale(values, always, from, to) {
  let [low, high] = extent(values.length ? values : always, always);
  if (!(high > low)) [low, high] = [low - 1, high + 1];
  const room = (high - low) * 0.04;
  const start = low >= 0 && low - room < (high - low) * 0.1 ? 0 : low - room;
  const end = high + room;
  const place = (value) => from + ((value - start) / (end - start)) * (to - from);
  return { place, start, end, holds: (value) => value >= start && value <= end };
}

/** Grid, numbers and titles; `y` is null where the model has one feature only. */
export function drawAxes(frame, x, y, titles) {
  const { left, top, right, bottom } = frame;
  const group = svg("g", { class: "axes", "aria-hidden": "true" });
  for (const value of ticks(x.start, x.end, (right - left) / 90)) {
    const at = x.place(value);
    group.append(
      svg("line", { x1: at, x2: at, y1: top, y2: bottom }),
      svg("text", { x: at, y: bottom + 18, "text-anchor": "middle", text: count(value) }),
    );
  }
  for (const value of y === null ? [] : ticks(y.start, y.end, (bottom - top) / 60)) {
    const at = y.place(value);
    group.append(
      svg("line", { x1: left, x2: right, y1: at, y2: at }),
      svg("text", { x: left - 8, y: at + 4, "text-anchor": "end", text: count(value) }),
    );
  }
  const middle = (top + bottom) / 2;
  group.append(svg("text", { class: "title", x: (left + right) / 2, y: bottom + 38, "text-anchor": "middle", text: titles[0] }));
  if (y !== null) {
    group.append(
      svg("text", { class: "title", transform: `translate(14 ${middle}) rotate(-90)`, "text-anchor": "middle", text: titles[1] }),
    );
  }
  return group;
}
