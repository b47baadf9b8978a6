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

/** A straight line from values to pixels, with a little room at both ends. */
export function scale(values, from, to) {
  let low = Math.min(...values);
  let high = Math.max(...values);
  if (!(high > low)) [low, high] = [low - 1, high + 1];
  const room = (high - low) * 0.04;
  const start = low >= 0 && low - room < (high - low) * 0.1 ? 0 : low - room;
  const end = high + room;
  const place = (value) => from + ((value - start) / (end - start)) * (to - from);
  return { place, start, end };
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
