// The one way to our own JSON: every failure leaves as a `Trouble` that says in plain words what to do.

const KEY = "nbo-api-key";
const PATIENCE = 15_000;

export class Trouble extends Error {
  constructor(message, code, status) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

let key = readKey();
let onKeyWanted = () => {};

function readKey() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return ""; // storage is switched off: the key lives as long as the page
  }
}

/** Use a key from now on, in this tab only. */
export function useKey(value) {
  key = value;
  try {
    if (value) sessionStorage.setItem(KEY, value);
    else sessionStorage.removeItem(KEY);
  } catch {
    // As above.
  }
}

/** Say what happens when the service asks for a key, or refuses the one in use. */
export function whenKeyWanted(listener) {
  onKeyWanted = listener;
}

export const health = () => ask("GET", "health/ready");
export const segments = () => ask("GET", "segments");
export const segment = (id, points) => ask("GET", `segments/${id}?points=${points}`);
export const recommend = (customer, n = 10) => ask("GET", `recommend/${inPath(customer)}?n=${n}`);
export const addEvent = (event) => ask("POST", "events", { events: [event] });
export const survey = () => ask("GET", "onboarding/survey");
export const onboard = (body) => ask("POST", "onboarding", body);

/** A name nobody has used before; not `randomUUID`, which plain HTTP does not get. */
export function freshId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function inPath(id) {
  if (/^\.{1,2}$/.test(id)) throw new Trouble("An id made of dots only cannot be looked up here.", "BAD_ID", 0);
  return encodeURIComponent(id);
}

async function ask(method, path, body) {
  const headers = { Accept: "application/json" };
  if (key) headers["X-API-Key"] = key;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  let said = null;
  try {
    answer = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE),
      cache: "no-store",
    });
    said = await answer.json().catch(() => null);
  } catch (error) {
    const late = error.name === "TimeoutError";
    throw new Trouble(
      late ? "The service took too long to answer. Try again." : "The service cannot be reached. Is it running?",
      late ? "TIMEOUT" : "UNREACHABLE",
      0,
    );
  }
  if (answer.ok) return said;
  const trouble = new Trouble(inWords(answer.status, said), said?.code ?? "", answer.status);
  if (answer.status === 401 || answer.status === 403) onKeyWanted(trouble, key !== "");
  throw trouble;
}

function inWords(status, said) {
  if (said?.code === "DATABASE_AWAY") return "The database is away, so nothing was written. Try again in a few seconds.";
  if (said?.code === "NO_RECOMMENDER") return "This model was trained without offers, so there is nothing to recommend.";
  if (status === 401) return "The service asks for an API key.";
  if (status === 403) return "This API key may not do that.";
  if (status === 429) return "Too many requests just now. Wait a moment and try again.";
  if (status >= 500) return said?.detail ?? "The service has a problem. Try again in a moment.";
  return said?.detail ?? `The service answered ${status}.`;
}
