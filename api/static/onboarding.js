// A new customer: a profile and answers in any part, and a list that follows each of them.

import * as api from "./api.js";
import { compare, inWords } from "./changes.js";
import { at, el } from "./dom.js";
import { drawList } from "./list.js";
import { heading } from "./words.js";

const MOST_COLUMNS = 12; // of the owner's own; more would be no form any more
const ANSWERS = [["yes", "Yes"], ["no", "No"]];

/** Set the section up; `show()` begins anew with the survey's first questions. */
export function setUpOnboarding({ onSegment }) {
  const form = at("profile");
  const place = at("welcome-result");
  const answers = {};
  const skipped = new Set();
  let customer = null;
  let list = null;
  let answered = false; // since the questions were drawn
  let waiting = Promise.resolve(); // one answer after the other, so that none overtakes

  function say(text, problem = false) {
    at("welcome-said").textContent = text;
    at("welcome-said").classList.toggle("problem", problem);
  }

  function profile() {
    const told = {};
    for (const field of form.querySelectorAll("[name]")) {
      const value = field.value.trim();
      if (value !== "") told[field.name] = field.type === "number" ? Number(value) : value;
    }
    return told;
  }

  /** Ask for the columns of the owner's as well that this model reads. */
  function drawOwn(columns) {
    const named = new Set(Array.from(form.querySelectorAll("[name]"), (field) => field.name));
    const own = columns.filter((one) => !named.has(one.name)).slice(0, MOST_COLUMNS);
    form.querySelector(".act").before(...own.map((one, place) => {
      const id = `profile-own-${place}`;
      const label = heading(one.name.replaceAll("_", " "));
      return el("div", {},
        el("label", { for: id, text: label }),
        one.values === null
          ? el("input", { id, name: one.name, type: "number", min: "-1e9", max: "1e9", step: "any" })
          : el("select", { id, name: one.name },
            el("option", { value: "", text: "" }),
            ...one.values.map((value) => el("option", { value, text: value }))));
    }));
  }

  async function tell(said) {
    place.setAttribute("aria-busy", "true");
    if (list === null) say("Making the first list …");
    try {
      const body = { profile: profile(), answers, skipped: [...skipped] };
      if (customer !== null) body.customer_id = customer;
      const welcome = await api.onboard(body);
      const changes = list === null ? new Map() : compare(list.offers, welcome.recommendations.offers);
      customer = welcome.customer_id;
      list = welcome.recommendations;
      place.replaceChildren(...drawList(list, { changes, onSegment, brief: true }), openButton());
      say(list !== null && said ? `${said} ${changes.size ? inWords(changes) : ""}` : "");
      ask(welcome);
    } catch (trouble) {
      say(trouble.message, true);
    } finally {
      place.setAttribute("aria-busy", "false");
    }
  }

  const queue = (said) => (waiting = waiting.then(() => tell(said)));

  function openButton() {
    const id = customer;
    return el("p", {}, el("a", { href: `#${new URLSearchParams({ customer: id })}`, text: "Open this customer in the look-up" }));
  }

  function ask({ next_questions: questions, settled }) {
    const open = questions.filter((one) => !skipped.has(one.question) && !(one.question in answers));
    at("questions").replaceChildren(
      ...open.map(draw),
      ...(open.length ? [] : [el("li", { class: "quiet", text: settled === false ? NO_MORE : SETTLED })]),
    );
    if (answered) at("questions").querySelector("button")?.focus({ preventScroll: true });
    answered = false;
  }

  /** Take a question away; whoever answers by keyboard goes on with the next one. */
  function leave(item) {
    const next = item.nextElementSibling ?? item.previousElementSibling;
    item.remove();
    next?.querySelector("button")?.focus({ preventScroll: true });
    answered = true;
  }

  function draw(one) {
    const choose = (answer) => {
      answers[one.question] = answer;
      leave(item);
      queue(`You said ${answer}.`);
    };
    const named = one.answers ? one.answers.map((answer) => [answer, answer[0].toUpperCase() + answer.slice(1)]) : ANSWERS;
    const buttons = named.map(([answer, text]) =>
      el("button", { type: "button", class: "plain", "aria-label": `${text}: ${one.text}`, "data-answer": answer, text, onclick: () => choose(answer) }),
    );
    const skip = () => {
      skipped.add(one.question);
      leave(item);
      queue("Skipped.");
    };
    const item = el(
      "li",
      { "data-question": one.question },
      el("span", { class: "grow", text: one.text }),
      el("span", { class: "answers" }, ...buttons,
        el("button", { type: "button", class: "bare", "aria-label": `Skip: ${one.text}`, "data-answer": "skip", text: "Skip", onclick: skip })),
    );
    return item;
  }

  async function show() {
    if (customer !== null) return;
    try {
      const { questions, settled, profile: columns } = await api.survey();
      drawOwn(columns ?? []);
      ask({ next_questions: questions, settled });
    } catch {
      // The first answer to the form brings questions as well.
      at("questions").replaceChildren(el("li", { class: "quiet", text: "Questions follow with the first list." }));
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    queue("Profile taken.");
  });
  return { show };
}

const SETTLED = "No more questions: the list is settled.";
const NO_MORE = "No more questions for now.";
