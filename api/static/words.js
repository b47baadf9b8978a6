// Numbers and names of the contract, as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const plain = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

const SOURCES = {
  collaborative: "Similar customers",
  content: "Their purchases",
  segment: "Their segment",
  demographic: "Their profile",
  survey: "Their answers",
  popularity: "Popularity",
  intercept: "Starting point",
};
const STRATEGIES = {
  hybrid: "several sources together",
  collaborative: "what similar customers chose",
  content: "what they bought",
  segment: "what their segment likes",
  demographic: "their profile",
  survey: "their answers",
  popularity: "what is popular with everybody",
};

export const count = (value) => whole.format(value);
export const number = (value) => (value === null ? "–" : plain.format(value));
export const sourceName = (name) => SOURCES[name] ?? name;
export const strategyName = (name) => STRATEGIES[name] ?? name;
/** A label as a heading: "annual income (k)" becomes "Annual income (k)". */
export const heading = (label) => label.charAt(0).toUpperCase() + label.slice(1);

/** "12.3 %", with enough digits to tell small chances apart. */
export function percent(share) {
  const value = 100 * share;
  return `${value.toFixed(value !== 0 && value < 9.95 ? 1 : 0)}%`;
}

/** A number with its sign, and a real minus. */
export function signed(value, digits = 2) {
  const text = Math.abs(value).toFixed(digits);
  return Number(text) === 0 ? text : (value < 0 ? "−" : "+") + text;
}

/** "3 days ago", from a moment in ISO 8601. */
export function age(moment) {
  const seconds = (Date.now() - Date.parse(moment)) / 1000;
  if (!Number.isFinite(seconds)) return "unknown";
  if (seconds < 90) return "just now";
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    const n = Math.floor(seconds / size);
    if (n >= 2 || (n === 1 && unit !== "minute")) return `${count(n)} ${unit}${n === 1 ? "" : "s"} ago`;
  }
  return "a minute ago";
}

/**
 * Round parts so that they add up to their rounded total: what rounding left over goes where it
 * changes least. A reader who adds up the numbers gets the number below the line.
 */
export function roundToSum(parts, digits = 2) {
  const unit = 10 ** digits;
  const exact = parts.map((part) => part * unit);
  const rounded = exact.map(Math.round);
  const total = Math.round(exact.reduce((sum, one) => sum + one, 0));
  let left = total - rounded.reduce((sum, one) => sum + one, 0);
  const step = Math.sign(left);
  const willing = exact
    .map((one, place) => ({ place, cost: step * (rounded[place] - one) }))
    .sort((a, b) => a.cost - b.cost);
  for (let turn = 0; left !== 0; turn += 1, left -= step) rounded[willing[turn % willing.length].place] += step;
  return { parts: rounded.map((one) => one / unit), total: total / unit };
}
