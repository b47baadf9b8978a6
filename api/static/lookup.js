// A customer looked up by id, and redemptions that re-rank the list.

import * as api from "./api.js";
import { compare, inWords } from "./changes.js";
import { at, el } from "./dom.js";
import { drawList } from "./list.js";

const MARK = "customer";

/** Set the section up; `show()` reads the customer that the address names. */
export function setUpLookup({ onSegment }) {
  const place = at("lookup-result");
  const field = at("lookup-id");
  let turn = 0; // answers to earlier questions are not shown
  let list = null;
  let events = new Map(); // one event per row of a list, so that a second click repeats nothing

  function say(text, problem = false) {
    at("lookup-said").textContent = text;
    at("lookup-said").classList.toggle("problem", problem);
  }

  async function read(customer, said) {
    const own = (turn += 1);
    const again = list !== null && list.customer_id === customer;
    place.setAttribute("aria-busy", "true");
    if (!again) {
      say("Asking for the list …");
      place.replaceChildren();
    }
    try {
      const found = await api.recommend(customer);
      if (own !== turn) return;
      const changes = again ? compare(list.offers, found.offers) : new Map();
      list = found;
      events = new Map(list.offers.map((one) => [one.offer_id, api.freshId()]));
      place.replaceChildren(...drawList(list, { onRedeem: redeem, changes, onSegment }));
      say(said ? `${said} ${inWords(changes)}` : "");
    } catch (trouble) {
      if (own !== turn) return;
      say(trouble.message, true);
      if (!again) {
        list = null;
        place.replaceChildren(el("button", { type: "button", class: "plain", text: "Try again", onclick: () => read(customer) }));
      }
    } finally {
      if (own === turn) place.setAttribute("aria-busy", "false");
    }
  }

  async function redeem(offer, button) {
    const { customer_id, decision_id } = list;
    button.disabled = true;
    button.textContent = "Recording …";
    try {
      const receipt = await api.addEvent({
        event_id: events.get(offer.offer_id), customer_id, decision_id,
        offer_id: offer.offer_id, event_type: "redemption", position: offer.rank,
      });
      if (receipt.rejected.length) throw new api.Trouble(`Not recorded: ${receipt.rejected[0].detail}.`, "REJECTED", 202);
    } catch (trouble) {
      say(trouble.message, true);
      button.disabled = false;
      button.textContent = "Redeem";
      return;
    }
    button.textContent = "Redeemed";
    if (list.customer_id !== customer_id) return; // somebody else is shown by now
    await read(customer_id, `Redeemed “${offer.title ?? offer.offer_id}”.`);
    (place.querySelector(".redeem") ?? field).focus({ preventScroll: true });
  }

  function named() {
    return new URLSearchParams(location.hash.slice(1)).get(MARK);
  }

  function show() {
    const customer = named();
    if (customer === null || customer === "") return;
    field.value = customer;
    read(customer);
  }

  at("lookup-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const customer = field.value.trim();
    if (!customer) return;
    if (customer === named()) read(customer);
    else location.hash = new URLSearchParams({ [MARK]: customer }).toString();
  });
  window.addEventListener("hashchange", () => {
    show();
    if (named()) at("lookup").scrollIntoView({ block: "start" });
  });
  return { show };
}
