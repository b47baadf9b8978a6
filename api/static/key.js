// The field for an API key, shown only where the service asks for one.

import { useKey, whenKeyWanted } from "./api.js";
import { at } from "./dom.js";

/** Show the field when a key is wanted; `again` repeats what could not be done without one. */
export function setUpKey(again) {
  const place = at("key");
  const field = at("key-value");
  whenKeyWanted((trouble, given) => {
    const wrong = "This key was not accepted. It may be mistyped or expired.";
    at("key-why").textContent =
      trouble.status === 403 ? trouble.message : given ? wrong : "Type one to see the page's figures.";
    if (!place.hidden) return;
    place.hidden = false;
    field.focus();
  });
  at("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    useKey(field.value.trim());
    field.value = "";
    place.hidden = true;
    again();
  });
}
