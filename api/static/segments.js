// The section about segments: fetches them, and keeps map, legend and description in step.

import * as api from "./api.js";
import { at, el } from "./dom.js";
import { colourOf, drawMap } from "./map.js";
import { count, heading, number, percent } from "./words.js";

const DOTS = 900; // on the whole map, shared out by size so that the map is as dense as the truth
const MOST_DOTS = 500; // of one segment, the service's limit
const USUAL = ["annual_income", "spending_score"];

/** Set the section up; `show()` reads it anew, `choose(id)` describes a segment. */
export function setUpSegments() {
  const place = at("map");
  let details = [];
  let chosen = null;
  let mark = () => {};

  function draw() {
    if (!details.length) return;
    mark = drawMap(place, details, choose);
    mark(chosen);
  }

  function choose(id, scroll = false) {
    const found = details.find((one) => one.id === id);
    if (!found) return;
    chosen = id;
    mark(id);
    for (const button of at("legend").querySelectorAll("button")) {
      button.setAttribute("aria-pressed", button.dataset.segment === String(id));
    }
    at("segment").replaceChildren(...describe(found));
    if (scroll) at("segments").scrollIntoView({ block: "start" });
  }

  async function show() {
    place.setAttribute("aria-busy", "true");
    if (!details.length) place.replaceChildren(el("p", { class: "empty", text: "Reading the segments …" }));
    try {
      const all = await api.segments();
      const dots = (one) => Math.max(1, Math.min(MOST_DOTS, Math.round(DOTS * one.share)));
      details = await Promise.all(all.map((one) => api.segment(one.id, dots(one))));
      if (!details.length) {
        place.replaceChildren(el("p", { class: "empty", text: "This model has no segments: its customers could not be told apart." }));
        return;
      }
      sayAxes(details[0]);
      at("legend").replaceChildren(...details.map((one) => entry(one, choose)));
      draw();
      choose(details.some((one) => one.id === chosen) ? chosen : details[0].id);
    } catch (trouble) {
      place.replaceChildren(el("p", { class: "empty problem", text: trouble.message }));
    } finally {
      place.setAttribute("aria-busy", "false");
    }
  }

  let width = 0;
  new ResizeObserver(() => {
    if (place.clientWidth === width) return;
    width = place.clientWidth;
    draw();
  }).observe(place);
  return { show, choose: (id) => choose(id, true) };
}

function sayAxes({ axes, profile }) {
  if (axes.join() === USUAL.join()) return;
  const names = axes.map((name) => profile[name].label).join(" against ");
  at("map-note").textContent = `This model does not know income and spending score both, so the map shows ${names}.`;
}

function entry(one, choose) {
  const button = el(
    "button",
    { type: "button", class: colourOf(one.id), "data-segment": one.id, "aria-pressed": false, onclick: () => choose(one.id) },
    el("span", { class: "swatch", "aria-hidden": "true" }),
    el("span", { class: "grow", text: one.name }),
    el("span", { class: "quiet", text: `${count(one.size)} · ${percent(one.share)}` }),
  );
  return el("li", {}, button);
}

function figure(name, value, title) {
  return el("div", { title }, el("dt", { text: name }), el("dd", { text: value }));
}

function describe(one) {
  const figures = [figure("Customers", count(one.size)), figure("Share", percent(one.share))];
  if (one.confidence !== null) {
    figures.push(figure("Clarity", percent(one.confidence), "How clearly its customers belong here: 50% is on the border, 100% at the centre"));
  }
  const rows = Object.values(one.profile).map(({ label, segment, everybody }) =>
    el(
      "tr",
      {},
      el("th", { scope: "row", text: heading(label) }),
      el("td", {}, compared(segment, everybody), number(segment)),
      el("td", { class: "quiet", text: number(everybody) }),
    ),
  );
  const head = ["", "Here", "All"].map((text) => el("th", { scope: "col", text }));
  return [
    el("h3", {}, el("span", { class: `swatch ${colourOf(one.id)}`, "aria-hidden": "true" }), one.name),
    el("dl", { class: "figures" }, ...figures),
    el("table", {}, el("caption", { text: "Average of its customers" }), el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows)),
  ];
}

/** An arrow where a mean is far from everybody's: by a tenth or more. */
function compared(segment, everybody) {
  if (!segment || !everybody || Math.abs(segment / everybody - 1) < 0.1) return null;
  const more = segment > everybody;
  return el("span", { class: more ? "more" : "less", text: more ? "▲ " : "▼ ", "aria-label": more ? "above average" : "below average", role: "img" });
}
