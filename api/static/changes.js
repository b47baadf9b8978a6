// How a list differs from the one before it.

/** Return per offer of `now` what became of it since `before`; both are lists of offers, best first. */
export function compare(before, now) {
  const old = new Map(before.map((one) => [one.offer_id, one.rank]));
  return new Map(
    now.map((one) => {
      const was = old.get(one.offer_id);
      return [one.offer_id, { kind: kindOf(was, one.rank), by: was === undefined ? 0 : Math.abs(was - one.rank) }];
    }),
  );
}

function kindOf(was, is) {
  if (was === undefined) return "new";
  return was > is ? "up" : was < is ? "down" : "same";
}

/** Put a comparison into a sentence. */
export function inWords(changes) {
  const tally = { new: 0, up: 0, down: 0 };
  for (const { kind } of changes.values()) if (kind in tally) tally[kind] += 1;
  const said = [];
  if (tally.new) said.push(`${tally.new} new`);
  if (tally.up) said.push(`${tally.up} moved up`);
  if (tally.down) said.push(`${tally.down} moved down`);
  return said.length ? `${said.join(", ")}.` : "The order stayed as it was.";
}
