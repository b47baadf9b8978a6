// The head of the page: which model serves, how old it is, and for how many.

import { health } from "./api.js";
import { at, el } from "./dom.js";
import { age, count } from "./words.js";

function fact(name, value, title) {
  return el("div", {}, el("dt", { text: name }), el("dd", { text: value, title }));
}

/** Read and show the state of the service. */
export async function showStatus() {
  const place = at("facts");
  try {
    const ready = await health();
    const made = ready.created_at || ready.model_at;
    const facts = [fact("Model", ready.model_version), fact("Trained", age(made), made)];
    if (ready.customers !== undefined) facts.push(fact("Customers", count(ready.customers)));
    const open = ready.candidates === undefined ? "" : ` (${count(ready.candidates)} open now)`;
    if (ready.offers !== undefined) facts.push(fact("Offers", count(ready.offers) + open));
    place.replaceChildren(...facts);
  } catch (trouble) {
    place.replaceChildren(fact("Service", trouble.message));
  }
}
