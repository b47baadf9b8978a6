// A list of offers with its reasons, for whoever shows one.

import { drawContributions } from "./contributions.js";
import { el } from "./dom.js";
import { colourOf } from "./map.js";
import { percent, strategyName } from "./words.js";

const CHANGES = {
  new: () => ["New", "new on the list"],
  up: (by) => [`▲ ${by}`, `moved up by ${by}`],
  down: (by) => [`▼ ${by}`, `moved down by ${by}`],
};

const BRIEF = 5; // rows
const WIDE = window.matchMedia("(min-width: 1001px)");

/**
 * Draw a list as the service sent it.
 *
 * `onRedeem(offer, button)` gives every row its button; `changes` come from `compare` and are shown
 * on the rows; `onSegment(id)` is called when the segment is chosen. A `brief` list shows its
 * lower rows, and how theirs add up, only when asked.
 */
export function drawList(list, { onRedeem, changes = new Map(), onSegment, brief = false } = {}) {
  const best = Math.max(...list.offers.map((one) => one.score), Number.MIN_VALUE);
  const rows = list.offers.map((offer) =>
    drawOffer(offer, {
      best, onRedeem, calibrated: list.calibrated, change: changes.get(offer.offer_id),
      open: offer.rank === 1 || (WIDE.matches && !brief),
    }),
  );
  return [
    list.degraded ? el("p", { class: "banner", role: "alert", text: DEGRADED }) : null,
    drawHead(list, onSegment),
    rows.length
      ? el("ol", { class: "offers" }, ...(brief ? rows.slice(0, BRIEF) : rows))
      : el("p", { class: "empty", text: "There is no offer left for this customer: all were taken, or none is valid now." }),
    brief && rows.length > BRIEF
      ? el("details", { class: "rest" }, el("summary", { text: `${rows.length - BRIEF} more` }), el("ol", { class: "offers" }, ...rows.slice(BRIEF)))
      : null,
    rows.length ? el("p", { class: "quiet legend-line", text: list.calibrated ? CALIBRATED : RELATIVE }) : null,
  ].filter((part) => part !== null);
}

const DEGRADED =
  "The database is away. This list comes from the model alone: what happened since it was trained is missing, and redemptions cannot be recorded.";
const CALIBRATED =
  "The percentage is the chance that the customer redeems the offer when it is shown. The bars are its log-odds: from where this customer starts with any offer (some answer what they are shown more than others do), every source adds (right) or takes away (left), down to the sum.";
const RELATIVE =
  "There were no impressions to learn chances from, so scores only say which offer comes before which. The bars add up to the score.";

function drawHead(list, onSegment) {
  const segment = list.segment
    ? el(
        onSegment ? "button" : "span",
        { class: `chip ${colourOf(list.segment.id)}`, type: onSegment ? "button" : null, title: onSegment ? "Show on the map" : null, onclick: () => onSegment?.(list.segment.id) },
        el("span", { class: "swatch", "aria-hidden": "true" }),
        list.segment.name,
      )
    : el("span", { text: "none yet" });
  const fact = (name, value) => el("div", {}, el("dt", { text: name }), el("dd", {}, value));
  return el(
    "dl",
    { class: "figures person" },
    fact("Customer", list.customer_id),
    fact("Known", list.known ? "yes" : "no – this is the list for strangers"),
    fact("Segment", segment),
    fact("Made from", strategyName(list.strategy)),
    fact("Scores", list.calibrated ? "calibrated chances" : "relative"),
  );
}

function drawOffer(offer, { best, calibrated, change, onRedeem, open }) {
  const name = offer.title ?? offer.offer_id;
  const share = Math.max(0, offer.score) / best;
  const meter = el("span", { class: "meter", "aria-hidden": "true" }, el("span"));
  meter.firstChild.style.width = `${Math.round(100 * Math.min(1, share))}%`;
  const kind = change && change.kind !== "same" ? change.kind : null;
  const [short, long] = kind ? CHANGES[kind](change.by) : [];
  const button = onRedeem
    ? el("button", { type: "button", class: "redeem", "aria-label": `Redeem ${name}`, text: "Redeem" })
    : null;
  button?.addEventListener("click", () => onRedeem(offer, button));
  return el(
    "li",
    { class: `offer ${kind ?? ""}`, "data-offer": offer.offer_id },
    el("span", { class: "rank", text: offer.rank }),
    el(
      "div",
      { class: "what" },
      el("h3", { class: offer.title === null ? "named" : null }, name, kind ? el("span", { class: `change ${kind}`, text: short, title: long, role: "img", "aria-label": long }) : null),
      el("p", { class: "quiet small" }, [offer.category, offer.offer_id].filter((one) => one && one !== name).join(" · ")),
      el("ul", { class: "reasons" }, ...offer.reasons.map((text) => el("li", { text }))),
    ),
    el(
      "div",
      { class: "score" },
      el("strong", { text: calibrated ? percent(offer.score) : offer.score.toFixed(2), "data-score": offer.score }),
      meter,
      button,
    ),
    Object.keys(offer.contributions).length
      ? el("details", { open }, el("summary", { text: "How it adds up" }), drawContributions(offer, calibrated))
      : null,
  );
}
