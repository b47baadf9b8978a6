// The segment map: sampled customers as dots, centroids marked and named.

import { drawAxes, scale } from "./axes.js";
import { el, svg } from "./dom.js";
import { heading, number, percent } from "./words.js";

export const COLOURS = 10;
const MARGIN = { left: 52, right: 14, top: 14, bottom: 48 };

/** The class that colours everything about a segment. */
export const colourOf = (id) => `s${id % COLOURS}`;

/**
 * Draw the map into `place`.
 *
 * `details` are answers of /segments/{id}; `onChoose(id)` is called on a click, Enter or Space.
 * Returns `mark(id)`, which shows a segment as the chosen one.
 */
export function drawMap(place, details, onChoose) {
  const width = Math.max(280, place.clientWidth);
  const height = Math.round(Math.min(520, Math.max(330, width * 0.62)));
  const axes = details[0].axes;
  const frame = { left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: height - MARGIN.bottom };
  const middles = details.map((one) => axes.map((name) => one.centroid[name]));
  const all = details.flatMap((one) => one.points);
  const along = (k, from, to) => scale(all.map((point) => point[k]), middles.map((point) => point[k]), from, to);
  const x = along(0, frame.left, frame.right);
  const y = axes.length > 1 ? along(1, frame.bottom, frame.top) : null;
  const inside = (point) => x.holds(point[0]) && (y === null || y.holds(point[1]));
  const level = (point) => (y === null ? (frame.top + frame.bottom) / 2 : y.place(point[1]));

  const titles = axes.map((name) => heading(details[0].profile[name].label));
  const picture = svg("svg", {
    width, height, viewBox: `0 0 ${width} ${height}`, role: "group",
    "aria-label": `Map of ${details.length} segments: ${titles.join(" against ")}`,
  });
  picture.append(drawAxes(frame, x, y, titles));
  const tip = el("div", { class: "tip", "aria-hidden": "true", hidden: true });

  const tell = (node, lines) => {
    tip.replaceChildren(...lines.map((text) => el("span", { text })));
    tip.hidden = false;
    const outer = place.getBoundingClientRect();
    const box = node.getBoundingClientRect();
    const left = box.left + box.width / 2 - outer.left - tip.offsetWidth / 2;
    const above = box.top - outer.top - tip.offsetHeight - 8;
    tip.style.left = `${Math.max(0, Math.min(left, outer.width - tip.offsetWidth))}px`;
    tip.style.top = `${above < 0 ? box.bottom - outer.top + 8 : above}px`;
  };
  const hush = () => { tip.hidden = true; };
  const values = (point) => point.map((value, k) => `${titles[k]}: ${number(value)}`);

  const groups = details.map((one) => {
    const group = svg("g", { class: `points ${colourOf(one.id)}`, "data-segment": one.id, "aria-hidden": "true" });
    for (const point of one.points.filter(inside)) {
      const dot = svg("circle", { cx: x.place(point[0]), cy: level(point), r: 3.2 });
      dot.addEventListener("pointerenter", () => tell(dot, [one.name, ...values(point)]));
      group.append(dot);
    }
    group.addEventListener("pointerleave", hush);
    group.addEventListener("pointerout", hush);
    group.addEventListener("click", () => onChoose(one.id));
    return group;
  });
  const marks = details.map((one, k) => {
    const [cx, cy] = [x.place(middles[k][0]), level(middles[k])];
    const mark = svg(
      "g",
      {
        class: `centroid ${colourOf(one.id)}`, "data-segment": one.id, tabindex: 0, role: "button",
        "aria-label": `${one.name}, ${percent(one.share)} of customers. Centre at ${values(middles[k]).join(", ")}`,
      },
      svg("circle", { class: "ring", cx, cy, r: 11 }),
      svg("path", { class: "cross", d: `M${cx - 5} ${cy}H${cx + 5}M${cx} ${cy - 5}V${cy + 5}` }),
    );
    const show = () => tell(mark.firstChild, [one.name, `${percent(one.share)} of customers`, ...values(middles[k])]);
    mark.addEventListener("pointerenter", show);
    mark.addEventListener("focus", show);
    mark.addEventListener("pointerleave", hush);
    mark.addEventListener("blur", hush);
    mark.addEventListener("click", () => onChoose(one.id));
    mark.addEventListener("keydown", (event) => {
      if (event.key === "Escape") hush();
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      onChoose(one.id);
    });
    return mark;
  });
  picture.append(...groups, ...marks);
  const beyond = all.length - all.filter(inside).length;
  const note = beyond ? el("p", { class: "quiet beyond", text: `${beyond} of ${all.length} dots lie beyond the edge.` }) : "";
  place.replaceChildren(picture, tip, note);
  nameMarks(picture, frame, details.map((one, k) => [one, x.place(middles[k][0]), level(middles[k])]));

  return (id) => {
    for (const node of [...groups, ...marks]) {
      const own = node.getAttribute("data-segment") === String(id);
      node.classList.toggle("chosen", own);
      node.classList.toggle("other", !own);
      if (node.getAttribute("role")) node.setAttribute("aria-pressed", own);
    }
  };
}

/** Write the names beside the marks, where they fit and hide no other name. */
function nameMarks(picture, frame, marks) {
  const taken = marks.map(([, cx, cy]) => ({ left: cx - 12, right: cx + 12, top: cy - 12, bottom: cy + 12 }));
  for (const [own, [one, cx, cy]] of marks.entries()) {
    // Two short lines hide fewer dots than a long one.
    const lines = one.name.split(", ");
    const label = svg("text", { class: "name", "aria-hidden": "true", "text-anchor": "middle" });
    label.append(...lines.map((text, k) => svg("tspan", { x: 0, dy: k ? 15 : 0, text: k < lines.length - 1 ? `${text},` : text })));
    picture.append(label);
    const { width } = label.getBBox();
    const tall = 15 * lines.length;
    const left = Math.max(frame.left, Math.min(cx - width / 2, frame.right - width));
    const tries = [[left, cy - 15 - tall], [left, cy + 15], [cx + 16, cy - tall / 2], [cx - 16 - width, cy - tall / 2]];
    const boxes = tries.map(([at, top]) => ({ left: at, right: at + width, top, bottom: top + tall }));
    const fits = (box) =>
      box.left >= frame.left && box.right <= frame.right + 8 && box.top >= 0 && box.bottom <= frame.bottom &&
      taken.every((other, k) => k === own || box.right < other.left || box.left > other.right || box.bottom < other.top || box.top > other.bottom);
    const box = boxes.find(fits);
    if (box === undefined) {
      label.remove(); // the legend and the tip still name it
      continue;
    }
    taken.push(box);
    const middle = box.left + width / 2;
    for (const [k, line] of [...label.children].entries()) {
      line.setAttribute("x", middle);
      line.setAttribute("y", box.top + 12 + 15 * k);
      line.removeAttribute("dy");
    }
  }
}
